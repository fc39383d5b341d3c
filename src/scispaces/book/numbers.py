r"""The roles `{num}` and `{given}`: checked numbers in prose and in maths.

`` {num}`zlpr/value-at-zero` `` prints the recorded value in its claim's format;
`` {num}`zlpr/value-at-zero:.1f` `` in another; `` {num}`zlpr/ranks[zlpr]` `` a part of a dictionary
or list. The same text between dollar signs is replaced in the formula. A number nobody recorded,
or that its format does not fit, is a warning. `` {given}`0.25` `` prints a setting as it is.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from scispaces.book.facts import Number, UnknownNumberError, claim_anchor, reference_chapter
from scispaces.book.html import element, typeset
from scispaces.book.provenance_notes import note_markup
from scispaces.book.tracking import depend, facts_of, page_data, warn

EVIDENCE_PAGE = "book/evidence"
_IN_MATHS = re.compile(r"\{num\}`(?P<reference>[^`]+)`")
_MARKED = re.compile(r"\\evidence\{(?P<anchor>[\w-]+)\}\{(?P<tex>(?:[^{}]|\{[^{}]*\})*)\}")
_EXPONENT = re.compile(r"(?P<mantissa>.*\d)e(?P<sign>[+-])0*(?P<digits>\d+)(?P<rest>.*)", re.DOTALL)

_NO_EXPONENT = re.compile(r"(?<=\d)e[+-]0+$")


class evidence_number(nodes.Inline, nodes.TextElement):
    """A number in prose, a link to its evidence."""


class evidence_number_in_maths(nodes.Inline, nodes.TextElement):
    """The keyboard's way to the evidence of a number inside a formula."""


class NumberRole(SphinxRole):
    """`` {num}`chapter/name[key]:format` ``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        depend(self.env, facts_of(self.env.app).inputs(reference_chapter(self.text)))
        try:
            number = facts_of(self.env.app).number(self.text)
        except UnknownNumberError as error:
            warn(self.env, self.env.docname, f"{{num}}: {error}", self.get_location())
            return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        anchor = _use(self.env, number)
        node = evidence_number(number.text, anchor=anchor, timing=number.claim.kind == "timing")
        node += typeset(number.text)
        return [node], []


class GivenRole(SphinxRole):
    """`` {given}`0.25` ``: an input, printed as it is written."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [nodes.inline(self.rawtext, self.text, classes=["given"])], []


def tex_number(text: str) -> str:
    r"""Return a formatted number as TeX.

    Example:
        >>> tex_number("-1.5e-07"), tex_number("12,345"), tex_number("3.1%"), tex_number("yes")
        ('-1.5\\times 10^{-7}', '12{,}345', '3.1\\%', '\\text{yes}')
        >>> tex_number("2.0e+00")
        '2.0'
    """
    if not re.match(r"[-+]?\d", text):
        return f"\\text{{{text}}}"
    text = _NO_EXPONENT.sub("", text)
    if match := _EXPONENT.fullmatch(text):
        sign = "-" if match["sign"] == "-" else ""
        text = rf"{match['mantissa']}\times 10^{{{sign}{match['digits']}}}{match['rest']}"
    return re.sub(r"(?<=\d),(?=\d)", "{,}", text).replace("%", r"\%")


def without_evidence(tex: str) -> str:
    """Return a formula whose numbers are plain again, for other programs to read."""
    return _MARKED.sub(lambda match: match["tex"], tex)


def setup(app: Sphinx) -> None:
    """Register the roles and what they become on the page."""
    app.add_role("num", NumberRole())
    app.add_role("given", GivenRole())
    silent = (_nothing, _nothing)
    app.add_node(evidence_number, html=(_open_number, _close_link), text=silent, latex=silent)
    app.add_node(
        evidence_number_in_maths, html=(_open_maths_note, _close_link), text=silent, latex=silent
    )
    app.connect("doctree-read", _fill_maths, priority=400)
    app.connect("doctree-resolved", _link_maths)
    app.connect("html-page-context", _append_notes)


