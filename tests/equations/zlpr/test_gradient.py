"""Checks of the gradient and of the gradient masses."""

import mpmath
import pytest
import sympy
import torch
from tests.equations.support import assert_agree, draw, high_precision
from tests.equations.zlpr import formulas


def _gradients(pos, neg):
    """Gradients of the loss by autograd in float64, written without the printed formulas."""
    p = torch.tensor([float(s) for s in pos], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([float(s) for s in neg], dtype=torch.float64, requires_grad=True)
    loss = torch.log1p(torch.exp(-p).sum()) + torch.log1p(torch.exp(q).sum())
    loss.backward()
    return p.grad.tolist(), q.grad.tolist()


POSITIVES, NEGATIVES = draw(3, seed=30), draw(5, seed=31)


@pytest.mark.equation("zlpr-gradient-negative")
def test_gradient_of_every_negative_against_autograd():
    """The printed gradient of each negative score equals autograd's to 1e-12."""
    _, gradient = _gradients(POSITIVES, NEGATIVES)
    for i, expected in enumerate(gradient):
        assert_agree(formulas.zlpr_gradient_negative(NEGATIVES, i), expected, 1e-12)


@pytest.mark.equation("zlpr-gradient-positive")
def test_gradient_of_every_positive_against_autograd():
    """The printed gradient of each positive score equals autograd's to 1e-12."""
    gradient, _ = _gradients(POSITIVES, NEGATIVES)
    for j, expected in enumerate(gradient):
        assert_agree(formulas.zlpr_gradient_positive(POSITIVES, j), expected, 1e-12)


@pytest.mark.equation("zlpr-gradient-negative")
def test_gradient_of_a_negative_is_the_symbolic_derivative():
    """The printed gradient equals sympy's derivative of log(1 + A), for each of three scores."""
    neg = sympy.symbols("s1:4", real=True)
    loss = sympy.log(1 + sum(sympy.exp(s) for s in neg))
    for i, s in enumerate(neg):
        difference = formulas.zlpr_gradient_negative(neg, i) - sympy.diff(loss, s)
        assert sympy.simplify(difference) == 0


@pytest.mark.equation("zlpr-gradient-positive")
def test_gradient_of_a_positive_is_the_symbolic_derivative():
    """The printed gradient equals sympy's derivative of log(1 + B), for each of three scores."""
    pos = sympy.symbols("s1:4", real=True)
    loss = sympy.log(1 + sum(sympy.exp(-s) for s in pos))
    for j, s in enumerate(pos):
        difference = formulas.zlpr_gradient_positive(pos, j) - sympy.diff(loss, s)
        assert sympy.simplify(difference) == 0


@pytest.mark.equation("zlpr-mass-negative")
def test_mass_on_the_negatives_is_the_sum_of_their_gradients():
    """The printed mass equals the summed autograd gradient of the negatives, and is below 1."""
    _, gradient = _gradients(POSITIVES, NEGATIVES)
    assert_agree(formulas.zlpr_mass_negative(NEGATIVES), sum(gradient), 1e-12)
    assert formulas.zlpr_mass_negative([mpmath.mpf(5)] * 1000) < 1


@pytest.mark.equation("zlpr-mass-positive")
def test_mass_on_the_positives_is_minus_the_sum_of_their_gradients():
    """The printed mass equals minus the summed autograd gradient of the positives."""
    gradient, _ = _gradients(POSITIVES, NEGATIVES)
    assert_agree(formulas.zlpr_mass_positive(POSITIVES), -sum(gradient), 1e-12)
    assert formulas.zlpr_mass_positive([mpmath.mpf(-5)] * 1000) < 1


@pytest.mark.equation("zlpr-mass-loss")
@high_precision
def test_mass_is_a_function_of_its_part_of_the_loss():
    """Putting log(1 + A) into the printed function gives A/(1 + A)."""
    a = sum(mpmath.exp(s) for s in NEGATIVES)
    assert_agree(formulas.zlpr_mass_loss(mpmath.log(1 + a)), a / (1 + a))


@pytest.mark.equation("zlpr-mass-bce")
def test_mass_of_binary_cross_entropy_against_autograd():
    """The sum of sigmoids equals the summed autograd gradient of softplus over the negatives."""
    q = torch.tensor([float(s) for s in NEGATIVES], dtype=torch.float64, requires_grad=True)
    torch.nn.functional.softplus(q).sum().backward()
    assert_agree(formulas.zlpr_mass_bce(NEGATIVES), q.grad.sum().item(), 1e-12)


@pytest.mark.equation("zlpr-mass-at-zero")
def test_masses_at_zero_scores_against_autograd():
    """Both masses at all-zero scores equal the sums of autograd gradients for 1 to 999 labels."""
    for negatives in (1, 9, 999):
        _, gradient = _gradients([0.0], [0.0] * negatives)
        q = torch.zeros(negatives, dtype=torch.float64, requires_grad=True)
        torch.nn.functional.softplus(q).sum().backward()
        zlpr, bce = formulas.zlpr_mass_at_zero(negatives)
        assert_agree(zlpr, sum(gradient), 1e-12)
        assert_agree(bce, q.grad.sum().item(), 1e-12)


@pytest.mark.equation("zlpr-mass-share")
def test_share_of_a_negative_is_a_softmax_over_the_negatives():
    """Gradient over mass equals torch's softmax of the negative scores."""
    _, gradient = _gradients(POSITIVES, NEGATIVES)
    expected = torch.softmax(
        torch.tensor([float(s) for s in NEGATIVES], dtype=torch.float64), dim=0
    )
    for i, g in enumerate(gradient):
        assert_agree(formulas.zlpr_mass_share(NEGATIVES, i), g / sum(gradient), 1e-12)
        assert_agree(formulas.zlpr_mass_share(NEGATIVES, i), expected[i].item(), 1e-12)
