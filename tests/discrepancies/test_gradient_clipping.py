"""Checks of the entries of the register that belong to the chapter `gradient-clipping`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import math

import numpy as np
import pytest
import torch

from scispaces.optim import clip_factor, clip_gradients_, local_smoothness

clip_of_torch = torch.nn.utils.clip_grad_norm_


def _slope(theta):
    return 4 * theta**3


def _with_gradient(entries, dtype=torch.float64):
    weight = torch.nn.Parameter(torch.empty(len(entries), dtype=dtype))
    weight.grad = torch.as_tensor(entries, dtype=dtype).clone()
    return weight


@pytest.mark.discrepancy("gradient-clipping-all-steps")
def test_fourth_power_violates_the_form_for_all_steps_and_meets_the_one_at_a_point():
    """500 against 80; excess on steps up to 1 / L1; no excess of the second derivative."""
    assert abs(_slope(5) - _slope(0)) == 500 > 80 == (16 + 1 * abs(_slope(0))) * 5
    theta = np.linspace(-20, 20, 4001)
    for l1 in (0.5, 1.0, 4.0):
        l0 = 16 / l1**2
        assert (12 * theta**2 <= l0 + l1 * np.abs(_slope(theta)) + 1e-9).all()
        step = 1 / l1
        excess = np.abs(_slope(theta + step) - _slope(theta)) / (l0 + l1 * np.abs(_slope(theta)))
        assert 1.6 < excess.max() / step < 1.7
    # No constants help: from 0 by a long enough step.
    for l0, l1 in ((1e3, 1e3), (1e6, 1.0)):
        step = math.sqrt(l0)
        assert _slope(step) > (l0 + l1 * abs(_slope(0))) * step


@pytest.mark.discrepancy("gradient-clipping-half-bound")
def test_quadratic_bound_fails_upwards_and_its_conclusion_holds_downwards():
    """e^theta up by 1 exceeds the bound by the factor 2 (e - 2); soft steps gain their half."""
    theta = 0.3
    slope = math.exp(theta)
    remainder = math.exp(theta + 1) - math.exp(theta) - slope
    assert remainder / (slope / 2) == pytest.approx(2 * (math.e - 2), rel=1e-12)
    assert remainder / (slope / 2) > 1.4
    for start in np.linspace(-3, 8, 111):  # e^theta - theta has L0 = L1 = 1 on the right of 0
        slope = math.expm1(start)
        step = slope / (1 + abs(slope))
        change = math.exp(start - step) - (start - step) - math.exp(start) + start
        assert change <= -(slope**2) / (1 + abs(slope)) / 2 + 1e-12


@pytest.mark.discrepancy("gradient-clipping-doubled-threshold")
def test_doubled_threshold_spreads_the_ratio_more_than_the_same_one():
    """From two thirds to two, against one half to one; other multiples are between or worse."""
    norms = torch.logspace(-6, 6, 1201, dtype=torch.float64)
    hard = clip_factor(norms, 1.0)

    def ratio(multiple):
        return clip_factor(norms, multiple, form="soft") / hard

    assert ratio(2.0).min().item() == pytest.approx(2 / 3, rel=1e-5)
    assert ratio(2.0).max().item() == pytest.approx(2, rel=1e-5)
    spreads = {m: (ratio(m).max() / ratio(m).min()).item() for m in (0.5, 0.8, 1.0, 1.25, 2.0)}
    assert min(spreads, key=spreads.get) == 1.0
    assert spreads[1.0] == pytest.approx(2, rel=1e-5)


@pytest.mark.discrepancy("gradient-clipping-torch-addend")
def test_torch_clips_below_the_threshold_and_again_at_the_second_call():
    """The library's clip is exact and does nothing the second time."""
    for function, short, again in ((clip_of_torch, True, True), (clip_gradients_, False, False)):
        weight = _with_gradient([1.2, 1.6])
        function([weight], 1.0)
        once = weight.grad.norm().item()
        function([weight], 1.0)
        assert (once < 1 - 1e-7) == short
        assert (weight.grad.norm().item() < once - 1e-13) == again
    tiny = {}
    for function in (clip_of_torch, clip_gradients_):
        weight = _with_gradient([1.2e-6, 1.6e-6])
        function([weight], 1e-6)
        tiny[function] = weight.grad.norm().item() / 2e-6
    assert tiny[clip_of_torch] == pytest.approx(1 / 3, rel=1e-9)
    assert tiny[clip_gradients_] == pytest.approx(1 / 2, rel=1e-9)


