"""Equations on a page: a badge under each, labels in the inventory, the index, `equations.json`.

A displayed equation without a label, and a label without a check, are warnings.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains import ObjType
from sphinx.domains.math import MathDomain
from sphinx.util.docutils import SphinxDirective

from scispaces.book.checks import check_link, merged, outcome_counts
from scispaces.book.equations_source import cite, plain_tex
from scispaces.book.html import element, inline_markup, raw
from scispaces.book.numbers import without_evidence
from scispaces.book.tracking import depend, facts_of, page_data, pages, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from sphinx.environment import BuildEnvironment


class EquationDomain(MathDomain):
    """Sphinx's mathematics with the labels listed in `objects.inv`.

    Another book refers to one as `[](inv:KEY:math:equation#zlpr-loss)`.
    """

    # Not a ClassVar: Sphinx declares this attribute for the instance, and a type checker minds.
    object_types = {"equation": ObjType("equation", "eq", "numref")}  # noqa: RUF012

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        """Yield every labelled equation."""
        for label, (docname, _number) in sorted(self.equations.items()):
            yield label, label, "equation", docname, equation_id(label), 1


class equation_badge(nodes.General, nodes.Element):
    """The line under an equation: its label, its checks, how to cite it."""


class equation_index(nodes.General, nodes.Element):
    """Stands for the list of all equations until every page is read."""


class EquationIndexDirective(SphinxDirective):
    """`{equation-index}`: every labelled equation of the book with its checks."""

    def run(self) -> list[nodes.Node]:
        page_data(self.env, self.env.docname)["lists_equations"] = True
        depend(self.env, [facts_of(self.env.app).checks_file])
        return [equation_index()]


def equation_id(label: str) -> str:
    """Return the fragment that Sphinx gives an equation."""
    return str(nodes.make_id(f"equation-{label}"))


def equation_url(app: Sphinx, docname: str, label: str) -> str:
    """Return where an equation stands: whole if the book's address is known, else from its root."""
    base = str(app.config.html_baseurl or "")
    base = base if not base or base.endswith("/") else base + "/"
    return f"{base}{app.builder.get_target_uri(docname)}#{equation_id(label)}"


def equations_document(app: Sphinx) -> list[dict[str, Any]]:
    """Return what `equations.json` says: one entry for each labelled equation, by label.

    Each has `label`, `tex`, `url`, `chapter` (its title) and `checks`, a list of `test`, `says`,
    `outcome` and `url`.
    """
    checks = facts_of(app).checks["equations"]
    return [
        {
            "label": label,
            "tex": tex,
            "url": equation_url(app, docname, label),
            "chapter": app.env.titles[docname].astext(),
            "checks": [
                {
                    "test": check["test"],
                    "says": check["says"],
                    "outcome": check["outcome"],
                    "url": _from_root(app, check_link(check)),
                }
                for check in merged(checks.get(label, []))
            ],
        }
        for docname, page in sorted(pages(app.env).items())
        for label, tex in page["equations"].items()
    ]


def setup(app: Sphinx) -> None:
    """Register the domain, the nodes and the steps."""
    app.add_domain(EquationDomain, override=True)
    silent = (_nothing, _nothing)
    app.add_node(equation_badge, html=(_badge_markup, _nothing), text=silent, latex=silent)
    app.add_node(equation_index)
    app.add_directive("equation-index", EquationIndexDirective)
    app.connect("doctree-read", _collect, priority=500)
    app.connect("env-updated", _rewrite_lists)
    app.connect("doctree-resolved", _fill_lists)


def _collect(app: Sphinx, doctree: nodes.document) -> None:
    """Note the page's equations, put badges under them, and refuse what has no label or check."""
    env = app.env
    found = list(doctree.findall(nodes.math_block))
    if not found:
        return
    depend(env, [facts_of(app).checks_file])
    for node in found:
        label = "" if "amsmath" in node["classes"] else node.get("label") or ""
        if not label:
            warn(env, env.docname, f"a displayed equation has no label: {_short(node)}", node)
            continue
        tex = plain_tex(without_evidence(node.astext()))
        page_data(env, env.docname)["equations"][label] = tex
        if not facts_of(app).checks["equations"].get(label):
            warn(env, env.docname, f"the equation {label!r} has no check", node)
        node.parent.insert(node.parent.index(node) + 1, equation_badge(label=label))


