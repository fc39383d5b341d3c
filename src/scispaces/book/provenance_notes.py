"""How the book says where a number came from: in the note of a number and on the evidence page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from scispaces.book.facts import Facts, claim_anchor
from scispaces.book.html import inline_markup, typeset_markup
from scispaces.evidence import Claim, format_value

STATES = {
    "verified": "recomputed in this build",
    "recorded": "from a stored long run",
    "published": "somebody else's figure",
    "missing": "not recorded",
}
_VOLATILE = ' class="volatile"'


@dataclass(frozen=True)
class Detail:
    """One line of provenance; `volatile` lines may differ between two builds.

    `numbers` says that its numbers are values, to be typeset, and not part of a name.
    """

    term: str
    text: str
    volatile: bool = False
    numbers: bool = False

    def markup(self) -> str:
        """Return the text as HTML."""
        return typeset_markup(self.text) if self.numbers else escape(self.text)


def state_of(facts: Facts, identifier: str) -> str:
    """Return `verified`, `recorded` or `missing`."""
    entry = facts.entry(identifier)
    return entry["state"] if entry else "missing"


def shown_value(facts: Facts, claim: Claim) -> str:
    """Return a claim's value in its own format, part by part if it has parts."""
    entry = facts.entry(claim.id)
    return "not recorded" if entry is None else _formatted(entry["value"], claim.format)


def misfit(facts: Facts, claim: Claim) -> str | None:
    """Return what is wrong with a claim's format, or None if it fits the recorded value."""
    entry = facts.entry(claim.id)
    parts: list[Any] = [] if entry is None else [entry["value"], *(entry.get("interval") or [])]
    while parts:
        part = parts.pop()
        if isinstance(part, dict | list):
            parts += part.values() if isinstance(part, dict) else part
            continue
        try:
            format_value(part, claim.format)
        except ValueError as error:
            return f"{claim.id} does not fit its format {claim.format!r}: {error}"
    return None


def interval_text(entry: dict[str, Any] | None, claim: Claim) -> str:
    """Return the recorded confidence interval, or ""."""
    if not entry or not entry.get("interval"):
        return ""
    low, high = (_formatted(float(limit), claim.format) for limit in entry["interval"])
    return f"{low} to {high}"


def seeds_text(entry: dict[str, Any] | None) -> str:
    """Return how many seeds stand behind a value, or ""."""
    seeds = (entry or {}).get("seeds") or []
    return f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''}" if seeds else ""


def rule_text(claim: Claim) -> str:
    """Return what the value must satisfy, as a reader would say it."""
    if claim.kind == "rounding":
        return f"within {claim.tolerance:g} of {claim.expectation()}"
    if claim.kind == "exact":
        return f"exactly {_formatted(claim.expected, claim.format)}"
    return {
        "interval": f"between {claim.expectation().replace(' to ', ' and ')}",
        "ordering": f"rising: {claim.expectation()}",
        "timing": f"a ratio, {claim.expectation()}",
    }[claim.kind]


def compare_with_published(facts: Facts, claim: Claim) -> str | None:
    """Return `agrees` or by how much ours differs from the published figure.

    Ours agrees when its interval holds the published figure, or when it rounds to it at the
    figure's own number of decimals. None: nothing published, or not two numbers.
    """
    entry = facts.entry(claim.id)
    if claim.published is None or entry is None:
        return None
    ours, theirs = entry["value"], claim.published["value"]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (ours, theirs)):
        return "agrees" if ours == theirs else "differs"
    decimals = len(str(theirs).partition(".")[2]) if "e" not in str(theirs) else None
    half = 0.5 * 10.0**-decimals if decimals is not None else abs(theirs) * 1e-3
    low, high = entry.get("interval") or (ours, ours)
    inside = low <= theirs <= high
    if inside or abs(ours - theirs) <= half * (1 + 1e-9):
        return "agrees"
    return f"differs by {ours - theirs:+.2g}"


def details(facts: Facts, claim: Claim) -> list[Detail]:
    """Return the provenance of a claim's value, most telling lines first."""
    entry, source = facts.entry(claim.id), facts.provenance(claim.id)
    state = state_of(facts, claim.id)
    run = facts.results.get(claim.id.partition("/")[0], {}).get("run", {})
    statistics = "; ".join(
        filter(
            None,
            [
                seeds_text(entry),
                claim.test or "",
                f"interval {text}" if (text := interval_text(entry, claim)) else "",
            ],
        )
    )
    lines = [
        Detail("State", f"{state}, {STATES[state]}"),
        Detail("Promise", rule_text(claim), numbers=True),
        Detail("Statistics", statistics, volatile=claim.kind == "timing", numbers=True),
        Detail("Published", _published(claim), numbers=True),
        Detail("Machine", machine_text(source)),
        Detail("Commit", str(source.get("commit") or "")),
        Detail("Cell", str((entry or {}).get("cell") or "")),
        Detail("Note", str((entry or {}).get("note") or "")),
    ]
    if state == "recorded":
        lines.append(Detail("Recorded", str(source.get("recorded") or ""), volatile=True))
    else:
        started = str(run.get("started") or "").replace("T", " ").replace("+00:00", " UTC")
        lines.append(Detail("Run", started, volatile=True))
    return [line for line in lines if line.text]


def machine_text(source: dict[str, Any]) -> str:
    """Return the device and processor a value was computed on."""
    hardware = source.get("hardware") or {}
    cores = f"{hardware['cores']} cores" if hardware.get("cores") else ""
    profile = f"profile {source['profile']}" if source.get("profile") else ""
    parts = [str(source.get("device") or ""), str(hardware.get("processor") or ""), cores, profile]
    return ", ".join(part for part in parts if part)


def note_markup(facts: Facts, identifier: str) -> str:
    """Return the note that opens beside a number: a hidden tooltip, named by the number's link."""
    claim = facts.claims[identifier]
    rows = "".join(
        f"<dt>{line.term}</dt><dd{_VOLATILE if line.volatile else ''}>{line.markup()}</dd>"
        for line in details(facts, claim)
    )
    return (
        f'<div role="tooltip" class="num-tip" id="tip-{claim_anchor(identifier)}" hidden>'
        f"<p>{inline_markup(claim.says)}</p><dl>{rows}</dl>"
        '<p class="num-tip-open">Open in Evidence</p></div>'
    )


def _published(claim: Claim) -> str:
    if claim.published is None:
        return ""
    where = claim.published.get("where")
    return (
        f"{claim.published['value']} ({claim.published['source']}{', ' + where if where else ''})"
    )


def _formatted(value: Any, spec: str) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_formatted(part, spec)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(_formatted(part, spec) for part in value)
    try:
        return format_value(value, spec)
    except ValueError:  # the evidence page warns of it, see `misfit`; it must show something
        return str(value)
