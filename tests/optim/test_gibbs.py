"""Gibbs densities in closed form: the ball and the quadratic."""

import math

import mpmath
import pytest
import torch
from mpmath import mpf

from scispaces.optim import bessel_ratio, gibbs_ball_step, gibbs_quadratic_step


def exact_ratio(order, x):
    """By the series 0F1 near 0, by the functions themselves else; 60 digits."""
    with mpmath.workdps(60):
        nu, x = mpf(order), mpf(x)
        if x == 0:
            return 0.0
        if x * x / 4 < 1e6 + nu * 100 and nu > 1e3:
            above, below = (mpmath.hyp0f1(nu + k, x * x / 4) for k in (2, 1))
            return float(x / (2 * (nu + 1)) * above / below)
        above, below = (mpmath.besseli(nu + k, x) for k in (1, 0))
        return float(above / below)


@pytest.mark.parametrize("order", [0, 0.5, 1, 1.5, 2.5, 5, 10, 31.5, 100, 500, 2000.5])
def test_ratio_against_arbitrary_precision(order):
    near = [0.0, 1e-300, 1e-12, 1e-3, 0.1, 0.7, 1, 3, 7, 20, 45, 60, 100, 300, 700, 2e3]
    far = [3999, 4001, 5e4] if order < 1e3 else []  # there the reference takes too long
    arguments = near + far
    ours = bessel_ratio(order, torch.tensor(arguments, dtype=torch.float64)).tolist()
    for x, value in zip(arguments, ours, strict=True):
        assert value == pytest.approx(exact_ratio(order, x), rel=2e-15, abs=0), x


@pytest.mark.parametrize("order", [1e5, 5e8, 1e12])
def test_ratio_of_huge_orders(order):
    """From x = nu / 1000, where the first terms of the series do, to x = 10 sqrt(nu)."""
    for x in (order / 1000 if order < 1e9 else 1e5, math.sqrt(order), 10 * math.sqrt(order)):
        value = bessel_ratio(order, torch.tensor(x, dtype=torch.float64)).item()
        assert value == pytest.approx(exact_ratio(order, x), rel=2e-15, abs=0)


@pytest.mark.parametrize("order", [0.5, 10.0, 1e4, 1e9, 1e15])
def test_ratio_obeys_the_recursion_and_its_bounds(order):
    """Amos's bounds enclose it, r (2 (nu + 1) + x r') = x ties orders together."""
    x = torch.logspace(-6, 20, 200, dtype=torch.float64)
    ratio, above = bessel_ratio(order, x), bessel_ratio(order + 1, x)
    torch.testing.assert_close(ratio * (2 * (order + 1) + x * above), x, rtol=1e-14, atol=0)
    root = torch.hypot(x, torch.full_like(x, order + 1.5))
    lower = x / (order + 0.5 + root)
    upper = x / (order + 0.5 + torch.hypot(x, torch.full_like(x, order + 0.5)))
    assert (ratio >= lower * (1 - 2e-15)).all()  # the bounds are rounded too
    assert (ratio <= upper * (1 + 2e-15)).all()
    assert (ratio.diff() >= -2e-15 * ratio[1:]).all()


def test_half_integer_orders_in_closed_form():
    x = torch.tensor([0.3, 2.0, 40.0, 1e5], dtype=torch.float64)
    langevin = 1 / x.tanh() - 1 / x
    torch.testing.assert_close(bessel_ratio(0.5, x), langevin, rtol=1e-14, atol=0)
    next_one = 1 / langevin - 3 / x
    torch.testing.assert_close(bessel_ratio(1.5, x), next_one, rtol=1e-12, atol=0)


def test_ratio_at_infinity_and_nan():
    x = torch.tensor([torch.inf, 1e308, torch.nan], dtype=torch.float64)
    ratio = bessel_ratio(3.0, x)
    assert ratio[:2].tolist() == [1, 1]
    assert ratio[2].isnan()


@pytest.mark.parametrize("order", [0.5, 5.0, 300.0])
def test_derivative_of_the_ratio(order):
    """The equation of Riccati: r' = 1 - r^2 - (2 nu + 1) r / x."""
    x = torch.tensor([1e-3, 0.5, 4.0, 30.0, 200.0], dtype=torch.float64, requires_grad=True)
    ratio = bessel_ratio(order, x)
    (slope,) = torch.autograd.grad(ratio.sum(), x)
    with mpmath.workdps(40):
        expected = []
        for entry in x.tolist():
            r = mpmath.besseli(mpf(order) + 1, entry) / mpmath.besseli(mpf(order), entry)
            expected.append(float(1 - r**2 - (2 * mpf(order) + 1) * r / entry))
    torch.testing.assert_close(
        slope, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0
    )
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(bessel_ratio(order, zero), zero)
    assert slope.item() == pytest.approx(1 / (2 * order + 2), rel=1e-15)


