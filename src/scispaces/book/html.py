"""One docutils node for any HTML element, so that generated pages are built from real nodes.

Text and maths inside such elements stay searchable, translatable and known to MathJax, which a
block of raw HTML is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_MARKS = re.compile(r"\$(?P<math>[^$]+)\$|`(?P<code>[^`]+)`|\*(?P<emphasis>[^*\s][^*]*)\*")

# A number inside words; what stands in a name (`k10`, `zlpr-042`) or a date is none.
_NUMBER = re.compile(
    r"(?<![\w.])(?P<minus>-?)(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?:e(?P<power>[+-]\d+))?"
)


class html_element(nodes.General, nodes.Inline, nodes.TextElement):
    """An HTML element: `tag` and its `attributes`; any nodes as children."""


def element(tag: str, *children: nodes.Node | str, **attributes: str) -> html_element:
    """Return an element; `class_` and `for_` lose their underscore, other `_` become `-`.

    Strings become text. An `id` is also the node's docutils id, so that links can find it.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    node = html_element("", "", tag=tag, attributes=named)
    if "id" in named:
        node["ids"].append(named["id"])
    for child in children:
        node += nodes.Text(child) if isinstance(child, str) else child
    return node


def raw(markup: str) -> nodes.raw:
    """Return markup that goes to the HTML page as it is."""
    return nodes.raw("", markup, format="html")


def typeset(text: str) -> list[nodes.Node]:
    """Return words with their numbers set: a true minus sign, powers of ten as such."""
    made: list[nodes.Node] = []
    for words, power in _number_parts(text):
        made += [nodes.Text(words)] if words else []
        made += [nodes.superscript("", power)] if power else []
    return made


def typeset_markup(text: str) -> str:
    """Return the same as `typeset` as HTML, for places without nodes.

    Example:
        >>> typeset_markup("k10: 6.3e-16, k20: 3.0e+00 < 4").replace(chr(160), " ")
        'k10: 6.3 × 10<sup>−16</sup>, k20: 3.0 &lt; 4'
    """
    return "".join(
        escape(words) + (f"<sup>{power}</sup>" if power else "")
        for words, power in _number_parts(text)
    )


def _number_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield stretches of text, each with the exponent that follows it, or ""."""
    end = 0
    for match in _NUMBER.finditer(text):
        power = str(int(match["power"] or 0)).replace("-", "−")
        words = text[end : match.start()] + match["minus"].replace("-", "−") + match["digits"]
        yield (words, "") if power == "0" else (f"{words}\xa0×\xa010", power)
        end = match.end()
    yield text[end:], ""


def inline_markup(text: str) -> str:
    """Return one line of Markdown (maths, code, emphasis) as HTML, for places without nodes.

    Example:
        >>> inline_markup("the *sum* `a<b`")
        'the <em>sum</em> <code>a&lt;b</code>'
    """
    parts, end = [], 0
    for match in _MARKS.finditer(text):
        parts.append(escape(text[end : match.start()]))
        if match["math"]:
            tex = escape(match["math"])
            parts.append(f'<span class="math notranslate nohighlight">\\({tex}\\)</span>')
        elif match["code"]:
            parts.append(f"<code>{escape(match['code'])}</code>")
        else:
            parts.append(f"<em>{escape(match['emphasis'])}</em>")
        end = match.end()
    return "".join(parts) + escape(text[end:])


def plain_markup(text: str) -> str:
    """Return one line of Markdown as plain text, for names that can hold no markup."""
    return _MARKS.sub(lambda match: next(filter(None, match.groups())), text)


def setup(app: Sphinx) -> None:
    """Teach the writers the node; formats other than HTML see only the children."""
    app.add_node(html_element, html=(_open, _close), text=_silent, latex=_silent, man=_silent)
    app.connect("html-page-context", _mend_citation_roles)


def _mend_citation_roles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Make the entries of a bibliography items of its list; docutils gives them a role that a
    list may not contain, and screen readers then announce an empty list."""
    if "citation-list" in context.get("body", ""):
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def _open(writer: Any, node: html_element) -> None:
    attributes = "".join(
        f' {name}="{escape(value)}"' if value else f" {name}"
        for name, value in node["attributes"].items()
    )
    writer.body.append(f"<{node['tag']}{attributes}>")


def _close(writer: Any, node: html_element) -> None:
    writer.body.append(f"</{node['tag']}>")


def _nothing(writer: Any, node: html_element) -> None:
    """Leave the children to themselves."""


_silent = (_nothing, _nothing)
