"""Checks of what L2 measures and of what weight decay is under several optimisers."""

import itertools

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import NEAR, Network, matrix, relu
from tests.equations.weight_scale_shift.matrices import apply, frobenius, length


@pytest.mark.equation("weight-scale-shift-network")
def test_network_is_a_torch_sequential():
    """The printed recursion gives what four torch layers with ReLU give."""
    network = Network(1, bias=True, rows=1)
    layers = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        layer = torch.nn.Linear(*reversed(weight.shape), dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight, bias
        layers += [layer, torch.nn.ReLU()]
    expected = torch.nn.Sequential(*layers[:-1])(network.x)[0].tolist()
    weights, biases = ([p.tolist() for p in each] for each in (network.weights, network.biases))
    printed = formulas.weight_scale_shift_network(weights, biases, network.x[0].tolist(), relu)
    for value, other in zip(printed, expected, strict=True):
        assert_agree(value, other, NEAR)


@pytest.mark.equation("weight-scale-shift-perturbation")
@high_precision
def test_both_norms_bound_the_change_and_rank_one_attains_them():
    """The terms rise for random matrices, and all are equal for rank one and the right e."""
    for seed in range(5):
        weight, x, e = matrix(3, 4, seed), draw(4, seed=seed + 10), draw(4, seed=seed + 20)
        terms = formulas.weight_scale_shift_perturbation(weight, x, e)
        assert_rising(*terms)
        assert_agree(terms[0], length(apply(weight, e)))
        assert_agree(terms[2], frobenius(weight) * length(e))
        u, s, v = mpmath.svd_r(mpmath.matrix(weight))
        top = [v[0, i] for i in range(4)]
        first, second, third = formulas.weight_scale_shift_perturbation(weight, x, top)
        assert_agree(first, second, 1e-30)
        assert third > second * mpmath.mpf("1.001")
        single = [[u[i, 0] * s[0] * v[0, j] for j in range(4)] for i in range(3)]
        first, second, third = formulas.weight_scale_shift_perturbation(single, x, top)
        assert_agree(first, third, 1e-30)
        assert_agree(second, third, 1e-30)


@pytest.mark.equation("weight-scale-shift-rank-gap")
@high_precision
def test_norms_differ_by_the_root_of_the_rank_at_most():
    """Rising for random matrices; equal for rank one, and for equal singular values."""
    for seed in range(4):
        assert_rising(*formulas.weight_scale_shift_rank_gap(matrix(3, 5, seed), 3))
    column, row = draw(3, seed=7), draw(4, seed=8)
    first, second, _ = formulas.weight_scale_shift_rank_gap(
        [[a * b for b in row] for a in column], 1
    )
    assert_agree(first, second, 1e-30)
    q, _ = mpmath.qr(mpmath.matrix(matrix(3, 3, 9)))
    _, second, third = formulas.weight_scale_shift_rank_gap((2 * q).tolist(), 3)
    assert_agree(second, third, 1e-30)


@pytest.mark.equation("weight-scale-shift-average-perturbation")
@high_precision
def test_mean_square_of_the_change_over_all_signs():
    """For e = sigma times every vector of signs the mean of |We|^2 is the printed value."""
    weight, sigma = matrix(3, 4, 3), mpmath.mpf("0.7")
    squares = [
        length(apply(weight, [sigma * sign for sign in signs])) ** 2
        for signs in itertools.product((-1, 1), repeat=4)
    ]
    printed = formulas.weight_scale_shift_average_perturbation(weight, sigma)
    assert_agree(printed, mpmath.fsum(squares) / len(squares))


@pytest.mark.equation("weight-scale-shift-penalty")
def test_penalty_and_its_gradient():
    """A value by hand, and the gradient of the printed penalty is strength times weight."""
    assert formulas.weight_scale_shift_penalty([[[3, 4]], [[1], [2]]], 0.5) == pytest.approx(7.5)
    weights = [w.clone().requires_grad_() for w in Network(1, bias=False).weights[:2]]
    value = formulas.weight_scale_shift_penalty(weights, 0.3)
    for gradient, weight in zip(torch.autograd.grad(value, weights), weights, strict=True):
        torch.testing.assert_close(gradient, 0.3 * weight)


def _steps(optimiser, loss_slope, start, count, **settings):
    """The path of one weight under a torch optimiser and a constant slope of the loss."""
    weight = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    runner = optimiser([weight], **settings)
    path = [start]
    for _ in range(count):
        weight.grad = torch.tensor([loss_slope], dtype=torch.float64)
        runner.step()
        path.append(weight.item())
    return path


@pytest.mark.equation("weight-scale-shift-decay")
def test_sgd_with_the_penalty_is_decay():
    """One step of torch's SGD with weight_decay is the printed step."""
    for start, slope in ((1.7, 0.4), (-0.2, 1.1)):
        path = _steps(torch.optim.SGD, slope, start, 1, lr=0.3, weight_decay=0.25)
        assert_agree(path[1], formulas.weight_scale_shift_decay(start, slope, 0.3, 0.25), 1e-15)


@pytest.mark.equation("weight-scale-shift-momentum")
def test_momentum_decays_by_a_root_of_the_printed_equation():
    """Without a loss, the ratio of late steps of torch's SGD with momentum is a root."""
    for momentum, rate, strength in ((0.9, 0.1, 0.01), (0.5, 0.2, 0.3), (0.8, 0.05, 0.1)):
        path = _steps(
            torch.optim.SGD, 0.0, 1.0, 400, lr=rate, momentum=momentum, weight_decay=strength
        )
        ratio = path[-1] / path[-2]
        left = formulas.weight_scale_shift_momentum(ratio, momentum, rate, strength)
        assert abs(left) < 1e-12


@pytest.mark.equation("weight-scale-shift-momentum-rate")
@high_precision
def test_small_decay_under_momentum():
    """The larger root differs from the printed rate by a term of second order."""
    momentum = mpmath.mpf("0.9")
    for product in (mpmath.mpf("1e-8"), mpmath.mpf("1e-10")):
        middle = 1 + momentum - product
        root = (middle + mpmath.sqrt(middle**2 - 4 * momentum)) / 2
        printed = formulas.weight_scale_shift_momentum_rate(momentum, product / 7, 7)
        assert 0 < abs(root - printed) < 1e3 * product**2


@pytest.mark.equation("weight-scale-shift-adam-first")
def test_first_step_of_adam_with_the_penalty():
    """Torch's Adam with weight_decay and no loss moves weights of any size as printed."""
    for start in (3.0, -0.01, 0.4):
        path = _steps(torch.optim.Adam, 0.0, start, 1, lr=0.05, weight_decay=0.2, eps=1e-3)
        printed = formulas.weight_scale_shift_adam_first(start, 0.05, 0.2, 1e-3)
        assert_agree(path[1] - path[0], printed, 1e-14)
    tiny = formulas.weight_scale_shift_adam_first(3.0, 0.05, 0.2, 1e-12)
    assert tiny == pytest.approx(-0.05, rel=1e-9)


@pytest.mark.equation("weight-scale-shift-adam-stationary")
@high_precision
def test_adam_with_long_memory_and_alternating_noise():
    """For slopes that alternate between +s and -s the step tends to the printed one."""
    forget = mpmath.mpf("1e-20")
    keep = 1 - forget
    rate, strength, noise = mpmath.mpf("0.3"), mpmath.mpf("0.2"), mpmath.mpf("0.7")
    for weight in (mpmath.mpf("0.5"), mpmath.mpf(-4), mpmath.mpf("1e-4")):
        slopes = [noise + strength * weight, -noise + strength * weight]
        # The cycle of length two of a running mean x <- keep x + forget value.
        mean = (slopes[0] + keep * slopes[1]) / (1 + keep)
        square = (slopes[0] ** 2 + keep * slopes[1] ** 2) / (1 + keep)
        printed = formulas.weight_scale_shift_adam_stationary(weight, rate, strength, noise)
        assert_agree(printed / weight, -rate * mean / mpmath.sqrt(square) / weight, 1e-14)
