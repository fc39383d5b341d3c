"""Checks of the view of a loss as its slope: weights, gradients and where the view ends."""

import mpmath
import numpy as np
import pytest
import torch
from scipy import optimize
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import (
    SCORES,
    SYMMETRIC,
    cross_entropy_of_score,
    focal_of_score,
    sigmoid,
    softened_of_score,
)
from tests.equations.support import assert_agree, draw_unit, high_precision

DIFF = 1e-20  # numeric derivatives at fifty digits keep about half of them
GENERATOR = np.random.default_rng(7)
FEATURES = GENERATOR.normal(size=40)
LABELS = (GENERATOR.uniform(size=40) < 1 / (1 + np.exp(1.5 - FEATURES))).astype(float)


@pytest.mark.equation("imbalance-revisited-cross-entropy")
@high_precision
def test_cross_entropy_is_minus_the_logarithm_of_the_right_probability():
    """Both printed logarithms equal -log p and -log(1 - p) with p the sigmoid of the score."""
    for s in SCORES:
        positive, negative = formulas.imbalance_revisited_cross_entropy(s)
        assert_agree(positive, -mpmath.log(sigmoid(s)))
        assert_agree(negative, -mpmath.log(1 - sigmoid(s)))


@pytest.mark.equation("imbalance-revisited-cross-entropy-slope")
@high_precision
def test_slope_of_cross_entropy_is_the_derivative():
    """Both printed slopes equal numeric derivatives in the score, for six scores."""
    for s in SCORES:
        positive, negative = formulas.imbalance_revisited_cross_entropy_slope(sigmoid(s))
        assert_agree(positive, mpmath.diff(cross_entropy_of_score, s), DIFF)
        assert_agree(negative, mpmath.diff(lambda x: cross_entropy_of_score(-x), s), DIFF)


@pytest.mark.equation("imbalance-revisited-push")
def test_pushes_of_the_two_classes_are_equal_at_a_fitted_intercept():
    """For a logistic regression fitted by Newton the two sums agree; before fitting they do not."""
    inputs = np.column_stack([FEATURES, np.ones(40)])
    theta = np.zeros(2)

    def sums(theta):
        p = 1 / (1 + np.exp(-inputs @ theta))
        return formulas.imbalance_revisited_push(p[LABELS > 0], p[LABELS == 0])

    positive, negative = sums(theta)
    assert positive == pytest.approx(LABELS.sum() / 2)
    assert negative == pytest.approx((1 - LABELS).sum() / 2)
    for _ in range(30):
        p = 1 / (1 + np.exp(-inputs @ theta))
        curvature = inputs.T @ (inputs * (p * (1 - p))[:, None])
        theta = theta - np.linalg.solve(curvature, inputs.T @ (p - LABELS))
    positive, negative = sums(theta)
    assert positive == pytest.approx(negative, abs=1e-12)
    assert positive > 1


@pytest.mark.equation("imbalance-revisited-weight")
@high_precision
def test_weight_is_the_ratio_of_slopes():
    """For the squared error both weights are 2p(1 - p), for class weights they are these."""
    for s in SCORES:
        p = sigmoid(s)
        on = mpmath.diff(lambda x: (1 - sigmoid(x)) ** 2, s)
        off = mpmath.diff(lambda x: sigmoid(x) ** 2, s)
        for weight in formulas.imbalance_revisited_weight(p, on, off):
            assert_agree(weight, 2 * p * (1 - p), DIFF)
        first, second = formulas.imbalance_revisited_weight(p, -3 * (1 - p), 5 * p)
        assert_agree(first, 3)
        assert_agree(second, 5)


@pytest.mark.equation("imbalance-revisited-gradient")
def test_gradient_of_a_modified_loss_is_that_of_weighted_cross_entropy():
    """In a small network the focal gradient is the sum of weights times example gradients."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    network = network.double()
    inputs = torch.randn(7, 3, dtype=torch.float64)
    labels = torch.tensor([1.0, 0, 0, 1, 0, 0, 0], dtype=torch.float64)
    parameters = list(network.parameters())

    def flat(gradients):
        return torch.cat([g.flatten() for g in gradients])

    scores = network(inputs).squeeze(1)
    signed = scores * (2 * labels - 1)
    losses = -(signed.neg().sigmoid() ** 2) * torch.nn.functional.logsigmoid(signed)
    whole = flat(torch.autograd.grad(losses.sum(), parameters, retain_graph=True))
    slopes = torch.autograd.grad(losses.sum(), scores, retain_graph=True)[0]
    weights = slopes / (scores.sigmoid() - labels)
    entropies = torch.nn.functional.softplus(-signed)
    rows = [
        flat(torch.autograd.grad(entropy, parameters, retain_graph=True)) for entropy in entropies
    ]
    printed = formulas.imbalance_revisited_gradient(weights, rows)
    assert torch.allclose(printed, whole, rtol=0, atol=1e-14)
    assert whole.norm() > 0.1


@pytest.mark.equation("imbalance-revisited-loss-from-weight")
@high_precision
def test_integrals_of_the_weights_give_the_losses_back():
    """Weight 1 gives cross-entropy, weight p smooth accuracy, and focal's weight focal loss."""
    p = mpmath.mpf("0.3")

    def rebuilt(positive, negative):
        return formulas.imbalance_revisited_loss_from_weight(
            p, positive, negative, lambda f, low, high: mpmath.quad(f, [low, high])
        )

    on, off = rebuilt(lambda v: 1, lambda v: 1)
    assert_agree(on, -mpmath.log(p), DIFF)
    assert_agree(off, -mpmath.log(1 - p), DIFF)
    on, off = rebuilt(lambda v: v, lambda v: 1 - v)
    assert_agree(on, 1 - p, DIFF)
    assert_agree(off, p, DIFF)

    def weight(v):
        return (1 - v) * (1 - v - v * mpmath.log(v)) / (1 - v)

    on, off = rebuilt(weight, lambda v: weight(1 - v))
    assert_agree(on, -(1 - p) * mpmath.log(p), 1e-12)
    assert_agree(off, -p * mpmath.log(1 - p), 1e-12)


