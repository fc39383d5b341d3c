"""Checks of positive homogeneity, of the shift and of what is not homogeneous."""

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw, draw_unit, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import chain, factors, hidden_layers, relu
from tests.equations.weight_scale_shift.matrices import add, apply, identity, multiply

GAMMA = [mpmath.mpf(g) for g in ("2", "0.25", "4", "0.5")]


def leaky(value):
    return value if value > 0 else value * mpmath.mpf("0.2")


def slopes_two_and_minus_three(value):
    return 2 * value if value > 0 else -3 * value


HOMOGENEOUS = (relu, leaky, slopes_two_and_minus_three, lambda value: value)


def logistic(value):
    return 1 / (1 + mpmath.exp(-value))


@pytest.mark.equation("weight-scale-shift-homogeneous")
@high_precision
def test_piecewise_linear_activations_are_homogeneous_and_softplus_is_not():
    """Both sides agree for four activations and any c from zero; softplus, c = 3 is far off."""
    for activation in HOMOGENEOUS:
        for c in (0, *draw_unit(2, seed=1), 7):
            for x in draw(4, seed=2):
                assert_agree(*formulas.weight_scale_shift_homogeneous(activation, c, x))
    left, right = formulas.weight_scale_shift_homogeneous(
        lambda value: mpmath.log1p(mpmath.exp(value)), 3, mpmath.mpf("0.1")
    )
    assert abs(left - right) > 1


@pytest.mark.equation("weight-scale-shift-two-slopes")
@high_precision
def test_two_slopes_are_all_there_is():
    """The printed form, which knows the activation at 1 and -1 only, is the activation."""
    for activation in HOMOGENEOUS:
        for x in (*draw(5, seed=3), mpmath.mpf("0.01"), mpmath.mpf("-0.01"), 0):
            assert_agree(formulas.weight_scale_shift_two_slopes(activation, x), activation(x))


@pytest.mark.equation("weight-scale-shift-rule")
@high_precision
def test_cumulative_rule_keeps_the_function():
    """Scores before and after agree for random factors; each weight is its factor times larger."""
    x = draw(3, seed=4)
    for seed in range(3):
        weights, biases = chain(seed)
        gamma = factors(4, seed)
        moved, passed = formulas.weight_scale_shift_rule(weights, biases, gamma)
        before = hidden_layers(weights, biases, x, leaky)[-1]
        after = hidden_layers(moved, passed, x, leaky)[-1]
        for value, other in zip(before, after, strict=True):
            assert_agree(value, other)
        for weight, other, factor in zip(weights, moved, gamma, strict=True):
            assert_agree(other[0][1], factor * weight[0][1])


@pytest.mark.equation("weight-scale-shift-induction")
@high_precision
def test_every_layer_is_scaled_by_the_product_so_far():
    """The outputs of all layers of a shifted network are the printed multiples."""
    weights, biases = chain(5)
    x, gamma = draw(3, seed=6), factors(4, 7)
    moved = [
        [[g * w for w in row] for row in weight] for g, weight in zip(gamma, weights, strict=True)
    ]
    passed, running = [], mpmath.mpf(1)
    for g, bias in zip(gamma, biases, strict=True):
        running *= g
        passed.append([running * b for b in bias])
    before, after = (hidden_layers(w, b, x, relu) for w, b in ((weights, biases), (moved, passed)))
    for layer in range(4):
        printed = formulas.weight_scale_shift_induction(before[layer], gamma, layer)
        for value, other in zip(printed, after[layer], strict=True):
            assert_agree(value, other)


def _by_the_printed_rule(weights, biases, gamma):
    """Each bias times the factor of its own layer."""
    return (
        [[[g * w for w in row] for row in part] for g, part in zip(gamma, weights, strict=True)],
        [[g * b for b in part] for g, part in zip(gamma, biases, strict=True)],
    )


@pytest.mark.equation("weight-scale-shift-printed-two")
@high_precision
def test_error_of_the_circulating_rule_with_two_layers():
    """The scores move by the printed vector, whatever the input."""
    weights, biases = chain(8, widths=(3, 4, 2))
    gamma = factors(2, 9)
    for seed in range(3):
        x = draw(3, seed=seed)
        before = hidden_layers(weights, biases, x, relu)[-1]
        after = hidden_layers(*_by_the_printed_rule(weights, biases, gamma), x, relu)[-1]
        printed = formulas.weight_scale_shift_printed_two(biases[1], gamma)
        for value, other, error in zip(after, before, printed, strict=True):
            assert_agree(value - other, error)


@pytest.mark.equation("weight-scale-shift-printed-bias")
@high_precision
def test_circulating_rule_is_a_network_with_other_biases():
    """Its scores are those of the old weights with the printed biases."""
    weights, biases = chain(10)
    for gamma in (GAMMA, factors(4, 11)):
        x = draw(3, seed=12)
        after = hidden_layers(*_by_the_printed_rule(weights, biases, gamma), x, relu)[-1]
        other = formulas.weight_scale_shift_printed_bias(biases, gamma)
        for value, expected in zip(after, hidden_layers(weights, other, x, relu)[-1], strict=True):
            assert_agree(value, expected)


