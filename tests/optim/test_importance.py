"""Importance weights, effective sample sizes and estimated expectations."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from scispaces.optim import (
    effective_sample_size,
    gibbs_expectation,
    gibbs_quadratic_step,
    gibbs_weights,
)

quietly = settings(deadline=None)  # the first call of a torch function is slow
candidates = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=9)


@quietly
@given(candidates, st.floats(1e-2, 1e3))
def test_weights_are_their_definition(pairs, temperature):
    losses, densities = (
        torch.tensor(each, dtype=torch.float64) for each in zip(*pairs, strict=True)
    )
    weights = gibbs_weights(losses, densities, temperature=temperature)
    with mpmath.workdps(60):
        raw = [mpmath.exp(-mpf(a) / mpf(temperature) - mpf(b)) for a, b in pairs]
        expected = [float(each / sum(raw)) for each in raw]
    assert weights.tolist() == pytest.approx(expected, rel=1e-10, abs=1e-300)
    assert weights.sum().item() == pytest.approx(1, rel=1e-14)


def test_losses_whose_exponential_is_zero():
    """exp(-746) is 0 in float64; only the difference of two losses counts."""
    assert torch.tensor(-746.0, dtype=torch.float64).exp() == 0
    losses = torch.tensor([1e6, 1e6 + 1.0, 1e6 + 2.0], dtype=torch.float64)
    weights = gibbs_weights(losses, temperature=1.0)
    torch.testing.assert_close(weights, torch.tensor([0.0, -1.0, -2.0]).double().softmax(0))


def test_infinite_losses_and_cold_temperatures():
    losses = torch.tensor([3.0, torch.inf, 2.0, 2.0])
    cold = gibbs_weights(losses, temperature=1e-300)
    assert cold.tolist() == [0, 0, 0.5, 0.5]
    large = gibbs_weights(torch.tensor([1e6, 1e6 + 1]), temperature=1e-308)
    assert large.tolist() == [1, 0]  # neither loss over temperature is a number
    hot = gibbs_weights(losses, temperature=1e300)
    assert hot.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])


def test_bad_losses_and_densities():
    for value in (math.nan, -math.inf):
        with pytest.raises(ValueError, match=r"`losses` must be numbers or \+inf\. Got .* \(1,\)"):
            gibbs_weights(torch.tensor([1.0, value]), temperature=1.0)
    with pytest.raises(ValueError, match=r"`losses` must hold a finite one in every row"):
        gibbs_weights(torch.tensor([[1.0, 2.0], [math.inf, math.inf]]), temperature=1.0)
    with pytest.raises(ValueError, match=r"`losses` must have shape \(\.\.\., candidates\)"):
        gibbs_weights(torch.tensor(1.0), temperature=1.0)
    with pytest.raises(ValueError, match=r"`temperature` must be positive and finite\. Got 0\."):
        gibbs_weights(torch.ones(2), temperature=0)
    with pytest.raises(ValueError, match=r"`log_proposal` must be finite"):
        gibbs_weights(torch.ones(2), torch.tensor([0.0, -math.inf]), temperature=1.0)
    with pytest.raises(ValueError, match=r"`log_proposal` must have the shape of `losses`"):
        gibbs_weights(torch.ones(2), torch.ones(3), temperature=1.0)
    with pytest.raises(TypeError, match=r"`losses` must be a floating-point tensor"):
        gibbs_weights([1.0, 2.0], temperature=1.0)
    with pytest.raises(ValueError, match=r"`values` must have shape \(candidates, \.\.\.\)"):
        gibbs_expectation(torch.ones(3, 2), torch.ones(2), temperature=1.0)


@quietly
@given(st.lists(st.floats(0, 1e200), min_size=1, max_size=9).filter(any))
def test_effective_sample_size_lies_between_one_and_all(weights):
    size = effective_sample_size(torch.tensor(weights, dtype=torch.float64)).item()
    assert 1 - 1e-14 <= size <= len(weights) * (1 + 1e-14)
    positive = sum(weight > 0 for weight in weights)
    assert size <= positive * (1 + 1e-14)


def test_effective_sample_size_of_equal_weights_is_their_number():
    for count in (1, 2, 50):
        assert effective_sample_size(torch.full((count,), 1e-310, dtype=torch.float64)).item() == (
            pytest.approx(count)
        )
    for wrong in ([-1.0, 2.0], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]):
        with pytest.raises(ValueError, match=r"`weights` must be finite, at least 0, and not all"):
            effective_sample_size(torch.tensor(wrong))


def test_expectation_of_a_quadratic_is_the_newton_step():
    """A proposal that is the density gives all samples their full worth, a shifted one fewer."""
    hessian = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    gradient = torch.tensor([1.0, -2.0], dtype=torch.float64)
    mean, covariance = gibbs_quadratic_step(gradient, hessian, 0.5)
    torch.manual_seed(0)
    sizes = []
    for centre in (mean, mean + 0.5, torch.zeros(2, dtype=torch.float64)):
        proposal = torch.distributions.MultivariateNormal(centre, covariance)
        draws = proposal.sample((40_000,))
        losses = draws @ gradient + ((draws @ hessian) * draws).sum(1) / 2
        estimate, size = gibbs_expectation(draws, losses, proposal.log_prob(draws), temperature=0.5)
        spread = (covariance.diagonal() / size).sqrt()
        assert ((estimate - mean).abs() < 5 * spread).all()
        sizes.append(size.item())
    assert sizes[0] == pytest.approx(40_000, rel=1e-9)
    assert 40_000 > sizes[1] > sizes[2]


@pytest.mark.parametrize("dimension", [1, 4, 16])
def test_effective_sample_size_falls_exponentially_with_the_dimension(dimension):
    """Target N(0, I), draws from N(0, s^2 I): the share is (sqrt(2 s^2 - 1) / s^2)^d."""
    generator = torch.Generator().manual_seed(0)
    s, count = 1.5, 200_000
    draws = s * torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    squares = draws.square().sum(1)
    weights = gibbs_weights(squares / 2, -squares / (2 * s * s), temperature=1.0)
    share = effective_sample_size(weights).item() / count
    assert share == pytest.approx((math.sqrt(2 * s * s - 1) / s**2) ** dimension, rel=0.02)


def test_dtypes_of_the_expectation():
    values = torch.ones(4, 3, dtype=torch.float16)
    mean, size = gibbs_expectation(values, torch.zeros(4, dtype=torch.bfloat16), temperature=1.0)
    assert mean.dtype is torch.float32
    assert size.dtype is torch.float64
    torch.testing.assert_close(mean, torch.ones(3))
