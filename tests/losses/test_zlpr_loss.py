"""What is special to ZLPR: its identities and bounds, and the inputs on which others fail."""

import math

import mpmath
import pytest
import torch
import torch.nn.functional as F
from benchmarks import rivals
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

import scispaces.losses.zlpr as module
from scispaces.losses import ZLPRLoss, zlpr_loss, zlpr_loss_from_indices, zlpr_predict

quietly = settings(deadline=None)  # the first call of a torch function is slow
scores = st.floats(-60, 60)
labelled_rows = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=12)


def row(pairs):
    logits, targets = zip(*pairs, strict=True)
    return torch.tensor([logits], dtype=torch.float64), torch.tensor([targets])


def with_gradient(function, logits, *arguments, **options):
    logits = logits.detach().clone().requires_grad_()
    value = function(logits, *arguments, **options)
    return value.detach(), torch.autograd.grad(value, logits)[0]


def learned(score, positives=3, negatives=97, dtype=torch.float32):
    """One row, learned well: negatives at -5, positives first, at `score`."""
    logits = torch.full((1, positives + negatives), -5.0, dtype=dtype)
    logits[0, :positives] = score
    return logits, torch.arange(positives)[None]


# Identities and bounds


@quietly
@given(labelled_rows)
def test_sandwich(pairs):
    logits, targets = row(pairs)
    positive = max([0.0] + [-s for s, t in pairs if t])
    negative = max([0.0] + [s for s, t in pairs if not t])
    count = sum(t for _, t in pairs)
    value = zlpr_loss(logits, targets).item()
    slack = 1e-12 * (1 + value)
    assert positive + negative - slack <= value
    assert value <= positive + negative + math.log((1 + count) * (1 + len(pairs) - count)) + slack


@quietly
@given(labelled_rows)
def test_at_most_the_sum_of_binary_cross_entropies(pairs):
    logits, targets = row(pairs)
    # By the math module: torch's own loses half the digits where it is small.
    entropy = math.fsum(math.log1p(math.exp(-s if t else s)) for s, t in pairs)
    assert zlpr_loss(logits, targets).item() <= entropy * (1 + 1e-12) + 1e-15


@quietly
@given(scores, st.booleans())
def test_one_class_is_binary_cross_entropy(score, target):
    logits, targets = row([(score, target)])
    value, gradient = with_gradient(zlpr_loss, logits, targets)
    sign = -1 if target else 1
    assert value.item() == pytest.approx(math.log1p(math.exp(sign * score)), rel=1e-13, abs=0)
    assert gradient.item() == pytest.approx(sign / (1 + math.exp(-sign * score)), rel=1e-13, abs=0)


@quietly
@given(labelled_rows)
def test_gradient_masses_stay_below_one_on_either_side(pairs):
    logits, targets = row(pairs)
    _, gradient = with_gradient(zlpr_loss, logits, targets)
    assert -1 - 1e-14 <= gradient[targets].sum() <= 0
    assert 0 <= gradient[~targets].sum() <= 1 + 1e-14


@pytest.mark.parametrize("classes", [1, 10, 1000])
@pytest.mark.parametrize("count", [0, 1, "all"])
def test_value_at_zero(classes, count):
    count = classes if count == "all" else count
    targets = torch.arange(classes)[None] < count
    value = zlpr_loss(torch.zeros(1, classes, dtype=torch.float64), targets)
    assert value.item() == pytest.approx(
        math.log((1 + count) * (1 + classes - count)), rel=1e-14, abs=0
    )


def test_prediction_is_a_score_above_zero():
    logits = torch.tensor([[3.0, 0.0, -0.0, 1e-30, -1e-30, torch.inf, -torch.inf, torch.nan]])
    expected = [[True, False, False, True, False, True, False, False]]
    assert zlpr_predict(logits).tolist() == expected


def test_descent_ends_with_all_positives_above_zero_and_all_negatives_below():
    targets = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(zlpr_loss(logits, targets, reduction="sum"), logits)
        logits = (logits - gradient).detach().requires_grad_()
    assert torch.equal(zlpr_predict(logits), targets.bool())


