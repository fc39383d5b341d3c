"""The displayed equations of the chapter `logit-adjustment`, one function per label, literally.

`scores` are f_1, ..., f_K, `prior` the class frequencies, `posterior` the probabilities p(y | x),
`likelihood` the values p(x | y) at one x. Classes are indices from 0. A definition returns its
value, an identity (left side, right side), a rule the index it chooses. Nothing here calls anything
else here, so that a wrong formula cannot hide behind another.
"""

from mpmath import ncdf, npdf
from tests.equations.arithmetic import exp, log, sqrt

# --- The loss -------------------------------------------------------------------------------


def logit_adjustment_loss(scores, prior, tau, y):
    top = exp(scores[y] + tau * log(prior[y]))
    return -log(top / sum(exp(f + tau * log(p)) for f, p in zip(scores, prior, strict=True)))


# --- Two errors, two best rules -------------------------------------------------------------


def logit_adjustment_error(prior, class_errors):
    return sum(p * e for p, e in zip(prior, class_errors, strict=True))


def logit_adjustment_balanced_error(class_errors):
    return sum(class_errors) / len(class_errors)


def logit_adjustment_majority(prior):
    return 1 - max(prior), 1 - 1 / len(prior)


def logit_adjustment_cost(costs, posterior):
    choices = range(len(posterior))
    expected = [sum(costs[y][k] * p for y, p in enumerate(posterior)) for k in choices]
    return expected.index(min(expected))


def logit_adjustment_cost_weights(costs, posterior):
    values = [c * p for c, p in zip(costs, posterior, strict=True)]
    return values.index(max(values))


def logit_adjustment_bayes_plain(posterior, prior, likelihood):
    joint = [p * x for p, x in zip(prior, likelihood, strict=True)]
    return posterior.index(max(posterior)), joint.index(max(joint))


def logit_adjustment_bayes_balanced(posterior, prior, likelihood):
    ratios = [p / b for p, b in zip(posterior, prior, strict=True)]
    return ratios.index(max(ratios)), likelihood.index(max(likelihood))


def logit_adjustment_label_shift(posterior, prior, target, y):
    weighted = [p * q / b for p, q, b in zip(posterior, target, prior, strict=True)]
    return weighted[y] / sum(weighted)


# --- Pointwise mutual information -----------------------------------------------------------


def logit_adjustment_pmi(joint, marginal, prior, posterior, likelihood):
    return log(joint / (marginal * prior)), log(posterior / prior), log(likelihood / marginal)


def logit_adjustment_posterior(scores, prior, y):
    return prior[y] * exp(scores[y]) / sum(b * exp(f) for f, b in zip(scores, prior, strict=True))


def logit_adjustment_normaliser(pmis, prior):
    return sum(b * exp(m) for m, b in zip(pmis, prior, strict=True))


def logit_adjustment_pmi_recovered(scores, prior, y):
    return scores[y] - log(sum(b * exp(f) for f, b in zip(scores, prior, strict=True)))


def logit_adjustment_mutual_information(joint, pmis):
    return sum(
        p * m
        for row, values in zip(joint, pmis, strict=True)
        for p, m in zip(row, values, strict=True)
    )


def logit_adjustment_information_bound(joint, scores, prior):
    return sum(
        p * (f - log(sum(b * exp(s) for s, b in zip(values, prior, strict=True))))
        for row, values in zip(joint, scores, strict=True)
        for p, f in zip(row, values, strict=True)
    )


def logit_adjustment_information_gap(joint, posteriors, modelled):
    return sum(
        p * log(true / model)
        for row, trues, models in zip(joint, posteriors, modelled, strict=True)
        for p, true, model in zip(row, trues, models, strict=True)
    )


def logit_adjustment_optimum_value(prior, information):
    return -sum(b * log(b) for b in prior) - information


def logit_adjustment_optimum(posterior, prior, tau, y):
    return log(posterior[y]) - tau * log(prior[y])


def logit_adjustment_tau_prior(prior, tau, y):
    return prior[y] ** (1 - tau) / sum(b ** (1 - tau) for b in prior)


# --- What the loss does ---------------------------------------------------------------------


def logit_adjustment_loss_pairwise(scores, prior, tau, y):
    others = [i for i in range(len(scores)) if i != y]
    return log(1 + sum((prior[i] / prior[y]) ** tau * exp(scores[i] - scores[y]) for i in others))


def logit_adjustment_offset(prior, tau, y, i):
    return tau * log(prior[i] / prior[y])


