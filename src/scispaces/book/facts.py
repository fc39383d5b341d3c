"""What the pages say about numbers and equations: claims, results and checks, read once a build."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scispaces.book.cells import shown_cells
from scispaces.book.graph import header
from scispaces.evidence import (
    Claim,
    format_value,
    load_checks,
    load_claims,
    load_discrepancies,
    load_results,
)

# `chapter/name`, then `[key]` or `[index]` as often as the value is nested, then `:format`.
_REFERENCE = re.compile(
    r"(?P<id>[a-z0-9-]+/[a-z0-9-]+)(?P<keys>(?:\[[^\[\]]+\])*)(?::(?P<spec>[^`]+))?"
)


class UnknownNumberError(ValueError):
    """A `{num}` that no claim or result stands behind, or that its format does not fit."""


@dataclass(frozen=True)
class Number:
    """A number ready to print: its claim, the recorded entry, and the formatted text."""

    claim: Claim
    entry: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Facts:
    """Everything the reading side knows, as it stood when the build began."""

    root: Path
    claims: dict[str, Claim]
    results: dict[str, dict[str, Any]]
    checks: dict[str, dict[str, list[dict[str, Any]]]]
    discrepancies: list[dict[str, Any]]
    shown_cells: dict[str, set[str]]

    @classmethod
    def read(cls, root: Path) -> Facts:
        """Read all of it from the project that lies at `root`."""
        return cls(
            root=root,
            claims=load_claims(root),
            results=load_results(root),
            checks=load_checks(root),
            discrepancies=load_discrepancies(root),
            shown_cells={
                path.stem: shown_cells(path)
                for path in sorted((root / "_build" / "notebooks").glob("*.ipynb"))
            },
        )

    def entry(self, identifier: str) -> dict[str, Any] | None:
        """Return the recorded entry of a claim, or None if its chapter recorded none."""
        chapter = identifier.partition("/")[0]
        record: dict[str, Any] | None = (
            self.results.get(chapter, {}).get("records", {}).get(identifier)
        )
        return record

    def provenance(self, identifier: str) -> dict[str, Any]:
        """Return where a number was computed: its stored run's provenance, or this build's."""
        entry = self.entry(identifier) or {}
        results = self.results.get(identifier.partition("/")[0], {})
        return entry.get("provenance") or {
            "profile": results.get("profile"),
            **results.get("provenance", {}),
        }

    def number(self, reference: str) -> Number:
        """Look up what stands between the backquotes of a `{num}`.

        Raises:
            UnknownNumberError: if it names no claim, no recorded value or no part of that value,
                or if the value does not fit the format.
        """
        match = _REFERENCE.fullmatch(reference.strip())
        if match is None:
            raise UnknownNumberError(
                f"a number must be written `chapter/name[key]:format`. Got {reference!r}."
            )
        claim = self.claims.get(match["id"])
        if claim is None:
            raise UnknownNumberError(f"no claim has the id {match['id']!r}")
        entry = self.entry(match["id"])
        if entry is None:
            raise UnknownNumberError(f"no result is recorded for {match['id']!r}")
        value = entry["value"]
        for key in re.findall(r"\[([^\[\]]+)\]", match["keys"]):
            value = _part(value, key, match["id"])
        try:
            text = format_value(value, match["spec"] or claim.format)
        except (ValueError, TypeError) as error:
            raise UnknownNumberError(f"{match['id']} does not fit its format: {error}") from error
        return Number(claim, entry, text)

    def inputs(self, *chapters: str) -> list[Path]:
        """Return the files that the numbers of these chapters come from."""
        return [
            path
            for chapter in chapters
            for path in (
                self.root / "_build" / "results" / f"{chapter}.json",
                self.root / "data" / "claims" / f"{chapter}.yml",
            )
        ]

    @property
    def checks_file(self) -> Path:
        """The outcomes of the equation and discrepancy checks."""
        return self.root / "_build" / "checks.json"

    def chapter_file(self, chapter: str) -> Path:
        """Return the source of a chapter."""
        return self.root / "notebooks" / f"{chapter}.md"

    def chapter_title(self, chapter: str) -> str:
        """Return a chapter's title, or its short name where there is no source to tell it."""
        path = self.chapter_file(chapter)
        return str(header(path)["title"]) if path.is_file() else chapter

    def formulas_file(self, chapter: str) -> Path:
        """Return where a chapter's equations are transcribed, one function for each label."""
        folder = self.root / "tests" / "equations" / chapter.replace("-", "_")
        return folder / "formulas.py"

    @property
    def discrepancies_file(self) -> Path:
        """The register of discrepancies."""
        return self.root / "data" / "discrepancies.yml"

    def chapters(self) -> list[str]:
        """Return the chapters that promise a number."""
        return sorted({identifier.partition("/")[0] for identifier in self.claims})


def reference_chapter(reference: str) -> str:
    """Return the chapter a `{num}` points at, well-formed or not."""
    return reference.strip().partition("/")[0]


def claim_anchor(identifier: str) -> str:
    """Return the fragment of a claim on the evidence page.

    Example:
        >>> claim_anchor("zlpr/value-at-zero")
        'claim-zlpr-value-at-zero'
    """
    return "claim-" + identifier.replace("/", "-")


def digest(path: Path) -> str:
    """Return the sha256 of a file, or "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _part(value: Any, key: str, identifier: str) -> Any:
    try:
        return value[int(key)] if isinstance(value, list) else value[key]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UnknownNumberError(f"{identifier} has no part [{key}]") from error
