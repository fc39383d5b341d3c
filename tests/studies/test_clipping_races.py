"""The races: counted twice, what the methods are told about the functions, known values."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from scispaces.studies.clipping_functions import FUNCTIONS
from scispaces.studies.clipping_races import (
    CONSTANT,
    GRID,
    METHODS,
    count,
    count_armijo,
    count_best,
    count_fixed,
    count_in_torch,
    fixed_step,
    multiplier,
    race,
)

FAR = 10_000_000


def curvatures(name: str, points: np.ndarray) -> np.ndarray:
    """Second derivatives in size, by differentiating twice."""
    theta = torch.tensor(points, requires_grad=True)
    slopes = torch.autograd.grad(FUNCTIONS[name].value(theta).sum(), theta, create_graph=True)[0]
    return torch.autograd.grad(slopes.sum(), theta)[0].abs().numpy()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes_and_constants_are_those_of_the_values(name: str) -> None:
    function = FUNCTIONS[name]
    points = np.linspace(-8, 8, 1601)
    theta = torch.tensor(points, requires_grad=True)
    slopes = torch.autograd.grad(function.value(theta).sum(), theta)[0].numpy()
    own = np.array([function.slope(point) for point in points.tolist()])
    np.testing.assert_allclose(own, slopes, rtol=1e-12, atol=1e-12)
    for first in (0.5, 1.0, 2.0, 4.0):
        zeroth = function.zeroth(first)
        gap = (curvatures(name, points) - first * np.abs(slopes)).max()
        assert gap <= zeroth * (1 + 1e-12) + 1e-12
        if zeroth not in (0.0, math.inf):
            assert gap == pytest.approx(zeroth, rel=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("start", [0.7, 2.0, 4.5])
def test_curvature_is_the_largest_at_or_below_the_value_of_the_start(
    name: str, start: float
) -> None:
    function = FUNCTIONS[name]
    points = np.linspace(start - 60, start + 1, 3001)
    low = points[[function.value(point) <= function.value(start) for point in points.tolist()]]
    assert curvatures(name, low).max() <= function.curvature(start) * (1 + 1e-12)
    assert function.curvature(start) == pytest.approx(curvatures(name, np.array([start]))[0])


@pytest.mark.parametrize("name", ["quartic", "exponential-minus-line"])
@pytest.mark.parametrize("start", [0.7, 3.0, 10.0])
def test_a_step_just_under_the_edge_leads_down_and_one_just_over_it_up(
    name: str, start: float
) -> None:
    function = FUNCTIONS[name]
    edge, height = function.edge(start), function.value(start)
    assert edge is not None
    for share, leads_up in ((0.999, False), (1.001, True)):
        reached = start - share * edge * function.slope(start)
        assert (function.value(reached) > height) == leads_up


def test_the_quartic_needs_the_steps_that_were_found_before() -> None:
    expected = {
        "gd_curvature": (3_395, 340_168),
        "gd_edge": (565, 57_837),
        "soft": (128, 182),
        "hard": (126, 180),
    }
    rows = race("quartic", (3.0, 30.0), (1e-3,), (2.0,), FAR, tuple(expected))
    found = {(row["method"], row["start"]): row["steps"] for row in rows}
    for method, counts in expected.items():
        assert (found[method, 3.0], found[method, 30.0]) == counts


def settings(method: str, constants: tuple[float, float], tolerance: float) -> dict:
    zeroth, first = constants
    if method == "normalised":
        return {"lr": 1 / (first * tolerance), "threshold": tolerance}
    return {"lr": 1 / zeroth, "threshold": zeroth / first, "form": method}


def in_torch(name: str, start: float, tolerance: float, limit: int, **given: object) -> int | None:
    value = torch.tensor(start, dtype=torch.float64)
    return count_in_torch(FUNCTIONS[name].value, value, tolerance, limit, **given)


@pytest.mark.parametrize("method", ["soft", "hard", "normalised"])
@pytest.mark.parametrize(
    ("name", "first"), [("quartic", 1.5), ("quartic", 2.0), ("exponential-minus-line", 1.0)]
)
def test_the_optimizer_of_the_library_needs_as_many_clipped_steps(
    method: str, name: str, first: float
) -> None:
    function = FUNCTIONS[name]
    constants = (function.zeroth(first), first)
    counts = []
    # Four steps of normalised descent lead from the first start to within 1e-4 of the minimum.
    for start in (4 / first + 1e-4, 9.1):
        for tolerance in (1e-1, 1e-2):
            factor = multiplier(function, method, start, constants)
            assert factor is not None
            counts.append(count(function, factor, start, tolerance, 300))
            given = settings(method, constants, tolerance)
            assert in_torch(name, start, tolerance, 300, **given) == counts[-1]
    assert sum(each is not None for each in counts) >= 2
    if method == "normalised":
        assert counts[:2] == [4, 4]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("start", [1.3, 2.3])
def test_the_optimizer_of_the_library_needs_as_many_fixed_steps(name: str, start: float) -> None:
    function = FUNCTIONS[name]
    for method in ("gd_curvature", "gd_gradient"):
        step = fixed_step(function, method, start, (1.0, 1.0))
        assert step is not None
        own = count_fixed(function, step, start, 1e-1, 400)
        assert own is not None
        assert in_torch(name, start, 1e-1, 400, lr=step, threshold=math.inf) == own


def test_steps_beyond_the_edge_do_not_arrive_and_one_of_a_quarter_lands_at_once() -> None:
    quartic = FUNCTIONS["quartic"]
    for start in (3.0, 30.0):
        assert count_fixed(quartic, 0.51 / start**2, start, 1e-3, FAR) is None
        assert count_fixed(quartic, 0.25 / start**2, start, 1e-3, FAR) == 1
        assert in_torch("quartic", start, 1e-3, 100, lr=0.51 / start**2, threshold=math.inf) is None


def test_the_best_fixed_step_is_the_best_of_the_grid() -> None:
    quartic = FUNCTIONS["quartic"]
    counts = [count_fixed(quartic, step, 5.0, 1e-2, 20_000) for step in GRID]
    fewest, step = count_best(quartic, 5.0, 1e-2, 20_000)
    assert fewest == min(each for each in counts if each is not None)
    assert counts[GRID.index(step)] == fewest
    assert count_best(quartic, 5.0, 1e-2, 0) == (None, None)


def test_the_step_of_the_initial_gradient_with_its_best_constant_is_the_classical_one() -> None:
    quartic = FUNCTIONS["quartic"]
    for start in (1.5, 8.0):
        classical = fixed_step(quartic, "gd_curvature", start, (0.0, 0.0))
        steps = [
            fixed_step(quartic, "gd_gradient", start, (quartic.zeroth(first), first))
            for first in np.geomspace(0.05, 20, 400) / start
        ]
        assert max(step for step in steps if step) == pytest.approx(classical, rel=1e-3)
        at_best = fixed_step(quartic, "gd_gradient", start, (4 * start**2, 2 / start))
        assert at_best == pytest.approx(classical, rel=1e-14)


def test_line_search_lowers_the_function_in_every_step_and_counts_its_evaluations() -> None:
    quartic, seen = FUNCTIONS["quartic"], []

    def value(theta: float) -> float:
        seen.append(theta)
        return quartic.value(theta)

    at = []

    def slope(theta: float) -> float:
        at.append(theta)
        return quartic.slope(theta)

    steps, evaluations = count_armijo(value, slope, 7.3, 1e-3, 1000)
    assert steps == len(at) - 1
    assert evaluations == len(seen) > len(at)
    heights = [quartic.value(theta) for theta in at]
    assert all(after < before for before, after in itertools.pairwise(heights))
    assert count_armijo(quartic.value, quartic.slope, 7.3, 1e-3, 1) == (None, 13)


def test_line_search_treats_a_point_and_an_array_alike() -> None:
    def value(w: np.ndarray) -> float:
        return float((w**4).sum())

    both = count_armijo(
        value,
        lambda w: 4 * w**3,
        np.array([7.3]),
        1e-3,
        1000,
        size=lambda g: float(np.abs(g).max()),
    )
    quartic = FUNCTIONS["quartic"]
    assert both == count_armijo(quartic.value, quartic.slope, 7.3, 1e-3, 1000)


def test_rows_hold_every_combination_once() -> None:
    rows = race("exponential", (1.0, 2.0), (0.1, 0.01), (1.0, 2.0), 5000)
    keys = [(row["method"], row["start"], row["tolerance"], row["l1"]) for row in rows]
    assert len(set(keys)) == len(keys) == 4 * (2 * len(CONSTANT) + len(METHODS) - len(CONSTANT))
    for row in rows:
        assert (row["l0"] is None) == (row["l1"] is None) == (row["method"] not in CONSTANT)
        assert (row["evaluations"] is not None) == (row["method"] == "armijo")
        # Every step leads down here, so there is no edge.
        assert (row["steps"] is None) == (row["method"] == "gd_edge")


def test_a_method_with_changing_steps_has_no_fixed_one() -> None:
    with pytest.raises(ValueError, match=r"`method` must have a fixed step\. Got 'armijo'"):
        fixed_step(FUNCTIONS["quartic"], "armijo", 1.0, (1.0, 1.0))


def test_overflow_counts_as_never_arriving() -> None:
    quartic = FUNCTIONS["quartic"]
    grows = multiplier(quartic, "gd_gradient", 1.0, (1e-3, 0.0))
    assert grows is not None
    assert count(quartic, grows, 2.0, 1e-3, FAR) is None


def test_torch_gives_up_at_the_limit() -> None:
    def loss(theta: Tensor) -> Tensor:
        return theta.square()

    start = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert count_in_torch(loss, start, 1e-6, 3, lr=0.1, threshold=math.inf) is None
    assert count_in_torch(loss, start, 1e-6, 100, lr=0.5, threshold=math.inf) == 1
