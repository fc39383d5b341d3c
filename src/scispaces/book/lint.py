"""Rules for a chapter's text: no typed result, no unlabelled equation, no unchecked label."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scispaces.book import graph
from scispaces.book.equations_source import find_equations

# What may hold a number that is no result: code, roles that look numbers up or mark inputs,
# links, citations, HTML comments, dates, and identifiers of papers.
_EXEMPT = re.compile(
    r"""
      ^(?P<fence>`{3,}|~{3,}|:{3,})\{?(?!math)[^\n]*\n.*?^(?P=fence)\s*$   # fenced code
    | \{(?:num|given|cite[:\w]*|eq|ref|doc|numref)\}`[^`]*`                # roles
    | \\given\{[^}]*\}                                                     # an input, in maths
    | `[^`\n]*`                                                            # inline code
    | \]\([^)]*\) | <[^>\n]*> | https?://\S+                               # links, tags
    | <!--.*?-->
    | \barXiv[: ]\d{4}\.\d{4,5} | \bdoi:\S+                                # papers
    | \b\d{4}-\d{2}-\d{2}\b                                                # dates
    | ^\#+\ \d+(?:\.\d+)*                                                  # numbered headings
    | \b(?:version|Python|torch|timm|bert4torch|gensim)\ v?\d+(?:\.\d+)+   # versions
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_RESULT = re.compile(
    r"""
      (?<![\w.])[-−+]?\d+\.\d+            # a decimal
    | (?<![\w.])\d+(?:\{,\}|,)\d{3}\b     # a number with thousands separators
    | (?<![\w.])\d+\s?\\?%                # a percentage
    | (?<![\w.])\d+(?:\s|~)?(?:×|\\times)\ ?(?!10\b)(?=\s*(?:as|faster|slower|more|less))
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Finding:
    """One broken rule, at a place a person can open."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def typed_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, number) for every typed result in Markdown prose or maths."""
    blank = _EXEMPT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    for match in _RESULT.finditer(blank):
        yield blank.count("\n", 0, match.start()) + 1, match.group().strip()


def checked_labels(folder: Path) -> set[str]:
    """Return the labels that some test under `folder` is marked to check."""
    labels = set()
    for path in folder.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "pytest.mark.equation"
                and isinstance(node.args[0], ast.Constant)
            ):
                labels.add(str(node.args[0].value))
    return labels


def lint_chapter(path: Path, checked: set[str]) -> Iterator[Finding]:
    """Yield every broken rule of one chapter."""
    text = path.read_text(encoding="utf-8")
    for line, number in typed_numbers(_without_header(text)):
        yield Finding(
            path, line, f"a result must not be typed; use {{num}} (or {{given}}): {number}"
        )
    equations = find_equations(text)
    counts = Counter(equation.label for equation in equations)
    for equation in equations:
        if not equation.label:
            yield Finding(path, equation.line, "a displayed equation must have a label")
        elif not re.fullmatch(rf"{path.stem}(-[a-z]+)+", equation.label):
            yield Finding(
                path,
                equation.line,
                f"a label must be '{path.stem}-' and words, without digits: {equation.label}",
            )
        elif counts[equation.label] > 1:
            yield Finding(path, equation.line, f"a label must be unique: {equation.label}")
        elif equation.label not in checked:
            yield Finding(path, equation.line, f"a label must have a check: {equation.label}")


def lint_docstrings(path: Path, shown: set[str]) -> Iterator[Finding]:
    """Yield every label that a docstring cites as `(book: ...)` and that no chapter shows."""
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for citation in re.findall(r"\(book: ([^)]*)\)", text):
            for label in re.findall(r"`(\w[\w-]*)`", citation):
                if label not in shown:
                    yield Finding(path, line, f"cites a label that no chapter shows: {label}")


def lint(root: Path) -> list[Finding]:
    """Return every broken rule of every chapter, and labels named elsewhere that none has."""
    checked = checked_labels(root / "tests" / "equations")
    chapters = sorted((root / "notebooks").glob("*.md"))
    findings = [finding for path in chapters for finding in lint_chapter(path, checked)]
    shown = {
        equation.label
        for path in chapters
        for equation in find_equations(path.read_text(encoding="utf-8"))
    }
    for path in sorted((root / "src").rglob("*.py")):
        findings += lint_docstrings(path, shown)
    for label in sorted(checked - shown):
        message = f"checks a label that no chapter shows: {label}"
        findings.append(Finding(root / "tests" / "equations", 1, message))
    for path in chapters:
        if not graph.header(path).get("title"):
            findings.append(Finding(path, 1, "the header must give `scispaces: {title: …}`"))
    return findings


def _without_header(text: str) -> str:
    """Blank the YAML header, keeping line numbers."""
    match = re.match(r"---\n.*?\n---\n", text, re.DOTALL)
    return "\n" * match.group().count("\n") + text[match.end() :] if match else text
