"""Checks of the two errors, of the best rules and of the decisions made from scores."""

import mpmath
import pytest
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import World, best_class
from tests.equations.support import assert_agree, draw, draw_unit, high_precision

WORLDS = [World(seed) for seed in range(100, 106)]
EVEN = [World(seed, tilt=0) for seed in range(106, 110)]
TAUS = [mpmath.mpf(t) for t in ("0.3", "0.5", "1", "1.7")]


@pytest.mark.equation("logit-adjustment-error")
@high_precision
def test_error_is_the_probability_of_a_wrong_decision():
    """For every rule of two small worlds the printed sum is the summed joint probability."""
    for world in WORLDS[:2]:
        for rule in world.rules():
            wrong = sum(
                world.joint[x][y] for x in world.points for y in world.classes if rule[x] != y
            )
            errors = world.class_errors(rule)
            assert_agree(formulas.logit_adjustment_error(world.prior, errors), wrong)


@pytest.mark.equation("logit-adjustment-balanced-error")
@high_precision
def test_balanced_error_weighs_each_joint_probability_by_its_class():
    """For every rule the printed mean equals the cost with weight 1/(K pi) on each class."""
    for world in WORLDS[:2]:
        costs = [[int(k != y) / (3 * world.prior[y]) for k in world.classes] for y in world.classes]
        for rule in world.rules():
            value = formulas.logit_adjustment_balanced_error(world.class_errors(rule))
            assert_agree(value, world.cost(rule, costs))


@pytest.mark.equation("logit-adjustment-majority")
@high_precision
def test_always_predicting_the_largest_class():
    """Both errors of the constant rule agree with the printed ones in random worlds."""
    for world in WORLDS:
        rule = [best_class(world.prior)] * len(world.points)
        errors = world.class_errors(rule)
        plain, balanced = formulas.logit_adjustment_majority(world.prior)
        assert_agree(plain, sum(p * e for p, e in zip(world.prior, errors, strict=True)))
        assert_agree(balanced, sum(errors) / 3, 1e-15)


def _best_rule(world, costs):
    return min(world.rules(), key=lambda rule: world.cost(rule, costs))


@pytest.mark.equation("logit-adjustment-cost")
def test_cheapest_decision_among_all_rules():
    """With random costs the printed rule is the cheapest of all rules, found by trying each."""
    for seed, world in enumerate([*WORLDS, *EVEN]):
        numbers = draw_unit(9, seed=seed)
        costs = [numbers[0:3], numbers[3:6], numbers[6:9]]
        best = _best_rule(world, costs)
        for x in world.points:
            assert formulas.logit_adjustment_cost(costs, world.posterior[x]) == best[x]


@pytest.mark.equation("logit-adjustment-cost-weights")
def test_class_weights_multiply_the_posterior():
    """With one price for each class the printed rule is the cheapest of all rules."""
    for seed, world in enumerate(WORLDS):
        prices = draw_unit(3, seed=seed)
        costs = [[int(k != y) * prices[y] for k in world.classes] for y in world.classes]
        best = _best_rule(world, costs)
        for x in world.points:
            assert formulas.logit_adjustment_cost_weights(prices, world.posterior[x]) == best[x]


@pytest.mark.equation("logit-adjustment-bayes-plain")
def test_plain_rule_has_the_least_error_of_all_rules():
    """Both forms choose what the rule of least error, found by trying all, chooses."""
    for world in [*WORLDS, *EVEN]:
        best = _best_rule(world, [[int(k != y) for k in world.classes] for y in world.classes])
        for x in world.points:
            chosen = formulas.logit_adjustment_bayes_plain(
                world.posterior[x], world.prior, world.likelihood[x]
            )
            assert chosen == (best[x], best[x])


@pytest.mark.equation("logit-adjustment-bayes-balanced")
def test_balanced_rule_has_the_least_balanced_error_of_all_rules():
    """Both forms choose what the rule of least balanced error, found by trying all, chooses."""
    for world in WORLDS:
        costs = [[int(k != y) / world.prior[y] for k in world.classes] for y in world.classes]
        best = _best_rule(world, costs)
        for x in world.points:
            chosen = formulas.logit_adjustment_bayes_balanced(
                world.posterior[x], world.prior, world.likelihood[x]
            )
            assert chosen == (best[x], best[x])


@pytest.mark.equation("logit-adjustment-label-shift")
@high_precision
def test_posterior_under_another_prior():
    """The printed posterior is Bayes' formula with the same p(x | y) and the new prior."""
    target = [mpmath.mpf(t) / 10 for t in (2, 3, 5)]
    for world in WORLDS[:3]:
        for x in world.points:
            total = sum(q * p for q, p in zip(target, world.likelihood[x], strict=True))
            for y in world.classes:
                value = formulas.logit_adjustment_label_shift(
                    world.posterior[x], world.prior, target, y
                )
                assert_agree(value, target[y] * world.likelihood[x][y] / total)


def _target(prior, power):
    weights = [b**power for b in prior]
    return [w / sum(weights) for w in weights]


@pytest.mark.equation("logit-adjustment-post-hoc")
def test_post_hoc_rule_of_true_scores():
    """With log p(y | x) plus a constant, the rule is the best one for the prior pi^(1 - tau)."""
    for shift, world in zip(draw(6, seed=7), WORLDS, strict=True):
        for x in world.points:
            scores = [mpmath.log(p) + shift for p in world.posterior[x]]
            for tau in TAUS:
                target = _target(world.prior, 1 - tau)
                joint = [q * p for q, p in zip(target, world.likelihood[x], strict=True)]
                chosen = formulas.logit_adjustment_post_hoc(scores, world.prior, tau)
                assert chosen == best_class(joint)


