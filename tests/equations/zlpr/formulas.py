"""The displayed equations of the chapter `zlpr`, one function per label, transcribed literally.

`pos` and `neg` are the scores of the positive and of the negative labels. A definition returns its
value, an identity returns (left side, right side), a bound returns its terms from the smallest to
the largest. Nothing here calls anything else here, so that a wrong formula cannot hide behind
another.
"""

from itertools import combinations

from tests.equations.arithmetic import exp, log, product, sqrt

# --- The question ---------------------------------------------------------------------------


def zlpr_bce(pos, neg):
    return sum(log(1 + exp(-s)) for s in pos) + sum(log(1 + exp(s)) for s in neg)


# --- Road 1: a softmax over subsets ---------------------------------------------------------


def zlpr_subset_softmax(subset, scores):
    k = len(subset)
    return exp(sum(scores[i] for i in subset)) / sum(
        exp(sum(scores[i] for i in other)) for other in combinations(range(len(scores)), k)
    )


def zlpr_subset_normaliser(scores, k):
    return sum(exp(sum(chosen)) for chosen in combinations(scores, k))


def zlpr_generating_function(scores, z):
    left = product(1 + exp(s) * z for s in scores)
    right = sum(
        sum(exp(sum(chosen)) for chosen in combinations(scores, k)) * z**k
        for k in range(len(scores) + 1)
    )
    return left, right


def zlpr_power_sum(scores, j):
    return sum(exp(j * s) for s in scores)


def zlpr_newton(normalisers, power_sums, k):
    left = k * normalisers[k]
    right = sum((-1) ** (j - 1) * normalisers[k - j] * power_sums[j] for j in range(1, k + 1))
    return left, right


def zlpr_subset_recursion(z_same, z_fewer, score):
    return z_same + exp(score) * z_fewer


def zlpr_padding_sum(normalisers, padding, largest):
    return sum(exp((largest - k) * padding) * normalisers[k] for k in range(largest + 1))


def zlpr_padding(z_largest, z_padded_before, padding):
    return z_largest + exp(padding) * z_padded_before


def zlpr_subset_gradient(scores, subset, i, k):
    others = [s for j, s in enumerate(scores) if j != i]
    without = sum(exp(sum(chosen)) for chosen in combinations(others, k - 1))
    everything = sum(exp(sum(chosen)) for chosen in combinations(scores, k))
    return exp(scores[i]) * without / everything - (i in subset)


# --- Road 2: the smooth maximum -------------------------------------------------------------


def zlpr_softmax_odds(target, others):
    left = -log(exp(target) / (exp(target) + sum(exp(s) for s in others)))
    right = log(1 + sum(exp(s - target) for s in others))
    return left, right


def zlpr_smooth_max(values):
    return max(values), log(sum(exp(x) for x in values)), max(values) + log(len(values))


def zlpr_softmax_hinge(target, others):
    margin = max(0, *(s - target for s in others))
    loss = log(1 + sum(exp(s - target) for s in others))
    return margin, loss, margin + log(1 + len(others))


def zlpr_pairwise(pos, neg):
    return log(1 + sum(exp(si - sj) for si in neg for sj in pos))


def zlpr_pairwise_product(pos, neg):
    return log(1 + sum(exp(s) for s in neg) * sum(exp(-s) for s in pos))


def zlpr_unified(pos, neg, scale, margin):
    return log(1 + sum(exp(scale * (si - sj + margin)) for si in neg for sj in pos))


def zlpr_threshold(pos, neg, s0):
    return log(
        1
        + sum(exp(si - sj) for si in neg for sj in pos)
        + sum(exp(si - s0) for si in neg)
        + sum(exp(s0 - sj) for sj in pos)
    )


def zlpr_threshold_factored(pos, neg, s0):
    return log(exp(s0) + sum(exp(s) for s in neg)) + log(exp(-s0) + sum(exp(-s) for s in pos))


def zlpr_loss(pos, neg):
    return log(1 + sum(exp(s) for s in neg)) + log(1 + sum(exp(-s) for s in pos))