def test_soft_optimum_is_where_sigmoid_of_twice_the_score_is_the_target():
    targets = torch.tensor([[0.05, 0.3, 0.5, 0.8, 0.95]], dtype=torch.float64)
    value, gradient = with_gradient(zlpr_loss, targets.logit() / 2, targets)
    assert gradient.abs().max() < 1e-15
    least = 2 * math.log1p((targets * (1 - targets)).sqrt().sum().item())
    assert value.item() == pytest.approx(least, rel=1e-14, abs=0)


# Labels in their different dresses


def test_indices_padding_and_repeats_say_the_same_as_the_matrix():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positives = torch.tensor([[0, 2, -1], [5, 5, 5], [-1, -1, -1], [3, -1, 0]])
    targets = torch.tensor(
        [[1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]]
    )
    expected = with_gradient(zlpr_loss, logits, targets, reduction="sum")
    for padding in (-1, -100, 1, 6, 10**12):
        # With padding 1, class 1 is never a positive; nowhere above it is.
        renamed = torch.where(positives == -1, padding, positives)
        for dtype in (torch.int64, torch.int32) if padding < 10**9 else (torch.int64,):
            result = with_gradient(
                zlpr_loss_from_indices,
                logits,
                renamed.to(dtype),
                padding_index=padding,
                reduction="sum",
            )
            torch.testing.assert_close(result, expected)


def test_minus_one_is_an_error_where_padding_is_something_else():
    with pytest.raises(ValueError, match=r"in \[0, 3\) or be the padding index, 0\. Got -1 at .*1"):
        zlpr_loss_from_indices(torch.zeros(1, 3), torch.tensor([[0, -1]]), padding_index=0)


@pytest.mark.parametrize("wrong", [3, 7, -2, -(2**40), 2**40])
def test_an_index_out_of_range_is_refused(wrong):
    positives = torch.tensor([[0, 1], [2, wrong]])
    with pytest.raises(ValueError, match=rf"index, -1\. Got {wrong:.6g}".replace("+", r"\+")):
        zlpr_loss_from_indices(torch.zeros(2, 3), positives)


@pytest.mark.parametrize(
    "positives", [torch.zeros(2, 0, dtype=torch.int64), torch.full((2, 3), -1)]
)
def test_rows_without_positives(positives):
    logits = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    expected = with_gradient(zlpr_loss, logits, torch.zeros(2, 2))
    result = with_gradient(zlpr_loss_from_indices, logits, positives)
    torch.testing.assert_close(result, expected)
    assert expected[0].item() == pytest.approx(
        (math.log1p(math.exp(1) + math.exp(-2)) + math.log1p(math.exp(0.5) + math.exp(3))) / 2
    )


TARGET_TYPES = [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64]


@pytest.mark.parametrize("density", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("dtype", TARGET_TYPES)
def test_hard_targets_of_every_type_and_density(dtype, density):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20, 200, generator=generator, dtype=torch.float64)
    hard = torch.rand(20, 200, generator=generator) < density
    expected = with_gradient(
        lambda s: (
            F.pad(s.masked_fill(hard, -torch.inf), (0, 1)).logsumexp(-1)
            + F.pad((-s).masked_fill(~hard, -torch.inf), (0, 1)).logsumexp(-1)
        ).mean(),
        logits,
    )
    result = with_gradient(zlpr_loss, logits, hard.to(dtype))
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-15)
    masked = with_gradient(zlpr_loss, logits, hard.to(dtype), mask=torch.ones_like(hard))
    torch.testing.assert_close(masked, result, rtol=1e-13, atol=1e-15)


def test_sparse_hard_targets_go_by_place_and_others_by_matrix():
    sparse = torch.zeros(4, 100)
    sparse[torch.arange(4), torch.tensor([0, 50, 99, 7])] = 1
    assert module._places_of_positives(sparse)[0].flatten().tolist() == [0, 50, 99, 7]
    assert module._places_of_positives(0.5 * sparse) is None
    assert module._places_of_positives(1 - sparse) is None
    uneven = torch.zeros(8, 100)
    uneven[0, :60] = 1  # few positives, but padding the rows to 60 would make a matrix again
    assert module._places_of_positives(uneven) is None


