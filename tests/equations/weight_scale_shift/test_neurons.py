"""Checks of the finer group: scale that single neurons pass on."""

import functools

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw_unit, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import NEAR, Network, chain, log_norms
from tests.equations.weight_scale_shift.matrices import frobenius

FIRST = 0.4
WITH, WITHOUT = Network(50, bias=True), Network(51, bias=False)


@pytest.mark.equation("weight-scale-shift-neurons")
def test_factors_of_neurons_keep_the_function():
    """Scores before and after agree for random positive factors of all hidden neurons."""
    generator = torch.Generator().manual_seed(1)
    sizes = [w.shape[0] for w in WITH.weights[:-1]]
    hidden = [torch.rand(n, generator=generator, dtype=torch.float64) + 0.3 for n in sizes]
    ends = [torch.ones(n, dtype=torch.float64) for n in (3, WITH.weights[-1].shape[0])]
    diagonals = [d.tolist() for d in (ends[0], *hidden, ends[1])]
    moved, shifted = formulas.weight_scale_shift_neurons(
        [w.tolist() for w in WITH.weights], [b.tolist() for b in WITH.biases], diagonals
    )
    tensors = [[torch.tensor(p, dtype=torch.float64) for p in each] for each in (moved, shifted)]
    torch.testing.assert_close(WITH.outputs(*tensors), WITH.outputs(WITH.weights, WITH.biases))
    assert (tensors[0][0] - WITH.weights[0]).abs().max() > 0.1


def _two_layers(seed):
    """Norms of the rows of a first and of the columns of a second weight, and the weights."""
    (first, second), _ = chain(seed, widths=(3, 5, 2))
    rows = [frobenius([row]) for row in first]
    columns = [frobenius([column]) for column in zip(*second, strict=True)]
    return first, second, rows, columns


def _scaled(first, second, d):
    """Squares of the Frobenius norms after scaling the neurons."""
    into = mpmath.fsum((g * v) ** 2 for g, row in zip(d, first, strict=True) for v in row)
    out = mpmath.fsum((v / g) ** 2 for row in second for g, v in zip(d, row, strict=True))
    return into, out


@pytest.mark.equation("weight-scale-shift-neuron-squares")
@high_precision
def test_least_l2_of_two_layers_is_the_sum_over_paths():
    """The terms rise for random factors, the right one is L2, and the best factors attain it."""
    for seed in range(4):
        first, second, rows, columns = _two_layers(seed)
        d = draw_unit(5, seed=seed)
        paths, value = formulas.weight_scale_shift_neuron_squares(rows, columns, d)
        assert_rising(paths, value)
        assert_agree(value, mpmath.fsum(_scaled(first, second, d)) / 2)
        best = [mpmath.sqrt(c / a) for a, c in zip(rows, columns, strict=True)]
        paths, value = formulas.weight_scale_shift_neuron_squares(rows, columns, best)
        assert_agree(paths, value)


@pytest.mark.equation("weight-scale-shift-neuron-product")
@high_precision
def test_least_product_of_norms_is_the_same_sum():
    """The terms rise, the right one is the product of the norms, the best factors attain it."""
    for seed in range(4):
        first, second, rows, columns = _two_layers(seed)
        d = draw_unit(5, seed=seed + 10)
        paths, value = formulas.weight_scale_shift_neuron_product(rows, columns, d)
        assert_rising(paths, value)
        into, out = _scaled(first, second, d)
        assert_agree(value, mpmath.sqrt(into * out))
        best = [mpmath.sqrt(c / a) for a, c in zip(rows, columns, strict=True)]
        paths, value = formulas.weight_scale_shift_neuron_product(rows, columns, best)
        assert_agree(paths, value)
        assert_agree(paths, mpmath.fsum(a * c for a, c in zip(rows, columns, strict=True)))


