"""Checks of the entries of the register that belong to the chapter `zlpr`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from scispaces.studies import label_structures


def _exact(scores, positives):
    """The loss in float64 by the shifted log-sum-exp, positives given as a set of indices."""
    values = scores.double()
    negative = [values[i] for i in range(len(values)) if i not in positives]
    positive = [-values[i] for i in sorted(positives)]
    zero = values.new_zeros(())
    return sum(torch.stack([zero, *part]).logsumexp(0) for part in (negative, positive))


def _sparse(scores, indices, clip):
    """Sum over all labels less the positives, through exp and log, as the sparse codes do."""
    zero = scores.new_zeros(1)
    everything = torch.cat([scores, zero]).logsumexp(0)
    chosen = scores[indices]
    left = 1 - (chosen.logsumexp(0) - everything).exp()
    if clip is not None:
        left = left.clamp(clip, 1)
    return everything + left.log() + torch.cat([-chosen, zero]).logsumexp(0)


def _dense(scores, labels):
    """Sign flip, then 1e12 taken off the entries that do not belong to a part."""
    flipped = (1 - 2 * labels) * scores
    zero = scores.new_zeros(1)
    return torch.cat([flipped - (1 - labels) * 1e12, zero]).logsumexp(0) + torch.cat(
        [flipped - labels * 1e12, zero]
    ).logsumexp(0)


def _binarised(scores, labels):
    """Targets above one half are positives, then masked log-sum-exp."""
    return _exact(scores, {i for i, t in enumerate(labels.tolist()) if t > 0.5})


def _soft(scores, labels):
    values, t = scores.double(), labels.double()
    zero = values.new_zeros(1)
    return torch.cat([t.log() - values, zero]).logsumexp(0) + torch.cat(
        [(1 - t).log() + values, zero]
    ).logsumexp(0)


def _naive(scores, labels):
    return (1 + (labels * (-scores).exp()).sum()).log() + (
        1 + ((1 - labels) * scores.exp()).sum()
    ).log()


def _hundred_labels(positive_score, dtype=torch.float32):
    """Three positives at one score and 97 negatives at -5."""
    return torch.tensor([positive_score] * 3 + [-5.0] * 97, dtype=dtype, requires_grad=True)


@pytest.mark.discrepancy("zlpr-sparse-gradient")
def test_sparse_form_pushes_a_learned_positive_down():
    """At positive scores of 15 the clipped form's gradient on a positive is +1/3, not near zero."""
    scores = _hundred_labels(15.0)
    (gradient,) = torch.autograd.grad(_sparse(scores, [0, 1, 2], clip=1e-7), scores)
    (true,) = torch.autograd.grad(_exact(scores, {0, 1, 2}), scores)
    assert gradient[0].item() == pytest.approx(1 / 3, abs=1e-3)
    assert -1e-6 < true[0].item() < 0
    assert gradient[3].item() < 1e-6 < true[3].item()


@pytest.mark.discrepancy("zlpr-sparse-growth")
def test_sparse_form_grows_with_confidence():
    """The clipped value is negative at 15 and rises by one per unit after it; the loss does not."""
    values = {s: _sparse(_hundred_labels(s), [0, 1, 2], clip=1e-7).item() for s in (15, 50, 80)}
    true = {s: _exact(_hundred_labels(s), {0, 1, 2}).item() for s in (15, 50, 80)}
    assert values[15] < 0 < true[15]
    assert values[80] - values[50] == pytest.approx(30, abs=1e-3)
    assert true[80] == pytest.approx(true[50], abs=1e-9)


@pytest.mark.discrepancy("zlpr-sparse-unclipped")
def test_sparse_form_without_a_clip_is_not_finite():
    """Without the clip the value is minus infinity and the gradient NaN at scores of 15 and 20."""
    for score in (15.0, 20.0):
        scores = torch.tensor([score] + [-5.0] * 99, requires_grad=True)
        loss = _sparse(scores, [0], clip=None)
        (gradient,) = torch.autograd.grad(loss, scores)
        assert loss.item() == -math.inf
        assert gradient.isnan().any()
        assert math.isfinite(_exact(scores, {0}).item())
    moderate = torch.tensor([12.0] + [-5.0] * 99)
    assert math.isfinite(_sparse(moderate, [0], clip=None).item())


