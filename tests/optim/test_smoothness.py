"""Smoothness along a step: known functions, explicit Hessians, and the methods compared."""

import math

import pytest
import torch
from torch import nn

from scispaces.optim import (
    directional_curvature,
    hessian_norm,
    hessian_vector_product,
    local_smoothness,
)

METHODS = ["difference", "hessian"]
every_method = pytest.mark.parametrize("method", METHODS)


def vector(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def quadratic(size=6, seed=0):
    """Theta, 1/2 theta A theta, and A, which has eigenvalues of both signs."""
    a = vector(size, size, seed=seed)
    a = (a + a.T) / 2
    theta = vector(size, seed=1).requires_grad_()
    return theta, lambda: theta @ a @ theta / 2, a


def network(dtype=torch.float64, dropout=0.0):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 2)]
    model = nn.Sequential(*layers).to(dtype)
    x, y = vector(30, 4, dtype=dtype), vector(30, 2, seed=1, dtype=dtype)
    return model, lambda: (model(x) - y).square().mean()


def full_hessian(model, loss):
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters, create_graph=True)
    flat = torch.cat([g.flatten() for g in gradients])
    rows = [
        torch.autograd.grad(entry, parameters, retain_graph=True, materialize_grads=True)
        for entry in flat
    ]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


@every_method
@pytest.mark.parametrize("points", [1, 4])
def test_constant_curvature(method, points):
    theta, loss, a = quadratic()
    step = vector(6, seed=2)
    value = local_smoothness(loss, theta, [step], method=method, points=points)
    torch.testing.assert_close(value, (a @ step).norm() / step.norm(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("points", [1, 2, 10])
def test_fourth_power_in_closed_form(points):
    theta = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    step = torch.tensor([-0.5], dtype=torch.float64)

    def measure(method):
        return local_smoothness(
            lambda: theta.pow(4).sum(), theta, step, method=method, points=points
        ).item()

    near = 1 - 0.5 / points
    assert measure("difference") == pytest.approx(4 * (1 - near**3) / (1 - near), rel=1e-14)
    assert measure("hessian") == pytest.approx(12, rel=1e-15)


def test_product_is_that_with_the_full_hessian():
    model, loss = network()
    step = [vector(*p.shape, seed=i) for i, p in enumerate(model.parameters())]
    ours = flat(hessian_vector_product(loss, model.parameters(), step))
    hessian = full_hessian(model, loss)
    torch.testing.assert_close(ours, hessian @ flat(step), rtol=1e-12, atol=1e-14)
    curvature = directional_curvature(loss, model.parameters(), step)
    expected = flat(step) @ hessian @ flat(step) / flat(step).square().sum()
    torch.testing.assert_close(curvature, expected, rtol=1e-12, atol=0)


def test_power_iteration_rises_to_the_spectral_norm():
    model, loss = network()
    norm = torch.linalg.eigvalsh(full_hessian(model, loss)).abs().max().item()
    values = [
        hessian_norm(
            loss, model.parameters(), iterations=k, generator=torch.Generator().manual_seed(0)
        ).item()
        for k in (1, 2, 4, 8, 16, 64)
    ]
    assert values == sorted(values)
    assert values[-1] <= norm * (1 + 1e-12)
    assert values[-1] == pytest.approx(norm, rel=1e-6)


def test_power_iteration_with_opposite_eigenvalues_of_one_size():
    theta = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    weights = torch.tensor([2.0, -2.0, 0.5])
    generator = torch.Generator().manual_seed(3)
    value = hessian_norm(lambda: weights @ theta.square(), theta, generator=generator)
    assert value.item() == pytest.approx(4, rel=1e-6)


def test_the_order_of_the_measures():
    """Difference <= largest product on the way <= largest norm of the Hessian on the way."""
    model, loss = network()
    parameters = list(model.parameters())
    step = [0.7 * vector(*p.shape, seed=i) for i, p in enumerate(parameters)]
    difference = local_smoothness(loss, parameters, step)
    products, norms, curvatures = [], [], []
    start = [p.detach().clone() for p in parameters]
    for fraction in torch.linspace(0, 1, 41).tolist():
        with torch.no_grad():
            for p, origin, change in zip(parameters, start, step, strict=True):
                p.copy_(origin + fraction * change)
        product = flat(hessian_vector_product(loss, parameters, step)).norm() / flat(step).norm()
        products.append(product)
        curvatures.append(directional_curvature(loss, parameters, step).abs())
        assert curvatures[-1] <= product * (1 + 1e-12)
        norms.append(torch.linalg.matrix_norm(full_hessian(model, loss), 2))
        assert product <= norms[-1] * (1 + 1e-12)
    assert difference < max(products) < max(norms)
    with torch.no_grad():
        for p, origin in zip(parameters, start, strict=True):
            p.copy_(origin)
    on_the_way = local_smoothness(loss, parameters, step, method="hessian", points=40)
    torch.testing.assert_close(on_the_way, max(products))


def test_the_two_methods_meet_as_the_step_shrinks():
    model, loss = network()
    parameters = list(model.parameters())
    gaps = []
    for size in (1e-1, 1e-2, 1e-3):
        step = [size * vector(*p.shape, seed=i) for i, p in enumerate(parameters)]
        difference, product = (
            local_smoothness(loss, parameters, step, method=method) for method in METHODS
        )
        at_start = flat(hessian_vector_product(loss, parameters, step)).norm() / flat(step).norm()
        assert product >= at_start * (1 - 1e-12)
        gaps.append(abs(difference - at_start).item())
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.5)
    assert gaps[1] / gaps[2] == pytest.approx(10, rel=0.1)


def test_short_steps_in_float32_ruin_the_difference_and_not_the_product():
    exact_model, exact_loss = network()
    model, loss = network(torch.float32)
    errors = {}
    for method in METHODS:
        step = [1e-6 * vector(*p.shape, seed=i) for i, p in enumerate(model.parameters())]
        truth = local_smoothness(exact_loss, exact_model.parameters(), step, method="hessian")
        measured = local_smoothness(loss, model.parameters(), step, method=method)
        errors[method] = abs(measured / truth - 1).item()
    assert errors["hessian"] < 1e-5
    assert errors["difference"] > 1e-3


@every_method
def test_parameters_and_gradients_are_left_as_they_were(method):
    model, loss = network(torch.float32)
    loss().backward()
    before = [(p.detach().clone(), p.grad.clone()) for p in model.parameters()]
    step = [vector(*p.shape, dtype=torch.float32) for p in model.parameters()]
    value = local_smoothness(loss, model.parameters(), step, method=method, points=3)
    assert not value.requires_grad
    hessian_norm(loss, model.parameters())
    for parameter, (weight, gradient) in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, weight)
        assert torch.equal(parameter.grad, gradient)

    def fails():
        raise RuntimeError("out of data")

    calls = iter([loss, fails])
    with pytest.raises(RuntimeError, match="out of data"):
        local_smoothness(lambda: next(calls)(), model.parameters(), step, method=method)
    for parameter, (weight, _) in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, weight)


