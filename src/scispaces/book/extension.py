"""The Sphinx extension of the book: `extensions = ["scispaces.book.extension"]`.

It adds the roles `{num}` and `{given}`, the badge under each equation, the directives
`{evidence-table}`, `{equation-index}`, `{discrepancy-register}` and `{check-sources}`, the files
`equations.json` and `evidence.json`, and MathJax without a network.

Configuration: `scispaces_root`, the folder that holds `data/claims`, `_build/results` and
`_build/checks.json`; by default the nearest folder above the Sphinx source with `_toc.yml` and
`data/claims`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from scispaces.book import (
    cells,
    checks,
    equations,
    evidence_table,
    html,
    numbers,
    offline,
    pages,
    tracking,
)
from scispaces.book.facts import Facts
from scispaces.evidence import find_root

_ASSETS = ("scispaces.css", "scispaces.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_config_value("scispaces_root", None, "env", types=(str, Path))
    app.connect("builder-inited", _read_facts)
    app.connect("builder-inited", _add_assets)
    app.connect("build-finished", _write_documents)
    for part in (tracking, html, cells, numbers, checks, equations, evidence_table, pages, offline):
        part.setup(app)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _read_facts(app: Sphinx) -> None:
    root = app.config.scispaces_root or find_root(Path(app.srcdir))
    try:
        # Ours on Sphinx's object, which declares no such name; `tracking.facts_of` reads it.
        app.scispaces_facts = Facts.read(Path(root))  # type: ignore[attr-defined]
    except ValueError as error:
        raise ExtensionError(f"The book's evidence cannot be read: {error}") from error


def _add_assets(app: Sphinx) -> None:
    """Serve `book/_static`, wherever the book's sources are staged."""
    folder = Path(app.srcdir) / "book" / "_static"
    if app.builder.format != "html" or not folder.is_dir():
        return
    app.config.html_static_path.append(str(folder))
    app.add_css_file(_ASSETS[0], priority=900)
    app.add_js_file(_ASSETS[1], loading_method="defer")


def _write_documents(app: Sphinx, error: Exception | None) -> None:
    """Publish what the pages say, for other programs."""
    if error is not None or app.builder.format != "html":
        return
    documents = {
        "equations.json": equations.equations_document(app),
        "evidence.json": evidence_table.evidence_document(app),
    }
    for name, document in documents.items():
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
        (Path(app.outdir) / name).write_text(text + "\n", encoding="utf-8")