def zlpr_prediction(scores):
    return {i for i, s in enumerate(scores) if s > 0}


def zlpr_best_threshold(pos, neg):
    a = sum(exp(s) for s in neg)
    b = sum(exp(-s) for s in pos)
    return (log(a) - log(b)) / 2, 2 * log(1 + sqrt(a * b))


# --- The gradient ---------------------------------------------------------------------------


def zlpr_gradient_negative(neg, i):
    return exp(neg[i]) / (1 + sum(exp(s) for s in neg))


def zlpr_gradient_positive(pos, j):
    return -exp(-pos[j]) / (1 + sum(exp(-s) for s in pos))


def zlpr_mass_negative(neg):
    a = sum(exp(s) for s in neg)
    return a / (1 + a)


def zlpr_mass_positive(pos):
    b = sum(exp(-s) for s in pos)
    return b / (1 + b)


def zlpr_mass_loss(part):
    return 1 - exp(-part)


def zlpr_mass_bce(neg):
    return sum(1 / (1 + exp(-s)) for s in neg)


def zlpr_mass_at_zero(negatives):
    return negatives / (1 + negatives), negatives / 2


def zlpr_mass_share(neg, i):
    return exp(neg[i]) / sum(exp(s) for s in neg)


# --- Size and bounds ------------------------------------------------------------------------


def zlpr_value_at_zero(positives, negatives):
    return log((1 + positives) * (1 + negatives))


def zlpr_expanded(pos, neg):
    a = sum(exp(s) for s in neg)
    b = sum(exp(-s) for s in pos)
    return log(1 + a + b + a * b)


def zlpr_sandwich(pos, neg):
    margin = max(0, *neg) + max(0, *(-s for s in pos))
    loss = log(1 + sum(exp(s) for s in neg)) + log(1 + sum(exp(-s) for s in pos))
    return margin, loss, margin + log((1 + len(pos)) * (1 + len(neg)))


def zlpr_temperature(pos, neg, scale):
    margin = max(0, *neg) + max(0, *(-s for s in pos))
    loss = (
        log(1 + sum(exp(scale * s) for s in neg)) + log(1 + sum(exp(-scale * s) for s in pos))
    ) / scale
    return margin, loss, margin + log((1 + len(pos)) * (1 + len(neg))) / scale


def zlpr_error_count(pos, neg):
    false_positives = sum(s >= 0 for s in neg)
    false_negatives = sum(s <= 0 for s in pos)
    product_of_sums = (1 + sum(exp(s) for s in neg)) * (1 + sum(exp(-s) for s in pos))
    return (1 + false_positives) * (1 + false_negatives), product_of_sums


def zlpr_subset_error(pos, neg):
    wrong = any(s >= 0 for s in neg) or any(s <= 0 for s in pos)
    loss = log(1 + sum(exp(s) for s in neg)) + log(1 + sum(exp(-s) for s in pos))
    return wrong, loss / log(2)


def zlpr_pair_count(pos, neg):
    reversed_pairs = sum(si >= sj for si in neg for sj in pos)
    pairs = sum(exp(si - sj) for si in neg for sj in pos)
    product_of_sums = (1 + sum(exp(s) for s in neg)) * (1 + sum(exp(-s) for s in pos))
    return 1 + reversed_pairs, 1 + pairs, product_of_sums


# --- Curvature ------------------------------------------------------------------------------


def zlpr_hessian(neg, i, k):
    a = sum(exp(s) for s in neg)
    return exp(neg[i]) / (1 + a) * ((i == k) - exp(neg[k]) / (1 + a))


def zlpr_convexity(neg, v):
    a = sum(exp(s) for s in neg)
    g = [exp(s) / (1 + a) for s in neg]
    lower = sum(gi * vi**2 for gi, vi in zip(g, v, strict=True)) / (1 + a)
    form = (
        sum(gi * vi**2 for gi, vi in zip(g, v, strict=True))
        - sum(gi * vi for gi, vi in zip(g, v, strict=True)) ** 2
    )
    return lower, form


