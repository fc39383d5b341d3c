"""Resuming, crashing and parallel runs of the trial runner."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest

from scispaces.studies.trials import run_trials

PROGRAM = """
import sys, time
from pathlib import Path

import joblib

sys.path.insert(0, {folder!r})
from slow_square import slow_square
from scispaces.studies.trials import run_trials

with joblib.parallel_config(backend="loky", n_jobs=2):
    run_trials(
        slow_square,
        [dict(number=number, log={log!r}) for number in range(30)],
        store=Path({store!r}),
        progress=False,
    )
"""

SLOW_SQUARE = """
import os, time

def slow_square(number, log):
    with open(log, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.05)
    return {"number": number, "square": number * number, "pair": (number, number)}
"""


def remainder(number: int, divisor: int) -> dict[str, float]:
    """A trial whose result says which arguments it had."""
    return {"number": number, "remainder": number % divisor, "share": number / 3}


def failing(number: int) -> int:
    """A trial that fails for one argument."""
    if number == 2:
        raise ArithmeticError("two is not allowed")
    return number


TRIALS = [{"number": number, "divisor": 7} for number in reversed(range(20))]


def test_results_follow_the_trials_and_not_the_number_of_workers() -> None:
    alone = run_trials(remainder, TRIALS, progress=False)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        together = run_trials(remainder, TRIALS, progress=False)
    assert alone == together == [remainder(**trial) for trial in TRIALS]


def test_a_second_call_runs_only_what_is_missing(tmp_path: Path) -> None:
    store = tmp_path / "new folder" / "store.jsonl"
    first = run_trials(remainder, TRIALS[:5], store=store, progress=False)
    assert len(store.read_text().splitlines()) == 5
    both = run_trials(remainder, TRIALS[:8], store=store, progress=False)
    assert both[:5] == first
    assert len(store.read_text().splitlines()) == 8


def test_a_store_is_not_believed_for_another_function(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    run_trials(failing, [{"number": 1}], store=store, progress=False)
    assert run_trials(abs_of, [{"number": 1}], store=store, progress=False) == ["abs 1"]


def abs_of(number: int) -> str:
    """Another function of the same argument."""
    return f"abs {abs(number)}"


@pytest.mark.parametrize("torn", ['{"key": "x", "res', "{", "\x00\x00"])
def test_a_half_written_last_line_is_ignored_and_removed(tmp_path: Path, torn: str) -> None:
    store = tmp_path / "store.jsonl"
    run_trials(remainder, TRIALS[:3], store=store, progress=False)
    whole = store.read_text()
    store.write_text(whole + torn)
    run_trials(remainder, TRIALS[:4], store=store, progress=False)
    lines = store.read_text().splitlines()
    assert lines[:3] == whole.splitlines()
    assert len([json.loads(line) for line in lines]) == 4


def test_a_failure_keeps_what_was_finished(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    with pytest.raises(ArithmeticError, match="two is not allowed"):
        run_trials(failing, [{"number": at} for at in range(5)], store=store, progress=False)
    assert [json.loads(line)["result"] for line in store.read_text().splitlines()] == [0, 1]


def test_kill_in_the_middle_loses_and_repeats_no_finished_trial(tmp_path: Path) -> None:
    store, log = tmp_path / "store.jsonl", tmp_path / "started"
    (tmp_path / "slow_square.py").write_text(SLOW_SQUARE)
    program = PROGRAM.format(folder=str(tmp_path), log=str(log), store=str(store))
    command = [sys.executable, "-c", program]
    victim = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not store.exists() or store.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    # A worker may still finish the trial it was at; give it the time to write its log.
    time.sleep(0.5)
    kept = [json.loads(line)["result"] for line in store.read_bytes().splitlines()]
    assert 5 <= len(kept) < 30

    subprocess.run(command, check=True)
    lines = [json.loads(line)["result"] for line in store.read_text().splitlines()]
    assert lines[: len(kept)] == kept
    assert sorted(line["number"] for line in lines) == list(range(30))
    assert all(line["square"] == line["number"] ** 2 for line in lines)
    started = [int(number) for number in log.read_text().split()]
    assert all(started.count(result["number"]) == 1 for result in kept)