@every_method
def test_dropout_is_not_taken_for_curvature(method):
    model, loss = network(dropout=0.5)
    step = [1e-4 * vector(*p.shape, seed=i) for i, p in enumerate(model.parameters())]
    values = []
    for _ in range(2):
        torch.manual_seed(7)
        values.append(local_smoothness(loss, model.parameters(), step, method=method))
    assert values[0] == values[1]
    assert values[0] < 10  # two masks would differ by the size of a gradient over 1e-4


def test_parameters_that_do_not_count_and_losses_without_curvature():
    used, idle = (vector(3, seed=i).requires_grad_() for i in range(2))
    step = [vector(3, seed=2), vector(3, seed=3)]
    for method in METHODS:
        value = local_smoothness(lambda: used.square().sum(), [used, idle], step, method=method)
        expected = 2 * step[0].norm() / flat(step).norm()
        assert value.item() == pytest.approx(expected.item(), rel=1e-12)
        linear = local_smoothness(
            lambda: used.sum() + idle.sum(), [used, idle], step, method=method
        )
        assert linear == 0
    assert hessian_norm(lambda: used.sum(), [used, idle]) == 0


def test_recurrent_layers_on_a_cpu():
    torch.manual_seed(0)
    model = nn.LSTM(3, 4).double()
    x = vector(5, 2, 3)

    def loss():
        return model(x)[0].square().sum()

    step = [1e-5 * vector(*p.shape, seed=i) for i, p in enumerate(model.parameters())]
    difference, product = (
        local_smoothness(loss, model.parameters(), step, method=method) for method in METHODS
    )
    torch.testing.assert_close(difference, product, rtol=1e-4, atol=0)


def test_bad_arguments():
    theta, loss, _ = quadratic()
    step = [vector(6)]
    with pytest.raises(ValueError, match=r"`method` must be 'difference' or 'hessian'\. Got 'x'\."):
        local_smoothness(loss, theta, step, method="x")
    with pytest.raises(ValueError, match=r"`points` must be at least 1\. Got 0\."):
        local_smoothness(loss, theta, step, points=0)
    with pytest.raises(ValueError, match=r"`step` must have the shapes of the parameters, \[\(6,"):
        local_smoothness(loss, theta, [vector(5)])
    with pytest.raises(ValueError, match=r"`vector` must have the shapes"):
        hessian_vector_product(loss, theta, [vector(6), vector(6)])
    with pytest.raises(TypeError, match=r"`step` must be tensors\. Got float\."):
        local_smoothness(loss, theta, [0.5])
    for length in (0.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"length above 0 and finite\. Got"):
            local_smoothness(loss, theta, [torch.full((6,), length)])
    with pytest.raises(ValueError, match=r"`parameters` must require gradients"):
        local_smoothness(loss, theta.detach(), step)
    with pytest.raises(ValueError, match=r"`parameters` must hold at least one tensor"):
        hessian_norm(loss, [])
    with pytest.raises(ValueError, match=r"`loss` must return a scalar that depends on the param"):
        hessian_norm(lambda: torch.tensor(1.0), theta)
    with pytest.raises(ValueError, match=r"`iterations` must be at least 1\. Got 0\."):
        hessian_norm(loss, theta, iterations=0)
