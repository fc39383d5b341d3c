"""Checks of the Jacobian, its bounds, the certified radius and layers with normalisation."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import NEAR, Network, matrix, tensor
from tests.equations.weight_scale_shift.matrices import add, identity, multiply, spectral

NETWORK = Network(60, bias=True)


def _slopes(x):
    slopes = []
    for weight, bias in zip(NETWORK.weights[:-1], NETWORK.biases[:-1], strict=True):
        x = x @ weight.T + bias
        slopes.append((x > 0).double().tolist())
        x = x.relu()
    return slopes


def _scores(x):
    for at, (weight, bias) in enumerate(zip(NETWORK.weights, NETWORK.biases, strict=True)):
        x = x @ weight.T + bias
        x = x.relu() if at < 3 else x
    return x


def _jacobian(x):
    return torch.autograd.functional.jacobian(_scores, x)


@pytest.mark.equation("weight-scale-shift-jacobian")
def test_jacobian_by_autograd():
    """The printed product is torch's Jacobian, at several inputs."""
    for x in NETWORK.x[:4]:
        printed = formulas.weight_scale_shift_jacobian(
            [w.tolist() for w in NETWORK.weights], _slopes(x)
        )
        torch.testing.assert_close(tensor(printed), _jacobian(x))
    assert max(_jacobian(x).norm() for x in NETWORK.x[:4]) > 1e-2


@pytest.mark.equation("weight-scale-shift-jacobian-bound")
def test_products_of_norms_bound_the_jacobian():
    """Rising at every input; all equal for a chain of numbers."""
    weights = [w.tolist() for w in NETWORK.weights]
    for x in NETWORK.x[:4]:
        terms = formulas.weight_scale_shift_jacobian_bound(_jacobian(x).tolist(), weights)
        assert_rising(*terms)
        norms = [torch.linalg.matrix_norm(w, 2).item() for w in NETWORK.weights]
        assert_agree(terms[1], math.prod(norms), NEAR)
    numbers = [[[2.0]], [[1.5]], [[0.4]]]
    first, second, third = formulas.weight_scale_shift_jacobian_bound([[1.2]], numbers)
    assert_agree(first, second, NEAR)
    assert_agree(second, third, NEAR)
    assert_agree(second, 1.2, NEAR)


@pytest.mark.equation("weight-scale-shift-residual-bound")
@high_precision
def test_bound_of_a_residual_network():
    """Rising for two random blocks with random slopes; equal for positive numbers."""
    blocks = [[matrix(4, 3, 1), matrix(3, 4, 2)], [matrix(5, 3, 3), matrix(3, 5, 4)]]
    for gate in itertools.product((0, 1), repeat=4):
        total = identity(3)
        for first, second in blocks:
            slopes = [*gate, 1][: len(first)]
            gated = [[s * v for v in row] for s, row in zip(slopes, first, strict=True)]
            total = multiply(add(identity(3), multiply(second, gated)), total)
        assert_rising(*formulas.weight_scale_shift_residual_bound(total, blocks))
    numbers = [
        [[[mpmath.mpf(2)]], [[mpmath.mpf("0.3")]]],
        [[[mpmath.mpf(4)]], [[mpmath.mpf("0.1")]]],
    ]
    jacobian = [[mpmath.mpf("1.6") * mpmath.mpf("1.4")]]
    assert_agree(*formulas.weight_scale_shift_residual_bound(jacobian, numbers), 1e-40)


