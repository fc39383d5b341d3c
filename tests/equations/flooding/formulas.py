"""The displayed equations of the chapter `flooding`, one function per label, literally.

`loss` is L, `level` b, `rate` the learning rate, `slope` or `gradient` a gradient of L and
`hessian` its matrix of second derivatives. `r` is a rate times an eigenvalue. A definition returns
its value, an identity (left side, right side). Nothing here calls anything else here, so that a
wrong formula cannot hide behind another.
"""

from mpmath import factorial, ncdf, npdf, pi
from tests.equations.arithmetic import exp, log, product, sqrt

# --- The loss -------------------------------------------------------------------------------


def flooding_loss(loss, level):
    return abs(loss - level) + level


def flooding_gradient(loss, level, slope):
    return ((loss > level) - (loss < level)) * slope


def flooding_subgradient(slope, share):
    return (2 * share - 1) * slope


def flooding_clamp(loss, level, slope):
    return (loss > level) * slope, (loss < level) * slope


def flooding_reflection(loss, level):
    return 2 * max(loss, level) - loss


def flooding_minimum(lowest, level):
    return max(lowest, level)


def flooding_step(theta, rate, loss, level, slope):
    return theta - rate * ((loss > level) - (loss < level)) * slope


# --- Two steps ------------------------------------------------------------------------------


def flooding_pair(theta, rate, gradient):
    return theta - rate * gradient(theta) + rate * gradient(theta - rate * gradient(theta))


def flooding_pair_expansion(theta, rate, penalty_slope, third):
    return theta - rate**2 / 2 * penalty_slope + rate**3 / 2 * third


def flooding_cubic(curvature_slope, hessian_twice):
    return curvature_slope - 2 * hessian_twice


def flooding_pair_reversed(theta, rate, gradient):
    return theta + rate * gradient(theta) - rate * gradient(theta + rate * gradient(theta))


def flooding_pair_mean(theta, rate, penalty_slope, fourth):
    return theta - rate**2 / 2 * penalty_slope - rate**4 / 6 * fourth


def flooding_quadratic_pair(rate, eigenvalue):
    return 1 - rate**2 * eigenvalue**2


def flooding_penalty_flow(rate, eigenvalue):
    return exp(-(rate**2) * eigenvalue**2)


def flooding_two_rates(theta, down, up, slope, penalty_slope):
    return theta - (down - up) * slope - down * up / 2 * penalty_slope


def flooding_implicit_descent(slope, rate, penalty_slope):
    return -(slope + rate / 4 * penalty_slope)


def flooding_implicit_ascent(slope, rate, penalty_slope):
    return slope - rate / 4 * penalty_slope


# --- On the level set -----------------------------------------------------------------------


def flooding_gradient_time(gradient, time_slope):
    return sum(a * b for a, b in zip(gradient, time_slope, strict=True))


def flooding_curvature(gradient, hessian):
    return gradient @ hessian @ gradient / (gradient @ gradient)


def flooding_time_step(time, sign, rate, curvature):
    return time - sign * rate - rate**2 / 2 * curvature


def flooding_share(rate, curvatures):
    return 1 / 2 + rate / 4 * sum(curvatures) / len(curvatures)


def flooding_line_step(name, rate, hessian_gradient, name_slope):
    return name - rate**2 / 2 * (hessian_gradient @ name_slope)


def flooding_drift(theta, rate, gradient, hessian):
    curvature = gradient @ hessian @ gradient / (gradient @ gradient)
    return theta - rate**2 / 2 * (hessian @ gradient - curvature * gradient)


def flooding_flow(gradient, penalty_slope):
    along = gradient @ penalty_slope / (gradient @ gradient)
    return -(penalty_slope - along * gradient) / 4


def flooding_decay(gradient, hessian):
    curvature = gradient @ hessian @ gradient / (gradient @ gradient)
    across = hessian @ gradient - curvature * gradient
    return -(across @ across)


def flooding_bend(gradient, hessian):
    curvature = gradient @ hessian @ gradient / (gradient @ gradient)
    return (hessian @ gradient - curvature * gradient) / (gradient @ gradient)


def flooding_stationary(gradient, hessian):
    curvature = gradient @ hessian @ gradient / (gradient @ gradient)
    return hessian @ gradient, curvature * gradient


def flooding_share_two_rates(down, up, curvature):
    return down / (down + up) + down * up / (2 * (down + up)) * curvature


def flooding_drift_two_rates(down, up):
    share = down / (down + up)
    return (1 - share) * down**2 / 2 + share * up**2 / 2, down * up / 2


def flooding_valley(level, y):
    width = 2 * level / (1 + y**2)
    top = (1 + y**2) ** 2 + width * (1 - y**2)
    return -level * y * top / ((1 + y**2) ** 2 + width * y**2)


# --- Quadratics -----------------------------------------------------------------------------


def flooding_ellipse(rate, first, second, steps):
    return -(rate**2) / 2 * (first - second) * steps


