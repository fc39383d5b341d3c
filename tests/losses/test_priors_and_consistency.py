"""Priors and weights from counts, and the binary test of consistency."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy.optimize import minimize_scalar

from scispaces.losses import (
    binary_fisher_consistency,
    class_prior_from_counts,
    effective_number_weights,
    inverse_frequency_weights,
    pairwise_margin_cross_entropy,
)

COUNTS = torch.tensor([6000, 774, 60])


def test_prior_is_the_share_of_the_samples():
    prior = class_prior_from_counts(COUNTS)
    torch.testing.assert_close(prior, COUNTS / 6834)
    torch.testing.assert_close(prior.sum(), torch.tensor(1.0))
    assert class_prior_from_counts(COUNTS.double()).dtype is torch.float64
    assert class_prior_from_counts(COUNTS.bfloat16()).dtype is torch.float32


def test_smoothing_leads_from_the_shares_to_equal_ones():
    counts = torch.tensor([8, 2, 0], dtype=torch.float64)
    torch.testing.assert_close(
        class_prior_from_counts(counts, smoothing=1.0), torch.tensor([9, 3, 1]).double() / 13
    )
    even = class_prior_from_counts(counts, smoothing=1e12)
    torch.testing.assert_close(even, torch.full_like(even, 1 / 3))


@pytest.mark.parametrize(
    "weights", [inverse_frequency_weights, effective_number_weights], ids=lambda f: f.__name__
)
def test_weights_are_one_on_average_over_the_samples(weights):
    for counts in (COUNTS, COUNTS.double(), torch.tensor([10**9, 3])):
        total = (counts * weights(counts)).sum() / counts.sum()
        assert total.item() == pytest.approx(1, rel=1e-6)


def test_inverse_frequency_gives_every_class_the_same_say():
    weights = inverse_frequency_weights(COUNTS)
    torch.testing.assert_close(weights * COUNTS, torch.full((3,), 6834 / 3))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99, 0.9999, 1 - 1e-9, 1 - 1e-15])
def test_effective_number_in_arbitrary_precision(beta):
    for dtype, digits in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        counts = torch.tensor([1, 7, 5000, 10**7], dtype=dtype)
        weights = effective_number_weights(counts, beta=beta)
        with mpmath.workdps(60):
            n = [mpf(c) for c in counts.tolist()]
            raw = [(1 - mpf(beta)) / (1 - mpf(beta) ** c) for c in n]
            scale = mpmath.fsum(n) / mpmath.fsum(r * c for r, c in zip(raw, n, strict=True))
            expected = torch.tensor([float(r * scale) for r in raw], dtype=dtype)
        torch.testing.assert_close(weights, expected, rtol=digits, atol=0)


def test_effective_number_lies_between_equal_and_inverse_frequency():
    counts = COUNTS.double()
    equal = effective_number_weights(counts, beta=0.0)
    torch.testing.assert_close(equal, torch.ones_like(equal), rtol=1e-15, atol=0)
    inverse = inverse_frequency_weights(counts)
    torch.testing.assert_close(effective_number_weights(counts, beta=1 - 1e-15), inverse)
    ratios = [
        (weights[-1] / weights[0]).item()
        for weights in (effective_number_weights(counts, beta=b) for b in (0.9, 0.99, 0.999))
    ]
    assert 1 < ratios[0] < ratios[1] < ratios[2] < 100


@pytest.mark.parametrize(
    "function", [class_prior_from_counts, inverse_frequency_weights, effective_number_weights]
)
@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        (torch.tensor([3, 0, 1]), ValueError, r"finite and positive\. Got 0 at index \(1,\)\."),
        (torch.tensor([3.0, -1.0]), ValueError, r"Got -1 at index \(1,\)\."),
        (torch.tensor([math.nan, 1.0]), ValueError, r"Got nan at index \(0,\)\."),
        (torch.tensor([1.0, math.inf]), ValueError, r"Got inf at index \(1,\)\."),
        (
            torch.zeros(0),
            ValueError,
            r"one number for every class, shape \(classes,\)\. Got .*\(0,\)",
        ),
        (torch.ones(2, 2), ValueError, r"Got shape \(2, 2\)\."),
        (torch.tensor([True, False]), TypeError, r"tensor of real numbers\. Got torch\.bool\."),
        ([3, 1], TypeError, r"`class_counts` must be a tensor of real numbers\. Got list\."),
    ],
)
def test_bad_counts(function, counts, error, message):
    with pytest.raises(error, match=message):
        function(counts)


def test_bad_settings_of_priors():
    with pytest.raises(ValueError, match=r"`smoothing` must be finite and at least 0\. Got -1\.0"):
        class_prior_from_counts(COUNTS, smoothing=-1.0)
    with pytest.raises(ValueError, match=r"finite and at least 0\. Got -1 at index \(0,\)\."):
        class_prior_from_counts(-COUNTS.sign(), smoothing=5.0)
    for beta in (1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"`beta` must be in \[0, 1\)\. Got"):
            effective_number_weights(COUNTS, beta=beta)


# Consistency


def expected_loss(f, eta, weights, margins, scale):
    """Of the loss in the docstring, written out, at a score f, in any precision."""
    negative = weights[0] / scale * mpmath.log1p(mpmath.exp(scale * (margins[0] + f)))
    positive = weights[1] / scale * mpmath.log1p(mpmath.exp(scale * (margins[1] - f)))
    return float(eta * positive + (1 - eta) * negative)


positive_numbers = st.floats(0.1, 10)
pairs_of_weights = st.tuples(positive_numbers, positive_numbers)
pairs_of_margins = st.tuples(st.floats(-2, 2), st.floats(-2, 2))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.02, 0.98), pairs_of_weights, pairs_of_margins, st.floats(0.3, 3))
def test_the_best_score_changes_sign_at_the_threshold(prior, weights, margins, scale):
    """By minimising the expected loss at many probabilities of the positive class."""
    found = binary_fisher_consistency(prior, class_weights=weights, margins=margins, scale=scale)
    assert found.threshold == pytest.approx(1 / (1 + found.ratio), rel=1e-12)
    odds = math.log(found.threshold / (1 - found.threshold))
    for step in (-2.0, -0.5, -0.05, 0.05, 0.5, 2.0):
        eta = 1 / (1 + math.exp(-odds - step))
        best = minimize_scalar(
            lambda f, eta=eta: expected_loss(f, eta, weights, margins, scale),
            bounds=(-20, 20),
            method="bounded",
            options={"xatol": 1e-6},
        ).x
        assert best * step > 0
    # Balanced error: positive where the class is likelier than its prior, and nowhere else.
    assert found.consistent == (abs(odds - math.log(prior / (1 - prior))) <= 1e-9)


@settings(deadline=None)
@given(st.floats(0.02, 0.98), pairs_of_weights)
def test_weights_over_priors_with_their_margins_are_consistent(prior, delta):
    """Theorem 1 of Menon et al.: weights d_y / prior_y, margins log(d_y' / d_y), for any d > 0."""
    found = binary_fisher_consistency(
        prior,
        class_weights=(delta[0] / (1 - prior), delta[1] / prior),
        margins=(math.log(delta[1] / delta[0]), math.log(delta[0] / delta[1])),
    )
    assert found.consistent
    assert found.threshold == pytest.approx(prior, rel=1e-12)
    assert found.ratio == pytest.approx((1 - prior) / prior, rel=1e-12)


def test_which_methods_are_consistent_at_a_prior_of_one_in_twenty():
    prior = 0.05
    odds = math.log(prior / (1 - prior))
    adjusted, balanced = (odds, -odds), (1 / (1 - prior), 1 / prior)
    methods = {
        "plain": ({}, False),
        "balanced": ({"class_weights": balanced}, True),
        "adjusted": ({"margins": adjusted}, True),
        "both": ({"class_weights": balanced, "margins": adjusted}, False),
        "half": ({"margins": (odds / 2, -odds / 2)}, False),
        "scaled": ({"margins": adjusted, "scale": 2.0}, False),
        "LDAM": ({"margins": ((1 - prior) ** -0.25, prior**-0.25)}, False),
        "equalised": ({"margins": (math.log(prior), math.log(1 - prior))}, False),
    }
    found = {
        name: binary_fisher_consistency(prior, **options).consistent
        for name, (options, _) in methods.items()
    }
    assert found == {name: expected for name, (_, expected) in methods.items()}


def test_sign_convention_of_the_paper():
    """With 1 / (1 + e^z) in the condition, logit adjustment is consistent for turned margins."""
    prior = 0.05
    odds = math.log(prior / (1 - prior))

    def sigma(z):
        return 1 / (1 + math.exp(z))

    adjusted = (odds, -odds)
    turned = sigma(-adjusted[1]) / sigma(-adjusted[0])
    assert turned == pytest.approx((1 - prior) / prior)
    assert turned == pytest.approx(binary_fisher_consistency(prior, margins=adjusted).ratio)
    assert sigma(adjusted[1]) / sigma(adjusted[0]) == pytest.approx(prior / (1 - prior))


def test_binary_loss_is_the_pairwise_one_of_two_classes():
    """Scores 0 and f; the margin of a class is its margin over the other one."""
    weights, margins, f = (0.7, 2.0), (0.3, -0.4), 1.3
    table = torch.tensor([[0.0, margins[0]], [margins[1], 0.0]], dtype=torch.float64)
    rows = pairwise_margin_cross_entropy(
        torch.tensor([[0.0, f]] * 2, dtype=torch.float64),
        torch.tensor([0, 1]),
        margins=table,
        class_weights=torch.tensor(weights, dtype=torch.float64),
        reduction="none",
    )
    for eta, row in ((0.0, rows[0]), (1.0, rows[1])):
        assert row.item() == pytest.approx(expected_loss(f, eta, weights, margins, 1.0), rel=1e-14)


def test_extreme_settings_stay_in_range():
    found = binary_fisher_consistency(0.5, margins=(-1e4, 1e4))
    assert (found.threshold, found.ratio) == (0.0, math.inf)
    found = binary_fisher_consistency(1e-12, class_weights=(1.0, 1e12 - 1))
    assert found.consistent
    assert found.threshold == pytest.approx(1e-12, rel=1e-9)


@pytest.mark.parametrize(
    ("prior", "options", "message"),
    [
        (0.0, {}, r"`positive_prior` must be in \(0, 1\)\. Got 0\.0\."),
        (math.nan, {}, r"`positive_prior` must be in"),
        (0.5, {"class_weights": (0.0, 1.0)}, r"two positive finite numbers\. Got \(0\.0, 1\.0\)"),
        (0.5, {"class_weights": (1.0, 1.0, 1.0)}, r"`class_weights` must be two positive"),
        (0.5, {"margins": (0.0, math.inf)}, r"`margins` must be two finite numbers\. Got"),
        (0.5, {"scale": 0.0}, r"`scale` must be positive and finite\. Got 0\.0\."),
    ],
)
def test_bad_settings_of_the_consistency_test(prior, options, message):
    with pytest.raises(ValueError, match=message):
        binary_fisher_consistency(prior, **options)