@pytest.mark.equation("weight-scale-shift-neuron-factor")
@high_precision
def test_best_factor_makes_both_sides_of_a_neuron_equal():
    """Incoming and outgoing norms agree after the printed factor."""
    _, _, rows, columns = _two_layers(9)
    for row, column in zip(rows, columns, strict=True):
        d = formulas.weight_scale_shift_neuron_factor(row, column)
        assert_agree(d * row, column / d)


@functools.cache
def _least(kind):
    """Least L2 (strength 0.3) or product of norms over factors of all neurons, by L-BFGS."""
    logs = [
        torch.zeros(w.shape[0], dtype=torch.float64, requires_grad=True)
        for w in WITHOUT.weights[:-1]
    ]
    ones = [torch.zeros(3, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)]
    optimiser = torch.optim.LBFGS(
        logs, max_iter=500, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def value():
        parts = [ones[0], *logs, ones[1]]
        moved = [
            w * (after[:, None] - before[None, :]).exp()
            for w, before, after in zip(WITHOUT.weights, parts[:-1], parts[1:], strict=True)
        ]
        if kind == "product":
            return log_norms(moved)
        return 0.15 * sum(w.square().sum() for w in moved)

    def closure():
        optimiser.zero_grad()
        result = value()
        result.backward()
        return result

    optimiser.step(closure)
    return value().exp().item() if kind == "product" else value().item()


@pytest.mark.equation("weight-scale-shift-neuron-same")
def test_least_l2_is_a_function_of_the_least_product():
    """Two separate minimisations over the factors of all neurons of four layers agree."""
    printed = formulas.weight_scale_shift_neuron_same(_least("product"), 4, 0.3)
    assert _least("l2") == pytest.approx(printed, rel=1e-9)
    before = 0.15 * sum(w.square().sum().item() for w in WITHOUT.weights)
    assert printed < 0.99 * before


def _neuron(weights, biases, layer, unit):
    column = [row[unit] for row in weights[layer + 1]]
    return weights[layer][unit], biases[layer][unit], column


@pytest.mark.equation("weight-scale-shift-neuron-conserved")
def test_flow_of_the_loss_conserves_a_law_for_every_neuron():
    """The printed difference does not change under the flow, for each of several neurons."""
    for layer in range(3):
        for unit in range(4):

            def law(w, b, at=(layer, unit)):
                return formulas.weight_scale_shift_neuron_conserved(*_neuron(w, b, *at))

            assert WITH.change(law) == pytest.approx(0, abs=1e-11)
    row, bias, column = _neuron(
        [w.tolist() for w in WITH.weights], [b.tolist() for b in WITH.biases], 0, 1
    )
    by_hand = sum(v**2 for v in row) + bias**2 - sum(v**2 for v in column)
    assert_agree(formulas.weight_scale_shift_neuron_conserved(row, bias, column), by_hand, NEAR)


@pytest.mark.equation("weight-scale-shift-neuron-drift")
def test_log_norm_moves_scale_between_neurons():
    """Under loss and log-norm the difference of a neuron changes at the printed rate."""
    weights = [w.tolist() for w in WITHOUT.weights]
    biases = [b.tolist() for b in WITHOUT.biases]
    for layer in range(3):
        rates = []
        for unit in range(WITHOUT.weights[layer].shape[0]):

            def difference(w, b, at=(layer, unit)):
                row, _, column = _neuron(w, b, *at)
                return sum(v**2 for v in row) - sum(v**2 for v in column)

            row, _, column = _neuron(weights, biases, layer, unit)
            printed = formulas.weight_scale_shift_neuron_drift(
                row, weights[layer], column, weights[layer + 1], FIRST
            )
            rate = WITHOUT.change(difference, lambda found: FIRST * log_norms(found))
            assert rate == pytest.approx(float(printed), rel=1e-9, abs=1e-11)
            rates.append(rate)
        assert max(map(abs, rates)) > 1e-2
        assert sum(rates) == pytest.approx(0, abs=1e-11)
