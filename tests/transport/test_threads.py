"""Work is shared out among threads: all of it, once, by the caller too."""

import threading
import time

import numpy as np
import pytest

from scispaces.transport._common import in_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 1000])
@pytest.mark.parametrize("progress", [False, True])
def test_every_problem_is_taken_once(threads, count, progress, capsys):
    taken = []
    work = np.random.default_rng(count).uniform(size=count)
    in_threads(lambda first, last: taken.extend(range(first, last)), work, threads, progress, "x")
    assert sorted(taken) == list(range(count))


def test_the_caller_works_beside_as_many_others_as_it_takes():
    who = set()

    def task(first, last):
        who.add(threading.get_ident())
        time.sleep(0.02)

    in_threads(task, np.ones(100), 3, False, "x")
    assert threading.get_ident() in who
    assert len(who) == 3


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_any_thread_reaches_the_caller(threads):
    def task(first, last):
        if last == 100:
            raise ArithmeticError("the last piece")

    with pytest.raises(ArithmeticError, match="the last piece"):
        in_threads(task, np.ones(100), threads, False, "x")
