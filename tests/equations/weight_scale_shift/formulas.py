"""The displayed equations of the chapter `weight-scale-shift`, one function per label, literally.

Matrices are lists of rows, `weights` and `biases` lists over the layers, in the order in which the
input meets them; layers count from 0 here. A definition returns its value, an identity (left side,
right side), a chain of inequalities its terms from the smallest. Nothing here calls anything else
here, so that a wrong formula cannot hide behind another.
"""

from mpmath import tanh
from tests.equations.arithmetic import exp, log, product, sqrt
from tests.equations.weight_scale_shift.matrices import (
    apply,
    frobenius,
    inner,
    length,
    multiply,
    scale,
    spectral,
)

# --- What L2 measures -------------------------------------------------------------------------


def weight_scale_shift_network(weights, biases, x, activation):
    hidden = x
    for matrix, bias in zip(weights[:-1], biases[:-1], strict=True):
        hidden = [activation(a + b) for a, b in zip(apply(matrix, hidden), bias, strict=True)]
    return [a + b for a, b in zip(apply(weights[-1], hidden), biases[-1], strict=True)]


def weight_scale_shift_perturbation(weight, x, e):
    moved = [a + b for a, b in zip(x, e, strict=True)]
    change = [a - b for a, b in zip(apply(weight, moved), apply(weight, x), strict=True)]
    return length(change), spectral(weight) * length(e), frobenius(weight) * length(e)


def weight_scale_shift_rank_gap(weight, rank):
    return spectral(weight), frobenius(weight), sqrt(rank) * spectral(weight)


def weight_scale_shift_average_perturbation(weight, sigma):
    return sigma**2 * frobenius(weight) ** 2


def weight_scale_shift_penalty(weights, strength):
    return strength / 2 * sum(frobenius(w) ** 2 for w in weights)


def weight_scale_shift_decay(weight, gradient, rate, strength):
    return (1 - rate * strength) * weight - rate * gradient


def weight_scale_shift_momentum(root, momentum, rate, strength):
    return root**2 - (1 + momentum - rate * strength) * root + momentum


def weight_scale_shift_momentum_rate(momentum, rate, strength):
    return 1 - rate * strength / (1 - momentum)


def weight_scale_shift_adam_first(weight, rate, strength, tiny):
    return -rate * strength * weight / (strength * abs(weight) + tiny)


def weight_scale_shift_adam_stationary(weight, rate, strength, noise):
    return -rate * strength * weight / sqrt(noise**2 + strength**2 * weight**2)


# --- Homogeneity and the shift ----------------------------------------------------------------


def weight_scale_shift_homogeneous(activation, c, x):
    return activation(c * x), c * activation(x)


def weight_scale_shift_two_slopes(activation, x):
    return activation(1) * max(x, 0) + activation(-1) * max(-x, 0)


def weight_scale_shift_rule(weights, biases, factors):
    moved = [scale(factors[i], weights[i]) for i in range(len(weights))]
    passed = [product(factors[: i + 1]) for i in range(len(weights))]
    return moved, [[passed[i] * b for b in biases[i]] for i in range(len(weights))]


def weight_scale_shift_induction(hidden, factors, layer):
    return [product(factors[: layer + 1]) * h for h in hidden]


def weight_scale_shift_printed_two(second_bias, factors):
    return [(factors[1] - 1) * b for b in second_bias]


def weight_scale_shift_printed_bias(biases, factors):
    return [[b / product(factors[:i]) for b in biases[i]] for i in range(len(biases))]


def weight_scale_shift_softplus(c, x):
    deviation = log(1 + exp(c * x)) - c * log(1 + exp(x))
    return abs(deviation), abs(1 - c) * log(2)


def weight_scale_shift_gate(gate, c, x):
    return c * x * (gate(c * x) - gate(x))


def weight_scale_shift_gate_bound(deviation, c, largest):
    return abs(deviation), max(1, c) * largest


def weight_scale_shift_tanh(c, x):
    return abs(tanh(c * x) - c * tanh(x)), abs(c - 1)


def weight_scale_shift_residual(stem, out, blocks):
    return stem * out, [product(block) for block in blocks]


# --- What the shift does to L2 ----------------------------------------------------------------


def weight_scale_shift_shifted_penalty(norms, factors, strength):
    return strength / 2 * sum(c**2 * n**2 for c, n in zip(factors, norms, strict=True))


def weight_scale_shift_balance(norms, factors, strength):
    layers = len(norms)
    least = strength / 2 * layers * product(norms) ** (2 / layers)
    return least, strength / 2 * sum(c**2 * n**2 for c, n in zip(factors, norms, strict=True))


def weight_scale_shift_balanced_factor(norms, layer):
    return product(norms) ** (1 / len(norms)) / norms[layer]


