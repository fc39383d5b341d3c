"""How fast the gradient changes: along a step, in a direction, in the worst direction."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from scispaces.optim._common import (
    Parameters,
    check_choice,
    list_parameters,
    same_random_numbers,
    visits,
)
from scispaces.optim._norms import norm_of_norms, tensor_norms

Loss = Callable[[], Tensor]
Vector = Sequence[Tensor]
Method = Literal["difference", "hessian"]


def local_smoothness(
    loss: Loss,
    parameters: Parameters,
    step: Vector,
    *,
    method: Method = "difference",
    points: int = 1,
) -> Tensor:
    r"""Estimate of the smoothness constant along a step from the parameters.

    .. math:: \max_{1 \le j \le k} \frac{\lVert \nabla f(\theta + \gamma_j \Delta)
        - \nabla f(\theta) \rVert}{\gamma_j \lVert \Delta \rVert}
        \quad \text{or} \quad \max_{0 \le j \le k}
        \frac{\lVert \nabla^2 f(\theta + \gamma_j \Delta) \Delta \rVert}{\lVert \Delta \rVert},
        \qquad \gamma_j = j / k

    The difference, the form of the paper, is the norm of an average of Hessian-vector products
    between the two points. It is therefore at most the largest of these products on the way, and
    both are at most the norm of the Hessian there (book: `gradient-clipping-segment`). As the step
    shrinks they meet. Where rounding matters the product is the better one: the difference of two
    float32 gradients loses a digit for each digit that they share.

    Args:
        loss: Computes f from the parameters as they stand, and nothing else that is remembered:
            running statistics (batch normalisation) would be updated by every evaluation.
        parameters: The parameters theta, tensors that require gradients.
        step: The displacement Delta, one tensor for each parameter, shaped like it; not all zero.
        method: "difference" of gradients (k + 1 gradients), or "hessian" (k + 1 Hessian-vector
            products, each about twice the work of a gradient; `loss` must be twice
            differentiable, which rules out cuDNN's recurrent layers).
        points: The number k of points on the way, the end of the step always among them.

    Returns:
        A scalar tensor, float32 or wider. Every evaluation sees the same random numbers, so that
        dropout is not taken for curvature. The parameters are bit for bit where they were, and
        their `.grad` is not touched; but they were moved, so a graph made before is spent.

    Raises:
        TypeError: if parameters or step are no tensors.
        ValueError: for a step of other shapes or of length 0, another method, or k < 1.

    Example:
        >>> import torch
        >>> theta = torch.tensor([1.0], requires_grad=True)
        >>> local_smoothness(lambda: theta.pow(4).sum(), theta, [torch.tensor([-0.5])])
        tensor(7.)
        >>> local_smoothness(lambda: theta.pow(4).sum(), theta, [torch.tensor([-0.5])],
        ...                  method="hessian")
        tensor(12.)

    References:
        [1] J. Zhang et al. Why Gradient Clipping Accelerates Training. ICLR 2020.
    """
    check_choice("method", method, ("difference", "hessian"))
    if points < 1:
        raise ValueError(f"`points` must be at least 1. Got {points}.")
    listed = _differentiable(parameters)
    step = _like_parameters("step", step, listed)
    length = _length("step", step)
    ratios = []
    with same_random_numbers(listed) as wind_back, visits(listed) as move:
        start = _gradient(loss, listed) if method == "difference" else []
        for point in range(0 if method == "hessian" else 1, points + 1):
            fraction = point / points
            wind_back()
            move(step, fraction)
            if method == "hessian":
                ratios.append(_norm(_product(loss, listed, step)) / length)
            else:
                change = torch._foreach_sub(_gradient(loss, listed), start)
                ratios.append(_norm(change) / (fraction * length))
    return torch.stack(ratios).max()


def hessian_vector_product(loss: Loss, parameters: Parameters, vector: Vector) -> list[Tensor]:
    r"""The Hessian of the loss times a vector, without the Hessian.

    .. math:: \nabla^2 f(\theta)\, v = \nabla_\theta \langle \nabla f(\theta), v \rangle

    Args:
        loss: Computes f from the parameters as they stand; twice differentiable.
        parameters: The parameters theta, tensors that require gradients.
        vector: The vector v, one tensor for each parameter, shaped like it.

    Returns:
        One tensor for each parameter, in its dtype, without a graph.

    Raises:
        TypeError: if parameters or vector are no tensors.
        ValueError: for a vector of other shapes.

    Example:
        >>> import torch
        >>> theta = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> hessian_vector_product(lambda: theta.prod() ** 2, theta, [torch.tensor([1.0, 0.0])])
        [tensor([8., 8.])]

    References:
        [1] B. A. Pearlmutter. Fast Exact Multiplication by the Hessian. Neural Computation 6, 1994.
    """
    listed = _differentiable(parameters)
    return _product(loss, listed, _like_parameters("vector", vector, listed))


def directional_curvature(loss: Loss, parameters: Parameters, direction: Vector) -> Tensor:
    r"""Second derivative of the loss along a direction.

    .. math:: \frac{\langle v, \nabla^2 f(\theta) v \rangle}{\lVert v \rVert^2}

    This is what the descent along v feels. Its size is at most that of the product
    :math:`\lVert \nabla^2 f(\theta) v \rVert / \lVert v \rVert`, and unlike it has a sign.

    Args:
        loss: Computes f from the parameters as they stand; twice differentiable.
        parameters: The parameters theta, tensors that require gradients.
        direction: The direction v, one tensor for each parameter, shaped like it; not all zero.

    Returns:
        A scalar tensor, float32 or wider.

    Raises:
        TypeError: if parameters or direction are no tensors.
        ValueError: for a direction of other shapes or of length 0.

    Example:
        >>> import torch
        >>> theta = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> saddle = lambda: theta[0] ** 2 - 3 * theta[1] ** 2
        >>> directional_curvature(saddle, theta, [torch.tensor([0.0, 5.0])])
        tensor(-6.)
    """
    listed = _differentiable(parameters)
    direction = _like_parameters("direction", direction, listed)
    length = _length("direction", direction)
    unit = torch._foreach_div(direction, length.item())
    return _inner(unit, _product(loss, listed, unit))


def hessian_norm(
    loss: Loss,
    parameters: Parameters,
    *,
    iterations: int = 20,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Lower bound of the spectral norm of the Hessian, by power iteration.

    .. math:: v_{k+1} = \frac{\nabla^2 f(\theta) v_k}{\lVert \nabla^2 f(\theta) v_k \rVert},
        \qquad \lVert \nabla^2 f(\theta) v_k \rVert \nearrow \lVert \nabla^2 f(\theta) \rVert_2

    The numbers rise with every iteration, also where the two outermost eigenvalues have the same
    size and opposite signs (the vectors then do not settle, the numbers do). How fast depends on
    the gap to the next eigenvalue, so the value is a bound from below and not an error bar.

    Args:
        loss: Computes f from the parameters as they stand; twice differentiable.
        parameters: The parameters theta, tensors that require gradients.
        iterations: Number of Hessian-vector products, at least 1.
        generator: Source of the first vector, on the CPU; torch's global one without it.

    Returns:
        A scalar tensor, float32 or wider; 0 for a Hessian of 0.

    Raises:
        TypeError: if the parameters are no tensors.
        ValueError: for less than one iteration.

    Example:
        >>> import torch
        >>> theta = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> hessian_norm(lambda: theta[0] ** 2 - 3 * theta[1] ** 2, theta)
        tensor(6.)
    """
    if iterations < 1:
        raise ValueError(f"`iterations` must be at least 1. Got {iterations}.")
    listed = _differentiable(parameters)
    vector: Vector = [
        torch.randn(p.shape, generator=generator).to(p.device, p.dtype) for p in listed
    ]
    largest = torch.zeros(())
    with same_random_numbers(listed) as wind_back:
        for _ in range(iterations):
            length = _norm(vector)
            if length == 0:
                break
            vector = torch._foreach_div(list(vector), length.item())
            wind_back()
            vector = _product(loss, listed, vector)
            largest = torch.maximum(largest.to(length), _norm(vector))
    return largest


def _differentiable(parameters: Parameters) -> list[Tensor]:
    listed = list_parameters(parameters)
    for index, parameter in enumerate(listed):
        if not parameter.requires_grad:
            raise ValueError(
                f"`parameters` must require gradients. Got one that does not: {index}."
            )
    if not listed:
        raise ValueError("`parameters` must hold at least one tensor. Got none.")
    return listed


def _like_parameters(name: str, vector: Vector, parameters: list[Tensor]) -> list[Tensor]:
    if isinstance(vector, Tensor):
        vector = [vector]
    for each in vector:
        if not isinstance(each, Tensor):
            raise TypeError(f"`{name}` must be tensors. Got {type(each).__name__}.")
    shapes = [tuple(each.shape) for each in vector]
    if shapes != [tuple(parameter.shape) for parameter in parameters]:
        expected = [tuple(parameter.shape) for parameter in parameters]
        raise ValueError(
            f"`{name}` must have the shapes of the parameters, {expected}. Got {shapes}."
        )
    return [each.detach().to(p) for each, p in zip(vector, parameters, strict=True)]


def _gradient(loss: Loss, parameters: list[Tensor], *, graph: bool = False) -> list[Tensor]:
    with torch.enable_grad():
        value = loss()
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"`loss` must return a scalar that depends on the parameters. Got {got}.")
    return list(torch.autograd.grad(value, parameters, create_graph=graph, materialize_grads=True))


def _product(loss: Loss, parameters: list[Tensor], vector: Vector) -> list[Tensor]:
    gradient = _gradient(loss, parameters, graph=True)
    curved = [(g, v) for g, v in zip(gradient, vector, strict=True) if g.requires_grad]
    if not curved:  # the loss is linear
        return [torch.zeros_like(parameter) for parameter in parameters]
    ends, weights = map(list, zip(*curved, strict=True))
    return list(torch.autograd.grad(ends, parameters, weights, materialize_grads=True))


def _norm(vector: Vector) -> Tensor:
    return norm_of_norms(tensor_norms(vector))


def _length(name: str, vector: Vector) -> Tensor:
    length = _norm(vector)
    if not 0 < length.item() < torch.inf:
        raise ValueError(f"`{name}` must have a length above 0 and finite. Got {length.item():g}.")
    return length


def _inner(first: Vector, second: Vector) -> Tensor:
    products = [
        (a * b).sum(dtype=torch.promote_types(a.dtype, torch.float32)).double()
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(products).sum().to(_norm(first).dtype)
