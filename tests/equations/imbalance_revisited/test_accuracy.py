"""Checks of the way from smooth accuracy to cross-entropy."""

import mpmath
import pytest
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import (
    ETAS,
    SCORES,
    cross_entropy_of_score,
    sigmoid,
)
from tests.equations.support import assert_agree, draw_unit, high_precision

DIFF = 1e-20


@pytest.mark.equation("imbalance-revisited-smooth-accuracy")
@high_precision
def test_smooth_accuracy_loss_is_the_expected_number_of_errors():
    """If answers are drawn with the probabilities, the printed sum is the mean error count."""
    probabilities, labels = draw_unit(4, seed=1), [1, 0, 0, 1]
    expected = mpmath.mpf(0)
    for code in range(16):
        answers = [(code >> i) & 1 for i in range(4)]
        chance = mpmath.mpf(1)
        for answer, p in zip(answers, probabilities, strict=True):
            chance *= p if answer else 1 - p
        expected += chance * sum(a != y for a, y in zip(answers, labels, strict=True))
    assert_agree(formulas.imbalance_revisited_smooth_accuracy(probabilities, labels), expected)


@pytest.mark.equation("imbalance-revisited-smooth-accuracy-slope")
@high_precision
def test_slopes_of_smooth_accuracy_are_the_derivatives():
    """Both printed slopes equal numeric derivatives in the score."""
    for s in SCORES:
        positive, negative = formulas.imbalance_revisited_smooth_accuracy_slope(sigmoid(s))
        assert_agree(positive, mpmath.diff(lambda x: 1 - sigmoid(x), s), DIFF)
        assert_agree(negative, mpmath.diff(sigmoid, s), DIFF)


@pytest.mark.equation("imbalance-revisited-logarithm")
@high_precision
def test_a_logarithm_divides_the_slope_by_the_probability():
    """The printed quotient equals the numeric derivative of log p, that is 1 - p."""
    for s in SCORES:
        p = sigmoid(s)
        printed = formulas.imbalance_revisited_logarithm(p, mpmath.diff(sigmoid, s))
        assert_agree(printed, mpmath.diff(lambda x: mpmath.log(sigmoid(x)), s), DIFF)
        assert_agree(printed, 1 - p, DIFF)


@pytest.mark.equation("imbalance-revisited-escape")
@high_precision
def test_times_to_escape_are_integrals_of_one_over_the_slope():
    """Both printed times equal numeric integrals of the inverse slope from -z to 0."""
    for z in (mpmath.mpf(1), mpmath.mpf("4.5")):
        accuracy, entropy = formulas.imbalance_revisited_escape(z)
        slow = mpmath.quad(lambda x: 1 / (sigmoid(x) * sigmoid(-x)), [-z, 0])
        fast = mpmath.quad(lambda x: 1 / sigmoid(-x), [-z, 0])
        assert_agree(accuracy, slow, 1e-15)
        assert_agree(entropy, fast, 1e-15)


@pytest.mark.equation("imbalance-revisited-noise")
@high_precision
def test_flipped_labels_change_smooth_accuracy_only_by_scale_and_constant():
    """Both sides agree for both labels, where the other label's loss is one less this one's."""
    for rate, p in zip(draw_unit(4, 2), draw_unit(4, 3), strict=True):
        for loss, other in ((1 - p, p), (p, 1 - p)):
            left, right = formulas.imbalance_revisited_noise(rate, loss, other)
            assert_agree(left, right)
            assert_agree(left, loss + rate * (other - loss))


@pytest.mark.equation("imbalance-revisited-noise-entropy")
@high_precision
def test_cross_entropy_fits_the_flipped_labels():
    """At the printed probability the derivative of the noisy cross-entropy risk is zero."""
    for rate, eta in zip(draw_unit(5, 4), ETAS, strict=True):
        p = formulas.imbalance_revisited_noise_entropy(rate, eta)
        seen = eta - rate * eta + rate - rate * eta

        def noisy(x, seen=seen):
            return seen * cross_entropy_of_score(x) + (1 - seen) * cross_entropy_of_score(-x)

        assert_agree(mpmath.diff(noisy, mpmath.log(p / (1 - p))), 0, DIFF)
