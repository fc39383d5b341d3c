"""What is special to the losses beside ZLPR."""

import math

import mpmath
import pytest
import torch
import torch.nn.functional as F
from benchmarks import rivals
from mpmath import mpf
from tests.losses.draws import draw, with_gradient

from scispaces.losses import (
    asymmetric_loss,
    focal_loss,
    k_subset_cross_entropy,
    log_elementary_symmetric,
    newton_elementary_symmetric,
    pairwise_ranking_loss,
    soft_f1_loss,
    symmetric_bernoulli_divergence,
    zlpr_loss,
)

# Pairs


def test_pairs_with_one_positive_are_softmax_cross_entropy():
    logits, _ = draw()
    label = torch.tensor([0, 3, 6, 1, 1])
    value = pairwise_ranking_loss(logits, F.one_hot(label, 7))
    torch.testing.assert_close(value, F.cross_entropy(logits, label))


def test_pairs_with_a_threshold_are_zlpr():
    logits, targets = draw()
    torch.testing.assert_close(
        with_gradient(pairwise_ranking_loss, logits, targets, threshold_class=True),
        with_gradient(zlpr_loss, logits, targets),
    )


def test_scale_and_margin_act_on_differences():
    logits, targets = draw()
    scaled = pairwise_ranking_loss(logits, targets, scale=2.0, margin=0.5)
    shifted = 2 * torch.where(targets, logits - 0.5, logits)
    torch.testing.assert_close(scaled, pairwise_ranking_loss(shifted, targets))


def test_rows_without_a_pair_cost_nothing():
    logits, _ = draw(2)
    targets = torch.tensor([[True] * 7, [False] * 7])
    value, gradient = with_gradient(pairwise_ranking_loss, logits, targets)
    assert value == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("threshold_class", [False, True])
def test_infinity_on_the_wrong_side_costs_infinity(threshold_class):
    targets = torch.tensor([[1.0, 0, 0]])
    for logits in ([-torch.inf, 1.0, 2.0], [1.0, torch.inf, 2.0]):
        value, gradient = with_gradient(
            pairwise_ranking_loss, torch.tensor([logits]), targets, threshold_class=threshold_class
        )
        assert value == torch.inf
        assert gradient.isfinite().all()


@pytest.mark.parametrize("options", [{"scale": 0.0}, {"scale": math.inf}, {"margin": math.nan}])
def test_bad_scale_and_margin(options):
    with pytest.raises(ValueError, match=r"must be (positive and )?finite\. Got"):
        pairwise_ranking_loss(*draw(), **options)


def test_margin_beyond_float32_is_refused_with_a_threshold_only():
    assert pairwise_ranking_loss(*draw(), scale=100.0, margin=1.0).isfinite()
    with pytest.raises(ValueError, match=r"at most 80 with a threshold class\. Got 100\.0\."):
        pairwise_ranking_loss(*draw(), scale=100.0, margin=1.0, threshold_class=True)


# Subsets


def test_one_positive_is_softmax_cross_entropy():
    logits, _ = draw()
    label = torch.tensor([0, 3, 6, 1, 1])
    value = k_subset_cross_entropy(logits, label[:, None])
    torch.testing.assert_close(value, F.cross_entropy(logits, label))


@pytest.mark.parametrize("k", range(8))
def test_number_of_subsets(k):
    zeros = torch.zeros(7, dtype=torch.float64)
    assert log_elementary_symmetric(zeros, k).exp().item() == pytest.approx(math.comb(7, k))
    assert newton_elementary_symmetric(zeros, k).item() == pytest.approx(math.comb(7, k))


def test_gradient_is_the_probability_to_be_in_the_subset():
    logits, _ = draw(4)
    _, gradient = with_gradient(lambda x: log_elementary_symmetric(x, 3).sum(), logits)
    assert (gradient > 0).all()
    assert (gradient < 1).all()
    torch.testing.assert_close(gradient.sum(-1), torch.full((4,), 3.0, dtype=torch.float64))


@pytest.mark.parametrize(
    ("classes", "k", "least", "most"),
    [(6, 3, 0, 1e-14), (50, 10, 0, 1e-12), (50, 20, 1e-13, 1), (100, 20, 1e-13, 1)],
)
def test_newton_loses_digits_that_the_recursion_keeps(classes, k, least, most):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(classes, generator=generator, dtype=torch.float64)
    with mpmath.workdps(60):
        sums = [mpf(1)] + [mpf(0)] * k
        for x in [mpmath.exp(mpf(s)) for s in logits.tolist()]:
            for m in range(k, 0, -1):
                sums[m] += sums[m - 1] * x
        newton = mpf(newton_elementary_symmetric(logits, k).item())
        newton_error = float(abs(newton / sums[k] - 1))
        recursion = mpf(log_elementary_symmetric(logits, k).item())
        recursion_error = float(abs(recursion / mpmath.log(sums[k]) - 1))
    assert recursion_error < 4e-16
    assert least <= newton_error < most


