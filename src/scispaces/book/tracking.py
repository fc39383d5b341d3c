"""What each page was made from, so that an incremental build is never stale.

Sphinx re-reads a page when a noted file became younger than the page. That misses a file that was
put back with an old time stamp, so the content of every noted file is compared as well. And a page
that gave a warning of ours is read again until the warning is gone: with `-W`, a warning must not
pass on the second run.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from scispaces.book.facts import Facts, digest

_logger = logging.getLogger(__name__)


def facts_of(app: Sphinx) -> Facts:
    """Return the facts that this build read when it began."""
    # The extension sets it when the build begins, on an object that declares no such name.
    facts: Facts = app.scispaces_facts  # type: ignore[attr-defined]
    return facts


def page_data(env: BuildEnvironment, docname: str) -> dict[str, Any]:
    """Return what we remember of a page: its inputs, equations, numbers, warnings and contents."""
    store: dict[str, dict[str, Any]] = env.__dict__.setdefault("scispaces_pages", {})
    return store.setdefault(
        docname,
        {"inputs": {}, "equations": {}, "numbers": [], "warned": False, "lists_equations": False},
    )


def pages(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return `page_data` of every page that has any."""
    store: dict[str, dict[str, Any]] = env.__dict__.setdefault("scispaces_pages", {})
    return store


def depend(env: BuildEnvironment, files: Iterable[Path]) -> None:
    """Say that the page being read is made from these files too, present or not."""
    inputs = page_data(env, env.docname)["inputs"]
    for file in files:
        inputs[str(file)] = digest(file)
        if file.is_file():
            env.note_dependency(str(file))


def warn(env: BuildEnvironment, docname: str, message: str, location: nodes.Node | Any) -> None:
    """Give a warning and have the page read again in the next build."""
    page_data(env, docname)["warned"] = True
    _logger.warning(message, location=location, type="scispaces")


def setup(app: Sphinx) -> None:
    """Keep the pages' inputs in step with the pages."""
    app.connect("env-get-outdated", _outdated)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)


def _outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    return [
        docname
        for docname, page in pages(env).items()
        if docname in env.found_docs
        and (
            page["warned"]
            or any(digest(Path(file)) != known for file, known in page["inputs"].items())
        )
    ]


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    pages(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    pages(env).update({name: page for name, page in pages(other).items() if name in docnames})
