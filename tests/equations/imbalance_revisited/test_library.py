"""Checks of the package's functions against the printed formulas."""

import mpmath
import pytest
import torch
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import sigmoid
from tests.equations.support import assert_agree, draw

from scispaces import losses

NEAR = 1e-12
SCORES = draw(6, seed=90)
LOGITS = torch.tensor([float(s) for s in SCORES], dtype=torch.float64)
LABELS = torch.tensor([1, 0, 0, 1, 0, 1])
SIGNED = [s if y else -s for s, y in zip(SCORES, LABELS.tolist(), strict=True)]
PROBABILITIES = [sigmoid(s) for s in SCORES]


@pytest.mark.equation("imbalance-revisited-smooth-accuracy")
def test_library_smooth_accuracy_equals_the_printed_one():
    """`smooth_accuracy_loss` agrees with the formula to 1e-12."""
    printed = formulas.imbalance_revisited_smooth_accuracy(PROBABILITIES, LABELS.tolist())
    assert_agree(losses.smooth_accuracy_loss(LOGITS, LABELS).item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-truncated")
def test_library_truncated_cross_entropy_equals_the_printed_one():
    """`truncated_cross_entropy` agrees with the formula for two thresholds."""
    for threshold in (0.5, 0.8):
        printed = sum(
            formulas.imbalance_revisited_truncated(sigmoid(x), mpmath.mpf(threshold))
            for x in SIGNED
        )
        value = losses.truncated_cross_entropy(LOGITS, LABELS, threshold=threshold)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-softened")
def test_library_softened_cross_entropy_equals_the_printed_one():
    """`softened_cross_entropy` agrees with the formula for two sharpnesses."""
    for sharpness in (1.0, 3.0):
        printed = sum(
            formulas.imbalance_revisited_softened(x, mpmath.mpf(sharpness)) for x in SIGNED
        )
        value = losses.softened_cross_entropy(LOGITS, LABELS, sharpness=sharpness)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-focal")
def test_library_focal_loss_equals_the_printed_one():
    """`focal_loss` agrees with the formula for both labels, an uneven weight and two exponents."""
    for gamma in (0.5, 2.0):
        sides = [
            formulas.imbalance_revisited_focal(p, mpmath.mpf("0.3"), mpmath.mpf(gamma))
            for p in PROBABILITIES
        ]
        printed = sum(on if y else off for (on, off), y in zip(sides, LABELS.tolist(), strict=True))
        value = losses.focal_loss(LOGITS, LABELS, alpha=0.3, gamma=gamma)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-focal-slope")
def test_library_focal_gradient_equals_the_printed_slope():
    """The gradient that `focal_loss` hands to the network agrees for every example to 1e-12."""
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.focal_loss(logits, LABELS, gamma=2.0), logits)
    for slope, x, y in zip(gradient.tolist(), SIGNED, LABELS.tolist(), strict=True):
        printed = formulas.imbalance_revisited_focal_slope(sigmoid(x), 2)
        assert_agree(slope, printed if y else -printed, NEAR)


@pytest.mark.equation("imbalance-revisited-soft-f-one")
def test_library_soft_f1_equals_the_printed_one():
    """`soft_f1_loss` is one less the formula."""
    value = losses.soft_f1_loss(LOGITS[:, None], LABELS[:, None])
    printed = formulas.imbalance_revisited_soft_f_one(PROBABILITIES, LABELS.tolist())
    assert_agree(value.item(), 1 - printed, NEAR)


@pytest.mark.equation("imbalance-revisited-softmax-focal")
def test_library_softmax_focal_loss_equals_the_printed_one():
    """`softmax_focal_loss` agrees with the formula for every target of six classes."""
    probabilities = [mpmath.mpf(p) for p in LOGITS.softmax(0).tolist()]
    for target in range(6):
        value = losses.softmax_focal_loss(LOGITS, torch.tensor(target), gamma=2.0)
        printed = formulas.imbalance_revisited_softmax_focal(probabilities, target, 2)
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-dice")
def test_library_dice_loss_equals_the_printed_one():
    """`dice_loss` of a row agrees with the formula for two smoothings."""
    for smoothing in (0.25, 1.0):
        value = losses.dice_loss(LOGITS, LABELS, smoothing=smoothing)
        printed = formulas.imbalance_revisited_dice(
            PROBABILITIES, LABELS.tolist(), mpmath.mpf(smoothing)
        )
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-self-adjusting-dice")
def test_library_self_adjusting_dice_loss_equals_the_printed_one():
    """`self_adjusting_dice_loss` agrees with the formula, summed over the classes."""
    for alpha, smoothing in ((1.0, 1.0), (0.1, 0.5)):
        value = losses.self_adjusting_dice_loss(LOGITS, LABELS, alpha=alpha, smoothing=smoothing)
        printed = sum(
            formulas.imbalance_revisited_self_adjusting_dice(
                p, y, mpmath.mpf(alpha), mpmath.mpf(smoothing)
            )
            for p, y in zip(PROBABILITIES, LABELS.tolist(), strict=True)
        )
        assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-dice-squared")
