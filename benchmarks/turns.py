"""Timing in turns: a busy moment of the machine hits all arms alike."""

import statistics
import time
from collections.abc import Callable
from typing import Any

Arm = Callable[[], Any]
Row = dict[str, Any]


def take_turns(arms: dict[str, Arm], repeats: int, threads: int = 1) -> dict[str, list[float]]:
    """Seconds of every arm in every turn, after one turn to warm up.

    One thread is timed by the processor time it used, several by the clock.
    """
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(repeats + 1):
        for name, arm in arms.items():
            seconds, _ = timed(arm, threads)
            if turn:
                times[name].append(seconds)
    return times


def timed(arm: Arm, threads: int = 1) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    result = arm()
    return clock() - start, result


def ratio(times: dict[str, list[float]], ours: str, rival: str) -> float:
    """How many times faster than the rival ours is: the median of the turns."""
    return statistics.median(b / a for a, b in zip(times[ours], times[rival], strict=True))


def met_once(bar: Callable[[], bool], attempts: int = 5) -> bool:
    """Whether a bar is met in one of several attempts.

    For tests on machines that others share: there a ratio of times may be off by a factor of two
    in any one attempt, but not in five, if the bar leaves a margin.
    """
    return any(bar() for _ in range(attempts))


def rows_of(
    part: str,
    setting: str,
    times: dict[str, list[float]],
    threads: int,
    problems: int,
    **more: Any,
) -> list[Row]:
    """A row for each turn of each arm, all of which solve so many problems; `more` adds to them."""
    return [
        {
            "part": part,
            "setting": setting,
            "arm": arm,
            "threads": threads,
            "turn": turn,
            "problems": problems,
            "seconds": seconds,
            **more,
        }
        for arm, values in times.items()
        for turn, seconds in enumerate(values)
    ]