def zlpr_smoothness(neg, v):
    a = sum(exp(s) for s in neg)
    g = [exp(s) / (1 + a) for s in neg]
    form = (
        sum(gi * vi**2 for gi, vi in zip(g, v, strict=True))
        - sum(gi * vi for gi, vi in zip(g, v, strict=True)) ** 2
    )
    return form, sum(vi**2 for vi in v) / 2


def zlpr_lipschitz_max(difference):
    return 2 * max(abs(d) for d in difference)


def zlpr_lipschitz_euclidean(difference):
    return sqrt(2) * sqrt(sum(d**2 for d in difference))


def zlpr_lipschitz_bce(difference):
    return len(difference) * max(abs(d) for d in difference)


# --- Relation to binary cross-entropy and to softmax -----------------------------------------


def zlpr_bce_product(neg):
    left = sum(log(1 + exp(s)) for s in neg)
    right = log(
        1
        + sum(exp(s) for s in neg)
        + sum(exp(sum(chosen)) for k in range(2, len(neg) + 1) for chosen in combinations(neg, k))
    )
    return left, right


def zlpr_below_bce(pos, neg):
    loss = log(1 + sum(exp(s) for s in neg)) + log(1 + sum(exp(-s) for s in pos))
    bce = sum(log(1 + exp(s)) for s in neg) + sum(log(1 + exp(-s)) for s in pos)
    return loss, bce


def zlpr_bce_gap(neg):
    a = sum(exp(s) for s in neg)
    return 0, sum(log(1 + exp(s)) for s in neg) - log(1 + a), a**2 / 2


def zlpr_one_class(s):
    return log(1 + exp(-s)), log(1 + exp(s))


def zlpr_one_positive(target, others):
    left = (1 + sum(exp(s) for s in others)) * (1 + exp(-target))
    right = 1 + sum(exp(s - target) for s in others) + exp(-target) + sum(exp(s) for s in others)
    return left, right


# --- Invariances ----------------------------------------------------------------------------


def zlpr_complement(pos, neg):
    left = log(1 + sum(exp(s) for s in neg)) + log(1 + sum(exp(-s) for s in pos))
    swapped_pos = [-s for s in neg]
    swapped_neg = [-s for s in pos]
    right = log(1 + sum(exp(s) for s in swapped_neg)) + log(1 + sum(exp(-s) for s in swapped_pos))
    return left, right


def zlpr_shift(pos, neg, c):
    a = sum(exp(s + c) for s in neg)
    b = sum(exp(-(s + c)) for s in pos)
    return a / (1 + a) - b / (1 + b)


def zlpr_not_likelihood(n):
    return 2 * (2 ** (n + 1) - 1) / ((n + 1) * (n + 2))


# --- Soft targets ---------------------------------------------------------------------------


def zlpr_soft_loss(scores, targets):
    pairs = list(zip(scores, targets, strict=True))
    return log(1 + sum(t * exp(-s) for s, t in pairs)) + log(
        1 + sum((1 - t) * exp(s) for s, t in pairs)
    )


def zlpr_soft_gradient(scores, targets, i):
    pairs = list(zip(scores, targets, strict=True))
    a = sum((1 - t) * exp(s) for s, t in pairs)
    b = sum(t * exp(-s) for s, t in pairs)
    return (1 - targets[i]) * exp(scores[i]) / (1 + a) - targets[i] * exp(-scores[i]) / (1 + b)


def zlpr_soft_ratio(targets, c):
    root = sum(sqrt(t * (1 - t)) for t in targets)
    left = c * (1 + root / sqrt(c))
    right = 1 + root * sqrt(c)
    return left, right


def zlpr_soft_stationary(score, target):
    return target * exp(-score), (1 - target) * exp(score)


def zlpr_soft_optimum(target):
    return log(target / (1 - target)) / 2


def zlpr_soft_minimum(targets):
    return 2 * log(1 + sum(sqrt(t * (1 - t)) for t in targets))


def zlpr_smoothing_floor(n, epsilon):
    return 2 * log(1 + n * sqrt(epsilon * (1 - epsilon)))