@pytest.mark.discrepancy("gradient-clipping-torch-negative")
def test_negative_threshold_turns_gradients_round():
    """torch returns the opposite gradient; the library refuses the threshold."""
    weight = _with_gradient([3.0, 4.0])
    clip_of_torch([weight], -1.0)
    assert weight.grad.tolist() == pytest.approx([-0.6, -0.8], rel=1e-6)
    with pytest.raises(ValueError, match="threshold"):
        clip_gradients_([weight], -1.0)


@pytest.mark.discrepancy("gradient-clipping-torch-norm")
def test_float_norm_of_ten_million_entries_is_off_on_a_cpu():
    """By more than a thousandth for one of two values; the library's by less than 1e-4."""
    count, errors = 10_000_000, {clip_of_torch: [], clip_gradients_: []}
    for value in (0.1, 0.7):
        gradient = torch.full((count,), value)
        exact = gradient[0].double().item() * math.sqrt(count)
        for function, found in errors.items():
            weight = torch.nn.Parameter(torch.empty(count))
            weight.grad = gradient
            found.append(abs(function([weight], math.inf).item() / exact - 1))
    assert max(errors[clip_of_torch]) > 1e-3
    assert max(errors[clip_gradients_]) < 1e-4


@pytest.mark.discrepancy("gradient-clipping-torch-formula")
def test_short_gradients_are_not_lengthened():
    """Norm 0.5 at a threshold of 10 stays; by the displayed formula it would become 10."""
    weight = _with_gradient([0.3, 0.4])
    torch.nn.utils.clip_grads_with_norm_([weight], 10.0, torch.tensor(0.5, dtype=torch.float64))
    assert weight.grad.tolist() == [0.3, 0.4]
    assert 0.5 * 10.0 / (0.5 + 1e-6) > 9.9


def _chunk_gradients(theta, rows, lengths):
    """Gradients of the mean of row theta^2 / 2 - row^2 theta over each chunk of rows."""
    found, start = [], 0
    for length in lengths:
        chunk = rows[start : start + length]
        found.append(chunk.mul(theta.unsqueeze(0) - chunk).mean(0))
        start += length
    return found


ROWS = torch.randn(60, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.discrepancy("gradient-clipping-probe-chunks")
def test_summed_gradients_multiply_the_smoothness_with_the_number_of_chunks():
    """With equal chunks: sums over the distance against means over the distance."""
    lengths = [12] * 5
    start = torch.zeros(4, dtype=torch.float64)
    step = torch.full((4,), 0.01, dtype=torch.float64)
    before, after = (_chunk_gradients(x, ROWS, lengths) for x in (start, start + step))
    logged = (sum(after) - sum(before)).norm() / step.norm()
    norm = sum(before).norm() / len(lengths)

    theta = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    def mean_loss():
        return (ROWS * theta**2 / 2 - ROWS**2 * theta).mean(0).sum()

    true = local_smoothness(mean_loss, theta, [step])
    (gradient,) = torch.autograd.grad(mean_loss(), theta)
    assert logged.item() == pytest.approx(5 * true.item(), rel=1e-9)
    assert norm.item() == pytest.approx(gradient.norm().item(), rel=1e-9)


@pytest.mark.discrepancy("gradient-clipping-probe-cuts")
def test_differently_cut_texts_leave_noise_that_grows_as_the_step_shrinks():
    """Sums of chunk means over two cuts differ at the same place; equal cuts do not."""
    theta = torch.zeros(4, dtype=torch.float64)
    step = torch.full((4,), 1.0, dtype=torch.float64)

    def measured(scale, second):
        before = sum(_chunk_gradients(theta, ROWS, [20, 40]))
        after = sum(_chunk_gradients(theta + scale * step, ROWS, second))
        return ((after - before).norm() / (scale * step).norm()).item()

    same = [measured(scale, [20, 40]) for scale in (1e-1, 1e-3)]
    other = [measured(scale, [35, 25]) for scale in (1e-1, 1e-3)]
    assert same[1] == pytest.approx(same[0], rel=1e-6)
    assert other[1] > 20 * other[0]
    assert other[1] > 10 * same[1]


@pytest.mark.discrepancy("gradient-clipping-probe-decay")
def test_a_term_of_plain_numbers_has_no_gradient():
    """Adding squared gradient norms through `.item()` leaves the gradient as it is."""
    gradients = []
    for decay in (0.0, 10.0):
        weight = _with_gradient([3.0, 4.0])
        weight.data.fill_(1.0)
        term = weight.grad.norm(2).square().item()
        weight.grad = None
        (weight.square().sum() + decay * term).backward()
        gradients.append(weight.grad.tolist())
    assert gradients[0] == gradients[1] == [2.0, 2.0]
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (weight.square().sum() + 10.0 * weight.square().sum()).backward()
    assert weight.grad.tolist() == [22.0, 22.0]
