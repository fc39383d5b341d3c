"""Penalties and the training of stacked networks against torch's own optimisers."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from scispaces.datasets import ClassificationData
from scispaces.optim import weight_scale_penalty
from scispaces.studies import weight_scale_data
from scispaces.studies.weight_scale_data import Task, lay_out
from scispaces.studies.weight_scale_measures import balanced_squares as after_balance
from scispaces.studies.weight_scale_methods import (
    DIRECTION_SHARE,
    METHODS,
    PENALTIES,
    balanced_squares,
    log_norms,
    log_norms_and_directions,
    sum_of_squares,
)
from scispaces.studies.weight_scale_networks import Architecture
from scispaces.studies.weight_scale_training import BATCH, NormHistory, batches, train

FACTORS = (2.0, 0.25, 4.0, 0.5)


@pytest.fixture(scope="module")
def task() -> Task:
    return lay_out("digits", "mlp", [0, 3], width=8).double()


def test_splits_share_no_row_and_differ_between_seeds() -> None:
    task = lay_out("digits", "mlp", [0, 1])
    assert task.train.x.shape == (2, 957, 64)
    assert task.validation.y.shape == (2, 300)
    assert task.test.y.shape == (2, 540)
    rows = {tuple(row) for row in task.train.x[0].tolist()}
    assert len(rows.intersection(tuple(row) for row in task.validation.x[0].tolist())) < 3
    assert not torch.equal(task.train.y[0], task.train.y[1])
    assert float(task.train.x.amin()) == 0
    assert float(task.train.x.amax()) == 1


def test_penalties_are_their_formulas_on_every_network() -> None:
    architecture = Architecture("mlp", 8, width=8)
    weights = architecture.start([0, 1], dtype=torch.float64)
    for network in range(2):
        own = [weight[network] for weight in weights]
        squares = sum(float(each.square().sum()) for each in own)
        assert float(sum_of_squares(weights)[network]) == pytest.approx(squares / 2)
        assert float(log_norms(weights)[network]) == pytest.approx(
            sum(float(each.norm().log()) for each in own)
        )
        assert float(log_norms_and_directions(weights)[network]) == pytest.approx(
            float(weight_scale_penalty(own, log_norm=1.0, direction_l1=DIRECTION_SHARE))
        )
    torch.testing.assert_close(2 * balanced_squares(weights), after_balance(architecture, weights))


@pytest.mark.parametrize("name", PENALTIES)
def test_only_the_sum_of_squares_sees_a_shift(name: str) -> None:
    weights = Architecture("mlp", 8, width=8).start([0], dtype=torch.float64)
    moved = [weight * factor for weight, factor in zip(weights, FACTORS, strict=True)]
    penalty, _ = PENALTIES[name]
    unchanged = bool(torch.isclose(penalty(weights), penalty(moved)).all())
    assert unchanged == (name != "l2")


def test_every_method_has_as_many_settings() -> None:
    tuned = {name: method for name, method in METHODS.items() if method.tuned}
    assert set(METHODS) - set(tuned) == {"none_sgd", "none_adam"}
    for method in tuned.values():
        grid = method.grid(7)
        assert len(grid) == 7
        assert (grid[0], grid[-1]) == pytest.approx(method.strengths)


@pytest.mark.parametrize("name", ["none_sgd", "l2_sgd", "l2_adam", "adamw"])
def test_training_is_that_of_torch(task: Task, name: str) -> None:
    method, rate, strength = METHODS[name], 0.01, 0.3
    weights = train(task, method, [0.7, strength], rate, 5)
    own = [w[1].clone().requires_grad_(True) for w in task.architecture.start([3, 3])]
    own = [each.detach().double().requires_grad_(True) for each in own]
    decay = strength if method.tuned else 0.0
    if name == "adamw":
        optimiser: torch.optim.Optimizer = torch.optim.AdamW(own, lr=rate, weight_decay=decay)
    elif method.optimiser == "adam":
        optimiser = torch.optim.Adam(own, lr=rate, weight_decay=decay)
    else:
        optimiser = torch.optim.SGD(own, lr=rate, momentum=0.9, weight_decay=decay)
    for rows in batches(task, 5)[:, 1]:
        hidden = task.train.x[1, rows]
        for at, each in enumerate(own):
            hidden = (hidden.relu() if at else hidden) @ each
        optimiser.zero_grad()
        cross_entropy(hidden, task.train.y[1, rows]).backward()
        optimiser.step()
    for stacked, alone in zip(weights, own, strict=True):
        torch.testing.assert_close(stacked[3], alone.detach())


@pytest.mark.parametrize("name", ["log_norm_adam", "direction_sgd", "balanced_adam", "adamw"])
def test_a_network_learns_the_same_whatever_is_beside_it(task: Task, name: str) -> None:
    together = train(task, METHODS[name], [0.01, 0.1], 0.01, 4)
    alone = train(task, METHODS[name], [0.1], 0.01, 4)
    for several, one in zip(together, alone, strict=True):
        torch.testing.assert_close(several[1::2], one)


def test_training_can_start_anywhere_and_be_watched(task: Task) -> None:
    start = [weight * 2 for weight in task.architecture.start(task.seeds, 2, dtype=torch.float64)]
    first = start[0].clone()
    history = NormHistory()
    ended = train(
        task, METHODS["l2_sgd"], [0.0, 0.1], 0.01, 6, start=start, look=history, looks=(0, 3, 6)
    )
    assert torch.equal(start[0], first)
    assert len(history.seen) == 3
    torch.testing.assert_close(history.seen[0][:, 0], first.flatten(1).square().sum(1))
    torch.testing.assert_close(history.seen[-1][:, 0], ended[0].flatten(1).square().sum(1))


def test_batches_depend_on_the_seed_alone(task: Task) -> None:
    drawn = batches(task, 3)
    assert drawn.shape == (3, 2, BATCH)
    alone = batches(lay_out("digits", "mlp", [3], width=8), 3)
    assert torch.equal(drawn[:, 1], alone[:, 0])


def test_large_pictures_become_means_of_four_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    pictures = generator.random((30, 28, 28), dtype=np.float32)
    classes = np.arange(30) % 10
    data = ClassificationData("tiny", pictures, classes, pictures, classes, tuple("0123456789"))
    monkeypatch.setitem(weight_scale_data.DATA_SETS, "tiny", lambda: data)
    monkeypatch.setitem(weight_scale_data.ROWS, "tiny", (20, 10, 50))
    task = lay_out("tiny", "cnn", [0, 1])
    assert task.architecture.side == 14
    assert task.train.x.shape == (2, 20, 196)
    assert task.test.x.shape == (2, 30, 196)
    corners = {round(float(each[:2, :2].mean()), 5) for each in pictures}
    assert {round(float(each), 5) for each in task.test.x[0, :, 0]} == corners
    few = task.validation.repeated(2).first(3)
    assert torch.equal(few.x[0], few.x[1])
    assert few.y.shape == (4, 3)
