"""What word transport costs: the recorded times of `benchmarks/word_transport.py`, as ratios."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scispaces.studies.recorded import read_rows

Array = NDArray[np.float64]


class Timings:
    """Rows of a run: for each arm and turn the seconds that so many problems took."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.rows = list(rows)

    def select(self, part: str, setting: str, arm: str, threads: int | None = None) -> list[Any]:
        """The rows of an arm, by turns.

        Raises:
            ValueError: there is none.
        """
        wanted = {"part": part, "setting": setting, "arm": arm}
        if threads is not None:
            wanted["threads"] = str(threads)
        found = [row for row in self.rows if all(str(row[k]) == v for k, v in wanted.items())]
        if not found:
            raise ValueError(f"The run must hold rows of {wanted}. Got none.")
        return sorted(found, key=lambda row: row["turn"])

    def seconds(self, part: str, setting: str, arm: str, threads: int | None = None) -> Array:
        """Seconds a problem, by turns."""
        rows = self.select(part, setting, arm, threads)
        return np.array([row["seconds"] / row["problems"] for row in rows])

    def ratio(
        self, part: str, setting: str, ours: str, rival: str, threads: int | None = None
    ) -> float:
        """How many times longer than ours the rival took for a problem.

        The median over the turns, in each of which both were timed one after the other; where they
        were not timed in turns, the ratio of the medians.

        Example:
            >>> row = {"part": "a", "setting": "b", "threads": 1, "turn": 0, "problems": 2}
            >>> times = [{**row, "arm": "x", "seconds": 1.0}, {**row, "arm": "y", "seconds": 3.0}]
            >>> Timings(times).ratio("a", "b", "x", "y")
            3.0
        """
        first = self.seconds(part, setting, ours, threads)
        second = self.seconds(part, setting, rival, threads)
        if len(first) == len(second):
            return float(np.median(second / first))
        return float(np.median(second) / np.median(first))


def recorded_timings() -> Timings:
    """The run that is recorded in the repository of the book.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry it.
    """
    return Timings(read_rows("word-transport/timings.csv"))


def exponent(sizes: Iterable[float], seconds: Iterable[float]) -> float:
    """The power of the size with which the time grows: the slope on logarithmic axes.

    Example:
        >>> round(exponent([10, 100, 1000], [3e-6, 3e-4, 3e-2]), 6)
        2.0
    """
    return float(np.polyfit(np.log(list(sizes)), np.log(list(seconds)), 1)[0])
