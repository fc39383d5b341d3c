"""Run many trials of a study in parallel, keep each as soon as it is finished, resume after a stop.

A trial is a dictionary of keyword arguments that JSON can write. How many run at once, and where,
is the caller's choice: ``with joblib.parallel_config(backend="loky", n_jobs=2): run_trials(...)``,
or a dask or ray cluster in the same way. Without such a block they run one after another.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import joblib
from tqdm import tqdm

Trial = Mapping[str, Any]


def _key(function: Callable[..., Any], trial: Trial) -> str:
    """The identity of a trial: what is called, with what."""
    name = f"{function.__module__}.{function.__qualname__}"
    return json.dumps([name, trial], sort_keys=True)


def _finished(store: Path) -> dict[str, Any]:
    """The results in a store, without a last line that was only half written."""
    if not store.exists():
        return {}
    content = store.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if complete != content:
        os.truncate(store, len(complete))
    records = [json.loads(line) for line in complete.decode().splitlines()]
    return {record["key"]: record["result"] for record in records}


def _append(store: Path, key: str, result: Any) -> None:
    """Add one line and return only when the disk has it."""
    store.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"key": key, "result": result}) + "\n"
    with store.open("ab", buffering=0) as file:
        file.write(line.encode())
        os.fsync(file.fileno())


def _run(function: Callable[..., Any], key: str, trial: Trial) -> tuple[str, Any]:
    # Through JSON, so that a result is the same whether it was just computed or read from a store.
    return key, json.loads(json.dumps(function(**trial)))


def run_trials(
    function: Callable[..., Any],
    trials: Iterable[Trial],
    *,
    store: Path | None = None,
    progress: bool = True,
) -> list[Any]:
    """Call a function once for each trial and return the results in the order of the trials.

    Args:
        function: called as `function(**trial)`; its result must be something JSON can write. It
            must be pure: the result may come from an earlier run.
        trials: the keyword arguments of each call.
        store: a file with one JSON line per finished trial of this function. Trials found there
            are not run again, new ones are appended one by one, so a killed process loses only
            what was still running. One process at a time may write to it.
        progress: whether to show a bar on the error stream.

    Returns:
        One result per trial. They do not depend on the number of workers.

    Raises:
        Whatever the function raises; trials finished before stay in the store.

    Example:
        >>> run_trials(pow, [{"base": 2, "exp": 3}, {"base": 3, "exp": 2}], progress=False)
        [8, 9]
    """
    wanted = {_key(function, trial): trial for trial in trials}
    results = {} if store is None else _finished(store)
    missing = {key: trial for key, trial in wanted.items() if key not in results}
    # One trial per message: a batch of them would reach the store only when all are finished.
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    running = parallel(joblib.delayed(_run)(function, key, trial) for key, trial in missing.items())
    bar = tqdm(
        running,
        total=len(wanted),
        initial=len(wanted) - len(missing),
        unit="trial",
        disable=not progress,
    )
    for key, result in bar:
        if store is not None:
            _append(store, key, result)
        results[key] = result
    return [results[key] for key in wanted]