@pytest.mark.discrepancy("zlpr-sparse-duplicate")
def test_repeated_index_hides_a_false_positive():
    """Listing the positive twice makes the sparse loss a small part of the true one."""
    scores = torch.tensor([5.0, 5.0, 5.0] + [-5.0] * 97)
    assert _exact(scores, {0, 1}).item() == pytest.approx(5.024, abs=2e-3)
    assert _sparse(scores, [0, 1], clip=1e-7).item() == pytest.approx(5.024, abs=2e-3)
    assert _sparse(scores, [0, 0, 1], clip=1e-7).item() < 1


@pytest.mark.discrepancy("zlpr-sparse-half")
def test_sparse_form_in_half_precision_is_off_at_ordinary_scores():
    """At positive scores of 5 in float16 the sparse value is off by more than 0.03."""
    scores = _hundred_labels(5.0, torch.float16)
    value, true = _sparse(scores, [0, 1, 2], clip=1e-7).item(), _exact(scores, {0, 1, 2}).item()
    assert abs(value - true) > 0.03
    single = _sparse(_hundred_labels(5.0), [0, 1, 2], clip=1e-7).item()
    assert single == pytest.approx(true, abs=1e-3)


SMOOTHED = torch.tensor([0.9, 0.9] + [0.02] * 98)
SCORES = torch.linspace(-3.0, 3.0, 100)


@pytest.mark.discrepancy("zlpr-dense-soft")
def test_dense_form_is_zero_on_smoothed_labels():
    """Value and gradient of the masked form vanish on soft labels, where the soft loss is large."""
    scores = SCORES.clone().requires_grad_()
    loss = _dense(scores, SMOOTHED)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert loss.item() == 0
    assert torch.count_nonzero(gradient) == 0
    assert _soft(SCORES, SMOOTHED).item() > 5
    hard = (SMOOTHED > 0.5).float()
    assert _dense(SCORES, hard).item() == pytest.approx(_binarised(SCORES, hard).item(), rel=1e-6)


@pytest.mark.discrepancy("zlpr-timm-binarised")
def test_binarising_drops_the_softness_of_labels():
    """Smoothed and hard labels give the same binarised loss, and the soft loss is another."""
    hard = (SMOOTHED > 0.5).float()
    assert _binarised(SCORES, SMOOTHED).item() == _binarised(SCORES, hard).item()
    confident = torch.where(hard > 0, 6.0, -6.0)
    assert _binarised(confident, SMOOTHED).item() < 0.3
    assert _soft(confident, SMOOTHED).item() > 5


@pytest.mark.discrepancy("zlpr-timm-growth")
def test_the_loss_grows_with_the_logarithm_of_the_number_of_negatives():
    """At zero scores each tenfold of the negatives adds about log 10, where BCE is tenfold."""
    values = [_exact(torch.zeros(1 + n), {0}).item() for n in (100, 1000, 10000)]
    steps = [values[1] - values[0], values[2] - values[1]]
    assert all(step == pytest.approx(math.log(10), abs=0.01) for step in steps)
    bce = [-logsigmoid(torch.zeros(1 + n, dtype=torch.float64)).sum().item() for n in (100, 10000)]
    assert bce[1] / bce[0] > 90


@pytest.mark.discrepancy("zlpr-naive-overflow")
def test_the_printed_formula_overflows_and_the_shifted_one_does_not():
    """A negative at +100 (float32) or +12 (float16), or a masked -inf, breaks the naive form."""
    labels = torch.tensor([1.0, 0.0, 0.0])
    for scores in (
        torch.tensor([-6.0, 100.0, 0.0]),
        torch.tensor([-6.0, 12.0, 0.0], dtype=torch.float16),
    ):
        scores.requires_grad_()
        loss = _naive(scores, labels.to(scores.dtype))
        (gradient,) = torch.autograd.grad(loss, scores)
        assert loss.item() == math.inf
        assert gradient.isnan().any()
        assert _exact(scores, {0}).item() == pytest.approx(scores[1].item() + 6, abs=0.1)
    masked = torch.tensor([-6.0, 2.0, -math.inf])
    assert _naive(masked, labels).isnan()
    assert _exact(masked, {0}).isfinite()


