"""The displayed equations of the chapter `imbalance-revisited`, one function per label.

`s` is a score, `p` the probability sigmoid(s) that it gives to the positive class, `eta` the true
probability. A definition returns its value, an identity returns (left side, right side), a bound
returns its terms from the smallest to the largest, and where an equation prints one value for a
positive and one for a negative example they are returned in this order. Functions that an equation
leaves open, such as the two slopes of a loss, are handed in. Nothing here calls anything else here,
so that a wrong formula cannot hide behind another.
"""

from tests.equations.arithmetic import exp, log, sqrt

# --- The question ---------------------------------------------------------------------------


def imbalance_revisited_cross_entropy(s):
    return log(1 + exp(-s)), log(1 + exp(s))


def imbalance_revisited_cross_entropy_slope(p):
    return -(1 - p), p


def imbalance_revisited_push(positives, negatives):
    return sum(1 - p for p in positives), sum(p for p in negatives)


# --- A loss is its slope --------------------------------------------------------------------


def imbalance_revisited_weight(p, slope_positive, slope_negative):
    return -slope_positive / (1 - p), slope_negative / p


def imbalance_revisited_gradient(weights, gradients):
    return sum(w * g for w, g in zip(weights, gradients, strict=True))


def imbalance_revisited_loss_from_weight(p, weight_positive, weight_negative, integral):
    positive = integral(lambda v: weight_positive(v) / v, p, 1)
    negative = integral(lambda v: weight_negative(v) / (1 - v), 0, p)
    return positive, negative


def imbalance_revisited_outer_function(slope_of_outer, cross_entropy, gradient):
    return slope_of_outer(cross_entropy) * gradient


def imbalance_revisited_second_derivative(p, weight, slope_of_weight):
    return p * (1 - p) * (weight - (1 - p) * slope_of_weight)


def imbalance_revisited_frozen(weights, cross_entropies):
    return sum(w * loss for w, loss in zip(weights, cross_entropies, strict=True))


def imbalance_revisited_scale(a, mean, mean_of_squares):
    return a * mean / sqrt(a**2 * mean_of_squares), mean / sqrt(mean_of_squares)


# --- What the two weights decide ------------------------------------------------------------


def imbalance_revisited_risk(eta, loss_positive, loss_negative):
    return eta * loss_positive + (1 - eta) * loss_negative


def imbalance_revisited_risk_slope(eta, p, weight_positive, weight_negative):
    return (1 - eta) * weight_negative * p - eta * weight_positive * (1 - p)


def imbalance_revisited_calibration(p, weight_positive, weight_negative):
    return log(p / (1 - p)) + log(weight_negative / weight_positive)


def imbalance_revisited_proper(p, weight_positive, weight_negative):
    return weight_positive(p) / weight_negative(p)


def imbalance_revisited_threshold(weight_positive, weight_negative):
    return weight_negative / (weight_positive + weight_negative)


def imbalance_revisited_mirror(s, loss_positive, loss_negative):
    return loss_negative(s), loss_positive(-s)


def imbalance_revisited_symmetric_risk(eta, a, b, risk, opposite_risk, loss, opposite_loss):
    return risk - opposite_risk, (a * eta - b * (1 - eta)) * (loss - opposite_loss)


def imbalance_revisited_weighted_threshold(a, b):
    return b / (a + b)


def imbalance_revisited_brier(p):
    return (1 - p) ** 2, p**2, 2 * p * (1 - p)


# --- From accuracy to cross-entropy ---------------------------------------------------------


def imbalance_revisited_smooth_accuracy(probabilities, labels):
    return sum(y * (1 - p) + (1 - y) * p for p, y in zip(probabilities, labels, strict=True))


def imbalance_revisited_smooth_accuracy_slope(p):
    return -p * (1 - p), p * (1 - p)


def imbalance_revisited_logarithm(p, slope):
    return slope / p


def imbalance_revisited_escape(z):
    return 2 * z + exp(z) - exp(-z), z + 1 - exp(-z)


def imbalance_revisited_noise(rate, loss, other):
    return (1 - rate) * loss + rate * other, rate + (1 - 2 * rate) * loss


def imbalance_revisited_noise_entropy(rate, eta):
    return (1 - rate) * eta + rate * (1 - eta)


# --- Recall, precision and F1 ---------------------------------------------------------------


def imbalance_revisited_soft_counts(probabilities, labels):
    true = sum(y * p for p, y in zip(probabilities, labels, strict=True))
    return true / sum(probabilities), true / sum(labels)


def imbalance_revisited_soft_f_one(probabilities, labels):
    true = sum(y * p for p, y in zip(probabilities, labels, strict=True))
    return 2 * true / sum(p + y for p, y in zip(probabilities, labels, strict=True))


