"""Equivalent weights, calibration and thresholds against closed forms."""

import math

import numpy as np
import pytest
import torch

from scispaces.studies.binary_theory import (
    POINT_LOSSES,
    PRIOR_ODDS,
    calibration_map,
    equivalent_weights,
    focal,
    implied_threshold,
    slopes,
    soft_f1_among,
)

PROBABILITIES = (0.02, 0.3, 0.6, 0.97)


def weights(loss: str, positive: bool) -> list[float]:
    rows = equivalent_weights(PROBABILITIES, [loss])
    return [row["weight"] for row in rows if row["positive"] == positive]


def test_cross_entropy_has_weight_one_and_weighted_cross_entropy_its_weight() -> None:
    assert weights("cross_entropy", True) == pytest.approx([1] * 4)
    assert weights("cross_entropy", False) == pytest.approx([1] * 4)
    assert weights("weighted", True) == pytest.approx([1 / PRIOR_ODDS] * 4)
    assert weights("weighted", False) == pytest.approx([1] * 4)


def test_smooth_accuracy_weighs_by_the_probability_of_the_truth() -> None:
    assert weights("smooth_accuracy", True) == pytest.approx(PROBABILITIES)
    assert weights("smooth_accuracy", False) == pytest.approx([1 - p for p in PROBABILITIES])


def test_focal_weights_are_those_of_its_derivative() -> None:
    # dL/dz of a positive is (1 - p)^2 (2 p log p - (1 - p)), that of cross-entropy -(1 - p).
    expected = [(1 - p) ** 2 - 2 * (1 - p) * p * math.log(p) for p in PROBABILITIES]
    assert weights("focal", True) == pytest.approx(expected)
    quarter = [weight / 4 for weight in expected]
    assert weights("alpha_focal", True) == pytest.approx(quarter)
    mirrored = [
        row["weight"]
        for row in equivalent_weights([1 - p for p in PROBABILITIES])
        if row["loss"] == "focal" and not row["positive"]
    ]
    assert mirrored == pytest.approx(expected)


def test_truncation_weighs_one_or_nothing() -> None:
    assert weights("truncated", True) == pytest.approx([1, 1, 0, 0])
    assert weights("truncated", False) == pytest.approx([0, 0, 1, 1])


def test_logit_adjustment_weighs_like_a_shifted_sigmoid() -> None:
    shifted = [1 / (1 + (1 - p) / p / PRIOR_ODDS) for p in PROBABILITIES]
    expected = [(1 - q) / (1 - p) for p, q in zip(PROBABILITIES, shifted, strict=True)]
    assert weights("logit_adjusted", True) == pytest.approx(expected)
    expected = [q / p for p, q in zip(PROBABILITIES, shifted, strict=True)]
    assert weights("logit_adjusted", False) == pytest.approx(expected)


@pytest.mark.parametrize("f1", [0.2, 0.5, 0.9])
def test_soft_f1_weighs_by_its_own_value(f1: float) -> None:
    # d(-F)/dp is (F - 2 t) / size, halved here times the size; and dp/dz is p (1 - p).
    p = torch.tensor(PROBABILITIES, dtype=torch.float64)
    loss = soft_f1_among(f1, rows=4000)
    positive = slopes(loss, p.logit(), True) / -(1 - p)
    torch.testing.assert_close(positive, p * (2 - f1) / 2, rtol=3e-3, atol=0)
    negative = slopes(loss, p.logit(), False) / p
    torch.testing.assert_close(negative, (1 - p) * f1 / 2, rtol=3e-3, atol=0)


def test_self_adjusting_dice_turns_against_a_positive_beyond_its_optimum() -> None:
    below, above = equivalent_weights([0.499, 0.501], ["self_adjusting_dice"])[:2]
    assert below["weight"] > 0 > above["weight"]
    assert below["gradient"] > 0
    assert above["gradient"] > 0


def test_proper_losses_report_the_truth_and_focal_pulls_to_the_middle() -> None:
    eta = [0.1, 0.5, 0.9]
    rows = calibration_map(POINT_LOSSES["cross_entropy"], eta)
    assert [row["p"] for row in rows] == pytest.approx(eta)
    assert [row["eta"] for row in rows] == eta
    rows = calibration_map(focal(2.0), eta)
    assert [row["p"] for row in rows] == pytest.approx([0.305787, 0.5, 0.694213], abs=1e-6)
    weighted = calibration_map(POINT_LOSSES["weighted"], eta)
    expected = [10 * true / (10 * true + 1 - true) for true in eta]
    assert [row["p"] for row in weighted] == pytest.approx(expected)


def test_the_reported_probability_minimises_the_risk() -> None:
    for gamma, alpha in ((0.5, None), (2.0, 0.25), (5.0, 0.75)):
        loss = focal(gamma, alpha)
        [row] = calibration_map(loss, [0.3])
        scores = torch.linspace(-6, 6, 20001, dtype=torch.float64).unsqueeze(-1)
        risk = 0.3 * loss(scores, torch.ones_like(scores)) + 0.7 * loss(
            scores, torch.zeros_like(scores)
        )
        assert row["score"] == pytest.approx(scores[risk.argmin()].item(), abs=6e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_alpha_moves_the_threshold_and_gamma_does_not(gamma: float) -> None:
    for alpha in (0.25, 0.5, 0.9):
        assert implied_threshold(focal(gamma, alpha)) == pytest.approx(1 - alpha, abs=1e-9)


def test_weights_and_margins_move_the_threshold_to_the_prior() -> None:
    prior = PRIOR_ODDS / (1 + PRIOR_ODDS)
    for name in ("weighted", "logit_adjusted"):
        assert implied_threshold(POINT_LOSSES[name]) == pytest.approx(prior, abs=1e-9)
    # That of soft F1 is half its value, up to the point's own share of the batch.
    assert implied_threshold(soft_f1_among(0.6)) == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("name", ["truncated", "self_adjusting_dice"])
def test_a_loss_without_pull_at_zero_has_no_threshold_to_read_off(name: str) -> None:
    with pytest.raises(ValueError, match=r"`loss` must have a negative slope for a positive"):
        implied_threshold(POINT_LOSSES[name])


def test_numbers_are_plain_python_numbers() -> None:
    rows = [*equivalent_weights([0.3]), *calibration_map(focal(1.0), [0.3])]
    kinds = {type(value) for row in rows for value in row.values()}
    assert kinds == {str, bool, float}
    assert not any(isinstance(value, np.floating) for row in rows for value in row.values())
