"""Where the book's files are: the one place that knows the folder names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml


def find_root(start: Path | None = None) -> Path:
    """Return the checkout that holds the book: `SCISPACES_ROOT`, or the nearest folder above.

    Raises:
        FileNotFoundError: if no folder from `start` (default: the working folder) upwards holds
            `_toc.yml` and `data/claims`.
    """
    if named := os.environ.get("SCISPACES_ROOT"):
        return Path(named).resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").is_file() and (folder / "data" / "claims").is_dir():
            return folder
    raise FileNotFoundError(
        f"The book's checkout must be the working folder or one above it. Got {here}."
    )


def chapters(root: Path) -> list[str]:
    """Return the slugs of the chapters, in alphabetical order."""
    return sorted(path.stem for path in (root / "notebooks").glob("*.md"))


def chapter_of(identifier: str) -> str:
    """Return the chapter's slug of a number's identifier such as `zlpr/value-at-zero`."""
    slug, separator, name = identifier.partition("/")
    if not (slug and separator and name):
        raise ValueError(f"`identifier` must look like 'chapter/name'. Got {identifier!r}.")
    return slug


def load_results(root: Path) -> dict[str, dict[str, Any]]:
    """Return `_build/results/<chapter>.json` of every executed chapter, by slug."""
    return {
        path.stem: _read_json(path) for path in sorted((root / "_build/results").glob("*.json"))
    }


def load_recorded(root: Path, chapter: str) -> dict[str, Any]:
    """Return `data/recorded/<chapter>.json`: stored numbers and where they come from."""
    path = root / "data" / "recorded" / f"{chapter}.json"
    return _read_json(path) if path.is_file() else {"chapter": chapter, "records": {}}


def load_run(root: Path, chapter: str, name: str) -> dict[str, Any] | None:
    """Return `data/recorded/<chapter>/<name>.json`: where a stored table comes from, if any."""
    path = root / "data" / "recorded" / chapter / f"{name}.json"
    return _read_json(path) if path.is_file() else None


def load_checks(root: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return `_build/checks.json`: the checks of every equation label and discrepancy."""
    path = root / "_build" / "checks.json"
    return _read_json(path) if path.is_file() else {"equations": {}, "discrepancies": {}}


def load_discrepancies(root: Path) -> list[dict[str, Any]]:
    """Return the entries of `data/discrepancies.yml`."""
    path = root / "data" / "discrepancies.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) or [] if path.is_file() else []


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all, so that a killed process leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
