"""The displayed equations of the chapter `gradient-clipping`, one function per label, literally.

`norm` is the norm of the gradient g, `threshold` is gamma, `rate` eta, `l0` and `l1` the constants
of the smoothness condition, `length` the norm of a step. A definition returns its value, an
identity or inequality its sides from left to right, a function of theta its value. Nothing here
calls anything else here, so that a wrong formula cannot hide behind another.
"""

from tests.equations.arithmetic import exp, log, sqrt

# --- Two factors ----------------------------------------------------------------------------


def gradient_clipping_hard(norm, threshold):
    return min(1, threshold / norm)


def gradient_clipping_soft(norm, threshold):
    return threshold / (threshold + norm)


def gradient_clipping_two_forms(norm, threshold):
    hard = min(1, threshold / norm)
    return hard / 2, threshold / (threshold + norm), hard


def gradient_clipping_ratio(norm, threshold):
    return max(1, norm / threshold) / (1 + norm / threshold)


def gradient_clipping_rescaled(multiple):
    return 1 + max(multiple, 1 / multiple)


def gradient_clipping_step_length(norm, threshold, rate):
    soft = rate * threshold * norm / (threshold + norm)
    hard = rate * min(norm, threshold)
    return soft, hard, rate * threshold


# --- Constant smoothness --------------------------------------------------------------------


def gradient_clipping_path(gradient, theta, step, quad):
    return quad(lambda t: gradient(theta + t * step) * step, [0, 1])


def gradient_clipping_smooth(gradient, theta, step, constant):
    return abs(gradient(theta + step) - gradient(theta)), constant * abs(step)


def gradient_clipping_smooth_bound(value, inner, length, constant):
    return value + inner + constant / 2 * length**2


def gradient_clipping_smooth_step(value, norm, rate, constant):
    return value - rate * (1 - constant * rate / 2) * norm**2


def gradient_clipping_smooth_iterations(constant, gap, accuracy):
    return 2 * constant * gap / accuracy**2


def gradient_clipping_quartic_step(theta, rate):
    return theta * (1 - 4 * rate * theta**2)


def gradient_clipping_quartic_limit(start):
    return 1 / (2 * start**2)


# --- Smoothness that grows with the gradient ------------------------------------------------


def gradient_clipping_condition(norm, l0, l1):
    return l0 + l1 * norm


def gradient_clipping_units(l0, l1, factor, stretch):
    return factor * stretch**2 * l0, stretch * l1


def gradient_clipping_all_steps(norm, length, l0, l1):
    return (l0 + l1 * norm) * length


def gradient_clipping_circulating_bound(value, inner, norm, length, l0, l1):
    return value + inner + (l0 + l1 * norm) / 2 * length**2


def gradient_clipping_soft_step(norm, l0, l1):
    threshold = l0 / l1
    return 1 / (l0 + l1 * norm), 1 / l0 * threshold / (threshold + norm)


def gradient_clipping_power_constant(power, l1):
    return power * ((power - 2) / l1) ** (power - 2)


def gradient_clipping_quartic_failure():
    return 4 * 5**3, 16 * 5


def gradient_clipping_linear_growth(norm, distance, l0, l1):
    return norm + (l0 + l1 * norm) * distance


def gradient_clipping_short_steps(place):
    return (3 * place**2 + 3 * place + 1) / (4 + place**3)


def gradient_clipping_segment(largest_norm, length, l0, l1):
    return (l0 + l1 * largest_norm) * length


def gradient_clipping_log_lipschitz(norm_there, norm_here, length, l0, l1):
    return abs(log((l0 + l1 * norm_there) / (l0 + l1 * norm_here))), l1 * length


def gradient_clipping_product(place):
    return place**2 + 1 / place**2


# --- The lemma, corrected -------------------------------------------------------------------


def gradient_clipping_gronwall(norm, length, l0, l1):
    return (l0 + l1 * norm) / l1 * (exp(l1 * length) - 1)


def gradient_clipping_lemma(value, inner, norm, length, l0, l1):
    return value + inner + (l0 + l1 * norm) / l1**2 * (exp(l1 * length) - 1 - l1 * length)


def gradient_clipping_bracket(t):
    return t**2 / 2, exp(t) - 1 - t, (exp(1) - 2) * t**2


def gradient_clipping_saturation(norm, l0, l1):
    return l1 * norm / (l0 + l1 * norm)


def gradient_clipping_lemma_descent(q):
    return 3 - exp(1), 1 - (exp(q) - 1 - q) / q**2


def gradient_clipping_lemma_step(norm, l0, l1):
    return 1 / l1 * log(1 + l1 * norm / (l0 + l1 * norm))


def gradient_clipping_lemma_step_descent(q):
    return 2 * log(2) - 1, ((1 + q) * log(1 + q) - q) / q**2


# --- Downhill -------------------------------------------------------------------------------


def gradient_clipping_slope(norm, length, l0, l1):
    return (norm + l0 / l1) * exp(-l1 * length) - l0 / l1


def gradient_clipping_reach(q, t):
    return t + log(q / (1 - (1 - q) * exp(t))), 1 / q


