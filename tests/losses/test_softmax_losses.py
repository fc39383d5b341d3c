"""What is special to the losses of a softmax: focal, margins, logit adjustment."""

import math

import mpmath
import pytest
import torch
import torch.nn.functional as F
from benchmarks import rivals
from mpmath import mpf

import scispaces.losses._one_against_others as module
from scispaces.losses import (
    LogitAdjustedCrossEntropy,
    adjust_logits,
    equalised_margins,
    focal_loss,
    inverse_frequency_weights,
    ldam_margins,
    logit_adjusted_cross_entropy,
    logit_adjustment_margins,
    pairwise_margin_cross_entropy,
    softmax_focal_loss,
)

COUNTS = torch.tensor([500, 120, 60, 12, 4])
PRIOR = (COUNTS / COUNTS.sum()).double()


def draw(rows=6):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (rows,), generator=generator)


def with_gradient(function, logits, *arguments, **options):
    logits = logits.detach().clone().requires_grad_()
    value = function(logits, *arguments, **options)
    return value.detach(), torch.autograd.grad(value, logits)[0]


# Focal


def test_without_focus_it_is_softmax_cross_entropy():
    logits, targets = draw()
    result = with_gradient(softmax_focal_loss, logits, targets, gamma=0.0)
    torch.testing.assert_close(result, with_gradient(F.cross_entropy, logits, targets))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_two_classes_are_one_question_about_their_difference(gamma):
    logits = draw()[0][:, :2]
    label = torch.tensor([0, 1, 1, 0, 1, 0])
    value = softmax_focal_loss(logits, label, gamma=gamma)
    difference = logits[:, 1:] - logits[:, :1]
    torch.testing.assert_close(value, focal_loss(difference, label[:, None], gamma=gamma))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("score", [12.0, 30.0, -30.0, 1e4, -1e4])
def test_focal_at_saturated_scores(score, gamma):
    logits = torch.tensor([[score, 0.0, 0.0]])
    value, gradient = with_gradient(softmax_focal_loss, logits, torch.tensor([0]), gamma=gamma)
    with mpmath.workdps(60):
        others = 2 * mpmath.exp(-mpf(score))
        miss, entropy = others / (1 + others), mpmath.log1p(others)
        expected = miss ** mpf(gamma) * entropy
        slope = miss ** mpf(gamma) * (miss + gamma * (1 - miss) * entropy)
    assert value.item() == pytest.approx(float(expected), rel=1e-5, abs=1e-37)
    expected_gradient = float(slope) * torch.tensor([[-1.0, 0.5, 0.5]])
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-37)


def test_the_published_softmax_focal_has_nan_gradients_below_one():
    logits, label = torch.tensor([[30.0, 0.0, 0.0]]), torch.tensor([0])
    assert with_gradient(rivals.published_softmax_focal, logits, label, 0.5)[1].isnan().any()
    assert with_gradient(softmax_focal_loss, logits, label, gamma=0.5)[1].isfinite().all()


def test_class_weights_stay_outside_the_focusing_factor():
    """LDAM-DRW takes p from the weighted entropy and so focuses on another p."""
    logits, targets = draw()
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    rows = softmax_focal_loss(logits, targets, class_weights=weights, reduction="none")
    plain = softmax_focal_loss(logits, targets, reduction="none")
    torch.testing.assert_close(rows, weights[targets] * plain)
    other = rivals.weighted_softmax_focal(logits, targets, weights, 2.0)
    assert (other - rows.mean()).abs() > 0.01


def test_the_mean_is_over_rows_whatever_their_weights():
    logits, targets = draw()
    weights = inverse_frequency_weights(COUNTS).double()
    value = pairwise_margin_cross_entropy(logits, targets, class_weights=weights)
    total = F.cross_entropy(logits, targets, weights, reduction="sum")
    torch.testing.assert_close(value, total / len(targets))


# The margin family