def weight_scale_shift_general_balance(norms, factors, strengths, power):
    layers = len(norms)
    weighted = [a * n**power for a, n in zip(strengths, norms, strict=True)]
    least = layers * product(weighted) ** (1 / layers)
    return least, sum(c**power * w for c, w in zip(factors, weighted, strict=True))


def weight_scale_shift_excess(norms):
    layers = len(norms)
    return sum(n**2 for n in norms) - layers * product(norms) ** (2 / layers)


# --- What L2 does besides ---------------------------------------------------------------------


def weight_scale_shift_euler(gradient, weight, slopes, outputs):
    return inner(gradient, weight), sum(s * f for s, f in zip(slopes, outputs, strict=True))


def weight_scale_shift_pull(probabilities, scores, label):
    return scores[label] - sum(p * f for p, f in zip(probabilities, scores, strict=True))


def weight_scale_shift_orbit(gradients, weights, directions):
    return sum(a * inner(g, w) for a, g, w in zip(directions, gradients, weights, strict=True))


def weight_scale_shift_harmonic(norms):
    return len(norms) / sum(1 / n**2 for n in norms)


def weight_scale_shift_split(weight, strength, harmonic):
    part = scale(strength * harmonic / frobenius(weight) ** 2, weight)
    rest = scale(strength * (1 - harmonic / frobenius(weight) ** 2), weight)
    return part, rest


def weight_scale_shift_share(norms):
    harmonic = len(norms) / sum(1 / n**2 for n in norms)
    return 1 - harmonic / (sum(n**2 for n in norms) / len(norms))


def weight_scale_shift_stationary(pull, strength):
    return pull / strength


def weight_scale_shift_same_points(norms, strength):
    return strength * product(norms) ** (2 / len(norms))


def weight_scale_shift_touching(norm, strength, first):
    constant = first / 2 * (1 - log(first / strength))
    return first * log(norm) + constant, strength / 2 * norm**2


# --- The invariant regulariser ----------------------------------------------------------------


def weight_scale_shift_functional(slope, c, x):
    return c * slope(c * x), slope(x)


def weight_scale_shift_logarithm(a, b, x):
    return a * log(x) + b


def weight_scale_shift_log_norm(weights, first, second):
    norms = [frobenius(w) for w in weights]
    directions = [
        sum(abs(entry) / n for row in w for entry in row)
        for w, n in zip(weights, norms, strict=True)
    ]
    return first * sum(log(n) for n in norms) + second * sum(directions)


def weight_scale_shift_log_gradient(weight, first):
    return scale(first / frobenius(weight) ** 2, weight)


def weight_scale_shift_direction_range(weight):
    entries = [entry for row in weight for entry in row]
    return 1, sum(abs(entry) for entry in entries) / frobenius(weight), sqrt(len(entries))


def weight_scale_shift_direction_gradient(weight, second):
    norm = frobenius(weight)
    ones = sum(abs(entry) for row in weight for entry in row)
    return [
        [second / norm * (entry / abs(entry) - ones / norm**2 * entry) for entry in row]
        for row in weight
    ]


def weight_scale_shift_gradient_shift(gradient, factor):
    return scale(1 / factor, gradient)


def weight_scale_shift_unbounded(logits, label, t, layers, first, log_product):
    moved = [t**layers * f for f in logits]
    entropy = log(sum(exp(f) for f in moved)) - moved[label]
    return entropy + first * (layers * log(t) + log_product)


def weight_scale_shift_pull_bound(pull, lambert, classes):
    return pull, lambert((classes - 1) / exp(1))


def weight_scale_shift_pull_square(target, output):
    return (
        sum(f * (y - f) for f, y in zip(output, target, strict=True)),
        sum(y**2 for y in target) / 4,
    )


def weight_scale_shift_collapse_time(norms, first, bound):
    return min(n**2 for n in norms) / (2 * (first - bound))


def weight_scale_shift_ceiling(bound, strength):
    return bound / strength


def weight_scale_shift_product_penalty(norms, strength):
    return strength / 2 * len(norms) * product(norms) ** (2 / len(norms))


def weight_scale_shift_product_gradient(weights, layer, strength):
    norms = [frobenius(w) for w in weights]
    square = product(norms) ** (2 / len(norms))
    return scale(strength * square / norms[layer] ** 2, weights[layer])


# --- Flows and steps --------------------------------------------------------------------------


def weight_scale_shift_noether(weight_gradient, weight, bias_gradient, bias, next_gradient, after):
    left = inner(weight_gradient, weight) + inner([bias_gradient], [bias])
    return left, inner(next_gradient, after)


