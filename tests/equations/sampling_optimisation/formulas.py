"""The displayed equations of the chapter `sampling-optimisation`, one function per label.

`loss` is a function of the parameters, `alpha` the temperature, `delta` a step. `integral` and
`mean` are functions that integrate, or average, a function of one step. An identity returns its
sides, a chain of inequalities its terms from the smallest to the largest. Nothing here calls
anything else here, so that a wrong formula cannot hide behind another.
"""

from mpmath import besseli, cosh, coth, gamma, pi, sinh
from tests.equations.arithmetic import exp, log, product, sqrt

# --- The update as a mean -------------------------------------------------------------------


def sampling_optimisation_density(loss, theta, delta, alpha, integral):
    def weight(step):
        return exp(-(loss(theta + step) - loss(theta)) / alpha)

    return weight(delta) / integral(weight), integral(weight)


def sampling_optimisation_update(density, integral):
    return integral(lambda step: step * density(step))


def sampling_optimisation_one_step(loss, alpha, integral):
    top = integral(lambda place: place * exp(-loss(place) / alpha))
    return top / integral(lambda place: exp(-loss(place) / alpha))


def sampling_optimisation_tails(growth, alpha, d):
    return pi ** (d / 2) * gamma((growth / alpha - d) / 2) / gamma(growth / (2 * alpha))


def sampling_optimisation_bounded(highest, alpha, radius, d, volume):
    return exp(-highest / alpha) * volume * radius**d


def sampling_optimisation_reference(loss, theta, alpha, mean):
    top = mean(lambda step: step * exp(-loss(theta + step) / alpha))
    return top / mean(lambda step: exp(-loss(theta + step) / alpha))


def sampling_optimisation_variational(loss, alpha, reference, trial):
    left = -alpha * log(
        sum(m * exp(-each / alpha) for m, each in zip(reference, loss, strict=True))
    )
    cost = sum(p * each for p, each in zip(trial, loss, strict=True))
    divergence = sum(p * log(p / m) for p, m in zip(trial, reference, strict=True))
    return left, cost + alpha * divergence


# --- Cold and hot ---------------------------------------------------------------------------


def sampling_optimisation_concentration(radius, gap, alpha, start, moment, volume):
    constant = exp(gap / start) * moment / volume
    return radius + constant * exp(-gap / (2 * alpha))


def sampling_optimisation_wells(depths, curvatures, alpha, i):
    heights = [
        exp(-depth / alpha) / sqrt(curvature)
        for depth, curvature in zip(depths, curvatures, strict=True)
    ]
    return heights[i] / sum(heights)


def sampling_optimisation_crossover(deep, wide):
    (low, narrow), (high, broad) = deep, wide
    return 2 * (high - low) / log(narrow / broad)


def sampling_optimisation_plateau(inside, integral):
    return integral(lambda place: place * inside(place)) / integral(inside)


def sampling_optimisation_hot(loss, theta, mean):
    product_mean = mean(lambda step: step * loss(theta + step))
    return -(product_mean - mean(lambda step: step) * mean(lambda step: loss(theta + step)))


# --- First order ----------------------------------------------------------------------------


def sampling_optimisation_no_normaliser(gradient, alpha, side):
    return product(2 * alpha / g * sinh(side * g / alpha) for g in gradient)


def sampling_optimisation_ball_normaliser(radius, d, x):
    return (2 * pi) ** (d / 2) * radius**d * x ** (-d / 2) * besseli(d / 2, x)


def sampling_optimisation_log_partition(alpha, slope_of_log_normaliser):
    return -alpha * slope_of_log_normaliser


def sampling_optimisation_ball_step(gradient, radius, alpha):
    d = len(gradient)
    norm = sqrt(sum(g**2 for g in gradient))
    x = radius * norm / alpha
    ratio = besseli(d / 2 + 1, x) / besseli(d / 2, x)
    return [-radius * ratio * g / norm for g in gradient]


def sampling_optimisation_langevin(g, radius, alpha):
    return -(radius * coth(radius * g / alpha) - alpha / g)


def sampling_optimisation_recursion(d, x, ratio_above):
    return x / (d + 2 + x * ratio_above)


