r"""Races of gradient descent, clipped or not, to a small gradient, counted in plain Python.

Every number is a Python float, so nothing here shares code with `scispaces.optim`; `count_in_torch`
runs the same races with `scispaces.optim.ClippedSGD`, and the counts agree.

A method turns the gradient g into a step. With constants (L0, L1) of the function:

- soft: g / (L0 + L1 |g|); hard: min(1 / L0, 1 / (L1 |g|)) g;
- normalised: g / (L1 |g|); normalised_falling: the same over the square root of the step's number;
- gd_curvature: g over the largest curvature at or below the value of the start (1 / L);
- gd_edge: 0.98 of the largest fixed step that does not lead up in the first step;
- gd_gradient: g / (L0 + L1 |g0|) with the gradient g0 of the start, a fixed step;
- gd_best: the fixed step that needs fewest steps among those of a grid;
- armijo: the first of 2s, 1.2s, 0.72s, … that lowers f by at least 1e-4 times the step times g^2,
  s being the last step (1 at first).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scispaces.optim import ClippedSGD
from scispaces.studies.clipping_functions import FUNCTIONS, Function

Row = dict[str, Any]
Multiplier = Callable[[float, int], float]

SUFFICIENT, GROWTH, SHRINKAGE = 1e-4, 2.0, 0.6
# The grid of fixed steps: 10^(1 - j / 8).
GRID = tuple(10 ** (1 - number / 8) for number in range(73))
EDGE = 0.98


CONSTANT = ("soft", "hard", "normalised", "normalised_falling", "gd_gradient")
METHODS = ("gd_curvature", "gd_edge", "gd_best", "armijo", *CONSTANT)


def multiplier(
    function: Function, method: str, start: float, constants: tuple[float, float]
) -> Multiplier | None:
    """What the gradient is multiplied with, from its size and the number of the step, from 1.

    Args:
        function: one of `FUNCTIONS`.
        method: one of `METHODS` but armijo and gd_best.
        start: where the race begins.
        constants: L0 and L1.

    Returns:
        The multiplier; None for gd_edge where there is no edge.
    """
    zeroth, first = constants
    if method == "soft":
        rate, threshold = 1 / zeroth, zeroth / first
        return lambda size, number: rate * (1 / (1 + size / threshold))
    if method == "hard":
        rate, threshold = 1 / zeroth, zeroth / first
        return lambda size, number: rate * (threshold / max(size, threshold))
    if method == "normalised":
        return lambda size, number: 1 / (first * size)
    if method == "normalised_falling":
        return lambda size, number: 1 / (first * size * math.sqrt(number))
    fixed = fixed_step(function, method, start, constants)
    return None if fixed is None else lambda size, number: fixed


def fixed_step(
    function: Function, method: str, start: float, constants: tuple[float, float]
) -> float | None:
    """The step of a method whose step is fixed."""
    if method == "gd_curvature":
        return 1 / function.curvature(start)
    if method == "gd_edge":
        edge = function.edge(start)
        return None if edge is None else EDGE * edge
    if method == "gd_gradient":
        return 1 / (constants[0] + constants[1] * abs(function.slope(start)))
    raise ValueError(f"`method` must have a fixed step. Got {method!r}.")


def count(
    function: Function, factor: Multiplier, start: float, tolerance: float, limit: int
) -> int | None:
    """Steps until |f'| <= tolerance; None if there are more than `limit`, or f' overflows."""
    slope, theta = function.slope, start
    try:
        for number in range(limit + 1):
            gradient = slope(theta)
            size = abs(gradient)
            if size <= tolerance:
                return number
            theta -= factor(size, number + 1) * gradient
    except OverflowError:
        return None
    return None


def count_fixed(
    function: Function, step: float, start: float, tolerance: float, limit: int
) -> int | None:
    """`count` for a fixed step, several times faster."""
    slope, theta = function.slope, start
    try:
        for number in range(limit + 1):
            gradient = slope(theta)
            if -tolerance <= gradient <= tolerance:
                return number
            theta -= step * gradient
    except OverflowError:
        return None
    return None


def count_best(
    function: Function, start: float, tolerance: float, limit: int
) -> tuple[int | None, float | None]:
    """The fewest steps that a fixed step of `GRID` needs, and that step."""
    fewest, best = None, None
    for step in GRID:
        # More steps than the best so far need not be counted.
        needed = count_fixed(function, step, start, tolerance, limit)
        if needed is not None and (fewest is None or needed < fewest):
            fewest, best, limit = needed, step, needed
    return fewest, best


def count_armijo(
    value: Callable[[Any], float],
    slope: Callable[[Any], Any],
    start: Any,
    tolerance: float,
    limit: int,
    size: Callable[[Any], float] = abs,
) -> tuple[int | None, int]:
    """Steps of gradient descent with backtracking, and how often the function was evaluated.

    Args:
        value, slope: the function and its gradient, of a number or an array.
        start: where the race begins.
        tolerance: size of the gradient at which to end.
        limit: give up (None) after so many steps.
        size: of a gradient.
    """
    theta, step, height, evaluations = start, 1 / GROWTH, value(start), 1
    for number in range(limit + 1):
        gradient = slope(theta)
        length = size(gradient)
        if length <= tolerance:
            return number, evaluations
        step *= GROWTH
        while True:
            evaluations += 1
            trial = theta - step * gradient
            reached = _value_or_infinity(value, trial)
            if reached <= height - SUFFICIENT * step * length**2:
                break
            step *= SHRINKAGE
        theta, height = trial, reached
    return None, evaluations


def _value_or_infinity(value: Callable[[Any], float], theta: Any) -> float:
    try:
        return value(theta)
    except OverflowError:
        return math.inf


def race(
    name: str,
    starts: Sequence[float],
    tolerances: Sequence[float],
    firsts: Sequence[float],
    limit: int,
    methods: Sequence[str] = METHODS,
) -> list[Row]:
    """Count the steps of every method from every start to every tolerance.

    Args:
        name: a key of `FUNCTIONS`.
        starts, tolerances: where to begin, and the size of the gradient at which to end.
        firsts: values of L1; L0 is the least that goes with it, but 1 where that is 0. Methods
            that use neither run once.
        limit: give up after so many steps.
        methods: some of `METHODS`.

    Returns:
        One row each: function, method, start, tolerance, l0, l1 (None where not used), steps (None
        beyond the limit), step (the fixed one, else None), evaluations (of f; armijo only).
    """
    function, rows = FUNCTIONS[name], []
    for method in methods:
        chosen = firsts if method in CONSTANT else (None,)
        for start in starts:
            for tolerance in tolerances:
                for first in chosen:
                    constants = None if first is None else (function.zeroth(first) or 1.0, first)
                    row: Row = {
                        "function": name,
                        "method": method,
                        "start": start,
                        "tolerance": tolerance,
                        "l0": constants[0] if constants else None,
                        "l1": first,
                    }
                    rows.append(
                        row | _counted(function, method, start, tolerance, constants, limit)
                    )
    return rows


def _counted(
    function: Function,
    method: str,
    start: float,
    tolerance: float,
    constants: tuple[float, float] | None,
    limit: int,
) -> Row:
    step, evaluations = None, None
    if method == "armijo":
        steps, evaluations = count_armijo(function.value, function.slope, start, tolerance, limit)
    elif method == "gd_best":
        steps, step = count_best(function, start, tolerance, limit)
    elif method.startswith("gd_"):
        step = fixed_step(function, method, start, constants or (0.0, 0.0))
        steps = None if step is None else count_fixed(function, step, start, tolerance, limit)
    else:
        factor = multiplier(function, method, start, constants or (0.0, 0.0))
        steps = None if factor is None else count(function, factor, start, tolerance, limit)
    return {"steps": steps, "step": step, "evaluations": evaluations}


def count_in_torch(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    tolerance: float,
    limit: int,
    **settings: Any,
) -> int | None:
    """Steps of `ClippedSGD` until the gradient has at most a length, in the dtype of the start.

    Normalised descent of length s is hard clipping with lr s / c at a threshold c below every
    gradient that is met: with c = tolerance it is exact.

    Args:
        loss: from the parameter to a scalar.
        start: the first parameter, of any shape.
        tolerance: length of the gradient at which to end.
        limit: give up (None) after so many steps.
        **settings: of `ClippedSGD`: lr, threshold, form.
    """
    theta = torch.nn.Parameter(start.clone())
    optimiser = ClippedSGD([theta], **settings)
    for number in range(limit + 1):
        theta.grad = torch.autograd.grad(loss(theta).sum(), theta)[0]
        if torch.linalg.vector_norm(theta.grad) <= tolerance:
            return number
        optimiser.step()
    return None