def test_a_masked_class_might_as_well_not_be_there():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 8, generator=generator, dtype=torch.float64)
    targets = torch.rand(3, 8, generator=generator, dtype=torch.float64)
    mask = torch.tensor([True, False, True, True, False, True, True, False])
    expected_value, expected = with_gradient(zlpr_loss, logits[:, mask], targets[:, mask])
    for anything in (0.0, 1e4, -1e4, torch.inf, -torch.inf):
        filled = torch.where(mask, logits, anything)
        value, gradient = with_gradient(zlpr_loss, filled, targets, mask=mask.expand(3, 8))
        torch.testing.assert_close(value, expected_value)
        torch.testing.assert_close(gradient[:, mask], expected)
        assert torch.equal(gradient[:, ~mask], torch.zeros(3, 3, dtype=torch.float64))


def test_a_row_masked_throughout_costs_nothing():
    mask = torch.tensor([[False] * 3, [True] * 3])
    total, gradient = with_gradient(
        zlpr_loss, torch.ones(2, 3), torch.ones(2, 3), mask=mask, reduction="sum"
    )
    assert total.item() == pytest.approx(math.log1p(3 * math.exp(-1)))
    assert torch.equal(gradient[0], torch.zeros(3))


def test_a_mask_must_be_boolean_and_fit():
    with pytest.raises(TypeError, match=r"`mask` must be boolean.* Got torch\.float32\."):
        zlpr_loss(torch.zeros(1, 2), torch.zeros(1, 2), mask=torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"`mask` must have the shape .*\(1, 2\)\. Got \(2,\)\."):
        zlpr_loss(torch.zeros(1, 2), torch.zeros(1, 2), mask=torch.ones(2, dtype=torch.bool))


def test_the_module_is_the_function():
    logits, targets = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), torch.eye(3, 4)
    for reduction in ("mean", "sum", "none"):
        expected = zlpr_loss(logits, targets, reduction=reduction)
        assert torch.equal(ZLPRLoss(reduction)(logits, targets), expected)


# Scores at which others fail