def sampling_optimisation_spread(d, x, ratio):
    return 1 - ratio**2 - (d + 1) * ratio / x


def sampling_optimisation_across(x, ratio, radius):
    return radius**2 * ratio / x


def sampling_optimisation_bounds(d, x, ratio):
    c = (d + 1) / 2
    return x / (c + sqrt(x**2 + (c + 1) ** 2)), ratio, x / (c + sqrt(x**2 + c**2))


def sampling_optimisation_hot_limit(d, x, ratio):
    return x / (d + 2 + x**2 / (d + 4)), ratio, x / (d + 2)


def sampling_optimisation_cold_limit(d, x):
    return 1 - (d + 1) / (2 * x) + (d**2 - 1) / (8 * x**2)


def sampling_optimisation_soft_hard(norm, threshold, ratio):
    return norm / (norm + threshold), ratio, min(norm / threshold, 1)


def sampling_optimisation_soft_gap(d, norm, threshold, ratio):
    return 1, ratio * (norm + threshold) / norm, 5 / 4 + 1 / (d + 1)


def sampling_optimisation_large_dimension(d, norm, threshold, ratio):
    return ratio, norm / (threshold + sqrt(threshold**2 + norm**2)), (1 + 1 / (d + 1)) * ratio


def sampling_optimisation_limit_form(norm, threshold):
    s = norm / threshold
    return s / (2 + s), s / (1 + sqrt(1 + s**2)), 5 / 4 * s / (2 + s)


def sampling_optimisation_kink(threshold):
    return -2 / threshold, 2 / threshold


def sampling_optimisation_clipping_references(length, radius, threshold):
    hard = threshold * length**2 / (2 * radius)
    return hard, -threshold * (length + radius * log(1 - length / radius))


def sampling_optimisation_box(gradient, radius, alpha):
    return [-(radius * coth(radius * g / alpha) - alpha / g) for g in gradient]


def sampling_optimisation_gaussian_linear(gradient, sigma, alpha):
    return [-(sigma**2) / alpha * g for g in gradient]


# --- Second order and beyond ----------------------------------------------------------------


def sampling_optimisation_newton(gradient, hessian, alpha):
    inverse = hessian**-1
    return -inverse * gradient, alpha * inverse


def sampling_optimisation_damped(gradient, hessian, alpha, sigma, identity):
    inverse = (hessian + alpha / sigma**2 * identity) ** -1
    return -inverse * gradient, alpha * inverse


def sampling_optimisation_cubic(g, h, alpha):
    return -(g**2) / (2 * h**3) - alpha / (2 * h**2)


def sampling_optimisation_shift(second, third):
    return -third / (2 * second**2)


def sampling_optimisation_flatter(hessian, slope_of_log_determinant):
    return -(hessian**-1) * slope_of_log_determinant / 2


# --- The free energy ------------------------------------------------------------------------


def sampling_optimisation_free_energy(loss, theta, alpha, mean):
    return -alpha * log(mean(lambda step: exp(-loss(theta + step) / alpha)))


def sampling_optimisation_gradient_identity(slope_of_free_energy, alpha, sigma):
    return -(sigma**2) / alpha * slope_of_free_energy


def sampling_optimisation_curvature(covariance, alpha, sigma, identity):
    return alpha / sigma**2 * (identity - covariance / sigma**2)


def sampling_optimisation_descent(before, step, alpha, sigma):
    return before - alpha / (2 * sigma**2) * step**2


def sampling_optimisation_steps_vanish(first, lowest, alpha, sigma):
    return 2 * sigma**2 / alpha * (first - lowest)


def sampling_optimisation_cumulants(mean, variance, alpha):
    return mean - variance / (2 * alpha)


def sampling_optimisation_evolution(loss, theta, sigma, mean_normal):
    return -sigma * mean_normal(lambda z: z * loss(theta + sigma * z))


def sampling_optimisation_proximal(loss, theta, rate, places):
    return min(loss(place) + (place - theta) ** 2 / (2 * rate) for place in places)


def sampling_optimisation_chain(curvature, alpha, rate):
    return alpha / (curvature * (1 - rate * curvature / 2))


