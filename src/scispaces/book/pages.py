"""The register of discrepancies, and what generated pages share: links to chapters and files."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.osutil import relative_uri

from scispaces.book.checks import check_link, merged, outcome
from scispaces.book.html import element, raw
from scispaces.book.tracking import depend, facts_of

_KINDS = {
    "wrong": "wrong",
    "differs": "differs from another source",
    "trap": "right, but easily misread",
}


class DiscrepancyRegisterDirective(SphinxDirective):
    """`{discrepancy-register}`: where a text or code is wrong or differs, with our check."""

    def run(self) -> list[nodes.Node]:
        facts = facts_of(self.env.app)
        depend(self.env, [facts.discrepancies_file, facts.checks_file])
        checks = facts.checks["discrepancies"]
        entries = facts.discrepancies
        checked = sum(bool(checks.get(entry["id"])) for entry in entries)
        made: list[nodes.Node] = [
            element("p", f"{len(entries)} entries, {checked} of them checked.", class_="counts")
        ]
        for chapter in sorted({entry["chapter"] for entry in entries}):
            section = chapter_section(self.env, "discrepancies", chapter)
            for entry in entries:
                if entry["chapter"] == chapter:
                    section += self._entry(entry, merged(checks.get(entry["id"], [])))
            made.append(section)
        return made

    def _entry(self, entry: dict[str, Any], checks: list[dict[str, Any]]) -> nodes.Node:
        where = entry["where"]
        place = ", ".join(str(where[key]) for key in ("place", "version") if where.get(key))
        source: list[nodes.Node | str] = [*self._inline(where["source"])]
        if url := where.get("url"):
            source = [raw(f'<a class="external" href="{escape(url)}">'), *source, raw("</a>")]
        rows: list[tuple[str, list[nodes.Node | str]]] = [
            ("Where", [*source, f", {place}" if place else ""]),
            ("It says", [*self._inline(entry["says"])]),
            ("Right is", [*self._inline(entry["truth"])]),
            ("So what", [*self._inline(entry["consequence"])]),
            ("Our check", self._checks(checks)),
        ]
        terms = [element("div", element("dt", name), element("dd", *shown)) for name, shown in rows]
        kind = element("span", _KINDS[entry["kind"]], class_=f"kind kind-{entry['kind']}")
        return element(
            "div",
            element("p", nodes.literal("", entry["id"]), " ", kind, class_="discrepancy-head"),
            element("dl", *terms),
            class_="discrepancy",
            id=f"discrepancy-{entry['id']}",
        )

    def _checks(self, checks: list[dict[str, Any]]) -> list[nodes.Node | str]:
        shown: list[nodes.Node | str] = []
        for check in checks:
            docname, anchor = check_link(check)
            page = self.env.app.builder.get_relative_uri(self.env.docname, docname)
            shown += [
                *([element("br")] if shown else []),
                outcome(check),
                " ",
                raw(f'<a href="{escape(page)}#{anchor}">'),
                *self._inline(check["says"]),
                raw("</a>"),
            ]
        return shown or [element("span", "No check yet", class_="state state-failed")]

    def _inline(self, text: str) -> list[nodes.Node]:
        made: list[nodes.Node] = self.state.inline_text(str(text), self.lineno)[0]
        return made


class SiteFileRole(SphinxRole):
    """`` {site-file}`evidence.json` ``: a link to a file at the root of the site."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        page = self.env.app.builder.get_target_uri(self.env.docname)
        link = nodes.reference("", "", nodes.literal("", self.text), internal=True)
        link["refuri"] = relative_uri(page, self.text)
        return [link], []


def setup(app: Sphinx) -> None:
    """Register the directives and the role."""
    app.add_role("site-file", SiteFileRole())
    app.add_directive("discrepancy-register", DiscrepancyRegisterDirective)


def chapter_section(env: BuildEnvironment, kind: str, chapter: str) -> nodes.section:
    """Return the section of a list that belongs to one chapter, with nothing but its title."""
    facts = facts_of(env.app)
    depend(env, [facts.chapter_file(chapter)])
    anchor = f"{kind}-{chapter}"
    section = nodes.section(ids=[anchor], names=[anchor])
    section += nodes.title("", "", chapter_link(env, chapter, facts.chapter_title(chapter)))
    return section


def chapter_link(env: BuildEnvironment, chapter: str, text: str, fragment: str = "") -> nodes.Node:
    """Return a link to a chapter's page, or a place in it; the text alone without such a page."""
    docname = f"notebooks/{chapter}"
    if docname not in env.found_docs:
        return nodes.Text(text)
    address = env.app.builder.get_relative_uri(env.docname, docname)
    return nodes.reference("", text, internal=True, refuri=address + fragment)