def imbalance_revisited_soft_counts_slope(precision, probabilities, labels, i):
    return (labels[i] - precision) / sum(probabilities), labels[i] / sum(labels)


def imbalance_revisited_soft_f_one_slope(f_one, probabilities, labels, i):
    total = sum(p + y for p, y in zip(probabilities, labels, strict=True))
    return (2 * labels[i] - f_one) / total


def imbalance_revisited_f_one_weights(f_one, positives, negatives):
    return -(1 - f_one / 2) * sum(log(p) for p in positives) - f_one / 2 * sum(
        log(1 - p) for p in negatives
    )


def imbalance_revisited_f_one_population(cells):
    """`cells`: (probability of the cell, eta, decision)."""
    numerator = 2 * sum(mass * eta * decision for mass, eta, decision in cells)
    return numerator / sum(mass * (eta + decision) for mass, eta, decision in cells)


def imbalance_revisited_f_one_compare(cells, level):
    left = sum(mass * (2 * eta - level) * decision for mass, eta, decision in cells)
    right = level * sum(mass * eta for mass, eta, decision in cells)
    return left, right


def imbalance_revisited_f_one_threshold(eta, best):
    return eta > best / 2


def imbalance_revisited_f_one_iteration(level, f_one_of_threshold):
    return f_one_of_threshold(level / 2)


def imbalance_revisited_f_one_own_threshold(f_one):
    return (f_one / 2) / ((1 - f_one / 2) + f_one / 2), f_one / 2


def imbalance_revisited_empty_batch(share, size):
    return (1 - share) ** size


# --- Truncation, and a softer one -----------------------------------------------------------


def imbalance_revisited_truncated(p_true, kappa):
    return -(p_true < kappa) * log(p_true)


def imbalance_revisited_truncated_risk(eta, p):
    return -eta * (1 - p) * (2 * p < 1) + (1 - eta) * p * (2 * p > 1)


def imbalance_revisited_truncated_window(eta, kappa):
    return min(kappa, max(1 - kappa, eta))


def imbalance_revisited_softened(u, sharpness):
    return -1 / (1 + exp(sharpness * u)) * log(1 / (1 + exp(-u)))


def imbalance_revisited_softened_slope(p, sharpness, fade):
    return fade * (1 - p - sharpness * (1 - fade) * log(p))


def imbalance_revisited_softened_odds(u, sharpness, p):
    left = 1 / (1 + exp(sharpness * u))
    right = (1 - p) ** sharpness / (p**sharpness + (1 - p) ** sharpness)
    return left, right


def imbalance_revisited_softened_ratio(p, sharpness):
    return 1, 1 / (p**sharpness + (1 - p) ** sharpness), 2 ** (sharpness - 1)


# --- Focal ----------------------------------------------------------------------------------


def imbalance_revisited_focal(p, alpha, gamma):
    return -alpha * (1 - p) ** gamma * log(p), -(1 - alpha) * p**gamma * log(1 - p)


def imbalance_revisited_focal_slope(p, gamma):
    return -((1 - p) ** gamma) * (1 - p - gamma * p * log(p))


def imbalance_revisited_focal_weight(p, gamma):
    return (1 - p) ** gamma * (1 - gamma * p * log(p) / (1 - p))


def imbalance_revisited_focal_calibration(p, gamma):
    on = (1 - p) ** gamma * (1 - p - gamma * p * log(p))
    off = p**gamma * (p - gamma * (1 - p) * log(1 - p))
    return off / (on + off)


def imbalance_revisited_focal_excess(p, gamma):
    excess = gamma * p * (p - 1 - log(p)) / (1 - p - gamma * p * log(p))
    return 0, excess, gamma * (1 - p) / (1 + gamma)


def imbalance_revisited_focal_stretch(p, gamma):
    def excess(v):
        return gamma * v * (v - 1 - log(v)) / (1 - v - gamma * v * log(v))

    return 1 + gamma - excess(p) - excess(1 - p)


def imbalance_revisited_focal_bounds(gamma, stretch):
    return 1 + gamma**2 / (1 + gamma), stretch, 1 + gamma


def imbalance_revisited_focal_threshold(alpha):
    return 1 - alpha


def imbalance_revisited_softmax_focal(probabilities, target, gamma):
    return -((1 - probabilities[target]) ** gamma) * log(probabilities[target])


def imbalance_revisited_softmax_recover(probabilities, weight):
    total = sum(p / weight(p) for p in probabilities)
    return [p / weight(p) / total for p in probabilities]


# --- Dice -----------------------------------------------------------------------------------


def imbalance_revisited_dice(probabilities, labels, smoothing):
    both = 2 * sum(y * p for p, y in zip(probabilities, labels, strict=True)) + smoothing
    return 1 - both / (sum(probabilities) + sum(labels) + smoothing)