# --- Sampling outputs -----------------------------------------------------------------------


def sampling_optimisation_policy_gradient(probabilities, costs, slopes, baseline):
    return sum(
        p * (cost - baseline) * slope
        for p, cost, slope in zip(probabilities, costs, slopes, strict=True)
    )


def sampling_optimisation_gumbel(scores, costs, i):
    weights = [exp(score) for score in scores]
    total = sum(weights)
    return sum(
        weight / total * cost * ((y == i) - weights[i] / total)
        for y, (weight, cost) in enumerate(zip(weights, costs, strict=True))
    )


def sampling_optimisation_gumbel_score(noise):
    return 1 - exp(-noise)


def sampling_optimisation_rao_blackwell(probabilities, costs, i):
    return sum(
        p * cost**2 * ((y != i) + probabilities[i] ** 2)
        for y, (p, cost) in enumerate(zip(probabilities, costs, strict=True))
    )


# --- Weighted samples -----------------------------------------------------------------------


def sampling_optimisation_weights(losses, proposals, alpha, i):
    raw = [exp(-loss / alpha) / q for loss, q in zip(losses, proposals, strict=True)]
    return raw[i] / sum(raw)


def sampling_optimisation_bias(weight, target_mean, mean):
    top = mean(lambda step: weight(step) ** 2 * (step - target_mean))
    return -top / mean(weight) ** 2


def sampling_optimisation_variance(weight, target_mean, mean):
    top = mean(lambda step: weight(step) ** 2 * (step - target_mean) ** 2)
    return top / mean(weight) ** 2


def sampling_optimisation_effective_size(weights):
    return sum(weights) ** 2 / sum(w**2 for w in weights)


def sampling_optimisation_size_limit(weight, mean):
    return mean(weight) ** 2 / mean(lambda step: weight(step) ** 2)


def sampling_optimisation_displaced(distance, s):
    return exp(-((distance / s) ** 2))


def sampling_optimisation_too_wide(tau, sigma, d):
    return (tau * sqrt(2 * sigma**2 - tau**2) / sigma**2) ** d


def sampling_optimisation_bounded_size(n, spread, alpha):
    return n / cosh(spread / (2 * alpha)) ** 2


def sampling_optimisation_reach(spread, alpha, sigma):
    return sigma * sinh(spread / (2 * alpha))


def sampling_optimisation_mixture(noise_density, guided_density, share):
    return (1 - share) * noise_density + share * guided_density


def sampling_optimisation_split(weights, noises, guided, rate, gradient):
    follow = sum(w for w, g in zip(weights, guided, strict=True) if g)
    return -rate * follow * gradient + sum(w * e for w, e in zip(weights, noises, strict=True))


def sampling_optimisation_noise(weights, s, d):
    return s**2 * d * sum(w**2 for w in weights)


def sampling_optimisation_stratified(shares, component_means, n):
    overall = sum(share * m for share, m in zip(shares, component_means, strict=True))
    return (
        sum(share * (m - overall) ** 2 for share, m in zip(shares, component_means, strict=True))
        / n
    )


def sampling_optimisation_unit_weights(density_drawn, density_assumed):
    return density_drawn / density_assumed


def sampling_optimisation_unit_bound(distance, reach):
    least = (exp(-(reach**2) / 2) + exp(-((distance + reach) ** 2) / 2)) / 2
    return exp(-(distance**2) / 8) / least


def sampling_optimisation_pooled(losses, alpha, i):
    raw = [
        product(exp(-each / alpha) for each in column) ** (1 / len(column))
        for column in zip(*losses, strict=True)
    ]
    return raw[i] / sum(raw)


def sampling_optimisation_each(losses, alpha, i):
    batch = len(losses)
    return (
        sum(exp(-row[i] / alpha) / sum(exp(-each / alpha) for each in row) for row in losses)
        / batch
    )


def sampling_optimisation_batch(mean, variance, batch, alpha):
    return mean - variance / (2 * batch * alpha)


def sampling_optimisation_adam(gradient, rate, constant):
    return -rate * gradient / (abs(gradient) + constant)


def sampling_optimisation_adam_noise(variance, memory):
    return (1 - memory) / (1 + memory) * variance
