"""Checks of the package's functions against the printed formulas."""

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, draw, draw_unit
from tests.equations.zlpr import formulas

from scispaces import losses

NEAR = 1e-12
POSITIVES, NEGATIVES = draw(3, seed=80), draw(5, seed=81)
LOGITS = torch.tensor([float(s) for s in [*POSITIVES, *NEGATIVES]], dtype=torch.float64)
LABELS = torch.tensor([True] * 3 + [False] * 5)


@pytest.mark.equation("zlpr-loss")
def test_library_loss_equals_the_printed_one():
    """`zlpr_loss` and `zlpr_loss_from_indices` agree with the formula to 1e-12."""
    printed = formulas.zlpr_loss(POSITIVES, NEGATIVES)
    assert_agree(losses.zlpr_loss(LOGITS, LABELS).item(), printed, NEAR)
    indices = torch.tensor([0, 1, 2, -1])
    assert_agree(losses.zlpr_loss_from_indices(LOGITS, indices).item(), printed, NEAR)


def _library_gradient():
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.zlpr_loss(logits, LABELS), logits)
    return gradient.tolist()


@pytest.mark.equation("zlpr-gradient-negative")
def test_library_gradient_of_every_negative_equals_the_printed_one():
    """The gradient that `zlpr_loss` hands to the network agrees on the negatives to 1e-12."""
    for i, slope in enumerate(_library_gradient()[3:]):
        assert_agree(slope, formulas.zlpr_gradient_negative(NEGATIVES, i), NEAR)


@pytest.mark.equation("zlpr-gradient-positive")
def test_library_gradient_of_every_positive_equals_the_printed_one():
    """The gradient that `zlpr_loss` hands to the network agrees on the positives to 1e-12."""
    for j, slope in enumerate(_library_gradient()[:3]):
        assert_agree(slope, formulas.zlpr_gradient_positive(POSITIVES, j), NEAR)


