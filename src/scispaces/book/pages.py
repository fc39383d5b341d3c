"""The generated pages: evidence and discrepancies; and `evidence.json`."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.osutil import relative_uri

from scispaces.book.checks import check_link, merged, outcome, write_check_pages
from scispaces.book.facts import Facts, claim_anchor
from scispaces.book.html import element, raw, typeset
from scispaces.book.numbers import EVIDENCE_PAGE
from scispaces.book.provenance_notes import (
    STATES,
    compare_with_published,
    interval_text,
    machine_text,
    misfit,
    rule_text,
    seeds_text,
    shown_value,
    state_of,
)
from scispaces.book.tracking import depend, facts_of, warn
from scispaces.evidence import Claim

__all__ = ["evidence_document", "setup", "write_check_pages"]

_KINDS = {
    "wrong": "wrong",
    "differs": "differs from another source",
    "trap": "right, but easily misread",
}
_COLUMNS = ("Statement", "Ours", "Published", "State", "Promise", "Run on")


class EvidenceTableDirective(SphinxDirective):
    """`{evidence-table}`: every claim of the book, chapter by chapter."""

    def run(self) -> list[nodes.Node]:
        facts = facts_of(self.env.app)
        depend(self.env, facts.inputs(*facts.chapters()))
        made = [_counts(facts)]
        for chapter in facts.chapters():
            claims = [claim for claim in facts.claims.values() if _chapter(claim) == chapter]
            section = _chapter_section(self.env, "evidence", chapter)
            columns = list(_COLUMNS)
            if not any(claim.published for claim in claims):
                columns.remove("Published")
            rows = [self._row(facts, claim, columns) for claim in claims]
            heads = [element("th", name, scope="col", role="columnheader") for name in columns]
            section += element(
                "table",
                _caption(facts, chapter, len(claims)),
                element("thead", element("tr", *heads, role="row"), role="rowgroup"),
                element("tbody", *rows, role="rowgroup"),
                class_="evidence",
                role="table",
            )
            made.append(section)
        return made

    def _row(self, facts: Facts, claim: Claim, columns: list[str]) -> nodes.Node:
        if problem := misfit(facts, claim):
            warn(self.env, self.env.docname, problem, self.get_location())
        entry = facts.entry(claim.id)
        state = state_of(facts, claim.id)
        verdict = compare_with_published(facts, claim)
        differs = bool(verdict and verdict.startswith("differs"))
        timing = claim.kind == "timing"
        value = typeset(shown_value(facts, claim))
        interval = interval_text(entry, claim)
        note = str((entry or {}).get("note") or "")
        statement = self.state.inline_text(claim.says, self.lineno)[0]
        small = [text for text in (seeds_text(entry), claim.test or "") if text]
        shown: dict[str, list[nodes.Node | str]] = {
            "Statement": [*statement, _small(nodes.literal("", claim.id))],
            "Ours": [
                element("span", *value, class_="ours volatile" if timing else "ours"),
                *([_small("interval ", *typeset(interval), volatile=timing)] if interval else []),
                *[_small(text) for text in small],
            ],
            "Published": self._published(claim, verdict, timing),
            "State": [element("span", state, class_=f"state state-{state}")],
            "Promise": [*typeset(rule_text(claim)), *([_small(note)] if note else [])],
            "Run on": [_run_on(facts, claim, state), _small(*self._cell_link(claim, entry))],
        }
        cells = [_cell(name, *shown[name], head=name == "Statement") for name in columns]
        classes = "claim differs" if differs else "claim"
        return element("tr", *cells, class_=classes, id=claim_anchor(claim.id), role="row")

    def _cell_link(self, claim: Claim, entry: dict[str, Any] | None) -> list[nodes.Node | str]:
        """Return the code cell that gave the value, with a link to its chapter."""
        link = _chapter_link(self.env, _chapter(claim), "chapter")
        return [f"cell {entry['cell']}, ", link] if entry and entry.get("cell") else [link]

    def _published(self, claim: Claim, verdict: str | None, timing: bool) -> list[nodes.Node | str]:
        if claim.published is None:
            return [element("span", "none", class_="muted")]
        source = f"{{cite:t}}`{claim.published['source']}`"
        cited = self.state.inline_text(source, self.lineno)[0]
        where = claim.published.get("where")
        shown: list[nodes.Node | str] = [*typeset(str(claim.published["value"]))]
        shown.append(_small(*cited, f", {where}" if where else ""))
        if verdict:
            name = "agrees" if verdict == "agrees" else "differs"
            shown.append(
                element(
                    "span",
                    *typeset(verdict),
                    class_=f"verdict verdict-{name}{' volatile' if timing else ''}",
                )
            )
        return shown


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
            section = _chapter_section(self.env, "discrepancies", chapter)
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


def evidence_document(app: Sphinx) -> list[dict[str, Any]]:
    """Return what `evidence.json` says: one entry for each claim of the book, by id.

    Each has `id`, `says`, `kind`, `expected`, `tolerance`, `test`, `published`, `url`, `state`,
    `value`, `seeds`, `interval`, `note`, `cell` and `provenance`; a claim without a record has
    the state `missing` and null for the value and all that comes with it.
    """
    facts, page = facts_of(app), app.builder.get_target_uri(EVIDENCE_PAGE)
    document = []
    for claim in sorted(facts.claims.values(), key=lambda claim: claim.id):
        entry = facts.entry(claim.id) or {}
        document.append(
            {
                **{name: getattr(claim, name) for name in
                   ("id", "says", "kind", "expected", "tolerance", "test", "published")},
                "url": f"{page}#{claim_anchor(claim.id)}",
                "state": state_of(facts, claim.id),
                **{name: entry.get(name) for name in
                   ("value", "seeds", "interval", "note", "cell")},
                "provenance": facts.provenance(claim.id) if entry else None,
            }
        )  # fmt: skip
    return document


def setup(app: Sphinx) -> None:
    """Register the directives and the role."""
    app.add_role("site-file", SiteFileRole())
    app.add_directive("evidence-table", EvidenceTableDirective)
    app.add_directive("discrepancy-register", DiscrepancyRegisterDirective)


def _chapter_section(env: BuildEnvironment, kind: str, chapter: str) -> nodes.section:
    """Return the section of a list that belongs to one chapter, with nothing but its title."""
    facts = facts_of(env.app)
    depend(env, [facts.chapter_file(chapter)])
    anchor = f"{kind}-{chapter}"
    section = nodes.section(ids=[anchor], names=[anchor])
    section += nodes.title("", "", _chapter_link(env, chapter, facts.chapter_title(chapter)))
    return section


def _chapter_link(env: BuildEnvironment, chapter: str, text: str) -> nodes.Node:
    """Return a link to a chapter's page; its name alone where the book has no such page."""
    docname = f"notebooks/{chapter}"
    if docname not in env.found_docs:
        return nodes.Text(text)
    address = env.app.builder.get_relative_uri(env.docname, docname)
    return nodes.reference("", text, internal=True, refuri=address)


