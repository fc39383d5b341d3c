"""The page of evidence: every claim of the book with its number, its promise and its origin."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from scispaces.book.facts import Facts, claim_anchor
from scispaces.book.html import element, raw, typeset
from scispaces.book.numbers import EVIDENCE_PAGE
from scispaces.book.pages import chapter_link, chapter_section
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

_COLUMNS = ("Statement", "Ours", "Published", "State", "Promise", "Run on")


class EvidenceTableDirective(SphinxDirective):
    """`{evidence-table}`: every claim of the book, chapter by chapter."""

    def run(self) -> list[nodes.Node]:
        facts = facts_of(self.env.app)
        depend(self.env, facts.inputs(*facts.chapters()))
        made = [_counts(facts)]
        for chapter in facts.chapters():
            claims = [claim for claim in facts.claims.values() if _chapter(claim) == chapter]
            section = chapter_section(self.env, "evidence", chapter)
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
        """Return a link to the code cell that gave the value, or to its chapter."""
        chapter, cell = _chapter(claim), (entry or {}).get("cell")
        if cell in facts_of(self.env.app).shown_cells.get(chapter, ()):
            return [chapter_link(self.env, chapter, f"cell {cell}", f"#{cell}")]
        link = chapter_link(self.env, chapter, "chapter")
        return [f"cell {cell}, ", link] if cell else [link]

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
    """Register the directive."""
    app.add_directive("evidence-table", EvidenceTableDirective)


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
