"""Sinkhorn: against POT, its bias, its gradients, batches, and what it refuses."""

import numpy as np
import ot
import pytest
import torch
from tests.transport.problems import random_problem

from scispaces.transport import emd, sinkhorn


def tensors(seed, m=9, n=7):
    generator = torch.Generator().manual_seed(seed)
    p, q, cost = (
        torch.rand(shape, generator=generator, dtype=torch.float64) for shape in (m, n, (m, n))
    )
    return p / p.sum(), q / q.sum(), cost


@pytest.mark.parametrize("regularisation", [1.0, 0.1, 0.02])
def test_plan_agrees_with_pot(regularisation):
    p, q, cost = tensors(0)
    expected = ot.sinkhorn(
        p.numpy(),
        q.numpy(),
        cost.numpy(),
        regularisation,
        method="sinkhorn_log",
        stopThr=1e-13,
        numItermax=100_000,
    )
    found = sinkhorn(p, q, cost, regularisation, tolerance=1e-12)
    np.testing.assert_allclose(found.plan.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("regularisation", [1.0, 0.3, 0.1, 0.03, 0.01])
def test_the_bias_is_within_its_bounds(regularisation):
    p, q, cost = tensors(1)
    exact = emd(p, q, cost).item()
    found = sinkhorn(p, q, cost, regularisation, tolerance=1e-10)
    entropy = min(-(x * x.log()).sum().item() for x in (p, q))
    assert exact < found.cost.item() < found.value.item() <= exact + regularisation * entropy


def test_the_bias_goes_with_the_penalty_and_equal_distributions_keep_one():
    p, _, cost = tensors(2, 8, 8)
    cost = (torch.arange(8.0)[:, None] - torch.arange(8.0)).abs().double() / 8
    values = [sinkhorn(p, p, cost, penalty).cost.item() for penalty in (1, 0.3, 0.1, 0.03)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 1e-3
    assert emd(p, p, cost) == 0


def test_gradients():
    p, q, cost = (x.requires_grad_() for x in tensors(3, 4, 5))
    assert torch.autograd.gradcheck(
        lambda *x: sinkhorn(*x, 0.1, tolerance=1e-12).value, (p, q, cost), atol=1e-6
    )
    found = sinkhorn(p, q, cost, 0.1)
    (gradient,) = torch.autograd.grad(found.value, cost)
    np.testing.assert_array_equal(gradient, found.plan)
    assert not found.plan.requires_grad


def test_potentials_give_plan_and_value():
    p, q, cost = tensors(4)
    found = sinkhorn(p, q, cost, 0.2, tolerance=1e-11)
    f, g = found.source_potentials, found.sink_potentials
    plan = p[:, None] * q * ((f[:, None] + g - cost) / 0.2).exp()
    np.testing.assert_allclose(plan, found.plan, rtol=1e-9)
    penalty = (found.plan * (found.plan / (p[:, None] * q)).log()).sum()
    assert (found.cost + 0.2 * penalty).item() == pytest.approx(found.value.item(), rel=1e-9)


def test_batches_broadcast():
    p, q, _ = tensors(5)
    costs = torch.rand(3, 2, 9, 7, dtype=torch.float64)
    found = sinkhorn(p, q, costs, 0.1)
    assert found.value.shape == found.error.shape == (3, 2)
    assert found.plan.shape == costs.shape
    for i, j in np.ndindex(3, 2):
        single = sinkhorn(p, q, costs[i, j], 0.1, tolerance=1e-9).cost.item()
        assert found.cost[i, j].item() == pytest.approx(single, abs=1e-5)
    assert sinkhorn(p, q, costs[:0], 0.1).value.shape == (0, 2)


def test_zero_masses_get_nothing():
    p, q, cost = random_problem("zeros", np.random.default_rng(6))
    found = sinkhorn(p, q, cost, 0.05)
    assert isinstance(found.plan, np.ndarray)
    assert not found.plan[p == 0].any()
    assert not found.plan[:, q == 0].any()
    np.testing.assert_allclose(found.plan.sum(0), q, atol=1e-12)
    assert found.error <= 1e-6


def test_a_small_penalty_neither_overflows_nor_underflows():
    p, q, cost = tensors(7, 30, 30)
    found = sinkhorn(p, q, 1e4 * cost, 5.0)
    assert found.cost.item() == pytest.approx(1e4 * emd(p, q, cost).item(), rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_types_are_computed_and_returned_in_float32(dtype):
    p, q, cost = tensors(8)
    found = sinkhorn(p, q, cost.to(dtype), 0.1, tolerance=1e-5)
    assert found.value.dtype == torch.float32
    expected = sinkhorn(p, q, cost.to(dtype).double(), 0.1).cost.item()
    assert found.cost.item() == pytest.approx(expected, abs=1e-4)


def test_no_answer_is_given_before_convergence():
    """A published batched solver stops far from the optimum without a word."""
    p, q, cost = tensors(9, 30, 30)
    for most in (3, 50):
        with pytest.raises(ArithmeticError, match=f"a tolerance of 1e-09 in {most} steps"):
            sinkhorn(p, q, cost, 0.001, tolerance=1e-9, max_iterations=most)


def test_what_is_refused():
    p, q, cost = tensors(10)
    for arguments, sentence in [
        ((p, q, cost, 0.0), r"`regularisation` must be positive and finite. Got 0.0."),
        ((p, q, cost.T, 0.1), r"`cost` must have shape \(\.\.\., 9, 7\). Got \(7, 9\)."),
        ((-p, q, cost, 0.1), "`p` must not be negative"),
        ((p, 0 * q, cost, 0.1), "`q` must not be negative, and not be 0 everywhere"),
        ((p, q, cost / 0, 0.1), "`cost` must be finite"),
        ((p, q, p, 0.1), "`cost` must have at least 2 axes"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            sinkhorn(*arguments)
    with pytest.raises(TypeError, match="`cost` must hold real numbers"):
        sinkhorn(p, q, cost + 1j, 0.1)
