"""Keep the outcome of a long run: `data/recorded/`, with its provenance."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scispaces.evidence import project, provenance
from scispaces.evidence.claims import Claim


def process_provenance(root: Path) -> dict[str, Any]:
    """Return where the numbers of this process come from."""
    return {
        "commit": provenance.commit(root),
        "hardware": provenance.hardware(),
        "device": provenance.device(),
        "packages": provenance.packages(),
        "modules": provenance.imported_modules(),
        "data": provenance.data_read(),
    }


def unfinished_trials(output: Path) -> Path:
    """Return the file that keeps the finished trials of a block while it runs.

    Its name holds a digest of the modules of ours that this process has imported, so that trials
    of other code are never taken up.
    """
    code = json.dumps(provenance.imported_modules(), sort_keys=True)
    digest = hashlib.sha256(code.encode()).hexdigest()[:12]
    return output.with_suffix(f".{digest}.trials")


def write_block(path: Path, rows: list[dict[str, Any]], origin: dict[str, Any]) -> None:
    """Write the rows of one block of a study as JSON lines, its provenance first."""
    lines = [json.dumps({"provenance": origin}), *map(json.dumps, rows)]
    project.write_atomically(path, "\n".join(lines) + "\n")


def store_study(root: Path, chapter: str) -> Path:
    """Gather the blocks of a chapter's study into `data/recorded/<chapter>/`.

    `trials.csv` has one row a trial, floats rounded to six significant digits; `study.json` says
    where they come from.

    Raises:
        FileNotFoundError: if no block has been run.
        ValueError: if blocks were run by different code or on different machines.
    """
    files = sorted((root / "_build" / "studies" / chapter).glob("*.jsonl"))
    if not files:
        raise FileNotFoundError(f"No block of the study '{chapter}' has been run.")
    rows: list[dict[str, Any]] = []
    origins = []
    for file in files:
        first, *rest = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        origins.append(first["provenance"])
        rows += rest
    merged = {**origins[0], "data": {}}
    for origin in origins:
        merged["data"] |= origin["data"]
        for key in ("hardware", "device", "packages", "modules"):
            if origin[key] != merged[key]:
                raise ValueError(f"`{key}` must be the same for every block of {chapter!r}.")
    store_table(root, chapter, "trials", rows, {**merged, "profile": "full"}, about="study")
    return root / "data" / "recorded" / chapter


def store_table(
    root: Path,
    chapter: str,
    name: str,
    rows: list[dict[str, Any]],
    origin: dict[str, Any],
    *,
    about: str | None = None,
) -> None:
    """Write `data/recorded/<chapter>/<name>.csv`, and in a JSON file where its rows come from.

    One row a dictionary, floats rounded to six significant digits. The JSON file has the table's
    name, or `about`; its day is today.
    """
    table = io.StringIO()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(table, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _rounded(value) for key, value in row.items()} for row in rows)
    folder = root / "data" / "recorded" / chapter
    dated = {**origin, "recorded": datetime.now(UTC).date().isoformat()}
    project.write_atomically(folder / f"{name}.csv", table.getvalue())
    project.write_atomically(folder / f"{about or name}.json", _pretty(dated))


def store_numbers(root: Path, chapter: str, claims: dict[str, Claim]) -> Path:
    """Keep the numbers that need data files, for builds that cannot have the files.

    Raises:
        FileNotFoundError: if the chapter has not been executed.
    """
    results = project.load_results(root).get(chapter)
    if results is None:
        raise FileNotFoundError(f"The chapter {chapter!r} must be executed first.")
    kept = ("value", "seeds", "interval", "note")
    records = {
        identifier: {key: entry[key] for key in kept}
        for identifier, entry in results["records"].items()
        if entry["state"] == "verified" and claims[identifier].needs
    }
    stored = {
        "chapter": chapter,
        "provenance": {
            **results["provenance"],
            "profile": results["profile"],
            "recorded": results["run"]["started"][:10],
        },
        "records": records,
    }
    path = root / "data" / "recorded" / f"{chapter}.json"
    project.write_atomically(path, _pretty(stored))
    return path


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
