"""Checks of the package's functions against the printed formulas."""

import mpmath
import pytest
import torch
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import World, tensor
from tests.equations.support import assert_agree, draw, draw_unit

from scispaces import losses

NEAR = 1e-12
PRIOR = World(230).prior
SCORES = draw(3, seed=231)
LOGITS, LIBRARY_PRIOR = tensor(SCORES), tensor(PRIOR)
COUNTS = [600, 90, 7]
TAU = 1.4


@pytest.mark.equation("logit-adjustment-loss")
def test_library_loss_equals_the_printed_one():
    """`logit_adjusted_cross_entropy` agrees with the formula for every class."""
    for y in range(3):
        value = losses.logit_adjusted_cross_entropy(
            LOGITS[None], torch.tensor([y]), LIBRARY_PRIOR, tau=TAU
        )
        printed = formulas.logit_adjustment_loss(SCORES, PRIOR, mpmath.mpf(TAU), y)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-loss-pairwise")
def test_library_family_with_library_margins_equals_the_printed_form():
    """`pairwise_margin_cross_entropy` with `logit_adjustment_margins` is the pairwise form."""
    margins = losses.logit_adjustment_margins(LIBRARY_PRIOR, tau=TAU)
    for y in range(3):
        value = losses.pairwise_margin_cross_entropy(LOGITS, torch.tensor(y), margins=margins)
        printed = formulas.logit_adjustment_loss_pairwise(SCORES, PRIOR, mpmath.mpf(TAU), y)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-offset")
def test_library_margins_are_the_printed_offsets():
    """Row y, column i of `logit_adjustment_margins` is the printed offset."""
    margins = losses.logit_adjustment_margins(LIBRARY_PRIOR, tau=TAU)
    for y in range(3):
        for i in range(3):
            printed = formulas.logit_adjustment_offset(PRIOR, mpmath.mpf(TAU), y, i)
            assert_agree(margins[y, i].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-margin-family")
def test_library_family_equals_the_printed_one():
    """`pairwise_margin_cross_entropy` agrees for random margins and weights."""
    margins = [draw(3, seed=s) for s in (232, 233, 234)]
    weights = draw_unit(3, seed=235)
    for y in range(3):
        value = losses.pairwise_margin_cross_entropy(
            LOGITS, torch.tensor(y), margins=tensor(margins), class_weights=tensor(weights)
        )
        printed = formulas.logit_adjustment_margin_family(SCORES, margins, weights, y)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-gradient")
def test_library_gradient_equals_the_printed_one():
    """The gradient that the library's loss hands to the network agrees in every score."""
    for y in range(3):
        leaf = LOGITS.clone().requires_grad_()
        value = losses.logit_adjusted_cross_entropy(
            leaf[None], torch.tensor([y]), LIBRARY_PRIOR, tau=TAU
        )
        (slope,) = torch.autograd.grad(value, leaf)
        for i in range(3):
            printed = formulas.logit_adjustment_gradient(SCORES, PRIOR, mpmath.mpf(TAU), y, i)
            assert_agree(slope[i].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-post-hoc")
def test_library_adjustment_chooses_as_printed():
    """The largest of `adjust_logits` is the class that the rule names, for many scores."""
    for seed in range(20):
        scores = draw(3, seed=seed)
        adjusted = losses.adjust_logits(tensor(scores), LIBRARY_PRIOR, tau=TAU)
        printed = formulas.logit_adjustment_post_hoc(scores, PRIOR, mpmath.mpf(TAU))
        assert int(adjusted.argmax()) == printed


@pytest.mark.equation("logit-adjustment-ldam")
def test_library_margins_of_ldam_equal_the_printed_ones():
    """`ldam_margins` has the printed margin of class y in row y, whatever the rival."""
    margins = losses.ldam_margins(torch.tensor(COUNTS, dtype=torch.float64), largest=0.3)
    for y in range(3):
        printed = formulas.logit_adjustment_ldam([mpmath.mpf(n) for n in COUNTS], 0.3, y)
        for i in range(3):
            assert_agree(margins[y, i].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-equalised")
def test_library_margins_of_the_equalised_loss_equal_the_printed_ones():
    """`equalised_margins` has the printed margin of rival i in column i, whatever the class."""
    margins = losses.equalised_margins(LIBRARY_PRIOR, power=0.6)
    for y in range(3):
        for i in range(3):
            printed = formulas.logit_adjustment_equalised(PRIOR, mpmath.mpf(0.6), i)
            assert_agree(margins[y, i].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-inverse-frequency")
def test_library_inverse_weights_equal_the_printed_ones():
    """`inverse_frequency_weights` agrees for every class."""
    weights = losses.inverse_frequency_weights(torch.tensor(COUNTS, dtype=torch.float64))
    for y in range(3):
        printed = formulas.logit_adjustment_inverse_frequency(COUNTS, y)
        assert_agree(weights[y].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-effective-number")
def test_library_effective_numbers_equal_the_printed_ones():
    """`effective_number_weights` agrees for every class."""
    weights = losses.effective_number_weights(torch.tensor(COUNTS, dtype=torch.float64), beta=0.99)
    for y in range(3):
        printed = formulas.logit_adjustment_effective_number(COUNTS, mpmath.mpf(0.99), y)
        assert_agree(weights[y].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-prior-estimate")
def test_library_priors_equal_the_printed_ones():
    """`class_prior_from_counts` agrees for a count of zero and half a pseudo-count."""
    prior = losses.class_prior_from_counts(
        torch.tensor([8, 0, 3], dtype=torch.float64), smoothing=0.5
    )
    for y in range(3):
        printed = formulas.logit_adjustment_prior_estimate([8, 0, 3], mpmath.mpf(0.5), y)
        assert_agree(prior[y].item(), printed, NEAR)


@pytest.mark.equation("logit-adjustment-binary-threshold")
def test_library_threshold_equals_the_printed_one():
    """`binary_fisher_consistency` returns the printed threshold for weights, margins and scale."""
    weights, margins, scale = (0.7, 2.0), (-0.4, 1.1), 1.7
    found = losses.binary_fisher_consistency(
        0.2, class_weights=weights, margins=margins, scale=scale
    )
    printed = formulas.logit_adjustment_binary_threshold(weights, margins, scale)
    assert_agree(found.threshold, printed, NEAR)


@pytest.mark.equation("logit-adjustment-binary-consistency")
def test_library_verdict_is_the_printed_condition():
    """The library says consistent exactly where both sides agree, and returns the left one."""
    prior = 0.2
    odds = float(mpmath.log(prior / (1 - prior)))
    for weights, margins in (
        ((1.0, 1.0), (0.0, 0.0)),
        ((1.0, 1.0), (odds, -odds)),
        ((1 / 0.8, 1 / 0.2), (0.0, 0.0)),
        ((1 / 0.8, 1 / 0.2), (odds, -odds)),
    ):
        found = losses.binary_fisher_consistency(prior, class_weights=weights, margins=margins)
        left, right = formulas.logit_adjustment_binary_consistency(weights, margins, 1, prior)
        assert_agree(found.ratio, left, NEAR)
        assert found.consistent == (abs(left - right) < NEAR)