def weight_scale_shift_conserved(weights, biases, layer):
    own = frobenius(weights[layer]) ** 2 + length(biases[layer]) ** 2
    return own - frobenius(weights[layer + 1]) ** 2


def weight_scale_shift_difference_decay(start, strength, time):
    return start * exp(-2 * strength * time)


def weight_scale_shift_log_flow(pull, first):
    return 2 * pull - 2 * first


def weight_scale_shift_pure_log_flow(start, first, time):
    return start - 2 * first * time


def weight_scale_shift_drift(rate, gradient, next_gradient):
    return rate**2 * (frobenius(gradient) ** 2 - frobenius(next_gradient) ** 2)


def weight_scale_shift_drift_decay(difference, rate, strength, gradient, next_gradient):
    kept = (1 - rate * strength) ** 2 * difference
    return kept + rate**2 * (frobenius(gradient) ** 2 - frobenius(next_gradient) ** 2)


def weight_scale_shift_log_step(square, rate, first):
    return square - 2 * rate * first + (rate * first) ** 2 / square


def weight_scale_shift_overshoot(rate, first):
    return sqrt(rate * first / 2)


def weight_scale_shift_boole(u):
    return u - 1 / u


def weight_scale_shift_floor(rate, first):
    return sqrt(rate * first)


# --- Neurons ----------------------------------------------------------------------------------


def weight_scale_shift_neurons(weights, biases, diagonals):
    moved = []
    for weight, before, after in zip(weights, diagonals[:-1], diagonals[1:], strict=True):
        moved.append(
            [
                [d * entry / b for entry, b in zip(row, before, strict=True)]
                for row, d in zip(weight, after, strict=True)
            ]
        )
    shifted = [
        [d * entry for entry, d in zip(bias, after, strict=True)]
        for bias, after in zip(biases, diagonals[1:], strict=True)
    ]
    return moved, shifted


def weight_scale_shift_neuron_squares(rows, columns, factors):
    paths = sum(a * c for a, c in zip(rows, columns, strict=True))
    terms = zip(rows, columns, factors, strict=True)
    return paths, sum(d**2 * a**2 + c**2 / d**2 for a, c, d in terms) / 2


def weight_scale_shift_neuron_product(rows, columns, factors):
    paths = sum(a * c for a, c in zip(rows, columns, strict=True))
    into = sqrt(sum(d**2 * a**2 for a, d in zip(rows, factors, strict=True)))
    out = sqrt(sum(c**2 / d**2 for c, d in zip(columns, factors, strict=True)))
    return paths, into * out


def weight_scale_shift_neuron_factor(row, column):
    return sqrt(column / row)


def weight_scale_shift_neuron_same(least_product, layers, strength):
    return strength / 2 * layers * least_product ** (2 / layers)


def weight_scale_shift_neuron_conserved(row, bias, column):
    return length(row) ** 2 + bias**2 - length(column) ** 2


def weight_scale_shift_neuron_drift(row, weight, column, after, first):
    own = length(row) ** 2 / frobenius(weight) ** 2
    return -2 * first * (own - length(column) ** 2 / frobenius(after) ** 2)


# --- The Jacobian -----------------------------------------------------------------------------


def weight_scale_shift_jacobian(weights, slopes):
    result = weights[0]
    for weight, slope in zip(weights[1:], slopes, strict=True):
        gated = [[s * entry for entry in row] for row, s in zip(result, slope, strict=True)]
        result = multiply(weight, gated)
    return result


def weight_scale_shift_jacobian_bound(jacobian, weights):
    spectra = product(spectral(w) for w in weights)
    return spectral(jacobian), spectra, exp(sum(log(frobenius(w)) for w in weights))


def weight_scale_shift_residual_bound(jacobian, blocks):
    return spectral(jacobian), product(1 + product(spectral(w) for w in block) for block in blocks)


def weight_scale_shift_convolution(operator_norm, kernel, width):
    return operator_norm, width * sqrt(sum(entry**2 for entry in kernel))


def weight_scale_shift_radius(scores, label, weights):
    others = [f for i, f in enumerate(scores) if i != label]
    return (scores[label] - max(others)) / (sqrt(2) * product(spectral(w) for w in weights))


# --- Normalised layers ------------------------------------------------------------------------


def weight_scale_shift_invariant_gradient(gradient, weight, c):
    return inner(gradient, weight), scale(1 / c, gradient)


def weight_scale_shift_normalised_decay(square, rate, strength, pull):
    return (1 - rate * strength) ** 2 * square + rate**2 * pull**2 / square


def weight_scale_shift_normalised_rest(rate, strength, pull):
    return sqrt(rate**2 * pull**2 / (1 - (1 - rate * strength) ** 2))


def weight_scale_shift_normalised_log(rate, first, pull):
    return rate * (first**2 + pull**2) / (2 * first)