def exact(logits, targets):
    """Value and gradient of one hard row in 60 digits."""
    with mpmath.workdps(60):
        s, t = [mpf(a) for a in logits.flatten().tolist()], targets.flatten().tolist()
        negative = 1 + mpmath.fsum(mpmath.exp(a) for a, b in zip(s, t, strict=True) if not b)
        positive = 1 + mpmath.fsum(mpmath.exp(-a) for a, b in zip(s, t, strict=True) if b)
        slopes = [
            -mpmath.exp(-a) / positive if b else mpmath.exp(a) / negative
            for a, b in zip(s, t, strict=True)
        ]
        value = mpmath.log(negative) + mpmath.log(positive)
        return float(value), torch.tensor([list(map(float, slopes))], dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("score", [10, 16, 25, 100, 1e4, -10, -16, -25, -100, -1e4])
@pytest.mark.parametrize("form", ["indices", "targets", "soft"])
def test_any_score_of_the_positives(score, dtype, form):
    logits, positives = learned(score, dtype=dtype)
    targets = torch.zeros(1, 100).scatter_(1, positives, 1)
    if form == "indices":
        value, gradient = with_gradient(zlpr_loss_from_indices, logits, positives)
    else:
        mask = torch.ones(1, 100, dtype=torch.bool) if form == "soft" else None
        value, gradient = with_gradient(zlpr_loss, logits, targets, mask=mask)
    exact_value, exact_gradient = exact(logits, targets)
    assert value.item() == pytest.approx(exact_value, rel=4 * torch.finfo(dtype).eps, abs=0)
    torch.testing.assert_close(
        gradient, exact_gradient.to(dtype), rtol=64 * torch.finfo(dtype).eps, atol=1e-37
    )


@pytest.mark.parametrize("score", [20.0, 80.0, 600.0])
def test_a_tiny_loss_keeps_its_digits(score):
    logits = torch.tensor([[score, -score, -score]], dtype=torch.float64)
    value = zlpr_loss_from_indices(logits, torch.tensor([[0]])).item()
    assert value == pytest.approx(3 * math.exp(-score), rel=1e-8, abs=0)


def test_tiny_soft_weights_count_at_large_scores():
    logits = torch.tensor([[-80.0, -70.0, 3.0]])
    targets = torch.tensor([[1e-30, 1e-28, 0.0]])
    value, gradient = with_gradient(zlpr_loss, logits, targets)
    weighted = [1e-30 * math.exp(80), 1e-28 * math.exp(70)]
    expected = math.log1p(sum(weighted)) + math.log1p(math.exp(-80) + math.exp(-70) + math.exp(3))
    assert value.item() == pytest.approx(expected, rel=1e-6, abs=0)
    for slope, weight in zip(gradient[0].tolist(), weighted, strict=False):
        assert slope == pytest.approx(-weight / (1 + sum(weighted)), rel=1e-5, abs=0)


def test_sparse_form_with_confident_positives():
    """Positives at 15: the clipped sparse form is negative and pushes them down."""
    logits, positives = learned(15.0)
    value, gradient = with_gradient(zlpr_loss_from_indices, logits, positives)
    assert value.item() == pytest.approx(math.log1p(97 * math.exp(-5)), rel=1e-5, abs=0)
    assert -4e-7 < gradient[0, 0] < -2e-7
    assert gradient[0, 5] == pytest.approx(math.exp(-5) / (1 + 97 * math.exp(-5)), rel=1e-5, abs=0)
    wrong, wrong_gradient = with_gradient(rivals.bert4torch_sparse, logits, positives)
    assert wrong < 0
    assert wrong_gradient[0, 0] == pytest.approx(1 / 3, abs=1e-3)


@pytest.mark.parametrize(("score", "wrong"), [(20.0, 4.98), (50.0, 34.98), (80.0, 64.98)])
def test_sparse_form_grows_with_confidence(score, wrong):
    logits, positives = learned(score)
    assert zlpr_loss_from_indices(logits, positives).item() == pytest.approx(0.503, abs=1e-3)
    assert rivals.bert4torch_sparse(logits, positives).item() == pytest.approx(wrong, abs=1e-2)


def test_repeated_index():
    """A duplicate subtracted twice hides a false negative."""
    logits = torch.tensor([[4.0, 4.0, 5.0, -2.0]])
    expected = zlpr_loss(logits, torch.tensor([[1, 1, 0, 0]]))
    result = with_gradient(zlpr_loss_from_indices, logits, torch.tensor([[0, 0, 1]]))
    torch.testing.assert_close(
        result, with_gradient(zlpr_loss, logits, torch.tensor([[1, 1, 0, 0]]))
    )
    wrong = rivals.bert4torch_sparse(logits, torch.tensor([[0, 0, 1]]))
    assert (wrong - expected).abs() > 0.05


def test_float16_positives_at_5():
    logits, positives = learned(5.0, dtype=torch.float16)
    expected = math.log1p(97 * math.exp(-5)) + math.log1p(3 * math.exp(-5))
    assert zlpr_loss_from_indices(logits, positives).item() == pytest.approx(
        expected, rel=1e-6, abs=0
    )
    assert abs(rivals.bert4torch_sparse(logits, positives).item() - expected) > 0.01


def test_soft_labels_are_neither_dropped_nor_rounded():
    logits = torch.zeros(1, 1000)
    targets = torch.full_like(logits, 0.02)
    targets[0, :3] = 0.9
    positive, negative = 3 * 0.9 + 997 * 0.02, 3 * 0.1 + 997 * 0.98
    expected = math.log1p(positive) + math.log1p(negative)
    value, gradient = with_gradient(zlpr_loss, logits, targets)
    assert value.item() == pytest.approx(expected, rel=1e-6, abs=0)
    assert gradient.abs().min() > 0
    silent, nothing = with_gradient(rivals.bert4torch_dense, logits, targets)
    assert silent == 0
    assert nothing.abs().max() == 0
    assert abs(rivals.timm_masked(logits, targets).item() - expected) > 0.5


def test_bool_labels():
    logits, positives = learned(2.0)
    targets = torch.zeros(1, 100, dtype=torch.bool).scatter_(1, positives, True)
    torch.testing.assert_close(
        zlpr_loss(logits, targets), zlpr_loss_from_indices(logits, positives)
    )
    for rival in (rivals.bert4torch_dense, rivals.bert4keras_soft, rivals.naive):
        with pytest.raises(RuntimeError, match="bool"):
            rival(logits, targets)


def test_minus_infinity_on_negatives():
    """A common way of masking: the naive form makes every gradient NaN."""
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(2, 6, generator=generator), torch.zeros(2, 6)
    targets[:, 0] = 1
    logits[:, 4:] = -torch.inf
    value, gradient = with_gradient(zlpr_loss, logits, targets)
    torch.testing.assert_close(value, zlpr_loss(logits[:, :4], targets[:, :4]))
    assert torch.equal(gradient[:, 4:], torch.zeros(2, 2))
    wrong, wrong_gradient = with_gradient(rivals.naive, logits, targets)
    assert wrong.isnan()
    assert wrong_gradient.isnan().all()


@pytest.mark.parametrize("masked", [False, True])
def test_infinity_on_the_wrong_side_costs_infinity(masked):
    """The positive at -inf that bert4keras leaves out; the gradient stays finite."""
    mask = torch.ones(1, 3, dtype=torch.bool) if masked else None
    targets = torch.tensor([[1.0, 0, 0]])
    for logits in ([-torch.inf, 1.0, 2.0], [1.0, torch.inf, 2.0]):
        logits = torch.tensor([logits])
        value, gradient = with_gradient(zlpr_loss, logits, targets, mask=mask)
        assert value == torch.inf
        assert gradient.isfinite().all()
        assert gradient.abs().max() == 1  # the limit: all the weight of its side
    dropped = rivals.bert4keras_soft(torch.tensor([[-torch.inf, 1.0, 2.0]]), targets)
    assert dropped.isfinite()


def test_infinity_on_the_right_side_costs_nothing():
    logits = torch.tensor([[torch.inf, -torch.inf, -torch.inf]])
    value, gradient = with_gradient(zlpr_loss_from_indices, logits, torch.tensor([[0]]))
    assert value == 0
    assert torch.equal(gradient, torch.zeros(1, 3))


@pytest.mark.parametrize(("dtype", "score"), [(torch.float32, 100.0), (torch.float16, 12.0)])
def test_a_negative_far_above_zero(dtype, score):
    logits, positives = learned(-5.0, dtype=dtype)
    logits[0, 50] = score
    targets = torch.zeros(1, 100, dtype=dtype).scatter_(1, positives, 1)
    value, gradient = with_gradient(zlpr_loss, logits, targets)
    exact_value, exact_gradient = exact(logits, targets)
    assert value.item() == pytest.approx(exact_value, rel=1e-6, abs=0)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=2e-3, atol=1e-7)
    assert not with_gradient(rivals.naive, logits, targets)[1].isfinite().all()