def logit_adjustment_gradient(scores, prior, tau, y, i):
    top = prior[i] ** tau * exp(scores[i])
    return top / sum(b**tau * exp(f) for f, b in zip(scores, prior, strict=True)) - (i == y)


def logit_adjustment_gradient_mass(gradient, loss):
    return sum(gradient), 2 * (1 - exp(-loss))


def logit_adjustment_first_step(prior, tau, i):
    return prior[i] ** tau / sum(b**tau for b in prior) - prior[i]


def logit_adjustment_pull_ratio(prior, classes):
    return (1 - prior) / ((classes - 1) * prior)


def logit_adjustment_curvature(shares, i, k):
    return shares[i] * ((i == k) - shares[k])


def logit_adjustment_surrogate(scores, prior, tau, y):
    own = scores[y] + tau * log(prior[y])
    others = [i for i in range(len(scores)) if i != y]
    wrong = any(scores[i] + tau * log(prior[i]) >= own for i in others)
    pairs = sum((prior[i] / prior[y]) ** tau * exp(scores[i] - scores[y]) for i in others)
    return wrong, log(1 + pairs) / log(2)


def logit_adjustment_surrogate_balanced(mean_loss, prior):
    return mean_loss / (len(prior) * min(prior) * log(2))


def logit_adjustment_surrogate_sharp(mean_loss, prior, tau):
    classes = range(len(prior))
    constant = min(
        prior[y] * log(1 + min((prior[i] / prior[y]) ** tau for i in classes if i != y))
        for y in classes
    )
    return mean_loss / (len(prior) * constant)


def logit_adjustment_regret(excess_loss, prior):
    return 1 / (len(prior) * min(prior)) * sqrt(2 * excess_loss)


# --- Decisions ------------------------------------------------------------------------------


def logit_adjustment_post_hoc(scores, prior, tau):
    values = [f - tau * log(b) for f, b in zip(scores, prior, strict=True)]
    return values.index(max(values))


def logit_adjustment_decision_plain(scores, prior, tau):
    values = [f + tau * log(b) for f, b in zip(scores, prior, strict=True)]
    return values.index(max(values))


def logit_adjustment_decision_target(scores, prior, tau, target):
    values = [
        f + (tau - 1) * log(b) + log(q) for f, b, q in zip(scores, prior, target, strict=True)
    ]
    return values.index(max(values))


def logit_adjustment_wrong_sign(prior, tau, y):
    return prior[y] ** (1 + tau) / sum(b ** (1 + tau) for b in prior)


# --- Loss form and post-hoc form ------------------------------------------------------------


def logit_adjustment_change_of_variables(scores, prior, tau, y):
    others = [i for i in range(len(scores)) if i != y]
    left = log(1 + sum((prior[i] / prior[y]) ** tau * exp(scores[i] - scores[y]) for i in others))
    shifted = [f + tau * log(b) for f, b in zip(scores, prior, strict=True)]
    return left, log(1 + sum(exp(shifted[i] - shifted[y]) for i in others))


def logit_adjustment_bias_shift(bias, prior, tau):
    return bias - tau * log(prior)


def logit_adjustment_same_path(score, prior, tau):
    return score + tau * log(prior)


def logit_adjustment_regularised_bias(bias, prior, tau, strength):
    return strength / 2 * sum((b - tau * log(p)) ** 2 for b, p in zip(bias, prior, strict=True))


def logit_adjustment_separable(tau, prior_ratio, slope):
    return tau * log(prior_ratio) / slope


def logit_adjustment_twice(prior, tau, again, y):
    return prior[y] ** (1 - tau - again) / sum(b ** (1 - tau - again) for b in prior)


def logit_adjustment_weighted_optimum(posterior, weights, prior, tau, y):
    return log(weights[y] * posterior[y]) - tau * log(prior[y])


def logit_adjustment_weighted_prior(prior, y):
    return (1 / prior[y]) / sum(1 / b for b in prior)


# --- The output bias ------------------------------------------------------------------------


def logit_adjustment_bias_flow(bias, prior, y):
    return prior[y] - exp(bias[y]) / sum(exp(b) for b in bias)


def logit_adjustment_bias_rate(deviation, prior, y):
    mean = sum(b * d for b, d in zip(prior, deviation, strict=True))
    return -prior[y] * (deviation[y] - mean)


# --- The family of pairwise margins ---------------------------------------------------------