@pytest.mark.equation("imbalance-revisited-outer-function")
def test_function_of_a_cross_entropy_has_a_multiple_of_its_gradient():
    """For softmax focal loss of four classes the printed product equals autograd's gradient."""
    logits = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64, requires_grad=True)
    for target in range(4):
        entropy = -logits.log_softmax(0)[target]
        (gradient,) = torch.autograd.grad(entropy, logits, retain_graph=True)
        outer = (1 - torch.exp(-entropy)) ** 2 * entropy
        (expected,) = torch.autograd.grad(outer, logits)
        c = entropy.detach().requires_grad_()
        (slope,) = torch.autograd.grad((1 - torch.exp(-c)) ** 2 * c, c)

        def slope_of_outer(value, slope=slope, c=c):
            assert value == c.item()
            return slope

        printed = formulas.imbalance_revisited_outer_function(
            slope_of_outer, entropy.item(), gradient
        )
        assert torch.allclose(printed, expected, rtol=0, atol=1e-14)


@pytest.mark.equation("imbalance-revisited-second-derivative")
@high_precision
def test_second_derivative_has_a_part_from_the_moving_weight():
    """The printed second derivative equals a numeric one for six losses and six scores."""
    for loss in SYMMETRIC.values():

        def weight(p, loss=loss):
            return -mpmath.diff(loss, mpmath.log(p / (1 - p))) / (1 - p)

        for s in SCORES:
            p = sigmoid(s)
            printed = formulas.imbalance_revisited_second_derivative(
                p, weight(p), mpmath.diff(weight, p)
            )
            assert_agree(printed, mpmath.diff(loss, s, 2), 1e-9)


@pytest.mark.equation("imbalance-revisited-frozen")
def test_a_fitted_focal_model_minimises_cross_entropy_with_its_own_weights_frozen():
    """Around a stationary point of focal loss the frozen weighted sum is least at that point."""
    signs = 2 * LABELS - 1

    def slopes(theta):
        u = signs * (theta[0] * FEATURES + theta[1])
        p = 1 / (1 + np.exp(-u))
        weights = (1 - p) ** 2 * (1 - 2 * p * np.log(p) / (1 - p))
        pulls = -signs * weights * (1 - p)
        return np.array([(pulls * FEATURES).sum(), pulls.sum()])

    theta = optimize.root(slopes, np.array([0.3, -0.3]), tol=1e-14).x
    assert np.abs(slopes(theta)).max() < 1e-10
    p = 1 / (1 + np.exp(-signs * (theta[0] * FEATURES + theta[1])))
    weights = (1 - p) ** 2 * (1 - 2 * p * np.log(p) / (1 - p))

    def frozen(theta):
        u = signs * (theta[0] * FEATURES + theta[1])
        return formulas.imbalance_revisited_frozen(weights, np.log1p(np.exp(-u)))

    steps = [np.array([0.01, 0]), np.array([0, 0.01]), np.array([0.007, -0.007])]
    for step in steps:
        assert abs(frozen(theta + step) - frozen(theta - step)) < 1e-6
        assert frozen(theta + step) > frozen(theta)
        assert frozen(theta - step) > frozen(theta)


@pytest.mark.equation("imbalance-revisited-scale")
@high_precision
def test_adam_does_not_see_a_common_factor():
    """Both printed quotients agree for random moments, and with a step written out."""
    for a, mean, squares in zip(draw_unit(5, 1), draw_unit(5, 2), draw_unit(5, 3), strict=True):
        left, right = formulas.imbalance_revisited_scale(7 * a, mean, squares)
        assert_agree(left, right)
        assert_agree(right, mean * squares ** mpmath.mpf("-0.5"))


@pytest.mark.equation("imbalance-revisited-mirror")
@high_precision
def test_symmetric_losses_are_mirror_images():
    """With the negative side written out in p, both printed values agree for focal and softened."""
    for s in SCORES:
        p = sigmoid(s)
        left, right = formulas.imbalance_revisited_mirror(
            s,
            lambda x: focal_of_score(x, 3),
            lambda x: -(sigmoid(x) ** 3) * mpmath.log(sigmoid(-x)),
        )
        assert_agree(left, right)
        assert_agree(left, -(p**3) * mpmath.log(1 - p))
        left, right = formulas.imbalance_revisited_mirror(
            s,
            lambda x: softened_of_score(x, 2),
            lambda x: mpmath.log(1 + mpmath.exp(x)) / (1 + mpmath.exp(-2 * x)),
        )
        assert_agree(left, right)