def test_newton_overflows_where_the_recursion_does_not():
    logits = torch.tensor([400.0, 300.0, 200.0], dtype=torch.float64)
    assert log_elementary_symmetric(logits, 2).item() == pytest.approx(700)
    assert not newton_elementary_symmetric(logits, 2).isfinite()


def test_gradient_is_finite_with_all_but_k_classes_excluded():
    logits = torch.tensor([[-torch.inf, 1.0, -torch.inf, 2.0]])
    value, gradient = with_gradient(k_subset_cross_entropy, logits, torch.tensor([[1, 3]]))
    assert value == 0
    assert gradient.isfinite().all()


def test_bad_subsets():
    logits = torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"at most once in a row\. Got 1 at index \(1, 2\)\."):
        k_subset_cross_entropy(logits, torch.tensor([[0, 1, 2], [1, 0, 1]]))
    with pytest.raises(ValueError, match=r"lie in \[0, 4\)\. Got -1 at index \(0, 1\)\."):
        k_subset_cross_entropy(logits, torch.tensor([[0, -1], [1, 0]]))
    for function in (log_elementary_symmetric, newton_elementary_symmetric):
        for k in (-1, 5):
            with pytest.raises(ValueError, match=rf"between 0 and the number of .* 4\. Got {k}\."):
                function(logits, k)


# Divergence


def test_divergence_is_symmetric_and_both_kullback_leibler_divergences():
    s, t = draw()[0], draw()[0].flip(0)
    p, q = (torch.stack([x.sigmoid(), (-x).sigmoid()]) for x in (s, t))
    both = ((p - q) * (p.log() - q.log())).sum(0).sum(-1)
    torch.testing.assert_close(symmetric_bernoulli_divergence(s, t, reduction="none"), both)
    torch.testing.assert_close(symmetric_bernoulli_divergence(t, s, reduction="none"), both)
    assert torch.equal(symmetric_bernoulli_divergence(s, s), torch.zeros((), dtype=torch.float64))


def test_divergence_keeps_its_digits_where_both_probabilities_are_near_one():
    s, t = (torch.tensor([[value]], dtype=torch.float64) for value in (40.0, 50.0))
    expected = 10 * (math.exp(-40) / (1 + math.exp(-40)) - math.exp(-50) / (1 + math.exp(-50)))
    assert symmetric_bernoulli_divergence(s, t).item() == pytest.approx(expected, rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("s", "t", "expected"),
    [(math.inf, math.inf, 0), (-math.inf, -math.inf, 0), (math.inf, 0.0, math.inf)],
)
def test_divergence_at_infinity(s, t, expected):
    assert symmetric_bernoulli_divergence(torch.tensor([s]), torch.tensor([t])) == expected


# Focal


def test_focal_without_focus_is_binary_cross_entropy():
    logits, targets = draw()
    entropy = F.binary_cross_entropy_with_logits(logits, targets.double(), reduction="sum")
    torch.testing.assert_close(focal_loss(logits, targets, gamma=0, reduction="sum"), entropy)


@pytest.mark.parametrize(
    ("dtype", "score"), [(torch.float32, 20.0), (torch.float32, 1e4), (torch.float16, 9.0)]
)
@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 5.0])
def test_focal_at_saturated_scores(dtype, score, gamma):
    logits = torch.tensor([[score, -score, score, -score]], dtype=dtype)
    targets = torch.tensor([[1, 0, 0, 1]])
    value, gradient = with_gradient(focal_loss, logits, targets, gamma=gamma)
    with mpmath.workdps(60):
        s = mpf(logits[0, 0].item())
        right, wrong = 1 / (1 + mpmath.exp(-s)), 1 / (1 + mpmath.exp(s))
        easy = -(wrong ** mpf(gamma)) * mpmath.log(right)
        hard = -(right ** mpf(gamma)) * mpmath.log(wrong)
        assert value.item() == pytest.approx(float(2 * easy + 2 * hard), rel=1e-6, abs=0)
        slope = -(wrong ** mpf(gamma)) * (wrong - gamma * right * mpmath.log(right))
        steep = -(right ** mpf(gamma)) * (right - gamma * wrong * mpmath.log(wrong))
    assert gradient.isfinite().all()
    ulp, least = torch.finfo(dtype).eps, torch.finfo(dtype).smallest_normal
    assert gradient[0, 0].item() == pytest.approx(float(slope), rel=64e-7 + ulp, abs=least * ulp)
    assert gradient[0, 3].item() == pytest.approx(float(steep), rel=64e-7 + ulp, abs=0)


