"""`record` and `recall`: how a number leaves a notebook."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scispaces.evidence import project, provenance

Value = TypeVar("Value", bound="bool | int | float | str | list[Any] | dict[str, Any]")


def record(
    identifier: str,
    value: Value,
    *,
    seeds: Iterable[int] | None = None,
    interval: tuple[float, float] | None = None,
    note: str | None = None,
    recorded: bool | str = False,
) -> Value:
    """Record a number of the book and return it unchanged.

    In a plain session the number is printed. Under the build it is appended to the file that the
    environment variable `SCISPACES_RECORDS` names, and `scispaces verify` compares it with its
    claim in `data/claims/`.

    Args:
        identifier: `chapter/name`, the id of the claim.
        value: a boolean, number or string, or a list or dictionary of them.
        seeds: the seeds behind a statistical value.
        interval: its lower and upper confidence limit.
        note: anything a reader must know to read the number.
        recorded: the value was computed from stored results of a long run, not from scratch in
            this session: the name of the table in `data/recorded/<chapter>/`, or True for those of
            the chapter's study.

    Raises:
        TypeError: if `value` cannot be written as JSON (a tensor or array, for example).
        ValueError: if `identifier` has no chapter.

    Example:
        >>> record("zlpr/example", 0.5)
        zlpr/example = 0.5
        0.5
    """
    project.chapter_of(identifier)
    line = {
        "id": identifier,
        "value": _plain(value, identifier),
        "seeds": None if seeds is None else [int(seed) for seed in seeds],
        "interval": None if interval is None else [float(limit) for limit in interval],
        "note": note,
        "state": "recorded" if recorded else "verified",
        "origin": "study" if recorded is True else recorded or None,
    }
    _land(line)
    return value


def recall(identifier: str) -> Any:
    """Return a stored number of a long run, and land it among the results as `recorded`.

    Raises:
        KeyError: if `data/recorded/<chapter>.json` does not hold it.

    The value keeps the seeds, interval and note it was stored with; its provenance is that of the
    run that produced it.
    """
    chapter = project.chapter_of(identifier)
    stored = project.load_recorded(project.find_root(), chapter)["records"]
    if identifier not in stored:
        raise KeyError(
            f"`identifier` must be stored in data/recorded/{chapter}.json. Got {identifier!r}."
        )
    entry = stored[identifier]
    _land({"id": identifier, **entry, "state": "recorded", "origin": "recall"})
    return entry["value"]


def finish() -> None:
    """Append what this process imported and read; the executor calls it after the last cell."""
    _land(
        {
            "finish": {
                "device": provenance.device(),
                "packages": provenance.packages(),
                "modules": provenance.imported_modules(),
                "data": provenance.data_read(),
            }
        }
    )


def _land(line: dict[str, Any]) -> None:
    target = os.environ.get("SCISPACES_RECORDS")
    if target is None:
        if "id" in line:
            print(f"{line['id']} = {line['value']}")
        return
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    # The number of inputs so far is this cell's count; IPython's own counter is already ahead.
    line["cell"] = len(shell.user_ns["In"]) - 1 if shell else None
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _plain(value: Any, identifier: str) -> Any:
    """Return `value` as JSON types; numpy and torch scalars become Python numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, identifier) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, identifier) for entry in value]
    if isinstance(value, str) or value is None:
        return value
    if getattr(value, "ndim", 0) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int | float):
        return value
    raise TypeError(
        "`value` must be a boolean, number or string, or a list or dictionary of them. "
        f"Got {type(value).__name__} for {identifier!r}."
    )
