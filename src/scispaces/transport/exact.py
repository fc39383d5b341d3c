"""Optimal transport between finite distributions, exactly, with the proof of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from scispaces.transport._batch import UNPROVED, solve_ragged
from scispaces.transport._common import (
    LARGEST_COST,
    Array,
    ArrayLike,
    as_array,
    as_masses,
    in_threads,
    like,
    refuse_where,
    starts_of,
)
from scispaces.transport._simplex import EXHAUSTED


class TransportPlan(NamedTuple):
    """What is moved where, at what price, and the proof that no plan is cheaper."""

    value: float
    plan: Any  # (m, n), at most m + n - 1 non-zeros
    source_potentials: Any  # u, (m,)
    sink_potentials: Any  # v, (n,); u_i + v_j <= cost_ij everywhere
    gap: float  # value - (sum of p u + sum of q v)


class TransportBatch(NamedTuple):
    """The solutions of many problems; lists hold an element for each of them."""

    values: Any  # (problems,)
    gaps: Any  # (problems,)
    arcs: list[Array]  # (non-zeros, 2): source and sink of what the plan moves
    masses: list[Array]  # (non-zeros,): how much of it
    source_potentials: list[Array]
    sink_potentials: list[Array]


def emd(p: ArrayLike, q: ArrayLike, cost: ArrayLike) -> Any:
    r"""Earth mover's distance: the least cost of turning one distribution into another.

    .. math:: W(p, q; D) = \min_{\gamma \ge 0} \sum_{i,j} \gamma_{ij} d_{ij},
        \qquad \sum_j \gamma_{ij} = p_i, \quad \sum_i \gamma_{ij} = q_j

    (book: `word-transport-emd`, `word-transport-marginals`).

    Args:
        p: Masses of the sources, shape (m,), not negative.
        q: Masses of the sinks, shape (n,), of the same sum as p to a thousandth of a per cent.
        cost: Cost D of moving a unit from i to j, shape (m, n); any finite numbers.

    Returns:
        The cost for a unit of mass: p and q are divided by their sums, in float64. A float, or a
        float64 tensor on the device of `cost` if that is a tensor; no gradient flows.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for NaN, infinite or negative masses, sums that differ, or other shapes.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> emd([0.5, 0.5], [0.25, 0.75], [[0.0, 1.0], [1.0, 0.0]])
        0.25

    References:
        [1] Y. Rubner, C. Tomasi, L. J. Guibas. The Earth Mover's Distance as a Metric for Image
            Retrieval. IJCV 2000.
    """
    return emd_plan(p, q, cost).value


def emd_plan(p: ArrayLike, q: ArrayLike, cost: ArrayLike) -> TransportPlan:
    r"""The cheapest plan, with the dual potentials that prove it to be the cheapest.

    .. math:: \sum_{i,j} \gamma_{ij} d_{ij} \ge \sum_i p_i u_i + \sum_j q_j v_j
        \quad\text{whenever}\quad u_i + v_j \le d_{ij}

    (book: `word-transport-gap`, `word-transport-dual`). Equality, up to rounding, is the proof. The
    plan is a basic one: its non-zeros, at most m + n - 1 (book: `word-transport-sparsity`), form a
    forest.

    Args:
        p: Masses of the sources, shape (m,), not negative.
        q: Masses of the sinks, shape (n,), of the same sum as p to a thousandth of a per cent.
        cost: Cost of moving a unit from i to j, shape (m, n); any finite numbers.

    Returns:
        Value, plan, potentials and duality gap, all float64 and for masses of sum 1; numpy
        arrays, or tensors on the device of `cost` if that is a tensor. The masses are rounded to
        multiples of at most 2^-61 (2 m + 1): the plan's sums are those of p and q to that accuracy.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for NaN, infinite or negative masses, sums that differ, or other shapes.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> solution = emd_plan([0.5, 0.5], [0.25, 0.75], [[0.0, 1.0], [1.0, 0.0]])
        >>> solution.plan
        array([[0.25, 0.25],
               [0.  , 0.5 ]])
        >>> solution.gap
        0.0

    References:
        [1] R. K. Ahuja, T. L. Magnanti, J. B. Orlin. Network Flows. 1993, chapter 11.
    """
    batch = emd_batch([p], [q], [cost], n_jobs=1)
    plan = np.zeros(np.shape(cost))
    plan[batch.arcs[0][:, 0], batch.arcs[0][:, 1]] = batch.masses[0]
    return TransportPlan(
        like(cost, float(batch.values[0])),
        like(cost, plan),
        like(cost, batch.source_potentials[0]),
        like(cost, batch.sink_potentials[0]),
        float(batch.gaps[0]),
    )


def emd_batch(
    p: Sequence[ArrayLike] | ArrayLike,
    q: Sequence[ArrayLike] | ArrayLike,
    cost: Sequence[ArrayLike] | ArrayLike,
    *,
    n_jobs: int = -1,
    progress: bool = False,
) -> TransportBatch:
    """Many transport problems of any sizes at once, on several threads.

    Args:
        p: For each problem the masses of its sources, shape (m,).
        q: For each problem the masses of its sinks, shape (n,).
        cost: For each problem its costs, shape (m, n).
        n_jobs: Threads; -1 takes as many as torch does (`OMP_NUM_THREADS` sets that).
        progress: Whether to show a bar.

    Returns:
        Values and duality gaps, float64 (problems,), and lists of arcs, masses and potentials;
        see `emd_plan`. The result does not depend on the number of threads.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for input that `emd` would not take, naming the problem.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> import numpy as np
        >>> emd_batch([[1, 1], [1]], [[2], [1]], [[[1.0], [3.0]], [[5.0]]]).values
        array([2., 5.])
    """
    if not len(p) == len(q) == len(cost):
        raise ValueError(
            "`p`, `q` and `cost` must hold the same number of problems. "
            f"Got {len(p)}, {len(q)} and {len(cost)}."
        )
    problems = list(zip(p, q, cost, strict=True))
    laid = _laid_end_to_end(problems)
    if laid is None:  # something is wrong, or unusual
        laid = _laid_end_to_end([_checked(k, *problem) for k, problem in enumerate(problems)])
    if laid is None:
        raise ValueError("The checks of single problems and of the whole batch must agree.")
    (sources, p_starts), (sinks, q_starts), (prices, cost_starts) = laid
    sizes = np.diff(cost_starts)
    nodes = int(p_starts[-1] + q_starts[-1])
    results = (
        np.empty(len(problems), np.int64),
        np.empty(len(problems)),
        np.empty(len(problems)),
        np.empty(p_starts[-1]),
        np.empty(q_starts[-1]),
        np.full((nodes, 2), -1),
        np.zeros(nodes),
    )

    def task(first: int, last: int) -> None:
        solve_ragged(first, last, prices, cost_starts, sources, p_starts, sinks, q_starts, results)

    work = sizes * (np.diff(p_starts) + np.diff(q_starts))
    in_threads(task, work, n_jobs, progress, "transport")
    refuse_unsolved(results[0], results[2])
    edges = (p_starts + q_starts)[1:-1]
    arcs, masses = np.split(results[5], edges), np.split(results[6], edges)
    kept = [moved > 0 for moved in masses]
    original = cost if not isinstance(cost, list | tuple) or not cost else cost[0]
    return TransportBatch(
        like(original, results[1]),
        like(original, results[2]),
        [pairs[some] for pairs, some in zip(arcs, kept, strict=True)][: len(problems)],
        [moved[some] for moved, some in zip(masses, kept, strict=True)][: len(problems)],
        np.split(results[3], p_starts[1:-1])[: len(problems)],
        np.split(results[4], q_starts[1:-1])[: len(problems)],
    )


def refuse_unsolved(outcomes: Array, gaps: Array) -> None:
    """Raise if a solve did not end with a proof."""
    for outcome, why in ((EXHAUSTED, "too many steps"), (UNPROVED, "a duality gap of {:.3g}")):
        wrong = np.flatnonzero(outcomes == outcome)
        if len(wrong):
            place = int(wrong[0])
            raise ArithmeticError(
                f"Problem {place} could not be solved exactly: {why.format(gaps[place])}. "
                "Costs of very different sizes are the likely reason."
            )


def _checked(number: int, p: Any, q: Any, cost: Any) -> tuple[Array, Array, Array]:
    """Masses and flattened costs of one problem in float64."""
    try:
        sources, sinks = as_masses("p", p), as_masses("q", q)
        prices = as_array("cost", cost, 2).astype(np.float64)
        if prices.shape != (len(sources), len(sinks)):
            raise ValueError(
                f"`cost` must have shape {(len(sources), len(sinks))}, (sources, sinks). "
                f"Got {prices.shape}."
            )
        refuse_where("cost", prices, np.abs(prices) > LARGEST_COST, "be at most 1e200 in size")
        if not abs(sources.sum() - sinks.sum()) <= 1e-5 * sinks.sum():
            raise ValueError(
                "`p` and `q` must have the same sum. "
                f"Got {sources.sum():.6g} and {sinks.sum():.6g}."
            )
    except (TypeError, ValueError) as error:
        error.add_note(f"In problem {number}, counted from 0.")
        raise
    return sources, sinks, prices


def _laid_end_to_end(problems: list[tuple[Any, Any, Any]]) -> list[tuple[Array, Array]] | None:
    """Masses and costs of all problems, each with its starts; None if any of them is not right.

    Checks of the whole are a hundred times faster than checks of every small array.
    """
    laid = []
    for position in range(3):
        pieces = [_plain(problem[position]) for problem in problems]
        axes = 1 if position < 2 else 2
        if any(piece.ndim != axes or piece.dtype.kind not in "fiu" for piece in pieces):
            return None
        flat = np.concatenate([np.zeros(0), *(piece.ravel() for piece in pieces)])
        laid.append((flat.astype(np.float64, copy=False), starts_of([x.size for x in pieces])))
    shapes = np.array([np.shape(problem[2]) for problem in problems], np.int64).reshape(-1, 2)
    (sources, p_starts), (sinks, q_starts), (prices, _) = laid
    lengths = np.stack([np.diff(p_starts), np.diff(q_starts)], 1)
    if (lengths != shapes).any() or (lengths == 0).any():
        return None
    totals = np.add.reduceat(sources, p_starts[:-1]), np.add.reduceat(sinks, q_starts[:-1])
    # Written so that NaN is not right.
    right = (
        (sources >= 0).all()
        and (sinks >= 0).all()
        and all(((total > 0) & (total < np.inf)).all() for total in totals)
        and (abs(totals[0] - totals[1]) <= 1e-5 * totals[1]).all()
        and (abs(prices) <= LARGEST_COST).all()
    )
    return laid if right else None


def _plain(values: Any) -> Array:
    return (
        values.detach().cpu().double().numpy() if isinstance(values, Tensor) else np.asarray(values)
    )