@pytest.mark.equation("weight-scale-shift-softplus")
@high_precision
def test_softplus_deviates_most_at_zero():
    """Bounded everywhere, attained at zero, and the left side is that of torch's softplus."""
    softplus = torch.nn.functional.softplus
    for c in (0, mpmath.mpf("0.25"), 1, mpmath.mpf("2.5"), 40):
        for x in (*draw(4, seed=13), 0):
            left, right = formulas.weight_scale_shift_softplus(c, x)
            assert_rising(left, right)
            places = torch.tensor([float(c * x), float(x)], dtype=torch.float64)
            values = softplus(places, threshold=1000).tolist()
            assert_agree(left, abs(values[0] - float(c) * values[1]), 1e-14)
        assert_agree(*formulas.weight_scale_shift_softplus(c, 0))


GATES = {"SiLU": logistic, "GELU": mpmath.ncdf}


@pytest.mark.equation("weight-scale-shift-gate")
@high_precision
def test_deviation_of_a_gated_activation():
    """For SiLU and GELU the printed product is phi(cx) - c phi(x)."""
    for gate in GATES.values():
        for c in (mpmath.mpf("0.3"), 4):
            for x in draw(3, seed=14):
                value = formulas.weight_scale_shift_gate(gate, c, x)
                assert_agree(value, c * x * gate(c * x) - c * (x * gate(x)))


@pytest.mark.equation("weight-scale-shift-gate-bound")
def test_bound_of_a_gated_activation_and_where_it_is_approached():
    """No deviation exceeds the bound; for very large and very small c it is nearly reached."""
    for gate, guess in ((logistic, 1.3), (mpmath.ncdf, 0.75)):
        best = mpmath.findroot(lambda x, g=gate: mpmath.diff(lambda t: t * (1 - g(t)), x), guess)
        largest = best * (1 - gate(best))
        for c in (0.01, 0.3, 1, 3, 100):
            for x in (-30, -2, -0.3, 0.4, 1.5, 25):
                deviation = c * x * gate(c * x) - c * x * gate(x)
                assert_rising(*formulas.weight_scale_shift_gate_bound(deviation, c, largest))
        for c, x in ((1e4, best), (1e-4, best / 1e-4)):
            deviation = c * x * gate(c * x) - c * x * gate(x)
            left, right = formulas.weight_scale_shift_gate_bound(deviation, c, largest)
            assert left == pytest.approx(max(1, c) * float(largest), rel=1e-3)
            assert right == pytest.approx(max(1, c) * float(largest), rel=1e-12)
    silu = mpmath.lambertw(mpmath.exp(-1)).real
    best = mpmath.findroot(lambda x: mpmath.diff(lambda t: t * (1 - logistic(t)), x), 1.3)
    assert_agree(best * (1 - logistic(best)), silu, 1e-12)


@pytest.mark.equation("weight-scale-shift-tanh")
@high_precision
def test_tanh_deviates_by_the_whole_factor():
    """Bounded by |c - 1|, nearly attained for large inputs, and the left side is that of tanh."""
    for c in (mpmath.mpf("0.2"), 1, 6):
        for x in draw(4, seed=15):
            left, right = formulas.weight_scale_shift_tanh(c, x)
            assert_rising(left, right)
            assert_agree(left, abs(mpmath.tanh(c * x) - c * mpmath.tanh(x)))
        left, right = formulas.weight_scale_shift_tanh(c, 60 / c)
        assert_agree(left, right, 1e-8)
        assert_agree(right, abs(c - 1))


def _residual_network(stem, out, blocks, x):
    """Stem, blocks of two layers beside an identity, output layer; all without bias."""
    stream = apply(stem, x)
    for first, second in blocks:
        branch = apply(second, [relu(value) for value in apply(first, stream)])
        stream = [a + b for a, b in zip(stream, branch, strict=True)]
    return apply(out, stream)


@pytest.mark.equation("weight-scale-shift-residual")
@high_precision
def test_scale_passes_inside_a_block_and_from_stem_to_output_only():
    """With all printed products one the scores stay; with any other product they move."""
    (stem, first, second, third, fourth, out), _ = chain(16, widths=(3, 4, 5, 4, 5, 4, 2))
    x = draw(3, seed=17)
    before = _residual_network(stem, out, [(first, second), (third, fourth)], x)

    def moved(into, away, pairs):
        def times(factor, weight):
            return [[factor * w for w in row] for row in weight]

        blocks = [
            (times(pairs[0][0], first), times(pairs[0][1], second)),
            (times(pairs[1][0], third), times(pairs[1][1], fourth)),
        ]
        return _residual_network(times(into, stem), times(away, out), blocks, x)

    third_part = mpmath.mpf(1) / 3
    allowed = (mpmath.mpf(3), third_part, [[mpmath.mpf(5), mpmath.mpf("0.2")], [third_part, 3]])
    total, inside = formulas.weight_scale_shift_residual(*allowed)
    for value in (total, *inside):
        assert_agree(value, 1)
    for value, other in zip(moved(*allowed), before, strict=True):
        assert_agree(value, other)
    for forbidden in (
        (mpmath.mpf(3), mpmath.mpf(1), [[1, 1], [1, 1]]),
        (mpmath.mpf(1) / 2, mpmath.mpf(1), [[2, 1], [1, 1]]),
    ):
        total, inside = formulas.weight_scale_shift_residual(*forbidden)
        assert max(abs(total - 1), *(abs(value - 1) for value in inside)) > 0.4
        assert max(abs(a - b) for a, b in zip(moved(*forbidden), before, strict=True)) > 0.1


def test_helpers_multiply_matrices():
    """The product with the identity and a sum by hand."""
    weight = [[1, 2], [3, 4]]
    assert multiply(weight, identity(2), weight) == [[7, 10], [15, 22]]
    assert add(weight, identity(2)) == [[2, 2], [3, 5]]