def zlpr_soft_concave(scores, first, second, mix):
    def loss(targets):
        pairs = list(zip(scores, targets, strict=True))
        return log(1 + sum(t * exp(-s) for s, t in pairs)) + log(
            1 + sum((1 - t) * exp(s) for s, t in pairs)
        )

    blended = [mix * a + (1 - mix) * b for a, b in zip(first, second, strict=True)]
    return mix * loss(first) + (1 - mix) * loss(second), loss(blended)


# --- Random hard labels -----------------------------------------------------------------------


def zlpr_risk(outcomes, scores):
    total = 0
    for probability, labels in outcomes:
        pairs = list(zip(scores, labels, strict=True))
        total = total + probability * (
            log(1 + sum((1 - y) * exp(s) for s, y in pairs))
            + log(1 + sum(y * exp(-s) for s, y in pairs))
        )
    return total


def zlpr_risk_gradient(outcomes, scores, i):
    off = on = 0
    for probability, labels in outcomes:
        pairs = list(zip(scores, labels, strict=True))
        off = off + probability * (1 - labels[i]) / (1 + sum((1 - y) * exp(s) for s, y in pairs))
        on = on + probability * labels[i] / (1 + sum(y * exp(-s) for s, y in pairs))
    return exp(scores[i]) * off - exp(-scores[i]) * on


def zlpr_first_step(p, positives, negatives):
    return (1 - p) / (1 + negatives) - p / (1 + positives)


def zlpr_risk_stationary(p, given_on, given_off):
    return (log(p / (1 - p)) + log(given_on / given_off)) / 2


def zlpr_risk_sign(outcomes, scores, i):
    on = off = 0
    for probability, labels in outcomes:
        pairs = list(zip(scores, labels, strict=True))
        on = on + probability * labels[i] * exp(-log(1 + sum(y * exp(-s) for s, y in pairs)))
        off = off + probability * (1 - labels[i]) * exp(
            -log(1 + sum((1 - y) * exp(s) for s, y in pairs))
        )
    return on, off


def zlpr_risk_balance(outcomes, scores):
    negative = positive = 0
    for probability, labels in outcomes:
        pairs = list(zip(scores, labels, strict=True))
        a = sum((1 - y) * exp(s) for s, y in pairs)
        b = sum(y * exp(-s) for s, y in pairs)
        negative = negative + probability * a / (1 + a)
        positive = positive + probability * b / (1 + b)
    return negative, positive


def zlpr_complementary(p, s):
    return 2 * (p * log(1 + exp(-s)) + (1 - p) * log(1 + exp(s)))


def zlpr_alike(counts, n):
    left = sum(probability / (1 + n - k) for probability, k in counts)
    right = sum(probability / (1 + k) for probability, k in counts)
    return left, right


def zlpr_exclusive_uniform(n):
    return -log(n - 1) / 2


def zlpr_exclusive_threshold(theta, nu, y):
    stationarity = (nu - 1) * y - 2 * (1 - 2 * theta) / theta
    balance = theta / (1 + nu * y) - (1 - theta) * y / (1 + y)
    return stationarity, balance


def zlpr_exclusive_asymptote(nu):
    return (4 / nu) ** (1 / 3)


def zlpr_block_quadratic(p, k, x):
    return (1 - p) * x**2 + k * (1 - 2 * p) * x - p


def zlpr_block_optimum(p, k):
    return log((k * (2 * p - 1) + sqrt(k**2 * (2 * p - 1) ** 2 + 4 * p * (1 - p))) / (2 * (1 - p)))


def zlpr_independent_limit(p):
    return log(p / (1 - p)) / 2


# --- The sparse form --------------------------------------------------------------------------


def zlpr_sparse(everything, pos):
    a = log(1 + sum(exp(s) for s in everything))
    b = log(sum(exp(s) for s in pos))
    return a + log(1 - exp(b - a))