def _short(node: nodes.Node) -> str:
    text = " ".join(node.astext().split())
    return text if len(text) <= 60 else text[:57] + "…"


def _rewrite_lists(app: Sphinx, env: BuildEnvironment) -> Set[str]:
    """Have pages that list equations written again whenever any page was read."""
    lists = {docname for docname, page in pages(env).items() if page["lists_equations"]}
    domain = env.get_domain("math")
    for docname in lists:
        domain.data["has_equations"][docname] = True  # so that MathJax is loaded there
    return lists


def _fill_lists(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for placeholder in list(doctree.findall(equation_index)):
        placeholder.replace_self(list(_index_nodes(app, docname)))


def _index_nodes(app: Sphinx, docname: str) -> Iterable[nodes.Node]:
    checks = facts_of(app).checks["equations"]
    shown = {name: page["equations"] for name, page in pages(app.env).items() if page["equations"]}
    labels = [label for equations in shown.values() for label in equations]
    checked = sum(bool(checks.get(label)) for label in labels)
    total = sum(len(merged(checks.get(label, []))) for label in labels)
    yield element(
        "p",
        f"{len(labels)} labelled equations, {checked} of them checked, by {total} checks.",
        class_="counts",
    )
    for name in sorted(shown, key=_reading_order(app)):
        yield element("h2", app.env.titles[name].astext())
        for label, tex in shown[name].items():
            yield _index_entry(app, docname, name, label, tex)


def _index_entry(app: Sphinx, here: str, docname: str, label: str, tex: str) -> nodes.Node:
    link = f"{app.builder.get_relative_uri(here, docname)}#{equation_id(label)}"
    drawn = nodes.math_block("", tex, nowrap=False, number=None, label=None)
    return element(
        "div",
        element("p", raw(f'<a href="{escape(link)}"><code>{label}</code></a>')),
        drawn,
        raw(_checks_markup(app, here, label)),
        class_="equation-entry",
        id=f"index-{label}",
    )


def _reading_order(app: Sphinx) -> Any:
    """Return the sort key that puts pages in the order of the contents."""
    order: dict[str, int] = {}

    def visit(docname: str) -> None:
        if docname not in order:
            order[docname] = len(order)
            for child in app.env.toctree_includes.get(docname, []):
                visit(child)

    visit(app.config.root_doc)
    return lambda docname: (order.get(docname, len(order)), docname)


def _badge_markup(writer: Any, node: equation_badge) -> None:
    app, label = writer.builder.app, node["label"]
    docname = writer.builder.current_docname
    url = equation_url(app, docname, label)
    entry = cite(label, app.env.titles[docname].astext(), url, "bibtex")
    checks = merged(facts_of(app).checks["equations"].get(label, []))
    writer.body.append(
        f'<details class="equation-badge"><summary><span class="state '
        f'{_state_class(checks)}">{outcome_counts(checks)}</span> '
        f"<code>{label}</code></summary>"
        f"{_checks_markup(app, docname, label)}"
        f'<p class="cite-line"><a href="#{equation_id(label)}">Link to this equation</a>'
        f'<button type="button" class="copy-entry">Copy BibTeX</button></p>'
        f'<pre class="bibtex" tabindex="0" data-url="{escape(url)}">{escape(entry)}</pre></details>'
    )


def _checks_markup(app: Sphinx, docname: str, label: str) -> str:
    checks = merged(facts_of(app).checks["equations"].get(label, []))
    if not checks:
        return '<p class="state state-failed">No check yet</p>'
    rows = "".join(
        f'<li><span class="state {_state_class([check])}">{escape(check["outcome"])}</span> '
        f'<a href="{escape(_from_page(app, docname, check_link(check)))}">'
        f"{inline_markup(check['says'])}</a></li>"
        for check in checks
    )
    return f'<ul class="checks">{rows}</ul>'


def _state_class(checks: list[dict[str, Any]]) -> str:
    passed = bool(checks) and all(check["outcome"] == "passed" for check in checks)
    return "state-passed" if passed else "state-failed"


def _from_page(app: Sphinx, docname: str, link: tuple[str, str]) -> str:
    return f"{app.builder.get_relative_uri(docname, link[0])}#{link[1]}"


def _from_root(app: Sphinx, link: tuple[str, str]) -> str:
    return f"{app.builder.get_target_uri(link[0])}#{link[1]}"


def _nothing(writer: Any, node: nodes.Element) -> None:
    """Nothing to close, and nothing at all in formats other than HTML."""