def imbalance_revisited_squared_population(cells):
    """`cells`: (probability of the cell, eta, p)."""
    numerator = 2 * sum(mass * eta * p for mass, eta, p in cells)
    return numerator / sum(mass * (p**2 + eta) for mass, eta, p in cells)


def imbalance_revisited_squared_optimum(eta, best):
    return min(1, eta / best)


def imbalance_revisited_self_adjusting_dice(p, y, alpha, smoothing):
    v = (1 - p) ** alpha * p
    return 1 - (2 * v * y + smoothing) / (v + y + smoothing)


def imbalance_revisited_dice_sides(v, smoothing):
    return (1 - v) / (1 + v + smoothing), v / (v + smoothing)


def imbalance_revisited_dice_optimum(alpha):
    return 1 / (1 + alpha)


def imbalance_revisited_dice_ends(smoothing):
    return 1 / (1 + smoothing)


def imbalance_revisited_dice_product_slope(p, alpha):
    return (1 - p) ** (alpha - 1) * (1 - (1 + alpha) * p)


def imbalance_revisited_dice_slope(p, alpha, smoothing):
    v = (1 - p) ** alpha * p
    return -(2 + smoothing) / (1 + v + smoothing) ** 2 * v * (1 - (1 + alpha) * p)


def imbalance_revisited_dice_threshold(v, smoothing):
    return (1 + smoothing) * (1 + v + smoothing) / ((2 + smoothing) * (v + smoothing))


def imbalance_revisited_dice_squared(v, y, smoothing):
    return 1 - (2 * v * y + smoothing) / (v**2 + y + smoothing)


# --- Margins inside, weights outside --------------------------------------------------------


def imbalance_revisited_margin(u, margin):
    return log(1 + exp(margin - u))


def imbalance_revisited_margin_weight(p, margin):
    return 1 / (1 - p + exp(-margin) * p)


def imbalance_revisited_margin_threshold(margin_positive, margin_negative):
    on = 1 / (1 + exp(-margin_positive))
    off = 1 / (1 + exp(-margin_negative))
    return off / (on + off)


def imbalance_revisited_balanced_error(share, missed, false_alarms):
    return missed / (2 * share) + false_alarms / (2 * (1 - share))


def imbalance_revisited_balanced_threshold(eta, share):
    return eta > share


def imbalance_revisited_adjusted(s, share, tau):
    shift = tau * log((1 - share) / share)
    return log(1 + exp(-(s - shift))), log(1 + exp(s - shift))


def imbalance_revisited_both(share):
    return share**2 / (share**2 + (1 - share) ** 2)


def imbalance_revisited_tail(u, margin):
    difference = exp(margin) * log(1 + exp(-u)) - log(1 + exp(margin - u))
    return 0, difference, exp(2 * (margin - u)) / 2


def imbalance_revisited_tail_negative(u, margin):
    difference = log(1 + exp(margin - u)) - exp(margin) * log(1 + exp(-u))
    return 0, difference, exp(margin - 2 * u) / 2


def imbalance_revisited_boundary(a, weight):
    root = sqrt((weight - 1) ** 2 + 4 * weight * exp(2 * a))
    return log((weight - 1 + root) / (2 * exp(a))), log(weight)


def imbalance_revisited_max_margin(direction, points, signs):
    length = sqrt(sum(d**2 for d in direction))
    return min(
        y * sum(d * x for d, x in zip(direction, point, strict=True)) / length
        for point, y in zip(points, signs, strict=True)
    )


def imbalance_revisited_scaled(u, scale):
    return log(1 + exp(-scale * u)) / scale


def imbalance_revisited_scaled_margin(direction, points, signs, scales):
    length = sqrt(sum(d**2 for d in direction))
    return min(
        k * y * sum(d * x for d, x in zip(direction, point, strict=True)) / length
        for point, y, k in zip(points, signs, scales, strict=True)
    )


# --- Weights or thresholds ------------------------------------------------------------------


def imbalance_revisited_cost_threshold(cost):
    return 1 / (1 + cost)


def imbalance_revisited_cost_shift(eta, cost):
    return log(eta / (1 - eta)) + log(cost)


def imbalance_revisited_prior_shift(eta_in_use, s, share_in_use, share):
    left = log(eta_in_use / (1 - eta_in_use))
    right = s + log(share_in_use / (1 - share_in_use)) - log(share / (1 - share))
    return left, right


def imbalance_revisited_calibration_error(bins):
    """`bins`: (number of examples, mean probability, share of positives)."""
    everything = sum(count for count, mean, share in bins)
    return sum(count * abs(mean - share) for count, mean, share in bins) / everything


# --- One formula ----------------------------------------------------------------------------


def imbalance_revisited_same_formula(scores, pairs):
    """`pairs`: (index that is to lose, index that is to win, offset)."""
    return log(1 + sum(exp(scores[i] - scores[j] + offset) for i, j, offset in pairs))
