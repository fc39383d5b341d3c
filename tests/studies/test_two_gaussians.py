"""The two-Gaussian task: closed forms, the minimiser, and prediction against measurement."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from scispaces.losses import logit_adjusted_cross_entropy, pairwise_margin_cross_entropy
from scispaces.studies import two_gaussians
from scispaces.studies.two_gaussians import PRIOR

CONSISTENT = {"weighted", "la", "post_hoc"}


@pytest.fixture(scope="module")
def rows() -> list[two_gaussians.Row]:
    return two_gaussians.run(range(6))


def test_bayes_error_is_the_overlap_of_the_two_densities() -> None:
    overlap, _ = quad(
        lambda u: min(norm.pdf(u, math.sqrt(2)), norm.pdf(u, -math.sqrt(2))), -12, 12, limit=200
    )
    assert two_gaussians.bayes_balanced_error() == pytest.approx(overlap / 2, rel=1e-7)


def test_closed_form_of_a_rule_agrees_with_counting() -> None:
    slope, offset = np.array([0.7, -0.2]), np.array(0.4)
    miss, false_alarm = two_gaussians.class_errors(slope, offset)
    points = np.random.default_rng(1).standard_normal((400_000, 2))
    counted = [((points + sign) @ slope + offset > 0).mean() for sign in (1, -1)]
    assert (1 - miss, false_alarm) == pytest.approx(tuple(counted), abs=3e-3)


def test_threshold_error_agrees_with_integrating_the_densities() -> None:
    threshold = 0.3
    cut = math.log(threshold / (1 - threshold)) - math.log(PRIOR / (1 - PRIOR))
    at = cut / (2 * math.sqrt(2))
    expected = (norm.cdf(at, math.sqrt(2)) + norm.sf(at, -math.sqrt(2))) / 2
    assert two_gaussians.threshold_balanced_error(threshold) == pytest.approx(expected, rel=1e-12)


def test_newton_finds_the_minimum_of_the_losses_of_the_library() -> None:
    points, sign = two_gaussians.sample(0, rows=400)
    design = np.column_stack([points, np.ones(400)])
    targets = torch.from_numpy((sign > 0).astype(np.int64))
    prior = torch.tensor([1 - PRIOR, PRIOR], dtype=torch.float64)
    delta = prior ** (-0.25)
    losses = {
        "la": lambda scores: logit_adjusted_cross_entropy(scores, targets, prior),
        "weighted": lambda scores: pairwise_margin_cross_entropy(
            scores, targets, class_weights=1 / prior
        ),
        "ldam": lambda scores: pairwise_margin_cross_entropy(
            scores, targets, margins=delta[:, None].expand(2, 2)
        ),
        "equalised": lambda scores: pairwise_margin_cross_entropy(
            scores, targets, margins=prior.log().expand(2, 2)
        ),
    }
    for name, loss in losses.items():
        method = two_gaussians.methods()[name]
        weight, margin = (
            np.array(pair)[targets.numpy()] for pair in (method.class_weights, method.margins)
        )
        found = two_gaussians.minimise(design, sign, weight / 400, margin)
        unknowns = torch.from_numpy(found).requires_grad_(True)
        score = torch.from_numpy(design) @ unknowns
        loss(torch.stack([-score / 2, score / 2], dim=-1)).backward()
        torch.testing.assert_close(unknowns.grad, torch.zeros(3).double(), atol=1e-8, rtol=0)


def test_a_minimisation_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_gaussians, "NEWTON_STEPS", 2)
    with pytest.raises(ArithmeticError, match="must converge in 2 steps"):
        two_gaussians.predictions()


def test_predictions_single_out_the_consistent_methods() -> None:
    rows = two_gaussians.predictions()
    assert [row["method"] for row in rows] == list(two_gaussians.methods())
    bayes = two_gaussians.bayes_balanced_error()
    for row in rows:
        assert row["consistent"] == (row["method"] in CONSISTENT)
        assert (row["predicted"] == pytest.approx(bayes, rel=1e-9)) == row["consistent"]
        assert (row["affine"] == pytest.approx(bayes, rel=1e-7)) == row["consistent"]


def test_the_two_predictions_differ_only_where_the_minimiser_is_not_affine() -> None:
    for row in two_gaussians.predictions():
        affine_in_log_odds = row["method"] not in ("ldam", "equalised")
        assert (row["affine"] == pytest.approx(row["predicted"], rel=1e-6)) == affine_in_log_odds


def test_quadrature_agrees_with_a_very_large_sample() -> None:
    points, sign = two_gaussians.sample(7, rows=300_000)
    design = np.column_stack([points, np.ones(len(points))])
    (row,) = (row for row in two_gaussians.predictions() if row["method"] == "ldam")
    margin = np.array(two_gaussians.methods()["ldam"].margins)[(sign > 0).astype(int)]
    found = two_gaussians.minimise(design, sign, np.full(len(sign), 1 / len(sign)), margin)
    assert found.tolist() == pytest.approx([row["slope"], row["slope"], row["offset"]], rel=0.03)


def test_measured_errors_follow_the_affine_prediction(rows: list[two_gaussians.Row]) -> None:
    table = {row["method"]: row for row in two_gaussians.summary(rows)}
    for row in table.values():
        assert abs(row["gap"]) < 0.01
        assert row["low"] < row["mean"] < row["high"]
    # Where the two predictions differ the sharper one is the nearer one.
    assert abs(table["ldam"]["gap"]) < abs(table["ldam"]["mean"] - table["ldam"]["predicted"])
    assert {name for name, row in table.items() if row["mean"] < 0.08} == CONSISTENT


def test_post_hoc_and_loss_are_the_same_rule(rows: list[two_gaussians.Row]) -> None:
    by_method = {
        name: [row for row in rows if row["method"] == name] for name in two_gaussians.methods()
    }
    for one, other in (("la", "post_hoc"), ("erm", "weight_norm")):
        for ours, theirs in zip(by_method[one], by_method[other], strict=True):
            assert ours["balanced_error"] == pytest.approx(theirs["balanced_error"], rel=1e-9)


def test_no_rule_beats_bayes_and_sampling_agrees(rows: list[two_gaussians.Row]) -> None:
    bayes = two_gaussians.bayes_balanced_error()
    for row in rows:
        assert row["balanced_error"] > bayes
        assert row["balanced_error"] == pytest.approx((row["miss"] + row["false_alarm"]) / 2)
        assert row["error"] == pytest.approx(0.05 * row["miss"] + 0.95 * row["false_alarm"])
        assert row["sampled_error"] == pytest.approx(row["balanced_error"], abs=5e-3)
    json.dumps(rows, allow_nan=False)


def test_a_seed_is_independent_of_the_seeds_beside_it(rows: list[two_gaussians.Row]) -> None:
    alone = {row["method"]: row for row in two_gaussians.run([3])}
    for row in rows:
        if row["seed"] == 3:
            expected = alone[row["method"]]["balanced_error"]
            assert row["balanced_error"] == pytest.approx(expected, rel=1e-9)