def test_rows_do_not_mix():
    """`torch.inner` over a batch crosses the rows; it is right only for equal label sets."""
    logits = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 2.0, 3.0]], dtype=torch.float64)
    targets = torch.tensor([[1.0, 0, 0], [0, 1, 1]], dtype=torch.float64)
    value = zlpr_loss(logits, targets)
    assert value.item() == pytest.approx(rivals.naive(logits, targets).item(), rel=1e-14, abs=0)
    assert abs(rivals.batch_inner(logits, targets).item() - value.item()) > 0.1


def test_a_million_classes_in_bfloat16():
    logits = torch.zeros(1, 1_000_000, dtype=torch.bfloat16, requires_grad=True)
    value = zlpr_loss_from_indices(logits, torch.tensor([[0, 1, 2]]))
    expected = math.log(4) + math.log1p(999_997)
    assert value.item() == pytest.approx(expected, rel=1e-6, abs=0)
    targets = torch.zeros_like(logits).scatter_(1, torch.tensor([[0, 1, 2]]), 1)
    assert zlpr_loss(logits, targets).item() == pytest.approx(expected, rel=1e-6, abs=0)
    soft = zlpr_loss(logits, targets, mask=torch.ones(1, 1_000_000, dtype=torch.bool))
    assert soft.item() == pytest.approx(expected, rel=1e-6, abs=0)
    assert abs(rivals.bert4torch_dense(logits, targets).item() - expected) > 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_half_precision_values_and_gradients(dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (6 * torch.randn(4, 500, generator=generator)).to(dtype)
    positives = torch.randint(500, (4, 3), generator=generator)
    value, gradient = with_gradient(zlpr_loss_from_indices, logits, positives)
    best, best_gradient = with_gradient(zlpr_loss_from_indices, logits.double(), positives)
    assert value.item() == pytest.approx(best.item(), rel=1e-6, abs=0)
    ulp = torch.finfo(dtype)
    torch.testing.assert_close(
        gradient.double(), best_gradient, rtol=ulp.eps, atol=ulp.tiny * ulp.eps
    )
