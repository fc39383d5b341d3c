"""Checks as the pages show them: one entry for each test function, and a page of their sources."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from scispaces.book.html import element, raw
from scispaces.book.tracking import depend, facts_of

_AIM_PAGES = {
    "equations": ("book/equations", "index"),
    "discrepancies": ("book/discrepancies", "discrepancy"),
}
Checks = Mapping[str, Mapping[str, list[dict[str, Any]]]]


def merged(checks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one check for each test function: the cases of a parametrised test belong together.

    `cases` counts them; the outcome is `passed` only if every case passed.
    """
    functions: dict[str, dict[str, Any]] = {}
    for check in checks:
        name = check["test"].partition("[")[0]
        entry = functions.setdefault(name, {**check, "test": name, "cases": 0})
        entry["cases"] += 1
        if check["outcome"] != "passed":
            entry["outcome"] = check["outcome"]
    return list(functions.values())


def outcome_counts(checks: list[dict[str, Any]]) -> str:
    """Return how the checks of one thing went, in words.

    Example:
        >>> outcome_counts([{"outcome": "passed"}, {"outcome": "failed"}])
        '1 of 2 checks passed'
    """
    passed = sum(check["outcome"] == "passed" for check in checks)
    if not checks:
        return "no check"
    if passed < len(checks):
        return f"{passed} of {len(checks)} checks passed"
    return f"{passed} check{'s' if passed > 1 else ''} passed"


def check_chapter(check: Mapping[str, Any]) -> str:
    """Return the chapter a check belongs to, read from its file's place.

    Example:
        >>> check_chapter({"file": "tests/equations/word_transport/test_bounds.py"})
        'word-transport'
        >>> check_chapter({"file": "tests/discrepancies/test_zlpr.py"})
        'zlpr'
    """
    path = PurePosixPath(check["file"])
    name = path.stem.removeprefix("test_") if len(path.parts) < 4 else path.parts[2]
    return name.replace("_", "-")


def check_link(check: Mapping[str, Any]) -> tuple[str, str]:
    """Return the page and the fragment where a check's source is shown.

    Example:
        >>> check_link({"test": "tests/equations/zlpr/test_loss.py::test_limit[3]",
        ...             "file": "tests/equations/zlpr/test_loss.py"})
        ('book/checks/zlpr', 'loss-limit')
    """
    stem = PurePosixPath(check["file"]).stem.removeprefix("test_")
    function = check["test"].partition("[")[0].rpartition("::")[2].removeprefix("test_")
    return f"book/checks/{check_chapter(check)}", nodes.make_id(f"{stem}-{function}")


def write_check_pages(checks: Checks, folder: Path) -> list[Path]:
    """Write one Markdown page for each chapter that has checks; return the pages.

    A page holds a title and a `{check-sources}` directive; the sources come in when it is read, so
    the pages stay right when checks change. A page whose text is right is left alone.

    Args:
        checks: what `scispaces.evidence.load_checks` returns.
        folder: the folder for the pages, `book/checks/` of the Sphinx source.
    """
    chapters = sorted(
        {check_chapter(check) for table in checks.values() for entry in table.values()
         for check in entry}
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chapter in chapters:
        text = (
            "---\nnosearch: true\n---\n\n"  # a search is for chapters; these pages are linked
            f"# Checks: {chapter}\n\n"
            f"Each test below checks an equation of chapter `{chapter}`, or an entry of the\n"
            "[register of discrepancies](../discrepancies.md). The build that made this page ran\n"
            "them all. Above the first check of an equation stands the transcription that its\n"
            "checks use, to be compared with the printed formula.\n\n"
            f"```{{check-sources}} {chapter}\n```\n"
        )
        path = folder / f"{chapter}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def transcriptions(formulas: Path) -> dict[str, str]:
    """Return the source of each function in a chapter's `formulas.py`, by equation label.

    Args:
        formulas: the file; where there is none, nothing is returned.
    """
    if not formulas.is_file():
        return {}
    text = formulas.read_text(encoding="utf-8")
    return {
        node.name.replace("_", "-"): ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


class CheckSourcesDirective(SphinxDirective):
    """`{check-sources} chapter`: the source of every check of a chapter, one anchor each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        facts = facts_of(self.env.app)
        formulas_file = facts.formulas_file(self.arguments[0])
        depend(self.env, [facts.checks_file, formulas_file])
        unshown = transcriptions(formulas_file)
        aims: dict[str, tuple[dict[str, Any], list[nodes.Node]]] = {}
        before: dict[str, list[nodes.Node]] = {}  # what stands before each check
        for kind, table in sorted(facts.checks.items()):
            for aim, entries in sorted(table.items()):
                for check in merged(entries):
                    if check_chapter(check) == self.arguments[0]:
                        links = aims.setdefault(check["test"], (check, []))[1]
                        links += [nodes.Text(" "), self._aim(kind, aim)]
                        shown = before.setdefault(check["test"], [])
                        if kind == "equations" and aim in unshown:
                            shown.append(self._transcription(aim, unshown.pop(aim)))
        return [
            section
            for test, (check, links) in aims.items()
            for section in (*before[test], self._section(check, links))
        ]

    def _transcription(self, label: str, source: str) -> nodes.Node:
        """Return the function that stands for an equation in its checks."""
        anchor = f"transcription-{label}"
        section = nodes.section(ids=[anchor], names=[anchor])
        section += nodes.title("", "Transcription of ", self._aim("equations", label))
        section += self._code(source)
        return section

    def _code(self, source: str) -> nodes.Node:
        block = nodes.literal_block(source, source, language="python")
        self.set_source_info(block)
        return block

    def _aim(self, kind: str, aim: str) -> nodes.Node:
        """Return a link to what a check checks, on the page that lists such things."""
        page, prefix = _AIM_PAGES[kind]
        address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        target = f"{address}#{prefix}-{aim}"
        return nodes.reference("", "", nodes.literal("", aim), internal=True, refuri=target)

    def _section(self, check: dict[str, Any], aims: list[nodes.Node]) -> nodes.Node:
        anchor = check_link(check)[1]
        name = check["test"].rpartition("::")[2].removeprefix("test_").replace("_", " ")
        section = nodes.section(ids=[anchor], names=[anchor])
        section += nodes.title("", name[:1].upper() + name[1:])
        section += nodes.paragraph("", "", *self.state.inline_text(check["says"], self.lineno)[0])
        cases = f", {check['cases']} cases" if check["cases"] > 1 else ""
        section += element(
            "p",
            outcome(check),
            f"{cases}. Checks",
            *aims,
            raw(f'<span class="check-file">{check["file"]}, line {check["line"]}</span>'),
        )
        section += self._code(check["source"])
        return section


def outcome(check: Mapping[str, Any]) -> nodes.Node:
    """Return the outcome of one check as a word with a mark."""
    state = "passed" if check["outcome"] == "passed" else "failed"
    return element("span", check["outcome"], class_=f"state state-{state}")


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("check-sources", CheckSourcesDirective)