def _counts(facts: Facts) -> nodes.Node:
    """Return the sums at the top: states, and how ours compare with published figures."""
    states = [state_of(facts, identifier) for identifier in facts.claims]
    verdicts = [
        (claim, verdict)
        for claim in facts.claims.values()
        if (verdict := compare_with_published(facts, claim)) is not None
    ]
    differing = [claim for claim, verdict in verdicts if verdict != "agrees"]
    parts = [f"{len(states)} numbers"]
    parts += [f"{states.count(state)} {state} ({words})" for state, words in STATES.items()
              if state in states]  # fmt: skip
    items: list[nodes.Node] = [element("li", text) for text in parts]
    if verdicts:
        agreeing = len(verdicts) - len(differing)
        links: list[nodes.Node | str] = []
        for claim in differing:
            anchor, comma = claim_anchor(claim.id), ", " if links else ": "
            links += [comma, raw(f'<a href="#{anchor}">{claim.id}</a>')]
        text = (
            f"{len(verdicts)} compared with a published figure: {agreeing} agree, "
            f"{len(differing)} differ"
        )
        items.append(element("li", text, *links))
    return element("ul", *items, class_="counts")


def _cell(name: str, *children: nodes.Node | str, head: bool = False) -> nodes.Node:
    if head:
        return element("th", *children, scope="row", role="rowheader", data_label=name)
    return element("td", *children, role="cell", data_label=name)


def _small(*children: nodes.Node | str, volatile: bool = False) -> nodes.Node:
    return element("small", *children, class_="detail volatile" if volatile else "detail")


def _caption(facts: Facts, chapter: str, count: int) -> nodes.Node:
    """Return the table's caption, which names the machine of this build once for all rows."""
    results = facts.results.get(chapter, {})
    machine = machine_text({"profile": results.get("profile"), **results.get("provenance", {})})
    return element("caption", f"{count} numbers. This build: {machine or 'not run'}.")


def _run_on(facts: Facts, claim: Claim, state: str) -> str:
    names = {"verified": "this build", "missing": "not run"}
    return names.get(state) or machine_text(facts.provenance(claim.id))


def _chapter(claim: Claim) -> str:
    return claim.id.partition("/")[0]