def gradient_clipping_turning(norm, place, heading, l0, l1, cos, sin):
    return (
        -(l0 + l1 * norm) * cos(place + heading),
        (l0 + l1 * norm) / norm * sin(place + heading),
        -l1 * sin(place + heading),
    )


def gradient_clipping_turned(first, q, t):
    return first * q * (t + log(q / (1 - (1 - q) * exp(t))))


def gradient_clipping_soft_reaches(q):
    return q + log(q / (1 - (1 - q) * exp(q))), 1 / q


def gradient_clipping_downhill(value, norm, length, l0, l1):
    return value - (norm + l0 / l1) * (1 - exp(-l1 * length)) / l1 + l0 / l1 * length


def gradient_clipping_downhill_descent(q):
    return 1 / 2, 1 - (exp(-q) - 1 + q) / q**2, 1 - exp(-1)


def gradient_clipping_half(value, norm, l0, l1):
    return value - norm**2 / (2 * (l0 + l1 * norm))


def gradient_clipping_extremal(theta, norm, l0, l1):
    return (norm + l0 / l1) / l1 * exp(l1 * theta) - l0 / l1 * theta


def gradient_clipping_line_step(norm, l0, l1):
    return 1 / l1 * log(1 + l1 * norm / l0)


def gradient_clipping_hard_descent(value, norm, l0, l1):
    return value - norm**2 / (4 * (l0 + l1 * norm))


def gradient_clipping_iterations(gap, accuracy, l0, l1):
    return 2 * gap * (l0 + l1 * accuracy) / accuracy**2


def gradient_clipping_far_steps(gap, l0, l1):
    return 4 * l1**2 * gap / l0


def gradient_clipping_fixed_iterations(gap, accuracy, largest_norm, l0, l1):
    return 2 * gap * (l0 + l1 * largest_norm) / accuracy**2


# --- Races ----------------------------------------------------------------------------------


def gradient_clipping_travel_time(step_length, start, end, quad):
    return quad(lambda theta: 1 / step_length(theta), [end, start])


def gradient_clipping_quartic_descent_time(start, end, rate):
    return (1 / end**2 - 1 / start**2) / (8 * rate)


def gradient_clipping_quartic_floor(start, end):
    return (start**2 / end**2 - 4) / 12


def gradient_clipping_quartic_soft_time(start, end, l0, l1):
    return l1 * (start - end) + l0 / 8 * (1 / end**2 - 1 / start**2)


def gradient_clipping_length_floor(distance, l1):
    return l1 * distance


def gradient_clipping_quartic_best(start, end):
    return (4 / (start * end**2)) ** (1 / 3), 3 / 2 * (4 * start**2 / end**2) ** (1 / 3)


def gradient_clipping_exponential_descent_time(start, end, rate):
    return 1 / rate * log((1 - exp(-start)) / (1 - exp(-end)))


def gradient_clipping_exponential_soft_time(start, accuracy):
    return log((exp(start) - 1) / accuracy)


# --- Noise ----------------------------------------------------------------------------------


def gradient_clipping_mean_field(factor, gradients):
    return sum(factor(abs(g)) * g for g in gradients) / len(gradients)


def gradient_clipping_huber(x, threshold):
    if abs(x) <= threshold:
        return x**2 / 2
    return threshold * (abs(x) - threshold / 2)


def gradient_clipping_fair(x, threshold):
    return threshold * abs(x) - threshold**2 * log(1 + abs(x) / threshold)


def gradient_clipping_symmetric(factor, gradient, noise):
    def inner(sign):
        moved = [g + sign * n for g, n in zip(gradient, noise, strict=True)]
        length = sqrt(sum(m * m for m in moved))
        return factor(length) * sum(m * g for m, g in zip(moved, gradient, strict=True))

    return (inner(1) + inner(-1)) / 2


def gradient_clipping_soft_signal(gradient, noise, threshold):
    return gradient * threshold**2 / ((threshold + noise) ** 2 - gradient**2)


# --- Practice -------------------------------------------------------------------------------


def gradient_clipping_value_angle(gradient, limit):
    kept = [min(abs(g), limit) for g in gradient]
    inner = sum(k * abs(g) for k, g in zip(kept, gradient, strict=True))
    return inner / (sqrt(sum(k * k for k in kept)) * sqrt(sum(g * g for g in gradient)))


def gradient_clipping_tensor_norm(threshold, tensors):
    return threshold * sqrt(tensors)


def gradient_clipping_torch_factor(norm, threshold, addend):
    return min(1, threshold / (norm + addend))


def gradient_clipping_torch_norm(norm, threshold, addend):
    return threshold * norm / (norm + addend)


def gradient_clipping_momentum_length(rate, threshold, momentum):
    return rate * threshold / (1 - momentum)


def gradient_clipping_decay_balance(factor, gradient, theta, decay):
    return factor * gradient + decay * theta


def gradient_clipping_adam_spike(spike, steps, beta_m, beta_v):
    mean = 1 + (1 - beta_m) * (spike - 1) * beta_m**steps
    return mean / sqrt(1 + (1 - beta_v) * (spike**2 - 1) * beta_v**steps)