def flooding_flattest(level, eigenvalues):
    return 2 * level * min(eigenvalues), 2 * level * max(eigenvalues)


def flooding_bounded(start, level, rate, largest):
    return max(start, (1 + rate * largest) ** 2 * level)


def flooding_share_quadratic(r):
    return log(abs(1 - r)) / (log(abs(1 - r)) - log(1 + r))


def flooding_survivor(shares):
    return min(shares)


# --- Momentum and Adam ----------------------------------------------------------------------


def flooding_momentum_step(theta, velocity, rate, beta, sign, slope):
    velocity = beta * velocity + sign * slope
    return theta - rate * velocity, velocity


def flooding_shadow(theta, velocity, rate, beta):
    return theta - rate * beta / (1 - beta) * velocity


def flooding_momentum_pair(beta, r, mu):
    return mu**2 - (1 + beta**2 - r**2) * mu + beta**2


def flooding_momentum_drift(beta, r):
    return 1 - r**2 / (1 - beta**2)


def flooding_excursion_share(curvature, excursion):
    return 1 / 2 + curvature / 2 * excursion


def flooding_excursion_drift(rate, beta, excursion):
    return rate / (1 - beta) * excursion


def flooding_sign_pair(theta, rate, before, after):
    return theta - rate * (before.sign() - after.sign())


def flooding_frozen_pair(theta, rate, gradient, one_norm_slope):
    return theta - rate**2 * one_norm_slope / abs(gradient)


def flooding_adam_step(rate, beta):
    return (1 - beta) / (1 + beta) * rate


# --- Batches, sums, regularisers ------------------------------------------------------------


def flooding_jensen(batches, level):
    rows = [loss for batch in batches for loss in batch]
    full = abs(sum(rows) / len(rows) - level) + level
    means = [sum(batch) / len(batch) for batch in batches]
    batch = sum(abs(mean - level) + level for mean in means) / len(means)
    return full, batch, sum(abs(loss - level) + level for loss in rows) / len(rows)


def flooding_batch_value(mean, size):
    return mean * (1 + 2 * size**size * exp(-size) / factorial(size))


def flooding_batch_balance(chances, losses, slopes, level):
    terms = zip(chances, losses, slopes, strict=True)
    return sum(chance * ((loss > level) - (loss < level)) * slope for chance, loss, slope in terms)


def flooding_batch_variance(variance, rows, size):
    return variance / size * (rows - size) / (rows - 1)


def flooding_batch_normal(gap, spread):
    height = sqrt(2 / pi) * spread * exp(-((gap / spread) ** 2) / 2)
    return height + gap * (1 - 2 * ncdf(-gap / spread))


def flooding_batch_spread(spread):
    return sqrt(2 / pi) * spread


def flooding_sum(losses, level):
    size = len(losses)
    mean = sum(losses) / size
    return abs(sum(losses) - level) + level, size * (abs(mean - level / size) + level / size)


def flooding_total(level, penalty):
    return level - penalty


# --- Estimating the risk --------------------------------------------------------------------


def flooding_gain(risk, level, shortfall):
    return 4 * (risk - level) * shortfall


def flooding_gain_gaussian(z, spread):
    return -4 * spread**2 * z * (z * ncdf(z) + npdf(z))


def flooding_best_level(risk, level, shortfall, chance):
    return shortfall, (risk - level) * chance


def flooding_best_gaussian(z):
    return 2 * z * ncdf(z) + npdf(z)


def flooding_gain_clamp(risk, level, shortfall, squared_shortfall):
    return 2 * (risk - level) * shortfall + squared_shortfall


def flooding_clamp_wins(risk, level, shortfall, squared_shortfall_of_risk):
    return 4 * (risk - level) * shortfall, squared_shortfall_of_risk


# --- Label noise ----------------------------------------------------------------------------


def flooding_floor(flip, classes):
    return -(1 - flip) * log(1 - flip) - flip * log(flip / (classes - 1))


def flooding_floor_spread(flip, classes, size):
    return log((1 - flip) * (classes - 1) / flip) * sqrt(flip * (1 - flip) / size)


def flooding_floor_smoothing(smoothing, classes):
    own, other = 1 - smoothing + smoothing / classes, smoothing / classes
    return -own * log(own) - (classes - 1) * other * log(other)


def flooding_confidence(chances):
    loss = -sum(log(chance) for chance in chances) / len(chances)
    return product(chances) ** (1 / len(chances)), exp(-loss)


def flooding_calibrated(flip, classes, memorised):
    floor = -(1 - flip) * log(1 - flip) - flip * log(flip / (classes - 1))
    return floor - memorised * flip * log((1 - flip) * (classes - 1) / flip)


def flooding_temperature(t, flip):
    return log(1 + exp(-t)) + flip * t


def flooding_temperature_level(flip, excess):
    return log((1 - flip) / flip) - sqrt(2 * excess / (flip * (1 - flip)))
