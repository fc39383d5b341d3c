"""Checks of clipping in the presence of noise: what the mean of clipped gradients is."""

import mpmath
import pytest
import torch
from tests.equations.gradient_clipping import formulas
from tests.equations.support import assert_agree, draw, high_precision

from scispaces.optim import clip_factor

PLACES = [mpmath.mpf(k) / 3 for k in range(-12, 13) if k]
THRESHOLDS = [mpmath.mpf("0.4"), mpmath.mpf(1), mpmath.mpf(3)]


def _hard(threshold):
    return lambda norm: min(mpmath.mpf(1), threshold / norm) if norm else mpmath.mpf(1)


def _soft(threshold):
    return lambda norm: threshold / (threshold + norm)


@pytest.mark.equation("gradient-clipping-mean-field")
@high_precision
def test_mean_of_clipped_gradients():
    """It is the library's factor times each gradient, averaged; without clipping the mean."""
    gradients = draw(5, 3)
    for form, factor in (("hard", _hard), ("soft", _soft)):
        norms = torch.tensor([float(abs(g)) for g in gradients], dtype=torch.float64)
        clipped = clip_factor(norms, 0.7, form=form)
        expected = sum(float(g) * c.item() for g, c in zip(gradients, clipped, strict=True)) / 5
        printed = formulas.gradient_clipping_mean_field(factor(mpmath.mpf("0.7")), gradients)
        assert_agree(printed, expected, 1e-13)


@pytest.mark.equation("gradient-clipping-mean-field")
@high_precision
def test_mean_vanishes_away_from_the_minimum():
    """For two examples at 0 and one at 10, hard clipping at 1 stalls at 1/2, not at 10/3."""
    for threshold in (mpmath.mpf("0.1"), mpmath.mpf(1), mpmath.mpf(4)):
        theta = threshold / 2
        gradients = [theta, theta, theta - 10]
        assert_agree(formulas.gradient_clipping_mean_field(_hard(threshold), gradients), 0)
        theta = mpmath.mpf(10) / 3
        gradients = [theta, theta, theta - 10]
        assert formulas.gradient_clipping_mean_field(_hard(threshold), gradients) > 0.01
        assert_agree(sum(gradients), 0)


@pytest.mark.equation("gradient-clipping-huber")
@high_precision
def test_hard_clipping_is_the_gradient_of_huber():
    """The derivative of the printed function is the hard-clipped number; it is continuous."""
    for threshold in THRESHOLDS:
        for x in PLACES:
            if abs(x) == threshold:
                continue
            slope = mpmath.diff(lambda y, t=threshold: formulas.gradient_clipping_huber(y, t), x)
            assert_agree(slope, _hard(threshold)(abs(x)) * x, 1e-20)
        inside = formulas.gradient_clipping_huber(threshold, threshold)
        outside = formulas.gradient_clipping_huber(threshold * (1 + mpmath.mpf("1e-30")), threshold)
        assert_agree(inside, threshold**2 / 2)
        assert_agree(inside, outside, 1e-28)


@pytest.mark.equation("gradient-clipping-fair")
@high_precision
def test_soft_clipping_is_the_gradient_of_the_fair_function():
    """The derivative of the printed function is the soft-clipped number; it is zero at zero."""
    for threshold in THRESHOLDS:
        for x in PLACES:
            slope = mpmath.diff(lambda y, t=threshold: formulas.gradient_clipping_fair(y, t), x)
            assert_agree(slope, _soft(threshold)(abs(x)) * x, 1e-20)
        assert formulas.gradient_clipping_fair(mpmath.mpf(0), threshold) == 0


@pytest.mark.equation("gradient-clipping-symmetric")
@high_precision
def test_symmetric_noise_never_turns_the_mean_round():
    """Mean over +noise and -noise, in three dimensions: not negative, positive for soft.

    Hard clipping reaches zero where the noise is parallel and larger than gradient and threshold.
    """
    for seed in range(12):
        gradient, noise = draw(3, seed), draw(3, 50 + seed, spread=8)
        for factor in (_hard, _soft):
            value = formulas.gradient_clipping_symmetric(factor(mpmath.mpf(1)), gradient, noise)
            both = [[g + s * n for g, n in zip(gradient, noise, strict=True)] for s in (1, -1)]
            expected = 0
            for moved in both:
                length = mpmath.norm(moved)
                inner = sum(m * g for m, g in zip(moved, gradient, strict=True))
                expected += factor(mpmath.mpf(1))(length) * inner / 2
            assert_agree(value, expected)
            assert value > 0
    stalled = formulas.gradient_clipping_symmetric(
        _hard(mpmath.mpf(1)), [mpmath.mpf(2)], [mpmath.mpf(5)]
    )
    assert_agree(stalled, 0)
    moving = formulas.gradient_clipping_symmetric(
        _soft(mpmath.mpf(1)), [mpmath.mpf(2)], [mpmath.mpf(5)]
    )
    assert moving > 0


@pytest.mark.equation("gradient-clipping-soft-signal")
@high_precision
def test_what_soft_clipping_leaves_of_the_gradient_under_two_sided_noise():
    """Mean of the two soft-clipped values g + noise and g - noise, for noise of at least |g|."""
    for gradient, noise, threshold in ((2, 5, 1), (-1, 3, "0.5"), ("0.1", 10, 2)):
        gradient, noise, threshold = map(mpmath.mpf, (gradient, noise, threshold))
        values = [gradient + noise, gradient - noise]
        mean = sum(_soft(threshold)(abs(v)) * v for v in values) / 2
        assert_agree(formulas.gradient_clipping_soft_signal(gradient, noise, threshold), mean)