def test_dtypes_of_the_ratio():
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        x = torch.tensor([0.5, 3.0], dtype=dtype)
        ratio = bessel_ratio(2.0, x)
        assert ratio.dtype is torch.float32
        assert torch.equal(ratio, bessel_ratio(2.0, x.double()).float())
    with pytest.raises(TypeError, match=r"`argument` must be a floating-point tensor\. Got dtype"):
        bessel_ratio(1.0, torch.tensor(3))
    for order in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"`order` must be at least 0 and finite\. Got"):
            bessel_ratio(order, torch.ones(1))


# The ball


def on_the_ball(dimension, count, seed=0):
    """Uniform draws from the unit ball."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    radii = torch.rand(count, 1, generator=generator, dtype=torch.float64) ** (1 / dimension)
    return draws / draws.norm(dim=1, keepdim=True) * radii


def test_one_dimension_is_the_function_of_langevin():
    for gradient, radius, temperature in ((2.0, 0.5, 0.1), (-3.0, 2.0, 7.0), (1e-3, 1.0, 1.0)):
        step = gibbs_ball_step(torch.tensor([gradient], dtype=torch.float64), radius, temperature)
        with mpmath.workdps(40):
            exact_gradient = mpf(gradient)
            exact = -(
                radius * mpmath.coth(radius * exact_gradient / temperature)
                - temperature / exact_gradient
            )
        assert step.item() == pytest.approx(float(exact), rel=1e-13, abs=0)


def test_three_dimensions_by_quadrature():
    """The mean height over a ball sliced by planes; slices have area pi (1 - h^2)."""
    gradient = torch.tensor([1.0, 2.0, -2.0], dtype=torch.float64)
    step = gibbs_ball_step(gradient, 1.5, 0.8)
    with mpmath.workdps(30):
        x = mpf(1.5) * 3 / mpf(0.8)
        mass = mpmath.quad(lambda h: mpmath.exp(-x * h) * (1 - h * h), [-1, 0, 1])
        mean = mpmath.quad(lambda h: h * mpmath.exp(-x * h) * (1 - h * h), [-1, 0, 1]) / mass
    torch.testing.assert_close(step, 1.5 * float(mean) * gradient / 3, rtol=1e-13, atol=0)


@pytest.mark.parametrize("dimension", [2, 5, 20])
def test_monte_carlo(dimension):
    """Weighted uniform draws, 200,000 with a seed, within five standard errors."""
    draws = on_the_ball(dimension, 200_000)
    gradient = torch.linspace(-1, 2, dimension, dtype=torch.float64)
    weights = (-1.3 * draws @ gradient / 0.9).softmax(0)
    mean = 1.3 * weights @ draws
    error = 1.3 * (weights**2 @ (draws - mean / 1.3) ** 2).sqrt()
    step = gibbs_ball_step(gradient, 1.3, 0.9)
    assert ((mean - step).abs() < 5 * error).all()
    assert error.max() < 0.01


def test_hot_is_gradient_descent_and_cold_is_normalised_gradient_descent():
    gradient = torch.randn(7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hot = gibbs_ball_step(gradient, 0.3, 1e9)
    torch.testing.assert_close(hot, -(0.3**2) / (9 * 1e9) * gradient, rtol=1e-14, atol=0)
    for temperature in (1e-16, 1e-300):
        cold = gibbs_ball_step(gradient, 0.3, temperature)
        torch.testing.assert_close(cold, -0.3 * gradient / gradient.norm(), rtol=1e-14, atol=0)


def test_step_is_inside_the_ball_and_longer_when_colder():
    gradient = torch.tensor([3.0, -4.0])
    lengths = [gibbs_ball_step(gradient, 2.0, t).norm().item() for t in (100, 10, 1, 0.1, 0.01)]
    assert lengths == sorted(lengths)
    assert lengths[-1] < 2


@pytest.mark.parametrize("size", [0.0, 1e-320, 1e-200, 1e-20, 1.0, 1e20, 1e200, 1e307])
@pytest.mark.parametrize("dimension", [1, 3, 1_000_000])
def test_gradients_of_all_sizes(size, dimension):
    gradient = torch.full((dimension,), size, dtype=torch.float64)
    step = gibbs_ball_step(gradient, 1.0, 1.0)
    with mpmath.workdps(30):
        norm = mpf(gradient[0].item()) * mpmath.sqrt(dimension)
    ratio = bessel_ratio(
        dimension / 2, torch.tensor(min(float(norm), 1e300), dtype=torch.float64)
    ).item()
    length = step.square().sum().sqrt().item()  # the norm of torch loses three digits here
    if size >= 1e-150:
        assert length == pytest.approx(ratio, rel=1e-13, abs=0)
    expected = -size / (dimension + 2) if size < 1e-8 else -ratio / math.sqrt(dimension)
    assert step[0].item() == pytest.approx(expected, rel=1e-10, abs=5e-324)


def test_rows_are_vectors_of_their_own():
    rows = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    steps = gibbs_ball_step(rows, 0.5, 0.2)
    for i in range(4):
        for j in range(3):
            torch.testing.assert_close(steps[i, j], gibbs_ball_step(rows[i, j], 0.5, 0.2))


def test_step_is_minus_temperature_times_the_gradient_of_the_log_normaliser():
    """And its derivative is minus the covariance over the temperature: by autograd."""
    gradient = torch.tensor([0.4, -0.9, 0.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: gibbs_ball_step(g, 0.7, 0.3), gradient)
    jacobian = torch.autograd.functional.jacobian(lambda g: gibbs_ball_step(g, 0.7, 0.3), gradient)
    torch.testing.assert_close(jacobian, jacobian.T)
    assert (torch.linalg.eigvalsh(jacobian) < 0).all()
    at_zero = torch.autograd.functional.jacobian(
        lambda g: gibbs_ball_step(g, 0.7, 0.3), torch.zeros(3, dtype=torch.float64)
    )
    expected = -(0.7**2) / (5 * 0.3) * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(at_zero, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtypes_of_the_step(dtype):
    gradient = torch.tensor([0.5, -2.0], dtype=dtype)
    step = gibbs_ball_step(gradient, 1.0, 1.0)
    assert step.dtype is torch.float32
    torch.testing.assert_close(step, gibbs_ball_step(gradient.double(), 1.0, 1.0).float())


def test_bad_arguments_of_the_ball():
    for radius in (0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"`radius` must be positive and finite\. Got"):
            gibbs_ball_step(torch.ones(2), radius, 1.0)
        with pytest.raises(ValueError, match=r"`temperature` must be positive and finite\. Got"):
            gibbs_ball_step(torch.ones(2), 1.0, radius)
    for shape in ((), (3, 0)):
        with pytest.raises(ValueError, match=r"`gradient` must have shape \(\.\.\., d\)"):
            gibbs_ball_step(torch.ones(shape), 1.0, 1.0)


# The quadratic


def test_newton_step_and_its_spread():
    hessian = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    gradient = torch.tensor([1.0, -2.0], dtype=torch.float64)
    for temperature in (1.0, 0.1):
        mean, covariance = gibbs_quadratic_step(gradient, hessian, temperature)
        torch.testing.assert_close(mean, torch.tensor([-0.8, 1.4]).double())
        torch.testing.assert_close(covariance, temperature * torch.linalg.inv(hessian))


def test_quadratic_by_weighted_draws():
    hessian = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    gradient = torch.tensor([1.0, -2.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    draws = 2 * torch.randn(200_000, 2, generator=generator, dtype=torch.float64)
    losses = draws @ gradient + ((draws @ hessian) * draws).sum(1) / 2
    weights = (-losses / 0.5 + draws.square().sum(1) / 8).softmax(0)
    mean, covariance = gibbs_quadratic_step(gradient, hessian, 0.5)
    torch.testing.assert_close(weights @ draws, mean, rtol=0, atol=0.01)
    centred = draws - mean
    torch.testing.assert_close(
        centred.T @ (weights[:, None] * centred), covariance, rtol=0, atol=0.01
    )


def test_batches_and_dtypes_of_the_quadratic():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(3, 4, 4, generator=generator)
    hessian = root @ root.mT + torch.eye(4)
    gradient = torch.randn(3, 4, generator=generator)
    mean, covariance = gibbs_quadratic_step(gradient, hessian, 0.5)
    torch.testing.assert_close((hessian @ mean[..., None])[..., 0], -gradient, rtol=0, atol=1e-4)
    expected = 0.5 * torch.eye(4).expand(3, 4, 4)
    torch.testing.assert_close(hessian @ covariance, expected, rtol=0, atol=1e-4)
    half = gibbs_quadratic_step(gradient.half(), hessian.half(), 0.5)
    assert half.mean.dtype is half.covariance.dtype is torch.float32


def test_what_has_no_normaliser_is_refused():
    gradient = torch.ones(2)
    with pytest.raises(ValueError, match=r"positive definite\. Got smallest eigenvalue -1; the d"):
        gibbs_quadratic_step(gradient, torch.diag(torch.tensor([2.0, -1.0])), 1.0)
    with pytest.raises(ValueError, match=r"positive definite\. Got smallest eigenvalue 0; the d"):
        gibbs_quadratic_step(gradient, torch.zeros(2, 2), 1.0)
    with pytest.raises(ValueError, match=r"`hessian` must be symmetric\. Got entries 1 apart"):
        gibbs_quadratic_step(gradient, torch.tensor([[2.0, 1.0], [0.0, 2.0]]), 1.0)
    with pytest.raises(ValueError, match=r"`hessian` must be symmetric\. Got entries nan apart"):
        gibbs_quadratic_step(gradient, torch.full((2, 2), torch.nan), 1.0)
    with pytest.raises(ValueError, match=r"`hessian` must have shape \(\.\.\., d, d\) for a grad"):
        gibbs_quadratic_step(gradient, torch.eye(3), 1.0)
    with pytest.raises(ValueError, match=r"`temperature` must be positive and finite\. Got 0\."):
        gibbs_quadratic_step(gradient, torch.eye(2), 0.0)