@pytest.mark.parametrize("tau", [-1.0, 0.0, 0.5, 1.0, 2.5])
def test_logit_adjustment_is_its_member_of_the_family(tau):
    logits, targets = draw()
    fast = with_gradient(logit_adjusted_cross_entropy, logits, targets, PRIOR, tau=tau)
    margins = logit_adjustment_margins(PRIOR, tau=tau)
    member = with_gradient(pairwise_margin_cross_entropy, logits, targets, margins=margins)
    torch.testing.assert_close(fast, member)
    shifted = with_gradient(rivals.adjusted_cross_entropy, logits, targets, tau * PRIOR.log())
    torch.testing.assert_close(fast, shifted)


def test_ldam_takes_its_margin_off_the_score_of_the_class():
    logits, targets = draw()
    margins = ldam_margins(COUNTS, largest=0.5)
    expected = 0.5 * (4 / COUNTS.double()) ** 0.25
    torch.testing.assert_close(margins, expected[:, None].expand(5, 5).float())
    lowered = logits - F.one_hot(targets, 5) * margins[:, 0].double()
    value = pairwise_margin_cross_entropy(logits, targets, margins=margins)
    torch.testing.assert_close(value, F.cross_entropy(lowered, targets))


def test_equalised_lowers_the_scores_of_rare_others():
    logits, targets = draw()
    margins = equalised_margins(PRIOR, power=0.5)
    torch.testing.assert_close(margins, (0.5 * PRIOR.log()).expand(5, 5))
    own = F.one_hot(targets, 5).bool()
    lowered = torch.where(own, logits, logits + 0.5 * PRIOR.log())
    value = pairwise_margin_cross_entropy(logits, targets, margins=margins)
    torch.testing.assert_close(value, F.cross_entropy(lowered, targets))


def test_no_margins_are_margins_of_zero():
    logits, targets = draw()
    plain = with_gradient(F.cross_entropy, logits, targets)
    for margins in (None, torch.zeros(5, 5), torch.zeros(()), logit_adjustment_margins(PRIOR) * 0):
        result = with_gradient(pairwise_margin_cross_entropy, logits, targets, margins=margins)
        torch.testing.assert_close(result, plain)


def test_margins_broadcast_and_their_diagonal_plays_no_part():
    logits, targets = draw()
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    for small in (table[0], table[:1], table[:, :1], table[0, 0]):
        full = small.expand(5, 5).clone()
        expected = with_gradient(pairwise_margin_cross_entropy, logits, targets, margins=full)
        for diagonal in (1e30, math.nan):
            full.fill_diagonal_(diagonal)
            result = with_gradient(pairwise_margin_cross_entropy, logits, targets, margins=full)
            torch.testing.assert_close(result, expected)
        result = with_gradient(pairwise_margin_cross_entropy, logits, targets, margins=small)
        torch.testing.assert_close(result, expected)


def test_repeated_margins_are_gathered_unrepeated(monkeypatch):
    """A view that repeats one number a row costs one number a row."""
    shapes = []
    gather = module._of_rows
    monkeypatch.setattr(module, "_of_rows", lambda *a: shapes.append(a[0].shape) or gather(*a))
    logits, targets = draw()
    for margins in (ldam_margins(COUNTS), equalised_margins(PRIOR)):
        pairwise_margin_cross_entropy(logits, targets, margins=margins)
    assert shapes == [(5, 1), (1, 5)]


