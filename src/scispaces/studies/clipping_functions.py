"""Functions of one variable for races, with what the methods need to know about each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Function:
    """A function of one variable.

    Attributes:
        value, slope: f and its derivative; `value` works on tensors too.
        curvature: from a start to the largest second derivative in size at or below its value.
        edge: from a start to the largest fixed step that does not lead up in the first step, None
            where every step leads down.
        zeroth: from L1 to the least L0 with |f''| <= L0 + L1 |f'| everywhere, which may be 0.
    """

    value: Callable[[Any], Any]
    slope: Callable[[float], float]
    curvature: Callable[[float], float]
    edge: Callable[[float], float | None]
    zeroth: Callable[[float], float]


def _exponential(theta: Any) -> Any:
    return theta.exp() if isinstance(theta, Tensor) else math.exp(theta)


def _lifted_edge(start: float) -> float:
    """The step that leads from the right of the minimum of e^x - x to the same height on the left.

    The left end is the root of e^y - y = e^x - x below 0, by bisection.
    """
    height = math.exp(start) - start
    low, high = -height - 1, 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.exp(middle) - middle > height else (low, middle)
    return (start - high) / (math.exp(start) - 1)


FUNCTIONS = {
    "quartic": Function(
        lambda x: x**4,
        lambda x: 4 * x**3,
        lambda start: 12 * start**2,
        lambda start: 0.5 / start**2,
        lambda l1: 16 / l1**2,
    ),
    # |f''| = |f'|: L0 = 0 would do for L1 = 1. It has no minimum, so no step is too long.
    "exponential": Function(
        _exponential,
        math.exp,
        math.exp,
        lambda start: None,
        lambda l1: 0.0 if l1 >= 1 else math.inf,
    ),
    # Where L1 < 1 the second derivative e^x outgrows L1 (e^x - 1). From the right of 0 only.
    "exponential-minus-line": Function(
        lambda x: _exponential(x) - x,
        lambda x: math.exp(x) - 1,
        math.exp,
        _lifted_edge,
        lambda l1: 1.0 if l1 >= 1 else math.inf,
    ),
}
