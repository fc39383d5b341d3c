"""Small loss landscapes in the plane with exact derivatives, gradient lines and flooded paths."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.func import grad, jacrev

Landscape = Callable[[Tensor], Tensor]


def double(values: Any) -> Tensor:
    """Numbers as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64)


def wavy(p: Tensor) -> Tensor:
    """No derivative up to the fifth vanishes at a general point."""
    return p[0] ** 2 * (1 + p[1] ** 2) / 2 + 0.3 * torch.sin(p[0] + 2 * p[1]) + torch.exp(p[1] / 2)


def valley(p: Tensor) -> Tensor:
    """Zero on the line x = 0, the steeper across it the larger |y|."""
    return p[0] ** 2 * (1 + p[1] ** 2) / 2


def valley_gradient(x: float, y: float) -> tuple[float, float]:
    """The gradient of `valley`, without tensors."""
    return x * (1 + y * y), x * x * y


def slope(landscape: Landscape, p: Tensor) -> Tensor:
    """The gradient."""
    return grad(landscape)(p)


def curved(landscape: Landscape, p: Tensor) -> Tensor:
    """The matrix of second derivatives."""
    return jacrev(grad(landscape))(p)


def penalty_slope(landscape: Landscape, p: Tensor) -> Tensor:
    """The gradient of the squared length of the gradient."""
    return grad(lambda q: (grad(landscape)(q) ** 2).sum())(p)


def third(landscape: Landscape, p: Tensor) -> Tensor:
    """The third derivatives, twice applied to the gradient at p."""
    fixed = slope(landscape, p)
    return grad(lambda q: fixed @ jacrev(grad(landscape))(q) @ fixed)(p)


def fourth(landscape: Landscape, p: Tensor) -> Tensor:
    """The fourth derivatives, three times applied to the gradient at p."""
    fixed = slope(landscape, p)
    return grad(lambda q: grad(lambda r: fixed @ jacrev(grad(landscape))(r) @ fixed)(q) @ fixed)(p)


def to_level(landscape: Landscape, p: Tensor, level: float) -> tuple[Tensor, float]:
    """Where the gradient line through p meets the level, and the time of descent until there."""

    def pace(_: float, state: Any) -> Any:
        g = slope(landscape, double(state[:2])).numpy()
        return np.append(g, 1.0) / (g @ g)

    start = landscape(p).item()
    found = solve_ivp(pace, (start, level), [*p.tolist(), 0.0], rtol=1e-12, atol=1e-14)
    return double(found.y[:2, -1]), -found.y[2, -1]


def quarter(errors: list[float]) -> float:
    """By what power of the step the last two errors fall, the step halved from one to the next."""
    return float(np.log2(errors[-2] / errors[-1]))