def test_more_margin_costs_more():
    logits, targets = draw()
    values = [
        pairwise_margin_cross_entropy(logits, targets, margins=torch.full((5, 5), margin))
        for margin in (-1.0, 0.0, 1.0)
    ]
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize(
    ("margins", "error", "message"),
    [
        (torch.zeros(4, 5), ValueError, r"broadcast to .*\(5, 5\)\. Got shape \(4, 5\)\."),
        (torch.zeros(1, 5, 5), ValueError, r"Got shape \(1, 5, 5\)\."),
        (torch.zeros(5, 5).long(), TypeError, r"floating-point tensor\. Got dtype torch\.int64\."),
        ([[0.0]], TypeError, r"`margins` must be a floating-point tensor\. Got list\."),
        (torch.eye(5).log(), ValueError, r"finite off the diagonal\. Got -inf at index \(0, 1\)\."),
        (torch.full((5,), math.nan), ValueError, r"Got nan at index \(0, 0\)\."),
        (torch.zeros(5, device="meta"), ValueError, r"on the device of `logits`, cpu\. Got meta\."),
    ],
)
def test_bad_margins(margins, error, message):
    with pytest.raises(error, match=message):
        pairwise_margin_cross_entropy(*draw(), margins=margins)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (torch.ones(4), ValueError, r"one number for every class, shape \(5,\)\. Got shape \(4,\)"),
        (torch.ones(5).bool(), TypeError, r"tensor of real numbers\. Got torch\.bool\."),
        ([1.0] * 5, TypeError, r"tensor of real numbers\. Got list\."),
        (-torch.arange(5.0), ValueError, r"finite and at least 0\. Got -1 at index \(1,\)\."),
        (torch.tensor([1, 1, math.nan, 1, 1]), ValueError, r"Got nan at index \(2,\)\."),
        (torch.ones(5, device="meta"), ValueError, r"on the device of `logits`, cpu\. Got meta\."),
    ],
)
def test_bad_class_weights(weights, error, message):
    for function in (pairwise_margin_cross_entropy, softmax_focal_loss):
        with pytest.raises(error, match=message):
            function(*draw(), class_weights=weights)


@pytest.mark.parametrize("function", [softmax_focal_loss, pairwise_margin_cross_entropy])
def test_ignore_index_is_no_class(function):
    with pytest.raises(ValueError, match=r"must lie in \[0, 5\)\. Got -100 at index \(2,\)\."):
        function(draw()[0], torch.tensor([0, 1, -100, 2, 3, 4]))


def test_one_class_costs_nothing():
    for score in (-1e30, 0.0, 1e30):
        logits = torch.full((2, 1), score)
        value, gradient = with_gradient(softmax_focal_loss, logits, torch.zeros(2).long())
        assert value == 0
        assert torch.equal(gradient, torch.zeros(2, 1))


def test_excluded_classes_get_no_gradient():
    """Minus infinity masks a class; torch's cross-entropy agrees on the rest."""
    logits, targets = draw()
    logits[:, 1], targets = -torch.inf, targets.where(targets != 1, 0)
    prior = PRIOR.clone()
    result = with_gradient(logit_adjusted_cross_entropy, logits, targets, prior)
    expected = with_gradient(rivals.adjusted_cross_entropy, logits, targets, prior.log())
    torch.testing.assert_close(result, expected)
    assert torch.equal(result[1][:, 1], torch.zeros(6, dtype=torch.float64))


# Logit adjustment


def test_adjusting_takes_the_prior_off():
    """Bayes: what is left of the posterior is the likelihood, whose maximum is the rule."""
    log_likelihood, _ = draw(50)
    logits = log_likelihood + PRIOR.log() + 7.0  # scores are free up to a constant
    rule = log_likelihood.argmax(-1)
    assert torch.equal(adjust_logits(logits, PRIOR).argmax(-1), rule)
    assert not torch.equal(logits.argmax(-1), rule)
    assert not torch.equal((logits + PRIOR.log()).argmax(-1), rule)  # the sign in circulation


def test_the_loss_learns_scores_that_need_no_adjustment():
    """Free scores that minimise it are the posterior without its prior."""
    posterior = torch.tensor([0.7, 0.1, 0.1, 0.06, 0.04], dtype=torch.float64)
    plain, adjusted = posterior.log(), posterior.log() - PRIOR.log()
    targets = torch.arange(5)
    for scores, function in (
        (plain, lambda f: F.cross_entropy(f, targets, reduction="none")),
        (adjusted, lambda f: logit_adjusted_cross_entropy(f, targets, PRIOR, reduction="none")),
    ):
        _, gradient = with_gradient(lambda f, g=function: g(f.expand(5, 5)) @ posterior, scores)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-15)
    torch.testing.assert_close(adjust_logits(plain, PRIOR), adjusted)


