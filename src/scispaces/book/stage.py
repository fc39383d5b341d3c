"""Lay out the Sphinx source and render it: `_build/stage/` into `_build/html/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from scispaces.book.checks import write_check_pages
from scispaces.evidence import project


class RenderError(RuntimeError):
    """Jupyter Book reported an error or a warning; its own output says which."""


def stage(root: Path) -> Path:
    """Gather what Jupyter Book reads, from scratch: nothing of an earlier build can survive."""
    folder = root / "_build" / "stage"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "book", folder / "book")
    shutil.copytree(root / "_build" / "notebooks", folder / "notebooks")
    pages = write_check_pages(project.load_checks(root), folder / "book" / "checks")
    toc = _read(root / "_toc.yml")
    for entry in (entry for part in toc["parts"] for entry in part["chapters"]):
        if entry["file"] == "book/equations":
            entry["sections"] = [{"file": f"book/checks/{page.stem}"} for page in pages]
    config = _read(root / "_config.yml")
    config["html"]["baseurl"] = os.environ.get("SCISPACES_URL", "")  # where it will be served
    for name, document in {"_toc.yml": toc, "_config.yml": config}.items():
        (folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return folder


def render(root: Path) -> Path:
    """Render the staged book with warnings as errors, and swap it in only when it is whole.

    Raises:
        RenderError: if Jupyter Book warns or fails; the previous `_build/html` stays.
    """
    folder = stage(root)
    scratch = root / "_build" / "render"
    shutil.rmtree(scratch, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder)]
    options = ["--path-output", str(scratch), "-W", "-n", "--keep-going", "--quiet"]
    # Its closing words name the scratch folder; warnings and errors come on the other stream.
    done = subprocess.run([*command, *options], check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise RenderError("Jupyter Book must build without a warning; see its messages above.")
    html = root / "_build" / "html"
    shutil.rmtree(html, ignore_errors=True)
    (scratch / "_build" / "html").rename(html)
    shutil.rmtree(scratch)
    return html


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    try:
        print(f"The book is at {render(project.find_root()) / 'index.html'}")
    except RenderError as error:
        sys.exit(str(error))
