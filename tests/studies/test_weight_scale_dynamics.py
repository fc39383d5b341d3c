"""Squared norms along plain SGD: what the data add, what is conserved, what vanishes."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from scispaces.studies.weight_scale_data import lay_out
from scispaces.studies.weight_scale_dynamics import (
    STRENGTHS,
    collapse,
    conserved,
    decay_path,
    largest_pull,
    pull,
    track,
)
from scispaces.studies.weight_scale_methods import METHODS


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_data_pull_every_layer_alike(model: str) -> None:
    task = lay_out("digits", model, [0, 1], width=8).double()
    weights = [w.requires_grad_(True) for w in task.architecture.start([0, 1], dtype=torch.float64)]
    scores = task.architecture.scores(weights, task.train.x)
    loss = cross_entropy(scores.flatten(0, 1), task.train.y.flatten(), reduction="sum")
    (loss / task.train.y.shape[1]).backward()
    expected = pull(task, [weight.detach() for weight in weights])
    for weight in weights:
        torch.testing.assert_close(-(weight * weight.grad).flatten(1).sum(1).detach(), expected)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_no_scores_pull_harder_than_the_bound(classes: int) -> None:
    def against(margin: float) -> float:
        weight = (classes - 1) * math.exp(-margin)
        return -margin * weight / (1 + weight)

    best = minimize_scalar(against, bounds=(0, 30), method="bounded", options={"xatol": 1e-9})
    assert largest_pull(classes) == pytest.approx(-best.fun, abs=1e-9)
    scores = 3 * torch.randn(20000, classes, generator=torch.Generator().manual_seed(0)).double()
    pulls = scores[:, 0] - (scores.softmax(-1) * scores).sum(-1)
    assert float(pulls.max()) <= largest_pull(classes)


def test_differences_of_squared_norms_keep_to_their_laws() -> None:
    rows = conserved(steps=(0.05, 0.025), seeds=(0, 1), horizon=2.0)
    assert len(rows) == len(STRENGTHS) * 4
    for row in rows:
        law = [float(each) for each in row["law"].split(";")]
        seen = [float(each) for each in row["difference"].split(";")]
        assert len(seen) == len(law) == len(row["time"].split(";"))
        assert seen == pytest.approx(law, abs=row["drift"] + 0.02)
        assert row["drift"] < 0.1 < law[0]
        shrunk = math.exp(-2 * row["strength"] * 2.0) if row["penalty"] == "l2" else 1
        assert law[-1] / law[0] == pytest.approx(shrunk, rel=2e-3)
    drifts = {
        step: sum(row["drift"] for row in rows if row["step"] == step) for step in (0.05, 0.025)
    }
    assert drifts[0.05] / drifts[0.025] == pytest.approx(2, rel=0.3)


def test_steps_of_the_logarithm_alone_jump_across_zero() -> None:
    strength, step = 0.5, 0.01
    path = decay_path(1.0, strength, step, 300)
    assert len(path) == 301
    for now, following in pairwise(path):
        assert following == pytest.approx(now - step * strength / now, rel=1e-9)
    # Until then the squared length falls by 2 step strength in every step, a little less at first.
    for update in range(80):
        line = 1 - 2 * step * strength * update
        assert path[update] ** 2 == pytest.approx(line, abs=0.03)
    assert min(path) < 0
    assert max(abs(length) for length in path[120:]) > 0.2


def test_collapse_comes_with_strong_penalties_and_in_time() -> None:
    rows = collapse(strengths=(0.2, 2.0), seeds=(0, 1), step=0.05, horizon=8.0)
    weak, strong = ([row for row in rows if row["strength"] == s] for s in (0.2, 2.0))
    for row in weak:
        assert row["collapsed"] == 0
        assert row["time"] is None
        assert row["latest_time"] is None
        assert row["accuracy"] > 0.8
        assert 0 < row["pull"] < largest_pull()
    for row in strong:
        assert row["collapsed"] == 1
        assert row["time"] < row["latest_time"]
        assert row["time"] == pytest.approx(row["decay_time"], rel=0.3)
        assert row["accuracy"] < 0.5
        assert row["squares_least"] <= 0.05 * 2.0


def test_jacobians_are_tracked_below_their_bounds() -> None:
    rows = track("l2", METHODS["l2_sgd"], 0.01, 0.05, seeds=(0, 1), updates=40, rows_measured=10)
    assert {row["update"] for row in rows} == set(range(0, 41, 2))
    assert {row["loss"] for row in rows} == {"l2"}
    for row in rows:
        assert row["jacobian"] <= row["jacobian_largest"] <= row["spectral_product"]
        assert row["spectral_product"] <= row["frobenius_product"]
    ends = {at: [row["jacobian"] for row in rows if row["update"] == at] for at in (0, 40)}
    assert sum(ends[40]) > 2 * sum(ends[0])
