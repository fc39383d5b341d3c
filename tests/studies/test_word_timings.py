"""Ratios of recorded times: by turns where there are turns, and never of nothing."""

import pytest

from scispaces.studies.word_timings import Timings, exponent


def row(arm, turn, seconds, threads=1, problems=1):
    return {
        "part": "pairs",
        "setting": "few",
        "arm": arm,
        "threads": threads,
        "turn": turn,
        "problems": problems,
        "seconds": seconds,
    }


def test_a_ratio_is_the_median_over_turns_of_the_time_for_one_problem():
    """A slow turn that hits both arms leaves the ratio as it is; the order of rows is no matter."""
    slow = [row("ours", 1, 100.0), row("rival", 1, 800.0, problems=2)]
    ours = [row("ours", turn, 1.0) for turn in (0, 2)]
    rival = [row("rival", turn, 8.0, problems=2) for turn in (2, 0)]
    assert Timings(slow + ours + rival).ratio("pairs", "few", "ours", "rival") == 4.0


def test_arms_that_were_not_timed_in_turns_are_compared_by_their_medians():
    rows = [row("ours", 0, 2.0), row("rival", 0, 3.0), row("rival", 1, 9.0), row("rival", 2, 6.0)]
    assert Timings(rows).ratio("pairs", "few", "ours", "rival") == 3.0


def test_threads_are_told_apart():
    rows = [row("ours", 0, 2.0), row("ours", 0, 1.0, threads=2)]
    times = Timings(rows)
    assert times.seconds("pairs", "few", "ours", threads=2).tolist() == [1.0]
    assert times.seconds("pairs", "few", "ours", threads=1).tolist() == [2.0]


def test_an_arm_that_was_not_timed_is_refused():
    with pytest.raises(ValueError, match=r"must hold rows of .*rival"):
        Timings([row("ours", 0, 1.0)]).seconds("pairs", "few", "rival")


def test_the_exponent_is_that_of_the_power_law():
    assert exponent([1, 2, 4, 8], [5.0, 20.0, 80.0, 320.0]) == pytest.approx(2)