@pytest.mark.parametrize(("dtype", "score"), [(torch.float32, 20.0), (torch.float16, 9.0)])
def test_torchvision_focal_with_gamma_below_one_has_nan_gradients(dtype, score):
    logits = torch.tensor([[score, -score]], dtype=dtype)
    targets = torch.tensor([[1.0, 0.0]], dtype=dtype)
    value, gradient = with_gradient(rivals.torchvision_focal, logits, targets, gamma=0.5)
    assert value.isfinite()
    assert gradient.isnan().any()
    assert with_gradient(focal_loss, logits, targets, gamma=0.5)[1].isfinite().all()


def test_focal_in_float16_does_not_vanish():
    logits, targets = torch.tensor([[9.0]]).half(), torch.ones(1, 1).half()
    value, gradient = with_gradient(rivals.torchvision_focal, logits, targets)
    assert value == 0
    assert gradient == 0
    q = 1 / (1 + math.exp(9))
    value, gradient = with_gradient(focal_loss, logits.float(), targets)
    assert focal_loss(logits, targets) == value
    assert value.item() == pytest.approx(-(q**2) * math.log1p(-q), rel=1e-6, abs=0)
    slope = -(q**2) * (q - 2 * (1 - q) * math.log1p(-q))
    assert gradient.item() == pytest.approx(slope, rel=1e-6, abs=0)


def test_alpha_moves_the_threshold():
    """With alpha = 1/4 the best score for a fair coin's odds of 3 to 1 is 0."""
    logits = torch.zeros(4, 1, dtype=torch.float64)
    targets = torch.tensor([[1], [1], [1], [0]])
    for gamma in (0.0, 2.0):
        _, gradient = with_gradient(focal_loss, logits, targets, alpha=0.25, gamma=gamma)
        assert gradient.sum().abs() < 1e-16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": -0.1}, r"`gamma` must be finite and at least 0\. Got -0\.1\."),
        ({"gamma": math.inf}, r"`gamma` must be finite"),
        ({"gamma": math.nan}, r"`gamma` must be finite"),
        ({"alpha": 1.5}, r"`alpha` must be in \[0, 1\]\. Got 1\.5\."),
    ],
)
def test_bad_focal_settings(options, message):
    with pytest.raises(ValueError, match=message):
        focal_loss(*draw(), **options)


def test_soft_targets_are_refused_where_only_hard_ones_have_a_meaning():
    logits, _ = draw(1)
    for function in (focal_loss, asymmetric_loss, pairwise_ranking_loss):
        with pytest.raises(ValueError, match=r"must be 0 or 1 here\. Got 0\.5 at index \(0, 0\)"):
            function(logits, torch.full((1, 7), 0.5))


# Asymmetric, F1


def test_asymmetric_with_equal_exponents_and_no_clip_is_focal():
    logits, targets = draw()
    result = with_gradient(
        asymmetric_loss, logits, targets, gamma_positive=2.0, gamma_negative=2.0, clip=0.0
    )
    torch.testing.assert_close(result, with_gradient(focal_loss, logits, targets, gamma=2.0))


def test_asymmetric_drops_easy_negatives():
    logits = torch.tensor([[-4.0, -2.0]], dtype=torch.float64)  # probabilities 0.018 and 0.119
    _, gradient = with_gradient(asymmetric_loss, logits, torch.zeros(1, 2), gamma_negative=0.5)
    assert gradient[0, 0] == 0
    assert gradient[0, 1] > 0


def test_bad_asymmetric_settings():
    for name in ("gamma_positive", "gamma_negative", "clip"):
        with pytest.raises(ValueError, match=rf"`{name}` must be .* Got -1\.0\."):
            asymmetric_loss(*draw(), **{name: -1.0})


def test_soft_f1_at_saturated_scores_is_f1():
    targets = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    predicted = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    logits = 100 * (2.0 * predicted - 1)
    micro = soft_f1_loss(logits, targets).item()
    assert micro == pytest.approx(1 - 2 * 2 / (3 + 3))
    macro = soft_f1_loss(logits, targets, average="macro").item()
    assert macro == pytest.approx(1 - (2 / 3 + 2 / 3 + 0) / 3)


def test_bad_average():
    with pytest.raises(ValueError, match=r"`average` must be 'micro' or 'macro'\. Got 'rows'\."):
        soft_f1_loss(*draw(), average="rows")