def logit_adjustment_margin_family(scores, margins, weights, y):
    others = [i for i in range(len(scores)) if i != y]
    pairs = sum(exp(margins[y][i]) * exp(scores[i] - scores[y]) for i in others)
    return weights[y] * log(1 + pairs)


def logit_adjustment_ldam(counts, largest, y):
    return largest * (min(counts) / counts[y]) ** 0.25


def logit_adjustment_equalised(prior, power, i):
    return power * log(prior[i])


def logit_adjustment_inverse_frequency(counts, y):
    return sum(counts) / (len(counts) * counts[y])


def logit_adjustment_effective_number(counts, beta_n, y):
    weight = (1 - beta_n) / (1 - beta_n ** counts[y])
    return weight * sum(counts) / sum(n * (1 - beta_n) / (1 - beta_n**n) for n in counts)


def logit_adjustment_family_optimum(posterior, weights, offsets, y):
    return log(weights[y] * posterior[y]) - offsets[y]


def logit_adjustment_theorem(deltas, prior, y, i):
    return deltas[y] / prior[y], log(deltas[i] / deltas[y])


def logit_adjustment_ldam_stationary(posterior, margin, share):
    return posterior * exp(margin) / (share * (share + exp(margin) * (1 - share)))


def logit_adjustment_ldam_tie(share, margin, other):
    return (share * exp(-margin) + 1 - share) / (share * exp(-other) + 1 - share)


def logit_adjustment_ldam_bound(share):
    return 1 / 2, 1 - share, 1 / (1 - share), 2


# --- Two classes ----------------------------------------------------------------------------


def logit_adjustment_binary_loss(sign, score, weight, margin, scale):
    return weight / scale * log(1 + exp(scale * margin) * exp(-scale * score * sign))


def logit_adjustment_binary_threshold(weights, margins, scale):
    negative, positive = (w / (1 + exp(-scale * d)) for w, d in zip(weights, margins, strict=True))
    return negative / (negative + positive)


def logit_adjustment_binary_consistency(weights, margins, scale, prior):
    negative, positive = (w / (1 + exp(-scale * d)) for w, d in zip(weights, margins, strict=True))
    return positive / negative, (1 - prior) / prior


def logit_adjustment_implied_prior(prior, threshold):
    return prior * (1 - threshold) / (prior * (1 - threshold) + (1 - prior) * threshold)


# --- Two Gaussians --------------------------------------------------------------------------


def logit_adjustment_gaussian_odds(x, mean, prior):
    return 2 * sum(a * b for a, b in zip(mean, x, strict=True)) + log(prior / (1 - prior))


def logit_adjustment_gaussian_offset(threshold, prior):
    return log(threshold / (1 - threshold)) - log(prior / (1 - prior))


def logit_adjustment_gaussian_errors(offset, length):
    return ncdf(offset / (2 * length) - length), ncdf(-offset / (2 * length) - length)


def logit_adjustment_gaussian_bayes(length):
    return ncdf(-length)


def logit_adjustment_gaussian_excess(offset, length):
    return offset**2 * npdf(length) / (8 * length)


# --- tau as a temperature -------------------------------------------------------------------


def logit_adjustment_temperature(scores, prior, flatness):
    values = [f - log(b) / flatness for f, b in zip(scores, prior, strict=True)]
    return values.index(max(values))


def logit_adjustment_weight_normalisation(scores, norms, tau):
    values = [f / v**tau for f, v in zip(scores, norms, strict=True)]
    return values.index(max(values))


# --- Samples that are not the data ----------------------------------------------------------


def logit_adjustment_batch_prior(likelihood, batch_prior, prior, tau, y):
    return log(likelihood[y]) + log(batch_prior[y]) - tau * log(prior[y])


def logit_adjustment_sampled_softmax(scores, proposal, drawn):
    return sum(exp(scores[i] - log(proposal[i])) for i in drawn) / len(drawn)


def logit_adjustment_negative_sampling(posterior, proposal, negatives):
    return log(posterior / proposal) - log(negatives)


# --- Estimating the prior -------------------------------------------------------------------


def logit_adjustment_prior_estimate(counts, smoothing, y):
    return (counts[y] + smoothing) / (sum(counts) + len(counts) * smoothing)


def logit_adjustment_prior_variance(prior, examples):
    return (1 - prior) / (examples * prior)


def logit_adjustment_prior_difference(prior, other, examples):
    return 1 / (examples * prior) + 1 / (examples * other)


def logit_adjustment_absent_class(constant):
    return constant / (1 + constant)
