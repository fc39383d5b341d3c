"""Execute a chapter: jupytext reads it, papermill runs it, its numbers land in a results file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill

from scispaces import datasets
from scispaces.book import graph
from scispaces.evidence import project, provenance

PROFILES = ("quick", "full")
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_FINISH = "from scispaces.evidence.records import finish\n\nfinish()"


class UndeclaredDataError(RuntimeError):
    """A notebook read a data file that its header does not declare."""


def execute(chapter: str, profile: str, root: Path) -> None:
    """Execute `notebooks/<chapter>.md` into `_build/notebooks/` and `_build/results/`.

    Both files appear whole, the results last; nothing is written when the notebook fails, except
    the failed notebook itself under `_build/failed/`.

    Raises:
        papermill.PapermillExecutionError: if a cell raises.
        UndeclaredDataError: if the notebook reads a file outside its header's `data`; the job
            graph would not notice when such a file changes.
    """
    source = root / "notebooks" / f"{chapter}.md"
    declared = tuple(graph.header(source).get("data", ()))
    for name in datasets.registry():
        if name.startswith(declared) and not datasets.available(name):
            print(f"{name} is neither here nor downloadable: {chapter} shows recorded numbers.")
    started, clock = datetime.now(UTC), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.jsonl"
        notebook = _run(source, profile, records, root)
        lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    end = lines.pop()["finish"]
    if undeclared := [name for name in end["data"] if not name.startswith(declared)]:
        raise UndeclaredDataError(
            f"`data` in the header of {source.name} must cover every file read. "
            f"Got {', '.join(undeclared)}."
        )
    results = {
        "chapter": chapter,
        "profile": profile,
        "provenance": {
            "commit": provenance.commit(root),
            "notebook": provenance.sha256(source),
            "hardware": provenance.hardware(),
            **end,
        },
        "run": {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 1),
        },
        "records": _records(lines, notebook, root, chapter),
    }
    build = root / "_build"
    text = nbformat.writes(_cleaned(notebook))
    project.write_atomically(build / "notebooks" / f"{chapter}.ipynb", text)
    text = json.dumps(results, indent=1, sort_keys=True)
    project.write_atomically(build / "results" / f"{chapter}.json", text)


def _run(source: Path, profile: str, records: Path, root: Path) -> Any:
    """Return the executed notebook; papermill knows only files, so it gets one."""
    notebook = jupytext.read(source, fmt="md:myst")
    notebook.metadata["kernelspec"] = _KERNEL
    notebook.cells.append(nbformat.v4.new_code_cell(_FINISH))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem}-{number:03d}"  # jupytext draws random ones
    path = records.with_suffix(".ipynb")
    nbformat.write(notebook, path)
    failed = root / "_build" / "failed" / path.with_stem(source.stem).name
    os.environ["SCISPACES_RECORDS"] = str(records)
    try:
        executed = papermill.execute_notebook(
            path, path, {"profile": profile}, cwd=root, progress_bar=True
        )
    except papermill.PapermillExecutionError:
        project.write_atomically(failed, path.read_text(encoding="utf-8"))
        raise
    finally:
        del os.environ["SCISPACES_RECORDS"]
    return executed


def _records(
    lines: list[dict[str, Any]], notebook: Any, root: Path, chapter: str
) -> dict[str, dict[str, Any]]:
    """Return the records by id, each with the code cell it came from.

    Raises:
        ValueError: if a number is recorded twice; which one would the page show? And if nothing
            says where a stored number comes from.
    """
    cells = {cell.execution_count: cell.id for cell in notebook.cells if cell.cell_type == "code"}
    recalled = project.load_recorded(root, chapter).get("provenance")
    records: dict[str, dict[str, Any]] = {}
    for line in lines:
        identifier = line.pop("id")
        if identifier in records:
            raise ValueError(f"A number must be recorded once. Got {identifier!r} twice.")
        line["cell"] = cells[line["cell"]]
        if origin := line.pop("origin"):
            stored = recalled if origin == "recall" else project.load_run(root, chapter, origin)
            if stored is None:
                raise ValueError(
                    f"`recorded` must name a table of data/recorded/{chapter}/ that a JSON file "
                    f"beside it vouches for. Got {origin!r} for {identifier!r}."
                )
            line["provenance"] = stored
        records[identifier] = line
    return records


def _cleaned(notebook: Any) -> Any:
    """Drop what would differ between two builds or concern no reader.

    Warnings are for whoever builds the book, and name paths of their machine: they are printed.
    """
    notebook.metadata.pop("papermill", None)
    notebook.cells = [cell for cell in notebook.cells if cell.source != _FINISH]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        warnings = [entry for entry in cell.get("outputs", ()) if entry.get("name") == "stderr"]
        for warning in warnings:
            print(f"{cell.id}: {warning.text}", file=sys.stderr)
            cell.outputs.remove(warning)
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.id = f"{notebook.cells[0].id}-injected"
            cell.metadata["tags"].append("remove-cell")
    return notebook
