"""Checks of what label noise does to the level: floors, confidence, one-parameter models."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize_scalar
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import double
from tests.equations.support import assert_agree, draw_unit, high_precision
from torch.nn.functional import cross_entropy

FLIPS = [(0.1, 2), (0.3, 2), (0.2, 10)]


def flipped_rows(flip, classes, size):
    """Labels with an exact share of flips, spread evenly over the other classes; truth is 0."""
    wrong = round(flip * size)
    others = [1 + k % (classes - 1) for k in range(wrong)]
    return torch.tensor([0] * (size - wrong) + others)


@pytest.mark.equation("flooding-floor")
def test_least_loss_of_one_distribution_for_flipped_labels():
    """The printed floor is the least mean cross-entropy of constant scores, found by descent."""
    for flip, classes in FLIPS:
        labels = flipped_rows(flip, classes, 900)
        scores = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [scores], max_iter=100, tolerance_grad=1e-12, line_search_fn="strong_wolfe"
        )

        def closure(scores=scores, labels=labels, optimiser=optimiser):
            optimiser.zero_grad()
            loss = cross_entropy(scores.expand(900, -1), labels)
            loss.backward()
            return loss

        optimiser.step(closure)
        assert float(formulas.flooding_floor(flip, classes)) == pytest.approx(
            closure().item(), rel=1e-9
        )


@pytest.mark.equation("flooding-floor-spread")
def test_spread_of_the_floor_in_a_sample():
    """The standard deviation of the sample loss of the true distribution, summed exactly."""
    for flip, classes in FLIPS:
        values = np.array([-math.log(1 - flip), -math.log(flip / (classes - 1))])
        chances = np.array([1 - flip, flip])
        mean = (chances * values).sum()
        variance = (chances * (values - mean) ** 2).sum()
        for size in (1, 100):
            printed = float(formulas.flooding_floor_spread(flip, classes, size))
            assert printed == pytest.approx(math.sqrt(variance / size), rel=1e-12)


@pytest.mark.equation("flooding-floor-smoothing")
def test_floor_of_label_smoothing():
    """No scores push torch's smoothed loss below the printed floor, and the best attain it."""
    for smoothing, classes in ((0.1, 10), (0.3, 3)):
        printed = float(formulas.flooding_floor_smoothing(smoothing, classes))

        def smoothed(margin, smoothing=smoothing, classes=classes):
            scores = double([[margin] + [0.0] * (classes - 1)])
            return cross_entropy(scores, torch.tensor([0]), label_smoothing=smoothing).item()

        best = minimize_scalar(smoothed, bounds=(0, 20), method="bounded")
        assert best.fun == pytest.approx(printed, rel=1e-9)
        assert smoothed(40.0) > printed + 0.1


@pytest.mark.equation("flooding-confidence")
@high_precision
def test_loss_is_minus_the_log_of_the_geometric_mean():
    """Both sides agree for random probabilities."""
    chances = draw_unit(8, seed=5)
    left, right = formulas.flooding_confidence(chances)
    assert_agree(left, right)
    assert left < sum(chances) / len(chances)


@pytest.mark.equation("flooding-calibrated")
def test_loss_of_a_calibrated_model_that_has_memorised_some_flips():
    """A model with confidence 1 - flip everywhere, right on the flips that it has memorised."""
    for flip, classes in FLIPS:
        size = 9000
        labels = flipped_rows(flip, classes, size)
        wrong = round(flip * size)
        for memorised in (0.0, 1 / 3, 1.0):
            answers = torch.zeros(size, dtype=torch.long)
            known = round(memorised * wrong)
            answers[size - wrong : size - wrong + known] = labels[
                size - wrong : size - wrong + known
            ]
            chances = torch.full((size, classes), flip / (classes - 1), dtype=torch.float64)
            chances[torch.arange(size), answers] = 1 - flip
            loss = cross_entropy(chances.log(), labels).item()
            printed = float(formulas.flooding_calibrated(flip, classes, memorised))
            assert printed == pytest.approx(loss, rel=1e-9)
    assert float(formulas.flooding_calibrated(0.1, 2, 1.0)) == pytest.approx(-math.log(0.9))


@pytest.mark.equation("flooding-temperature")
def test_loss_of_a_one_parameter_model():
    """The printed loss is the mean logistic loss over labels of which a share is flipped."""
    margins = double([1.0] * 7 + [-1.0] * 3)
    for t in (-0.5, 0.4, 2.0):
        expected = torch.nn.functional.softplus(-t * margins).mean().item()
        assert float(formulas.flooding_temperature(t, 0.3)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.equation("flooding-temperature-level")
@high_precision
def test_where_a_level_above_the_floor_is_met():
    """The smaller root of loss = floor + excess is the printed one up to the excess itself."""
    flip = mpmath.mpf("0.1")
    floor = -flip * mpmath.log(flip) - (1 - flip) * mpmath.log(1 - flip)
    errors = []
    for excess in (mpmath.mpf("1e-6"), mpmath.mpf("1e-8")):
        printed = formulas.flooding_temperature_level(flip, excess)
        root = mpmath.findroot(
            lambda t, e=excess: mpmath.log(1 + mpmath.exp(-t)) + flip * t - floor - e, printed
        )
        assert root < mpmath.log(9)
        errors.append(abs(root - printed) / excess)
    assert errors[0] < 20
    assert abs(errors[1] / errors[0] - 1) < 0.05
    wide = brentq(lambda t: math.log(1 + math.exp(-t)) + 0.1 * t - 0.33, 0, math.log(9))
    printed = float(formulas.flooding_temperature_level(0.1, 0.33 - float(floor)))
    assert printed == pytest.approx(wide, abs=0.05)
