"""Checks of the two clip factors and of how far they are apart."""

import mpmath
import pytest
import torch
from tests.equations.gradient_clipping import formulas
from tests.equations.support import assert_agree, assert_rising, draw_unit, high_precision

from scispaces.optim import ClippedSGD, clip_factor, clip_gradients_

NORMS = [mpmath.mpf(x) for x in ("0.001", "0.3", "0.999", "1", "1.001", "2.5", "4000")]
THRESHOLDS = [mpmath.mpf(x) for x in ("0.2", "1", "7")]
PAIRS = [(norm, threshold) for norm in NORMS for threshold in THRESHOLDS]


@pytest.mark.equation("gradient-clipping-hard")
def test_hard_factor_is_that_of_the_library():
    """The printed factor agrees with the library's, and a clipped norm is the smaller of two."""
    for norm, threshold in PAIRS:
        factor = formulas.gradient_clipping_hard(norm, threshold)
        assert_agree(factor, clip_factor(float(norm), float(threshold)), 1e-14)
        assert_agree(factor * norm, norm if norm < threshold else threshold, 1e-14)


@pytest.mark.equation("gradient-clipping-soft")
def test_soft_factor_is_that_of_the_library():
    """The printed factor agrees with the library's, and inverse factors add: 1 + norm / gamma."""
    for norm, threshold in PAIRS:
        factor = formulas.gradient_clipping_soft(norm, threshold)
        assert_agree(factor, clip_factor(float(norm), float(threshold), form="soft"), 1e-14)
        assert_agree(1 / factor - 1, norm / threshold, 1e-14)


@pytest.mark.equation("gradient-clipping-two-forms")
@high_precision
def test_soft_lies_between_half_the_hard_and_the_hard_factor():
    """The three terms rise; the left ones are equal at the threshold, the right ones nowhere."""
    for norm, threshold in PAIRS:
        half, soft, hard = formulas.gradient_clipping_two_forms(norm, threshold)
        assert half <= soft < hard
        assert (half == soft) == (norm == threshold)
        assert_agree(hard * norm, min(norm, threshold))
        assert_agree(soft * (norm + threshold), threshold)
    half, soft, _ = formulas.gradient_clipping_two_forms(mpmath.mpf(3), mpmath.mpf(3))
    assert half == soft == mpmath.mpf(1) / 2


@pytest.mark.equation("gradient-clipping-ratio")
@high_precision
def test_ratio_of_the_two_factors():
    """The printed ratio is soft over hard, is least at the threshold and tends to one."""
    for norm, threshold in PAIRS:
        ratio = formulas.gradient_clipping_ratio(norm, threshold)
        soft = 1 / (1 + norm / threshold)
        hard = mpmath.mpf(1) if norm < threshold else threshold / norm
        assert_agree(ratio, soft / hard)


@pytest.mark.equation("gradient-clipping-rescaled")
def test_spread_for_another_threshold_of_the_soft_form():
    """The largest over the smallest ratio on a wide grid of norms is the printed spread."""
    norms = [mpmath.mpf(10) ** (k / mpmath.mpf(8)) for k in range(-64, 65)]
    for multiple in (mpmath.mpf("0.25"), mpmath.mpf("0.9"), mpmath.mpf(1), mpmath.mpf(2)):
        ratios = [multiple / (multiple + n) / min(mpmath.mpf(1), 1 / n) for n in norms]
        spread = formulas.gradient_clipping_rescaled(multiple)
        assert_agree(max(ratios) / min(ratios), spread, 1e-6)
        assert spread >= 2


@pytest.mark.equation("gradient-clipping-step-length")
def test_length_of_a_step_of_the_optimizer():
    """ClippedSGD moves as far as printed, soft less than hard, hard at most rate times gamma."""
    for norm, threshold in PAIRS:
        rate = 0.3
        printed = formulas.gradient_clipping_step_length(norm, threshold, mpmath.mpf(rate))
        soft, hard, bound = printed
        for form, length in (("soft", soft), ("hard", hard)):
            weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
            weight.grad = float(norm) * torch.tensor([0.6, -0.8], dtype=torch.float64)
            ClippedSGD([weight], lr=rate, threshold=float(threshold), form=form).step()
            assert_agree(weight.detach().norm().item(), length, 1e-12)
        assert soft < hard <= bound
        assert (hard == bound) == (norm >= threshold)


@pytest.mark.equation("gradient-clipping-hard")
@pytest.mark.equation("gradient-clipping-soft")
def test_gradients_are_multiplied_with_the_printed_factor():
    """clip_gradients_ multiplies all gradients together with the factor of their joint norm."""
    for seed, norm in enumerate(NORMS):
        direction = torch.tensor([float(u) for u in draw_unit(5, seed)], dtype=torch.float64)
        gradient = float(norm) * direction / direction.norm()
        for form in ("hard", "soft"):
            printed = getattr(formulas, f"gradient_clipping_{form}")(norm, mpmath.mpf(2))
            weights = [torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (2, 3)]
            weights[0].grad, weights[1].grad = gradient[:2].clone(), gradient[2:].clone()
            clip_gradients_(weights, 2.0, form=form)
            clipped = torch.cat([weight.grad for weight in weights])
            assert torch.allclose(clipped, float(printed) * gradient, rtol=1e-13, atol=0)


def test_ratio_rises_on_both_sides_of_the_threshold():
    """From the threshold outwards the ratio goes up from one half."""
    upwards = [formulas.gradient_clipping_ratio(mpmath.mpf(n), 1) for n in (1, 2, 10, 1000)]
    downwards = [formulas.gradient_clipping_ratio(1 / mpmath.mpf(n), 1) for n in (1, 2, 10, 1000)]
    assert_rising(0.5, *upwards, 1)
    assert_rising(0.5, *downwards, 1)