@pytest.mark.equation("logit-adjustment-decision-plain")
def test_plain_decision_of_an_adjusted_model():
    """With scores log p(y | x) - tau log pi the rule chooses the most probable class."""
    for world in WORLDS:
        for x in world.points:
            for tau in TAUS:
                scores = [
                    mpmath.log(p) - tau * mpmath.log(b)
                    for p, b in zip(world.posterior[x], world.prior, strict=True)
                ]
                chosen = formulas.logit_adjustment_decision_plain(scores, world.prior, tau)
                assert chosen == best_class(world.posterior[x])


@pytest.mark.equation("logit-adjustment-decision-target")
def test_decision_for_any_target_prior():
    """From a model trained with any tau, the rule chooses the class of largest q p(x | y)."""
    targets = [_target(draw_unit(3, seed=s), 2) for s in range(4)]
    for world in WORLDS:
        for x in world.points:
            for tau in TAUS:
                scores = [
                    mpmath.log(p) - tau * mpmath.log(b)
                    for p, b in zip(world.posterior[x], world.prior, strict=True)
                ]
                for target in targets:
                    chosen = formulas.logit_adjustment_decision_target(
                        scores, world.prior, tau, target
                    )
                    joint = [q * p for q, p in zip(target, world.likelihood[x], strict=True)]
                    assert chosen == best_class(joint)


@pytest.mark.equation("logit-adjustment-wrong-sign")
@high_precision
def test_wrong_sign_is_the_rule_of_a_sharpened_prior():
    """Adding tau log pi to log p(y | x) is log q + log p(x | y) up to a common constant."""
    for world in WORLDS[:3]:
        assert_agree(
            sum(formulas.logit_adjustment_wrong_sign(world.prior, TAUS[3], y) for y in range(3)), 1
        )
        for x in world.points:
            for tau in TAUS:
                rest = [
                    mpmath.log(world.posterior[x][y])
                    + tau * mpmath.log(world.prior[y])
                    - mpmath.log(formulas.logit_adjustment_wrong_sign(world.prior, tau, y))
                    - mpmath.log(world.likelihood[x][y])
                    for y in world.classes
                ]
                assert_agree(rest[0], rest[1])
                assert_agree(rest[0], rest[2])


@pytest.mark.equation("logit-adjustment-twice")
@high_precision
def test_two_adjustments_add_up():
    """A score adjusted in training and again afterwards ranks by the printed prior."""
    again = mpmath.mpf("0.6")
    for world in WORLDS[:3]:
        priors = [formulas.logit_adjustment_twice(world.prior, TAUS[3], again, y) for y in range(3)]
        assert_agree(sum(priors), 1)
        for x in world.points:
            rest = [
                mpmath.log(world.posterior[x][y])
                - (TAUS[3] + again) * mpmath.log(world.prior[y])
                - mpmath.log(priors[y])
                - mpmath.log(world.likelihood[x][y])
                for y in world.classes
            ]
            assert_agree(rest[0], rest[1])
            assert_agree(rest[0], rest[2])


@pytest.mark.equation("logit-adjustment-weighted-prior")
@high_precision
def test_inverse_weights_and_full_adjustment_serve_the_inverse_prior():
    """log(p(y | x)/pi) - log pi ranks by the printed prior times p(x | y); the priors sum to 1."""
    for world in WORLDS[:3]:
        priors = [formulas.logit_adjustment_weighted_prior(world.prior, y) for y in range(3)]
        assert_agree(sum(priors), 1)
        for x in world.points:
            rest = [
                world.posterior[x][y]
                / world.prior[y]
                / world.prior[y]
                / (priors[y] * world.likelihood[x][y])
                for y in world.classes
            ]
            assert_agree(rest[0], rest[1])
            assert_agree(rest[0], rest[2])


@pytest.mark.equation("logit-adjustment-temperature")
def test_flat_scores_need_a_smaller_tau():
    """With scores divided by the flatness the rule chooses the class of largest p(x | y)."""
    for world in WORLDS:
        for x in world.points:
            for flatness in (mpmath.mpf("0.2"), mpmath.mpf(1), mpmath.mpf(3)):
                scores = [(mpmath.log(p) + 2) / flatness for p in world.posterior[x]]
                chosen = formulas.logit_adjustment_temperature(scores, world.prior, flatness)
                assert chosen == best_class(world.likelihood[x])


@pytest.mark.equation("logit-adjustment-weight-normalisation")
def test_dividing_by_a_norm_does_not_change_a_sign():
    """A class of negative score never beats one of positive score, whatever the norms and tau."""
    norms = [[mpmath.mpf(a), mpmath.mpf(b)] for a in ("0.01", "1", "7") for b in ("0.1", "5")]
    for pair in norms:
        for tau in TAUS:
            assert formulas.logit_adjustment_weight_normalisation([0.3, -0.2], pair, tau) == 0
    # Two positive scores: the norms decide, by the power tau of their ratio.
    chosen = [
        formulas.logit_adjustment_weight_normalisation([4, 1.1], [4, 1], mpmath.mpf(tau))
        for tau in ("0.5", "0.9", "1", "2")
    ]
    assert chosen == [0, 0, 1, 1]