@pytest.mark.discrepancy("zlpr-inner-product")
def test_inner_products_mix_the_samples_of_a_batch():
    """For two rows with different labels the inner-product form differs from the mean loss."""
    scores = torch.tensor([[4.0, -3.0], [-3.0, 4.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])

    def inner(scores, labels):
        positive = (1 + torch.inner(labels, (-scores).exp())).log()
        negative = (1 + torch.inner(1 - labels, scores.exp())).log()
        return (positive + negative).mean().item()

    true = (_exact(scores[0], {0}) + _exact(scores[1], {1})).item() / 2
    assert inner(scores, labels) > 10 * true
    assert inner(scores[:1], labels[:1]) == pytest.approx(true, rel=1e-5)


def _shifted_by_nonzero(scores, labels):
    """Both sums shifted by their largest non-zero product, and the shift not added back."""
    total = scores.new_zeros(())
    for signed, chosen in ((-scores, labels), (scores, 1 - labels)):
        products = signed * chosen
        shift = products.masked_fill(products == 0, -math.inf).max().detach()
        total = total + (((signed - shift).exp() * chosen).sum() + (-shift).exp()).log()
    return total


@pytest.mark.discrepancy("zlpr-zero-as-mask")
def test_zero_scores_taken_for_masked_ones_give_nan():
    """Shifting by the largest non-zero product is NaN at zero scores and without positives."""
    ordinary = torch.tensor([2.0, -1.0, 0.5])
    labels = torch.tensor([1.0, 0.0, 0.0])
    assert _shifted_by_nonzero(ordinary, labels).isfinite()
    assert _shifted_by_nonzero(torch.zeros(3), labels).isnan()
    assert _shifted_by_nonzero(ordinary, torch.zeros(3)).isnan()
    assert _exact(torch.zeros(3), {0}).item() == pytest.approx(math.log(6))
    assert _exact(ordinary, set()).isfinite()


@pytest.mark.discrepancy("zlpr-shift-lost")
def test_a_shift_that_is_not_added_back_leaves_the_gradient_and_loses_the_value():
    """The value misses the two largest terms and falls as errors grow; the gradient is right."""
    labels = torch.tensor([1.0, 0.0, 0.0])
    values = []
    for worst in (2.0, 8.0):
        scores = torch.tensor([-1.0, worst, 0.5], requires_grad=True)
        loss = _shifted_by_nonzero(scores, labels)
        (gradient,) = torch.autograd.grad(loss, scores)
        (true,) = torch.autograd.grad(_exact(scores, {0}), scores)
        assert torch.allclose(gradient, true, atol=1e-6)
        assert loss.item() == pytest.approx(_exact(scores, {0}).item() - worst - 1, abs=1e-5)
        values.append(loss.item())
    assert values[1] < values[0]


@pytest.mark.discrepancy("zlpr-bool-labels")
def test_boolean_labels_are_refused_by_a_subtraction():
    """The masked form raises on boolean labels and accepts the same labels as numbers."""
    labels = torch.tensor([True, False, False])
    with pytest.raises(RuntimeError, match="Subtraction"):
        _dense(torch.zeros(3), labels)
    assert _dense(torch.zeros(3), labels.float()).item() == pytest.approx(math.log(6))


@pytest.mark.discrepancy("zlpr-minus-infinity-positive")
def test_a_masked_positive_is_dropped_without_a_word():
    """Dropping every -inf score reports a finite loss where the true loss is infinite."""
    scores, labels = torch.tensor([-math.inf, 1.0, 2.0]), torch.tensor([1.0, 0.0, 0.0])

    def dropping(scores, labels):
        flipped = (1 - 2 * labels) * scores
        parts = []
        for member in (labels, 1 - labels):
            kept = (member > 0) & ~scores.isinf()
            parts.append(torch.cat([flipped[kept], scores.new_zeros(1)]).logsumexp(0))
        return parts[0] + parts[1]

    assert math.isfinite(dropping(scores, labels).item())
    assert _exact(scores, {0}).item() == math.inf
    masked_negative = torch.tensor([1.0, -math.inf, 2.0])
    assert dropping(masked_negative, labels).item() == pytest.approx(
        _exact(masked_negative, {0}).item(), rel=1e-6
    )


@pytest.mark.discrepancy("zlpr-half-mask")
def test_how_the_large_mask_constant_enters_decides_what_it_does_in_half_precision():
    """A Python 1e12 is harmless, masked_fill refuses it, a float16 constant gives NaN."""
    scores = torch.linspace(-2, 2, 9, dtype=torch.float16)
    labels = torch.zeros(9, dtype=torch.float16)
    labels[0] = 1
    assert _dense(scores, labels).item() == pytest.approx(_exact(scores, {0}).item(), rel=2e-3)
    with pytest.raises(RuntimeError, match="without overflow"):
        scores.masked_fill(labels > 0, -1e12)
    constant = torch.tensor(1e12, dtype=torch.float16)
    assert constant.item() == math.inf
    assert (scores - labels * constant).isnan().any()
    zero = scores.new_zeros(1)
    negatives = torch.cat([scores.masked_fill(labels > 0, -math.inf), zero]).logsumexp(0)
    positives = torch.cat([(-scores).masked_fill(labels == 0, -math.inf), zero]).logsumexp(0)
    assert (negatives + positives).item() == pytest.approx(_exact(scores, {0}).item(), rel=2e-3)


@pytest.mark.discrepancy("zlpr-doubled-threshold")
def test_both_thresholds_select_the_same_labels():
    """sigma(2s) > 1/2 and sigma(s) > 1/2 agree with s > 0 on a fine grid, zero included."""
    scores = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    assert torch.equal((2 * scores).sigmoid() > 0.5, scores > 0)
    assert torch.equal(scores.sigmoid() > 0.5, scores > 0)
    assert not torch.allclose((2 * scores).sigmoid(), scores.sigmoid(), atol=0.05)


@pytest.mark.discrepancy("zlpr-name")
def test_there_is_no_plateau_of_zero_loss():
    """At very confident scores loss and gradient are positive and fall like exp(-s), never to 0."""
    values, gradients = [], []
    for confidence in (5.0, 10.0, 20.0):
        scores = torch.tensor([confidence, -confidence], dtype=torch.float64, requires_grad=True)
        loss = _exact(scores, {0})
        loss.backward()
        values.append(loss.item())
        gradients.append(scores.grad.abs().sum().item())
    assert values[0] > values[1] > values[2] > 0
    assert gradients[2] == pytest.approx(2 * math.exp(-20), rel=1e-6)
    assert values[2] == pytest.approx(2 * math.exp(-20), rel=1e-6)


@pytest.mark.discrepancy("zlpr-index-slip")
def test_the_target_must_win_against_all_classes():
    """A target that is the largest of s_1..s_t but not of all still has a large cross-entropy."""
    scores = torch.tensor([0.0, 1.0, 9.0], dtype=torch.float64)
    target = 1
    assert scores[: target + 1].argmax().item() == target
    assert scores.argmax().item() != target
    assert -scores.log_softmax(0)[target].item() > 8


@pytest.mark.discrepancy("zlpr-one-positive")
def test_one_positive_label_does_not_give_softmax_cross_entropy():
    """The loss exceeds softmax cross-entropy on draws; the form without threshold equals it."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        scores = 2 * torch.randn(6, generator=generator, dtype=torch.float64)
        softmax = -scores.log_softmax(0)[0].item()
        pairwise = torch.cat([scores.new_zeros(1), scores[1:] - scores[0]]).logsumexp(0).item()
        assert pairwise == pytest.approx(softmax)
        assert _exact(scores, {0}).item() > softmax + 1e-3


@pytest.mark.discrepancy("zlpr-correlation")
def test_correlation_reverses_the_order_of_probabilities():
    """A label at 0.6 in a block outscores an independent one at 0.8; a mode is not predicted."""
    structure = label_structures.joined(
        label_structures.all_or_none(0.6, 10), label_structures.independent([0.8])
    )
    block, alone = label_structures.optimal_scores(structure)
    assert block > alone > 0
    exclusive = label_structures.exclusive([0.4, 0.3, 0.3])
    assert (label_structures.optimal_scores(exclusive) < 0).all()


@pytest.mark.discrepancy("zlpr-divergence-scale")
def test_the_two_readings_of_a_score_give_different_divergences():
    """Symmetric divergences of sigma(s) and of sigma(2s) differ, and only 2s fits soft labels."""

    def divergence(s, r):
        return ((s.sigmoid() - r.sigmoid()) * (s - r)).sum().item()

    s, r = torch.tensor([0.5, -1.0]), torch.tensor([-0.5, 0.5])
    assert divergence(2 * s, 2 * r) > 2 * divergence(s, r) > 0
    assert divergence(s, s) == divergence(2 * s, 2 * s) == 0
    targets = torch.tensor([0.2, 0.7], dtype=torch.float64)
    scores = (torch.logit(targets) / 2).requires_grad_()
    (at_half,) = torch.autograd.grad(_soft(scores, targets), scores)
    full = torch.logit(targets).requires_grad_()
    (at_full,) = torch.autograd.grad(_soft(full, targets), full)
    assert at_half.abs().max().item() < 1e-12
    assert at_full.abs().max().item() > 0.05