@pytest.mark.equation("zlpr-soft-optimum")
def test_library_gradient_vanishes_at_the_printed_optimum():
    """The gradient of `zlpr_loss` with soft targets is zero to 1e-12 at the printed scores."""
    targets = draw_unit(8, seed=84)
    best = [float(formulas.zlpr_soft_optimum(t)) for t in targets]
    logits = torch.tensor(best, dtype=torch.float64, requires_grad=True)
    soft = torch.tensor(list(map(float, targets)), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(losses.zlpr_loss(logits, soft), logits)
    assert gradient.abs().max().item() < NEAR


@pytest.mark.equation("zlpr-sparse")
def test_library_loss_from_indices_is_the_printed_form_plus_the_positive_part():
    """At moderate float64 scores the difference form gives the negative part of the library."""
    value = losses.zlpr_loss_from_indices(LOGITS, torch.tensor([0, 1, 2])).item()
    positive = mpmath.log(1 + sum(mpmath.exp(-s) for s in POSITIVES))
    printed = formulas.zlpr_sparse([*POSITIVES, *NEGATIVES], POSITIVES)
    assert_agree(value - positive, printed, NEAR)


@pytest.mark.equation("zlpr-threshold-factored")
def test_library_threshold_class_equals_the_factored_form():
    """`pairwise_ranking_loss` with a threshold class, scores less s0, is the factored form."""
    threshold = 0.75
    value = losses.pairwise_ranking_loss(LOGITS - threshold, LABELS, threshold_class=True)
    printed = formulas.zlpr_threshold_factored(POSITIVES, NEGATIVES, mpmath.mpf(threshold))
    assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("zlpr-soft-loss")
def test_library_loss_of_soft_targets_equals_the_printed_one():
    """`zlpr_loss` with targets inside (0, 1) agrees with the formula to 1e-12."""
    targets = draw_unit(8, seed=82)
    value = losses.zlpr_loss(LOGITS, torch.tensor(list(map(float, targets)), dtype=torch.float64))
    assert_agree(value.item(), formulas.zlpr_soft_loss([*POSITIVES, *NEGATIVES], targets), NEAR)


@pytest.mark.equation("zlpr-prediction")
def test_library_prediction_equals_the_printed_one():
    """`zlpr_predict` selects the same labels as the formula, a zero score included."""
    scores = torch.tensor([0.5, 0.0, -0.5, 2.0])
    predicted = set(losses.zlpr_predict(scores).nonzero().flatten().tolist())
    assert predicted == formulas.zlpr_prediction(scores.tolist()) == {0, 3}


@pytest.mark.equation("zlpr-unified")
def test_library_pairwise_loss_equals_the_printed_one():
    """`pairwise_ranking_loss` agrees for a scale and a margin, with no threshold class."""
    value = losses.pairwise_ranking_loss(LOGITS, LABELS, scale=2.0, margin=0.25)
    assert_agree(
        value.item(), formulas.zlpr_unified(POSITIVES, NEGATIVES, 2, mpmath.mpf("0.25")), NEAR
    )


@pytest.mark.equation("zlpr-threshold")
def test_library_threshold_class_equals_the_printed_one_at_zero():
    """`pairwise_ranking_loss` with a threshold class agrees with the formula for s0 = 0."""
    value = losses.pairwise_ranking_loss(LOGITS, LABELS, threshold_class=True)
    assert_agree(value.item(), formulas.zlpr_threshold(POSITIVES, NEGATIVES, 0), NEAR)


@pytest.mark.equation("zlpr-subset-softmax")
def test_library_subset_loss_equals_the_printed_one():
    """`k_subset_cross_entropy` is minus the logarithm of the printed probability."""
    value = losses.k_subset_cross_entropy(LOGITS, torch.tensor([1, 3, 6]))
    probability = formulas.zlpr_subset_softmax((1, 3, 6), [*POSITIVES, *NEGATIVES])
    assert_agree(value.item(), -mpmath.log(probability), NEAR)


@pytest.mark.equation("zlpr-divergence")
def test_library_divergence_equals_the_printed_one():
    """`symmetric_bernoulli_divergence` agrees with the formula to 1e-12."""
    other = draw(8, seed=83)
    value = losses.symmetric_bernoulli_divergence(
        LOGITS, torch.tensor(list(map(float, other)), dtype=torch.float64)
    )
    assert_agree(value.item(), formulas.zlpr_divergence([*POSITIVES, *NEGATIVES], other), NEAR)


@pytest.mark.equation("zlpr-weighted-bce")
def test_weighted_binary_cross_entropy_is_that_of_torch():
    """torch's positive weights give the printed sum, each positive with its own weight."""
    weights = [2.0, 0.5, 3.0]
    value = torch.nn.functional.binary_cross_entropy_with_logits(
        LOGITS,
        LABELS.double(),
        pos_weight=torch.tensor([*weights, *[7.0] * 5], dtype=torch.float64),
        reduction="sum",
    )
    assert_agree(value.item(), formulas.zlpr_weighted_bce(POSITIVES, NEGATIVES, weights), NEAR)


@pytest.mark.equation("zlpr-focal")
def test_library_focal_loss_equals_the_printed_one():
    """`focal_loss` agrees with the formula for an uneven weight and exponent 2."""
    value = losses.focal_loss(LOGITS, LABELS, alpha=0.3, gamma=2.0)
    assert_agree(value.item(), formulas.zlpr_focal(POSITIVES, NEGATIVES, mpmath.mpf(0.3), 2), NEAR)


@pytest.mark.equation("zlpr-asymmetric")
def test_library_asymmetric_loss_equals_the_printed_one():
    """`asymmetric_loss` agrees with the formula, for negatives below and above the margin."""
    negatives = [mpmath.mpf(s) for s in (-4.0, -2.5, 0.0, 0.5, 3.0)]
    assert 1 / (1 + mpmath.exp(-negatives[0])) < 0.05 < 1 / (1 + mpmath.exp(-negatives[1]))
    logits = torch.tensor([float(s) for s in [*POSITIVES, *negatives]], dtype=torch.float64)
    value = losses.asymmetric_loss(
        logits, LABELS, gamma_positive=2.0, gamma_negative=3.0, clip=0.05
    )
    printed = formulas.zlpr_asymmetric(POSITIVES, negatives, 2, 3, mpmath.mpf(0.05))
    assert_agree(value.item(), printed, NEAR)


@pytest.mark.equation("zlpr-soft-f-one")
def test_library_soft_f1_loss_equals_the_printed_one():
    """`soft_f1_loss` agrees with the formula, and is one less F1 for certain probabilities."""
    value = losses.soft_f1_loss(LOGITS[None], LABELS[None])
    probabilities = [1 / (1 + mpmath.exp(-s)) for s in [*POSITIVES, *NEGATIVES]]
    printed = formulas.zlpr_soft_f_one(probabilities, [1, 1, 1, 0, 0, 0, 0, 0])
    assert_agree(value.item(), printed, NEAR)
    assert_agree(formulas.zlpr_soft_f_one([1, 1, 0, 1], [1, 1, 1, 0]), mpmath.mpf(1) / 3, NEAR)


@pytest.mark.equation("zlpr-softmax-many")
def test_softmax_against_several_positives_is_a_sum_of_cross_entropies():
    """The printed sum equals torch's softmax cross-entropies of the positives, added up."""
    value = -LOGITS.log_softmax(0)[LABELS].sum()
    assert_agree(value.item(), formulas.zlpr_softmax_many(POSITIVES, NEGATIVES), NEAR)