def _circular(kernel, size):
    """The matrix of a convolution with one channel, stride one, wrapped around the edges."""
    width = len(kernel)
    rows = []
    for at in itertools.product(range(size), repeat=2):
        row = np.zeros((size, size))
        for (i, j), value in np.ndenumerate(np.array(kernel, dtype=float)):
            row[(at[0] + i - width // 2) % size, (at[1] + j - width // 2) % size] += value
        rows.append(row.ravel())
    return np.array(rows)


@pytest.mark.equation("weight-scale-shift-convolution")
def test_kernel_norm_needs_a_factor():
    """Rising for random kernels; a constant kernel attains the bound, and exceeds its own norm."""
    generator = np.random.default_rng(0)
    for width in (3, 5):
        kernel = generator.normal(size=(width, width))
        norm = float(np.linalg.norm(_circular(kernel, 7), 2))
        assert_rising(
            *formulas.weight_scale_shift_convolution(norm, kernel.ravel().tolist(), width)
        )
        flat = np.full((width, width), 2.0 / width)
        norm = float(np.linalg.norm(_circular(flat, 7), 2))
        left, right = formulas.weight_scale_shift_convolution(norm, flat.ravel().tolist(), width)
        assert_agree(left, right, NEAR)
        assert left > 2 * width - 1e-9


@pytest.mark.equation("weight-scale-shift-radius")
def test_no_input_within_the_radius_changes_its_class():
    """Steps of that length in many directions keep the class; the identity needs no less."""
    weights = [w.tolist() for w in NETWORK.weights]
    generator = torch.Generator().manual_seed(2)
    for x in NETWORK.x:
        scores = _scores(x)
        label = int(scores.argmax())
        radius = float(formulas.weight_scale_shift_radius(scores.tolist(), label, weights))
        assert radius > 0
        away = torch.randn(200, 3, generator=generator, dtype=torch.float64)
        moved = x + 0.999 * radius * away / away.norm(dim=1, keepdim=True)
        assert (_scores(moved).argmax(-1) == label).all()
    # Nearest point where the first two of three scores agree: (3/4, 3/4, 0), at 1/(2 sqrt 2).
    near = formulas.weight_scale_shift_radius(
        [3.0, 1.5, 0.0],
        0,
        [[[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]], [[2, 0, 0], [0, 2, 0], [0, 0, 2]]],
    )
    assert_agree(near, math.dist((1, 0.5, 0), (0.75, 0.75, 0)), NEAR)


def _normalised_loss(weight):
    """A loss behind batch normalisation, so that the scale of the weight does not matter."""
    values = torch.nn.functional.batch_norm(
        NETWORK.x @ weight.T, None, None, training=True, eps=1e-300
    )
    return torch.nn.functional.cross_entropy(values, NETWORK.y)


def _normalised_gradient(weight):
    leaf = weight.clone().requires_grad_()
    return torch.autograd.grad(_normalised_loss(leaf), leaf)[0]


WEIGHT = Network(61, bias=False, widths=(3, 2)).weights[0]


@pytest.mark.equation("weight-scale-shift-invariant-gradient")
def test_gradient_behind_batch_normalisation():
    """It is orthogonal to the weight, and at c times the weight it is divided by c."""
    gradient = _normalised_gradient(WEIGHT)
    assert gradient.norm() > 1e-3
    for c in (0.3, 5.0):
        radial, printed = formulas.weight_scale_shift_invariant_gradient(
            gradient.tolist(), WEIGHT.tolist(), c
        )
        assert radial == pytest.approx(0, abs=1e-14)
        torch.testing.assert_close(tensor(printed), _normalised_gradient(c * WEIGHT))


@pytest.mark.equation("weight-scale-shift-normalised-decay")
def test_square_of_a_normalised_weight_after_a_step_with_l2():
    """The square after one step on loss and L2, from the gradient at unit norm."""
    rate, strength = 0.6, 0.4
    pull = _normalised_gradient(WEIGHT / WEIGHT.norm()).norm().item()
    for size in (0.4, 2.0):
        weight = size * WEIGHT
        after = (1 - rate * strength) * weight - rate * _normalised_gradient(weight)
        printed = formulas.weight_scale_shift_normalised_decay(
            weight.square().sum().item(), rate, strength, pull
        )
        assert_agree(after.square().sum().item(), printed, NEAR)


@pytest.mark.equation("weight-scale-shift-normalised-rest")
def test_norm_at_which_growth_and_l2_balance():
    """The printed square is a fixed point of the map of the line above, written out here."""
    for rate, strength, pull in ((0.1, 0.02, 0.7), (0.5, 0.3, 2.0)):
        square = formulas.weight_scale_shift_normalised_rest(rate, strength, pull)
        kept = 1 - rate * strength
        assert_agree(kept * kept * square + (rate * pull) ** 2 / square, square, NEAR)


@pytest.mark.equation("weight-scale-shift-normalised-log")
def test_norm_at_which_growth_and_log_norm_balance():
    """One step with the log-norm and an orthogonal gradient leaves the printed square alone."""
    for rate, first, pull in ((0.1, 0.02, 0.7), (0.5, 0.3, 2.0)):
        square = formulas.weight_scale_shift_normalised_log(rate, first, pull)
        norm = math.sqrt(square)
        radial, across = norm - rate * first / norm, rate * pull / norm
        assert_agree(radial**2 + across**2, square, NEAR)


@high_precision
def test_helper_finds_the_largest_singular_value():
    """Of a diagonal matrix it is the largest entry."""
    numbers = draw(2, seed=1)
    assert_agree(
        spectral([[numbers[0], 0], [0, numbers[1]]]), max(abs(number) for number in numbers)
    )
