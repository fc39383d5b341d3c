"""Compare what the notebooks recorded with what the claims promise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scispaces.evidence.claims import Claim, format_value


@dataclass(frozen=True)
class Trouble:
    """One claim that does not hold, with what a reader needs to see why."""

    id: str
    problem: str
    expected: str = ""
    got: str = ""
    tolerance: str = ""
    published: str = ""


def verify(
    claims: Mapping[str, Claim],
    results: Mapping[str, Mapping[str, Any]],
    chapters: Iterable[str],
) -> list[Trouble]:
    """Return every broken promise of `chapters`; an empty list means that all of them hold.

    A claim never recorded, a record never claimed, a value out of tolerance, a value that is not
    finite, a statistical value without a named test: each is trouble.
    """
    troubles = []
    for chapter in chapters:
        if chapter not in results:
            troubles.append(Trouble(chapter, "no results: the notebook was not executed"))
            continue
        records = results[chapter]["records"]
        promised = {key: claim for key, claim in claims.items() if key.startswith(f"{chapter}/")}
        for identifier, claim in promised.items():
            if identifier not in records:
                troubles.append(_trouble(claim, "never recorded"))
            elif problem := _problem(claim, records[identifier]):
                troubles.append(_trouble(claim, problem, records[identifier]["value"]))
        troubles += [
            Trouble(identifier, "never claimed", got=show(entry["value"]))
            for identifier, entry in records.items()
            if identifier not in promised
        ]
    return troubles


def _problem(claim: Claim, entry: Mapping[str, Any]) -> str | None:
    if entry.get("seeds") and not claim.test:
        return "has seeds, but its claim names no `test`"
    if not all(math.isfinite(limit) for limit in entry.get("interval") or ()):
        return "interval not finite"
    return claim.trouble(entry["value"])


def show(value: Any, spec: str = ".6g") -> str:
    """Return any recorded value in one short line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {show(entry, spec)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(show(entry, spec) for entry in value)
    return format_value(value, "d" if isinstance(value, int) else spec)


def _trouble(claim: Claim, problem: str, value: Any = None) -> Trouble:
    return Trouble(
        id=claim.id,
        problem=problem,
        expected=claim.expectation(),
        got="" if value is None else show(value),
        tolerance="" if claim.tolerance is None else f"{claim.tolerance:g}",
        published="" if claim.published is None else str(claim.published["value"]),
    )
