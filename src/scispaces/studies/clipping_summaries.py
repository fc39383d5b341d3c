"""How smoothness goes with the norm of the gradient along one training, and over the seeds."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Row = dict[str, Any]

MEASURES = ("difference", "along_step", "hessian")
STATISTICS = ("pearson", "exponent", "spearman", "pearson_of_changes", "l1", "l0")


def association(rows: Sequence[Row], measure: str = "hessian") -> dict[str, float]:
    """Smoothness against the norm of the gradient over the probes of one training.

    Both may fall or rise over the training for reasons of their own, which alone makes a
    correlation; `pearson_of_changes` is that of the changes from each probe to the next.

    Args:
        rows: the probes of one run, with update, gradient_norm and the measure.
        measure: one of `MEASURES`.

    Returns:
        pearson, exponent: correlation and slope of log smoothness on log norm; spearman: rank
        correlation; pearson_of_changes; l1, l0: slope and intercept of the least-squares line
        smoothness = l0 + l1 norm.

    Raises:
        ValueError: less than four probes, or a value that is not positive.
    """
    ordered = sorted(rows, key=lambda row: row["update"])
    if len(ordered) < 4:
        raise ValueError(f"`rows` must hold four probes at least. Got {len(ordered)}.")
    norms = np.array([row["gradient_norm"] for row in ordered], dtype=float)
    values = np.array([row[measure] for row in ordered], dtype=float)
    if not (norms > 0).all() or not (values > 0).all():
        raise ValueError(f"`rows` must have positive norms and {measure}.")
    x, y = np.log(norms), np.log(values)
    line = stats.linregress(norms, values)
    return {
        "pearson": _pearson(x, y),
        "exponent": float(stats.linregress(x, y).slope),
        "spearman": float(stats.spearmanr(norms, values).statistic),
        "pearson_of_changes": _pearson(np.diff(x), np.diff(y)),
        "l1": float(line.slope),
        "l0": float(line.intercept),
    }


def associations(rows: Iterable[Row], keys: Sequence[str], measure: str = "hessian") -> list[Row]:
    """`association` of every run, the runs told apart by the keys.

    Returns:
        One row per run: its keys, and the numbers of `association`; None where the norm or the
        measure is 0 at a probe, as in a network whose units are all dead.
    """
    runs: dict[tuple, list[Row]] = {}
    for row in rows:
        runs.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        dict(zip(keys, run, strict=True))
        | (
            association(probes, measure)
            if all(probe["gradient_norm"] > 0 and probe[measure] > 0 for probe in probes)
            else dict.fromkeys(STATISTICS)
        )
        for run, probes in runs.items()
    ]


def mean_interval(
    values: Sequence[float], *, confidence: float = 0.95, correlations: bool = False
) -> dict[str, float]:
    """Mean over the seeds with a t-interval.

    Args:
        values: one for each seed, at least two.
        confidence: of the interval.
        correlations: whether to average and spread out after Fisher's transformation artanh, which
            keeps the interval in [-1, 1].

    Returns:
        mean, low, high, n.

    Raises:
        ValueError: less than two values.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0])["mean"]
        2.0
    """
    if len(values) < 2:
        raise ValueError(f"`values` must have two entries at least. Got {len(values)}.")
    numbers = np.array(values, dtype=float)
    if correlations:
        numbers = np.arctanh(numbers)
    mean = float(numbers.mean())
    reach = float(stats.t.ppf((1 + confidence) / 2, len(numbers) - 1) * stats.sem(numbers))
    ends = {"mean": mean, "low": mean - reach, "high": mean + reach}
    if correlations:
        ends = {name: math.tanh(end) for name, end in ends.items()}
    return ends | {"n": len(numbers)}


def curve(row: Row, name: str) -> NDArray[np.float64]:
    """A curve that a row holds as text, for example "train_curve".

    Example:
        >>> curve({"train_curve": "3.5;2.75"}, "train_curve").tolist()
        [3.5, 2.75]
    """
    return np.array([float(number) for number in row[name].split(";")])


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(stats.pearsonr(x, y).statistic)