def _use(env: Any, number: Number) -> str:
    """Remember that the page shows this number; its note goes to the end of the page."""
    numbers = page_data(env, env.docname)["numbers"]
    if number.claim.id not in numbers:
        numbers.append(number.claim.id)
    return claim_anchor(number.claim.id)


def _fill_maths(app: Sphinx, doctree: nodes.document) -> None:
    """Put the values into formulas, marked so that a page can link them later."""
    for node in list(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        if "{num}`" not in node.astext():
            continue
        used: list[Number] = []

        def value(match: re.Match[str], node: nodes.Node = node, used: Any = used) -> str:
            reference = match["reference"]
            depend(app.env, facts_of(app).inputs(reference_chapter(reference)))
            try:
                number = facts_of(app).number(reference)
            except UnknownNumberError as error:
                warn(app.env, app.env.docname, f"{{num}} in maths: {error}", node)
                return r"\text{?}"
            used.append(number)
            return rf"\evidence{{{_use(app.env, number)}}}{{{tex_number(number.text)}}}"

        tex = _IN_MATHS.sub(value, node.astext())
        node.children = []
        node += nodes.Text(tex)
        node["scispaces_numbers"] = [(claim_anchor(n.claim.id), n.text) for n in used]
        if any(number.claim.kind == "timing" for number in used):
            node["classes"].append("volatile")


def _link_maths(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    r"""Turn the marks into `\href`, and give the keyboard a link of its own after the formula.

    MathJax hides the drawn formula from screen readers and shows them MathML instead, so a link
    inside the drawing serves the pointer only.
    """
    if app.builder.format != "html":
        return
    page = app.builder.get_relative_uri(docname, EVIDENCE_PAGE)

    def link(match: re.Match[str]) -> str:
        return rf"\href{{{page}#{match['anchor']}}}{{\class{{num-drawn}}{{{match['tex']}}}}}"

    for node in list(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        if r"\evidence{" not in node.astext():
            continue
        tex = _MARKED.sub(link, node.astext())
        node.children = []
        node += nodes.Text(tex)
        notes = [
            evidence_number_in_maths(text, "", nodes.Text("Where "), *typeset(text),
                            nodes.Text(" comes from"), anchor=anchor,
                            timing="volatile" in node["classes"])
            for anchor, text in node["scispaces_numbers"]
        ]  # fmt: skip
        if isinstance(node, nodes.math):
            position = node.parent.index(node) + 1
            node.parent[position:position] = notes
        else:
            position = node.parent.index(node) + 1
            node.parent.insert(position, element("p", *notes, class_="num-notes"))


def _append_notes(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put one note for each number at the end of the page, where scripts and readers find it."""
    if not doctree or not (numbers := page_data(app.env, pagename)["numbers"]):
        return
    notes = "".join(note_markup(facts_of(app), identifier) for identifier in numbers)
    context["body"] += f'<div class="num-tips">{notes}</div>'


def _address(writer: Any, node: nodes.Element) -> str:
    page = writer.builder.get_relative_uri(writer.builder.current_docname, EVIDENCE_PAGE)
    return escape(f"{page}#{node['anchor']}")


def _open_number(writer: Any, node: evidence_number) -> None:
    classes = "num volatile" if node["timing"] else "num"
    writer.body.append(
        f'<a class="{classes}" href="{_address(writer, node)}" '
        f'aria-describedby="tip-{node["anchor"]}">'
    )


def _open_maths_note(writer: Any, node: evidence_number_in_maths) -> None:
    classes = "num num-note volatile" if node["timing"] else "num num-note"
    writer.body.append(
        f'<a class="{classes}" href="{_address(writer, node)}" '
        f'aria-describedby="tip-{node["anchor"]}">'
    )


def _close_link(writer: Any, node: nodes.Element) -> None:
    writer.body.append("</a>")


def _nothing(writer: Any, node: nodes.Element) -> None:
    """Formats other than HTML print the number alone."""