def test_adjusted_logits_are_wide_and_differentiable():
    logits = torch.zeros(2, 5, dtype=torch.bfloat16, requires_grad=True)
    adjusted = adjust_logits(logits, PRIOR, tau=2.0)
    assert adjusted.dtype is torch.float32
    torch.testing.assert_close(adjusted.detach(), (-2 * PRIOR.log()).float().expand(2, 5))
    adjusted.sum().backward()
    assert torch.equal(logits.grad, torch.ones(2, 5, dtype=torch.bfloat16))


def test_module_keeps_its_prior_with_its_state():
    logits, targets = draw()
    criterion = LogitAdjustedCrossEntropy(PRIOR, tau=0.5)
    expected = logit_adjusted_cross_entropy(logits, targets, PRIOR, tau=0.5)
    assert criterion(logits, targets) == expected
    other = LogitAdjustedCrossEntropy(torch.full((5,), 0.2, dtype=torch.float64), tau=0.5)
    other.load_state_dict(criterion.state_dict())
    assert list(criterion.state_dict()) == ["log_prior"]
    assert other(logits, targets) == expected
    assert criterion.to("meta").log_prior.is_meta
    assert not list(criterion.parameters())
    with pytest.raises(
        ValueError, match=r"each of the 5 classes of the prior\. Got shape \(6, 4\)"
    ):
        other(logits[:, :4], targets.clamp(max=3))


def test_integer_kinds_of_targets():
    logits, targets = draw()
    expected = logit_adjusted_cross_entropy(logits, targets, PRIOR)
    for dtype in (torch.int32, torch.int16, torch.int8, torch.uint8):
        assert logit_adjusted_cross_entropy(logits, targets.to(dtype), PRIOR) == expected


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (PRIOR[:4], ValueError, r"one number for every class, shape \(5,\)\. Got shape \(4,\)"),
        (PRIOR[None], ValueError, r"Got shape \(1, 5\)\."),
        (COUNTS, TypeError, r"Got dtype torch\.int64; counts are .* by `class_prior_from_counts`"),
        (
            COUNTS.float(),
            ValueError,
            r"must sum to 1\. Got a sum of 696; .*`class_prior_from_counts`",
        ),
        (PRIOR * (COUNTS > 4), ValueError, r"finite and positive\. Got 0 at index \(4,\)\."),
        (PRIOR - 0.1, ValueError, r"finite and positive\. Got -0\.0.* at index \(2,\)\."),
        (PRIOR.where(COUNTS > 4, math.nan), ValueError, r"Got nan at index \(4,\)\."),
        (PRIOR.tolist(), TypeError, r"tensor of real numbers\. Got list\."),
        (PRIOR.to("meta"), ValueError, r"on the device of `logits`, cpu\. Got meta\."),
    ],
)
def test_bad_class_priors(prior, error, message):
    with pytest.raises(error, match=message):
        logit_adjusted_cross_entropy(*draw(), prior)
    with pytest.raises(error, match=message):
        adjust_logits(draw()[0], prior)


def test_bad_settings():
    for call in (
        lambda tau: logit_adjusted_cross_entropy(*draw(), PRIOR, tau=tau),
        lambda tau: adjust_logits(draw()[0], PRIOR, tau=tau),
        lambda tau: logit_adjustment_margins(PRIOR, tau=tau),
        lambda tau: LogitAdjustedCrossEntropy(PRIOR, tau=tau),
    ):
        with pytest.raises(ValueError, match=r"`tau` must be finite\. Got nan\."):
            call(math.nan)
    with pytest.raises(ValueError, match=r"`gamma` must be finite and at least 0\. Got -1\.0\."):
        softmax_focal_loss(*draw(), gamma=-1.0)
    with pytest.raises(ValueError, match=r"`largest` must be finite and at least 0\. Got -1\.0\."):
        ldam_margins(COUNTS, largest=-1.0)
    with pytest.raises(ValueError, match=r"`power` must be finite\. Got inf\."):
        equalised_margins(PRIOR, power=math.inf)
    with pytest.raises(ValueError, match=r"finite and positive\. Got 0 at index \(1,\)\."):
        ldam_margins(torch.tensor([3, 0]))
