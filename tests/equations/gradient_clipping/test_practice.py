"""Checks of the equations on programs: other clips, torch's addend, momentum, decay, Adam."""

import mpmath
import pytest
import torch
from tests.equations.gradient_clipping import formulas
from tests.equations.support import assert_agree, draw, high_precision

from scispaces.optim import ClippedSGD, clip_gradients_


def _with_gradient(values):
    weight = torch.zeros(len(values), dtype=torch.float64, requires_grad=True)
    weight.grad = torch.tensor([float(v) for v in values], dtype=torch.float64)
    return weight


@pytest.mark.equation("gradient-clipping-value-angle")
def test_cosine_after_clipping_by_value():
    """The cosine between a gradient and what clip_grad_value_ leaves of it."""
    for seed, limit in ((0, 0.5), (1, 1.5), (2, 0.1)):
        gradient = draw(4, seed)
        weight = _with_gradient(gradient)
        before = weight.grad.clone()
        torch.nn.utils.clip_grad_value_([weight], limit)
        cosine = (before @ weight.grad / before.norm() / weight.grad.norm()).item()
        assert_agree(formulas.gradient_clipping_value_angle(gradient, limit), cosine, 1e-12)
        assert 0.5 < cosine < 0.9999


@pytest.mark.equation("gradient-clipping-tensor-norm")
def test_norm_after_clipping_each_tensor():
    """With every tensor beyond the threshold it is reached, otherwise it is not."""
    for tensors in (1, 4, 9):
        weights = [_with_gradient([3.0, 4.0 + k]) for k in range(tensors)]
        clip_gradients_(weights, 2.0, scope="tensor")
        total = torch.cat([weight.grad for weight in weights]).norm().item()
        assert_agree(formulas.gradient_clipping_tensor_norm(2.0, tensors), total, 1e-12)


@pytest.mark.equation("gradient-clipping-torch-factor")
def test_factor_of_torch():
    """clip_grad_norm_ multiplies with the printed factor, its addend of a millionth included."""
    for norm, threshold in ((5.0, 1.0), (2e-6, 1e-6), (0.5, 1.0), (1e-6, 1e-7), (1.0, 1.0)):
        weight = _with_gradient([0.6 * norm, 0.8 * norm])
        torch.nn.utils.clip_grad_norm_([weight], threshold)
        factor = weight.grad.norm().item() / norm
        printed = formulas.gradient_clipping_torch_factor(norm, threshold, 1e-6)
        assert_agree(factor / printed, 1, 1e-9)


@pytest.mark.equation("gradient-clipping-torch-norm")
def test_norm_that_torch_leaves():
    """One call, and a second that shrinks again, towards the threshold less the addend."""
    for norm, threshold in ((5.0, 1.0), (3e-6, 2e-6)):
        weight = _with_gradient([0.6 * norm, 0.8 * norm])
        expected = norm
        for _ in range(2):
            torch.nn.utils.clip_grad_norm_([weight], threshold)
            printed = formulas.gradient_clipping_torch_norm(expected, threshold, 1e-6)
            assert printed < expected
            assert_agree(weight.grad.norm().item() / printed, 1, 1e-9)
            expected = printed
        assert threshold - 1e-6 < expected < threshold


@pytest.mark.equation("gradient-clipping-momentum-length")
def test_longest_step_with_momentum():
    """Steps of ClippedSGD under a constant gradient grow to the printed length and not beyond."""
    weight = _with_gradient([30.0, 40.0])
    optimizer = ClippedSGD([weight], lr=0.1, threshold=2.0, momentum=0.9)
    last = weight.detach().clone()
    lengths = []
    for _ in range(300):
        optimizer.step()
        lengths.append((weight.detach() - last).norm().item())
        last = weight.detach().clone()
    bound = formulas.gradient_clipping_momentum_length(0.1, 2.0, 0.9)
    assert max(lengths) <= bound * (1 + 1e-12)
    assert_agree(max(lengths), bound, 1e-9)


@pytest.mark.equation("gradient-clipping-decay-balance")
def test_place_where_decay_after_clipping_comes_to_rest():
    """(theta - 10)^2 / 2 with decay 1 and threshold 1: rest at 1; with decay in the loss, at 5."""
    rests = {}
    for inside in (True, False):
        theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = ClippedSGD([theta], lr=0.25, threshold=1.0, weight_decay=float(not inside))
        for _ in range(150):
            optimizer.zero_grad()
            ((theta - 10) ** 2 / 2 + inside * theta**2 / 2).sum().backward()
            optimizer.step()
        rests[inside] = theta.item()
    gradient = rests[False] - 10
    factor = 1 / abs(gradient)
    balance = formulas.gradient_clipping_decay_balance(factor, gradient, rests[False], 1.0)
    assert abs(balance) < 1e-9
    assert rests[False] == pytest.approx(1, abs=1e-9)
    assert rests[True] == pytest.approx(5, abs=1e-9)
    # With another decay the rest is at threshold / decay.
    assert formulas.gradient_clipping_decay_balance(1 / 8, -8.0, 2.0, 0.5) == 0


@pytest.mark.equation("gradient-clipping-adam-spike")
@high_precision
def test_steps_of_adam_after_a_spike():
    """torch's Adam under gradients of one and a single large one, long after the start."""
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=1e-3, betas=(0.8, 0.95), eps=0.0)
    steps = []
    for count in range(450):
        theta.grad = torch.full((1,), 50.0 if count == 400 else 1.0, dtype=torch.float64)
        before = theta.item()
        optimizer.step()
        steps.append((before - theta.item()) / 1e-3)
    for after in (0, 1, 5, 40):
        printed = formulas.gradient_clipping_adam_spike(
            mpmath.mpf(50), after, mpmath.mpf("0.8"), mpmath.mpf("0.95")
        )
        assert_agree(printed, steps[400 + after], 1e-8)
