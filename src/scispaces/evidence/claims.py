"""What the book promises, and whether a number keeps the promise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

KINDS = ("exact", "rounding", "interval", "ordering", "timing")


@dataclass(frozen=True)
class Claim:
    """One promise of the book: an entry of `data/claims/<chapter>.yml`.

    `expected` is, by kind: `exact` the value itself; `rounding` a number, met within `tolerance`;
    `interval` the two bounds of the value; `ordering` the keys of the recorded dictionary in
    strictly rising order of their values; `timing` `{at_least: ratio}` or `{at_most: ratio}`.
    """

    id: str
    says: str
    kind: str
    expected: Any
    tolerance: float | None = None
    format: str = "g"
    test: str | None = None
    needs: tuple[str, ...] = ()
    published: dict[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(KINDS)}. Got {self.kind!r}.")
        if (self.kind == "rounding") != (self.tolerance is not None):
            raise ValueError(
                f"`tolerance` must be given for `rounding` and for nothing else. Got {self.id!r}."
            )
        well_formed = {
            "exact": lambda: self.expected is not None,
            "rounding": lambda: _is_number(self.expected) and _is_number(self.tolerance),
            "interval": lambda: len(self.expected) == 2 and self.expected[0] <= self.expected[1],
            "ordering": lambda: len(set(self.expected)) == len(self.expected) >= 2,
            "timing": lambda: set(self.expected) in ({"at_least"}, {"at_most"}),
        }
        try:
            valid = well_formed[self.kind]()
        except TypeError:
            valid = False
        if not valid:
            raise ValueError(
                f"`expected` must fit kind `{self.kind}`. Got {self.expected!r} in {self.id!r}."
            )

    def expectation(self) -> str:
        """Return what is expected, as a reader would write it."""
        if self.kind == "interval":
            low, high = self.expected
            return f"{low:g} to {high:g}"
        if self.kind == "ordering":
            return " < ".join(self.expected)
        if self.kind == "timing":
            [(bound, ratio)] = self.expected.items()
            return f"{bound.replace('_', ' ')} {ratio:g}"
        return str(self.expected)

    def trouble(self, value: Any) -> str | None:
        """Return why `value` breaks the promise, or None if it keeps it."""
        if any(not math.isfinite(number) for number in _numbers(value)):
            return "not finite"
        try:
            kept = self._kept(value)
        except (TypeError, KeyError) as error:
            return f"value does not fit kind `{self.kind}` ({error})"
        return None if kept else "out of tolerance"

    def _kept(self, value: Any) -> bool:
        if self.kind == "exact":
            return type(value) is type(self.expected) and value == self.expected
        if self.kind == "ordering":
            ranked = [value[key] for key in self.expected]
            return len(value) == len(ranked) and all(low < high for low, high in pairwise(ranked))
        if not _is_number(value):
            raise TypeError(f"a number is needed, got {type(value).__name__}")
        if self.kind == "rounding":
            return abs(value - self.expected) <= self.tolerance
        if self.kind == "interval":
            return self.expected[0] <= value <= self.expected[1]
        if "at_least" in self.expected:
            return value >= self.expected["at_least"]
        return value <= self.expected["at_most"]


def load_claims(root: Path) -> dict[str, Claim]:
    """Return every claim of `data/claims/*.yml`, by id.

    Raises:
        ValueError: if an entry is malformed, stands twice or belongs to another chapter's file.
    """
    claims: dict[str, Claim] = {}
    for path in sorted((root / "data" / "claims").glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in document["claims"]:
            try:
                claim = Claim(**{**entry, "needs": tuple(entry.get("needs", ()))})
            except TypeError as error:
                raise ValueError(f"{path.name}: {error}, in {entry}") from error
            if claim.id in claims:
                raise ValueError(f"`id` must be unique. Got {claim.id!r} twice.")
            if claim.id.partition("/")[0] != path.stem:
                raise ValueError(f"`id` must begin with '{path.stem}/'. Got {claim.id!r}.")
            claims[claim.id] = claim
    return claims


def format_value(value: Any, spec: str) -> str:
    """Return a recorded value as the book prints it.

    Example:
        >>> format_value(-0.25, ".1%"), format_value(True, "g"), format_value(10000, ",d")
        ('-25.0%', 'yes', '10,000')

    Raises:
        ValueError: if `spec` does not fit the value, or the value is a list or dictionary.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if not _is_number(value):
        raise ValueError(f"`value` must be one number or string. Got {type(value).__name__}.")
    return format(value, spec)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _numbers(entry)
    elif _is_number(value):
        yield value
