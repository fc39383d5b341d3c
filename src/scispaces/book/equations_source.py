"""Displayed equations in Markdown sources, and how to cite one; no Sphinx needed.

`find_equations` reads the text of a chapter as the page renderer does; the linter and
`scispaces cite` use it. `cite` writes the entry that a page shows beside the equation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

BOOK_TITLE = "Scientific Spaces, Verified"
BOOK_AUTHORS = "The Scientific Spaces, Verified authors"
BOOK_YEAR = 2026
CITATION_STYLES = ("bibtex", "apa", "text")
_OWN_HOSTS = {None, "localhost", "127.0.0.1", "::1"}

# Directives whose body is no Markdown: nothing in them is a displayed equation.
_LITERAL = {"code-cell", "code", "code-block", "literalinclude", "raw", "mermaid", "eval-rst"}
_DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}")
_LABEL_OPTION = re.compile(r"^:(?:label|name):\s*(\S+)\s*$", re.MULTILINE)
_OPTION_LINES = re.compile(r"\A(?:\s*:[\w-]+:.*\n?)+")


@dataclass(frozen=True)
class Equation:
    """A displayed equation: its label ("" if it has none), TeX source and line (from 1)."""

    label: str
    tex: str
    line: int


def find_equations(text: str) -> list[Equation]:
    r"""Return the displayed equations of a Markdown text, in order.

    Read are `$$ … $$ (label)`, `{math}` directives with `:label:`, and bare TeX environments
    (which can carry no label), also inside admonitions, lists and quotations; never inside code.
    Numbers written as `` {num}`chapter/name` `` stay in `tex` as they are; `plain_tex` removes
    the marks of inputs.

    Args:
        text: the source of a page or chapter, header included.

    Returns:
        One `Equation` for each display; `label` is "" where the author gave none.

    Example:
        >>> find_equations("Then\n\n$$\na + b = c\n$$ (sum-rule)\n")
        [Equation(label='sum-rule', tex='a + b = c', line=3)]
        >>> find_equations("$$\nx^2\n$$\n")
        [Equation(label='', tex='x^2', line=1)]
    """
    return list(_walk(text, 1))


def plain_tex(tex: str) -> str:
    r"""Return TeX that any TeX program can read: the book's own `\given{…}` marks removed.

    Example:
        >>> plain_tex(r"p = \given{0.25} + x")
        'p = 0.25 + x'
    """
    return re.sub(r"\\given\{([^{}]*)\}", r"\1", tex).strip()


def cite(label: str, chapter_title: str, url: str, style: str) -> str:
    """Return a citation of one equation of the book.

    Args:
        label: the equation's label, such as `zlpr-loss`.
        chapter_title: the title of its chapter, plain text.
        url: where the equation stands, with its fragment. It is left out unless others can reach
            it: an `http` or `https` address that is not this machine's own.
        style: `bibtex`, `apa` or `text`.

    Raises:
        ValueError: if `style` is none of the three.

    Example:
        >>> cite("zlpr-loss", "Many labels", "https://e.org", "text")
        'Equation zlpr-loss, in “Many labels”, Scientific Spaces, Verified (2026). https://e.org'
    """
    if style not in CITATION_STYLES:
        raise ValueError(f"`style` must be one of {', '.join(CITATION_STYLES)}. Got {style!r}.")
    url = url if _public(url) else ""
    if style == "text":
        return f"Equation {label}, in “{chapter_title}”, {BOOK_TITLE} ({BOOK_YEAR}). {url}".rstrip()
    if style == "apa":
        return (
            f"{BOOK_AUTHORS}. ({BOOK_YEAR}). Equation {label}. In {chapter_title}. "
            f"{BOOK_TITLE}. {url}"
        ).rstrip()
    fields = {
        "author": f"{{{BOOK_AUTHORS}}}",
        # Braces of their own: styles that write titles in small letters leave these alone.
        "title": f"{{Equation \\texttt{{{label}}}, in {_bibtex(chapter_title)}}}",
        "booktitle": f"{{{_bibtex(BOOK_TITLE)}}}",
        "year": str(BOOK_YEAR),
        "url": url,
    }
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@incollection{{scispaces-{label},\n{body}\n}}"


def _public(url: str) -> bool:
    """Return whether an address means the same to every reader."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.hostname not in _OWN_HOSTS


def _bibtex(text: str) -> str:
    """Escape what BibTeX would read as a command."""
    return re.sub(r"([&%$#_])", r"\\\1", text)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.use(front_matter_plugin).use(colon_fence_plugin).use(amsmath_plugin)
    return parser.use(dollarmath_plugin, allow_labels=True, double_inline=True)


def _walk(text: str, first_line: int) -> Iterator[Equation]:
    for token in _parser().parse(text):
        line = first_line + (token.map[0] if token.map else 0)
        if token.type == "math_block_label":
            yield Equation(token.info, token.content.strip(), line)
        elif token.type in ("math_block", "amsmath"):
            yield Equation("", token.content.strip(), line)
        elif token.type == "inline":
            for child in token.children or ():
                if child.type == "math_inline_double":
                    yield Equation("", child.content.strip(), line)
        elif token.type in ("fence", "colon_fence"):
            yield from _directive(token, line)


def _directive(token: Token, line: int) -> Iterator[Equation]:
    """Look into a fenced directive; a `{math}` directive is an equation itself."""
    match = _DIRECTIVE.match(token.info.strip())
    if match is None or match["name"] in _LITERAL:
        return
    if match["name"] == "math":
        options = _OPTION_LINES.match(token.content)
        label = _LABEL_OPTION.search(options.group()) if options else None
        tex = token.content[options.end() :] if options else token.content
        yield Equation(label.group(1) if label else "", tex.strip(), line)
        return
    yield from _walk(token.content, line + 1)
