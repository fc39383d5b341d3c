"""Which files a chapter is made from: its text, the modules it imports, the data it may read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grimp
import yaml

PACKAGE = "scispaces"
_HEADER = re.compile(r"\A---\n(?P<yaml>.*?)\n---\n", re.DOTALL)
# A MyST code cell; its options stand first, as `:key: value` lines or between two `---`. The
# graph is built at every `make book`, and jupytext alone would take longer to import than that.
_CODE_CELL = re.compile(
    r"^(?P<fence>`{3,})\{code-cell\}[^\n]*\n(?:---\n.*?^---\n|(?::[^\n]*\n)*)(?P<code>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)


def header(path: Path) -> dict[str, Any]:
    """Return the `scispaces` entry of a chapter's header: title, article, data.

    Raises:
        ValueError: if the header has no such entry.
    """
    match = _HEADER.match(path.read_text(encoding="utf-8"))
    metadata = yaml.safe_load(match["yaml"]).get(PACKAGE) if match else None
    if not metadata:
        raise ValueError(f"The header of {path.name} must have a `scispaces` entry.")
    return dict(metadata)


def notebook_modules(path: Path, graph: grimp.ImportGraph) -> set[str]:
    """Return every module of ours that a notebook imports, directly or through others."""
    cells = _CODE_CELL.finditer(path.read_text(encoding="utf-8"))
    return closure(_imports(cell["code"] for cell in cells), graph)


def script_modules(paths: Iterable[Path], graph: grimp.ImportGraph) -> set[str]:
    """Return every module of ours that Python files import, directly or through others."""
    return closure(_imports(path.read_text(encoding="utf-8") for path in paths), graph)


def build_graph() -> grimp.ImportGraph:
    """Return who imports whom inside the package."""
    return grimp.build_graph(PACKAGE, cache_dir=None)


def module_file(module: str, source_root: Path) -> Path:
    """Return the file of a module, for example `src/scispaces/losses/__init__.py`."""
    path = source_root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(sources: Iterable[str]) -> set[str]:
    """Return the dotted names that Python sources import from the package."""
    names: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(_without_magics(source))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] == PACKAGE}


def closure(names: set[str], graph: grimp.ImportGraph) -> set[str]:
    """Return the modules that importing `names` runs; importing `a.b.c` also runs `a` and `a.b`."""
    found: set[str] = set()
    waiting = {name for name in names if name in graph.modules}
    while waiting:
        module = waiting.pop()
        found.add(module)
        parents = {module.rsplit(".", level)[0] for level in range(1, module.count(".") + 1)}
        waiting |= (graph.find_modules_directly_imported_by(module) | parents) - found
    return found


def _without_magics(source: str) -> str:
    """Drop IPython's `%` and `!` lines, which are no Python."""
    return "\n".join(
        line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))
    )
