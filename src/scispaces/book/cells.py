"""Addresses for code cells, so that the evidence of a number can point at the cell it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def shown_cells(notebook: Path) -> set[str]:
    """Return the ids of an executed notebook's code cells that its page shows, folded or open."""
    return {
        cell["id"]
        for cell in _cells(notebook)
        if cell["cell_type"] == "code" and "remove-cell" not in cell["metadata"].get("tags", ())
    }


def _cells(notebook: Path) -> list[dict[str, Any]]:
    if not notebook.is_file():
        return []
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return cells


def _give_addresses(app: Sphinx, doctree: nodes.document) -> None:
    """Make the id of every code cell the anchor of what the page shows of it."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = _cells(source)
    for container in doctree.findall(nodes.container):
        if container.get("nb_element") == "cell_code":
            container["ids"].append(cells[container["cell_index"]]["id"])


def setup(app: Sphinx) -> None:
    """Register the step that gives the addresses."""
    app.connect("doctree-read", _give_addresses)