def zlpr_sparse_cancellation(pos, neg):
    a = log(1 + sum(exp(s) for s in neg) + sum(exp(s) for s in pos))
    b = log(sum(exp(s) for s in pos))
    left = 1 - exp(b - a)
    right = (1 + sum(exp(s) for s in neg)) / (
        1 + sum(exp(s) for s in neg) + sum(exp(s) for s in pos)
    )
    return left, right


def zlpr_sparse_breakdown(neg, clip):
    return log(1 + sum(exp(s) for s in neg)) + log(1 / clip - 1)


def zlpr_sparse_clipped(everything, clip):
    return log(1 + sum(exp(s) for s in everything)) + log(clip)


def zlpr_sparse_duplicate(pos, neg, copies):
    return log(
        1
        + sum(exp(s) for s in neg)
        + sum((1 - c) * exp(s) for s, c in zip(pos, copies, strict=True))
    )


def zlpr_stable(values):
    largest = max(0, *values)
    return largest + log(exp(-largest) + sum(exp(x - largest) for x in values))


# --- Divergence between two predictions ----------------------------------------------------------


def zlpr_divergence(first, second):
    return sum(
        (1 / (1 + exp(-s)) - 1 / (1 + exp(-other))) * (s - other)
        for s, other in zip(first, second, strict=True)
    )


def zlpr_divergence_kl(p, other):
    forward = p * log(p / other) + (1 - p) * log((1 - p) / (1 - other))
    backward = other * log(other / p) + (1 - other) * log((1 - other) / (1 - p))
    return forward + backward, (p - other) * (log(p / (1 - p)) - log(other / (1 - other)))


def zlpr_divergence_bound(first, second):
    return sum((s - other) ** 2 for s, other in zip(first, second, strict=True)) / 4


# --- Several m-way choices --------------------------------------------------------------------


def zlpr_choices_hard(scores, targets):
    classes = range(len(scores[0]))
    return sum(
        log(
            1
            + sum(
                t[j] * exp(s[k] - s[j])
                for s, t in zip(scores, targets, strict=True)
                for k in classes
                if k != j
            )
        )
        for j in classes
    )


def zlpr_choices_soft(scores, targets):
    m = len(scores[0])
    return sum(
        log(1 + sum(t[j] * exp(sum(s) / m - s[j]) for s, t in zip(scores, targets, strict=True)))
        for j in range(m)
    )


def zlpr_choices_minimum(targets):
    m = len(targets[0])
    return m * log(1 + sum(product(t) ** (1 / m) for t in targets))


# --- Bounded scores ------------------------------------------------------------------------------


def zlpr_bounded_scores(positives, negatives, bound):
    return log(1 + negatives * exp(-bound)) + log(1 + positives * exp(-bound))


# --- The rivals of the comparison ----------------------------------------------------------------


def zlpr_weighted_bce(pos, neg, weights):
    return sum(w * log(1 + exp(-s)) for s, w in zip(pos, weights, strict=True)) + sum(
        log(1 + exp(s)) for s in neg
    )


def zlpr_focal(pos, neg, alpha, gamma):
    return sum(alpha * (1 / (1 + exp(s))) ** gamma * log(1 + exp(-s)) for s in pos) + sum(
        (1 - alpha) * (1 / (1 + exp(-s))) ** gamma * log(1 + exp(s)) for s in neg
    )


def zlpr_asymmetric(pos, neg, gamma_pos, gamma_neg, clip):
    total = sum((1 / (1 + exp(s))) ** gamma_pos * log(1 + exp(-s)) for s in pos)
    for s in neg:
        q = max(1 / (1 + exp(-s)) - clip, 0)
        total = total - q**gamma_neg * log(1 - q)
    return total


def zlpr_soft_f_one(probabilities, targets):
    pairs = list(zip(probabilities, targets, strict=True))
    return 1 - 2 * sum(p * t for p, t in pairs) / sum(p + t for p, t in pairs)


def zlpr_softmax_many(pos, neg):
    total = sum(exp(s) for s in pos) + sum(exp(s) for s in neg)
    return -sum(log(exp(s) / total) for s in pos)