def test_library_squared_dice_loss_equals_the_printed_one():
    """`self_adjusting_dice_loss` with squares agrees with the formula, summed over the classes."""
    value = losses.self_adjusting_dice_loss(LOGITS, LABELS, alpha=0.5, smoothing=0.5, squared=True)
    printed = sum(
        formulas.imbalance_revisited_dice_squared(mpmath.sqrt(1 - p) * p, y, mpmath.mpf(0.5))
        for p, y in zip(PROBABILITIES, LABELS.tolist(), strict=True)
    )
    assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("imbalance-revisited-margin-threshold")
def test_library_consistency_check_finds_the_printed_threshold():
    """`binary_fisher_consistency` gives the printed threshold for two margins."""
    for on, off in ((1.0, 0.25), (2.0, -2.0)):
        found = losses.binary_fisher_consistency(0.1, margins=(off, on))
        printed = formulas.imbalance_revisited_margin_threshold(mpmath.mpf(on), mpmath.mpf(off))
        assert_agree(found.threshold, printed, NEAR)


@pytest.mark.equation("imbalance-revisited-adjusted")
def test_library_logit_adjustment_of_two_classes_is_the_printed_shift():
    """`logit_adjusted_cross_entropy` of the scores (0, s) agrees for both labels."""
    prior = torch.tensor([0.9, 0.1], dtype=torch.float64)
    for s in SCORES:
        logits = torch.tensor([0.0, float(s)], dtype=torch.float64)
        printed = formulas.imbalance_revisited_adjusted(s, mpmath.mpf(0.1), mpmath.mpf("1.5"))
        for label, value in ((1, printed[0]), (0, printed[1])):
            loss = losses.logit_adjusted_cross_entropy(logits, torch.tensor(label), prior, tau=1.5)
            assert_agree(loss.item(), value, NEAR)


def _same(pairs, scores=SCORES):
    return formulas.imbalance_revisited_same_formula(scores, pairs)


@pytest.mark.equation("imbalance-revisited-same-formula")
def test_one_formula_is_four_losses():
    """With four sets of pairs the formula is softmax, ZLPR, logit adjustment and a margin loss."""
    positives, negatives = [0, 3, 5], [1, 2, 4]
    softmax = _same([(i, 0, 0) for i in range(1, 6)])
    assert_agree(-LOGITS.log_softmax(0)[0].item(), softmax, NEAR)
    with_threshold = [*SCORES, mpmath.mpf(0)]
    pairs = [(i, j, 0) for i in [*negatives, 6] for j in [*positives, 6] if (i, j) != (6, 6)]
    assert_agree(losses.zlpr_loss(LOGITS, LABELS).item(), _same(pairs, with_threshold), NEAR)
    prior = torch.tensor([0.4, 0.3, 0.1, 0.1, 0.05, 0.05], dtype=torch.float64)
    adjusted = losses.logit_adjusted_cross_entropy(LOGITS, torch.tensor(2), prior)
    offsets = [mpmath.log(mpmath.mpf(prior[i].item()) / prior[2].item()) for i in range(6)]
    assert_agree(adjusted.item(), _same([(i, 2, offsets[i]) for i in range(6) if i != 2]), NEAR)
    margins = torch.arange(36, dtype=torch.float64).reshape(6, 6) / 10
    value = losses.pairwise_margin_cross_entropy(LOGITS, torch.tensor(4), margins=margins)
    pairs = [(i, 4, mpmath.mpf(margins[4, i].item())) for i in range(6) if i != 4]
    assert_agree(value.item(), _same(pairs), NEAR)
