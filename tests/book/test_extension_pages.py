"""Evidence and discrepancies as pages and as JSON; nothing loaded from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sphinx.errors import ExtensionError
from tests.book.extension_project import CHECK, Project
from tests.site.html_files import external_loads

from scispaces.book.checks import write_check_pages
from scispaces.book.facts import Facts
from scispaces.book.provenance_notes import compare_with_published, rule_text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write_evidence()
    return project


def row(page: str, name: str) -> str:
    return page.partition(f'id="claim-zlpr-{name}"')[2].partition("</tr>")[0]


def test_every_claim_has_a_row_with_all_its_facts(project: Project) -> None:
    assert project.build() == ""
    page = project.read("book/evidence.html")
    score = row(page, "score")
    for told in ("Macro-averaged F1 on scene.", "0.722", "interval 0.710 to 0.730", "3 seeds",
                 "t-interval over seeds", "0.9", "Table 2", "recorded", "between 0.7 and 0.75",
                 "profile full", "A processor"):  # fmt: skip
        assert told in score, told
    assert "zlpr: 1.75, bce: 2.50" in row(page, "ranks")
    assert "this build" in row(page, "value")
    assert 'class="ours volatile"' in row(page, "speed")
    assert 'class="ours volatile"' not in row(page, "value")


def test_parts_of_a_value_are_set_as_single_numbers_are(project: Project) -> None:
    project.values["zlpr/ranks"] = {"zlpr": 6.3e-16, "bce": 3e2}
    project.claims[3]["format"] = ".1e"
    project.write_evidence()
    assert project.build() == ""
    page = project.read("book/evidence.html").replace("\N{NO-BREAK SPACE}", " ")
    assert "zlpr: 6.3 × 10<sup>−16</sup>, bce: 3.0 × 10<sup>2</sup>" in row(page, "ranks")
    note = project.read("notebooks/zlpr.html").partition('id="tip-claim-zlpr-tiny"')[2]
    assert "within 1\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10<sup>−6</sup> of 0.0" in note
    assert note.partition("</div>")[0].endswith("Open in Evidence</p>")


def test_a_chapter_without_published_figures_has_no_column_for_them(project: Project) -> None:
    project.build()
    assert ">Published</th>" in project.read("book/evidence.html")
    del project.claims[1]["published"]
    project.write_evidence()
    project.build()
    page = project.read("book/evidence.html")
    assert ">Published</th>" not in page
    assert 'data-label="Published"' not in page


def test_chapters_are_called_by_their_titles_and_linked(project: Project) -> None:
    source = project.write("notebooks/zlpr.md", "---\nscispaces:\n  title: Many labels\n---\n")
    assert project.build() == ""
    heading = '<h2><a class="reference internal" href="../notebooks/zlpr.html">Many labels</a>'
    assert heading in project.read("book/evidence.html")
    assert heading in project.read("book/discrepancies.html")
    source.write_text("---\nscispaces:\n  title: More labels\n---\n", encoding="utf-8")
    project.build()
    assert ">More labels</a>" in project.read("book/evidence.html")


def test_a_row_names_the_code_cell_and_links_to_the_chapter(project: Project) -> None:
    project.build()
    value = row(project.read("book/evidence.html"), "value")
    link = '<a class="reference internal" href="../notebooks/zlpr.html">chapter</a>'
    assert f"cell zlpr-003, {link}" in value
    assert value.count("<th ") == 1, "the statement is the head of its row, and nothing else is"
    assert 'data-label="Statement"' in value.partition("</th>")[0]


def test_a_row_links_to_the_cell_itself_where_the_page_shows_it(project: Project) -> None:
    def cell(name: str, tags: list[str]) -> dict[str, object]:
        return {"id": name, "cell_type": "code", "metadata": {"tags": tags}, "source": "x = 1",
                "outputs": [], "execution_count": 1}  # fmt: skip

    cells = [cell("zlpr-001", ["remove-cell"]), cell("zlpr-003", ["hide-input"])]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    project.write("_build/notebooks/zlpr.ipynb", json.dumps(notebook))
    project.build()
    link = '<a class="reference internal" href="../notebooks/zlpr.html#zlpr-003">cell zlpr-003</a>'
    assert link in row(project.read("book/evidence.html"), "value")


def test_what_did_not_reproduce_is_said_at_the_top_and_in_its_row(project: Project) -> None:
    project.build()
    page = project.read("book/evidence.html")
    assert "0 agree, 1 differ<" in page.replace(": <", "<")
    assert '<a href="#claim-zlpr-score">zlpr/score</a>' in page
    assert "differs by −0.18" in row(page, "score")


@pytest.mark.parametrize(
    ("ours", "interval", "theirs", "verdict"),
    [
        (0.7224, None, 0.72, "agrees"),
        (0.7224, None, 0.73, "differs by -0.0076"),
        (0.7224, [0.71, 0.735], 0.73, "agrees"),
        (12.4, None, 12, "agrees"),
        (12.6, None, 12, "differs by +0.6"),
        (0.7224, None, "best", "differs"),
    ],
)
def test_agreement_with_a_published_figure(
    project: Project, ours: float, interval: list[float] | None, theirs: object, verdict: str
) -> None:
    project.claims[1]["published"]["value"] = theirs
    project.values["zlpr/score"] = ours
    project.write_evidence()
    facts = Facts.read(project.root)
    entry = facts.entry("zlpr/score")
    assert entry is not None
    entry["interval"] = interval
    assert compare_with_published(facts, facts.claims["zlpr/score"]) == verdict


def test_every_kind_of_promise_reads_as_a_sentence(project: Project) -> None:
    project.claims.append({"id": "zlpr/holds", "says": "It holds.", "kind": "exact",
                           "expected": True})  # fmt: skip
    project.write_evidence()
    told = {name: rule_text(claim) for name, claim in Facts.read(project.root).claims.items()}
    assert told == {
        "zlpr/value": "within 0.0001 of 2.9957",
        "zlpr/score": "between 0.7 and 0.75",
        "zlpr/speed": "a ratio, at least 15",
        "zlpr/ranks": "rising: zlpr < bce",
        "zlpr/tiny": "within 1e-06 of 0.0",
        "zlpr/holds": "exactly yes",
    }


def test_a_claim_without_a_record_is_shown_as_missing(project: Project) -> None:
    del project.values["zlpr/score"]
    project.write_evidence()
    assert project.build() == ""
    page = project.read("book/evidence.html")
    assert "1 missing (not recorded)" in page
    assert "not recorded" in row(page, "score")
    document = {entry["id"]: entry for entry in json.loads(project.read("evidence.json"))}
    assert document["zlpr/score"]["state"] == "missing"
    assert document["zlpr/score"]["value"] is None


def test_a_format_that_does_not_fit_is_a_warning_and_the_value_still_shown(
    project: Project,
) -> None:
    project.claims[1]["format"] = "d"
    project.write_evidence()
    assert "zlpr/score does not fit its format 'd'" in project.build()
    assert "0.7224" in row(project.read("book/evidence.html"), "score")


def test_evidence_document_has_values_and_provenance(project: Project) -> None:
    project.build()
    document = {entry["id"]: entry for entry in json.loads(project.read("evidence.json"))}
    assert document.keys() == {claim["id"] for claim in project.claims}
    score = document["zlpr/score"]
    assert score["value"] == 0.7224
    assert score["provenance"]["profile"] == "full"
    assert score["url"] == "book/evidence.html#claim-zlpr-score"
    assert document["zlpr/value"]["provenance"]["commit"] == "abcdef123456"


def test_discrepancies_say_where_what_and_link_to_the_check(project: Project) -> None:
    project.build()
    page = project.read("book/discrepancies.html")
    assert "1 entries, 1 of them checked." in page
    for told in (
        "A library",
        "losses, 1.0",
        "Nothing must be clipped.",
        r"\(10^{-7}\)",
        "The gradient changes its sign.",
        'href="checks/zlpr.html#zlpr-clip"',
    ):
        assert told in page, told


def test_a_discrepancy_without_a_check_says_so(project: Project) -> None:
    project.checks["discrepancies"] = {}
    project.write_evidence()
    project.build()
    page = project.read("book/discrepancies.html")
    assert "1 entries, 0 of them checked." in page
    assert "No check yet" in page


def test_check_pages_are_written_for_each_chapter_and_only_when_they_change(
    tmp_path: Path,
) -> None:
    other = {**CHECK, "test": "tests/equations/word_transport/test_a.py::test_b",
             "file": "tests/equations/word_transport/test_a.py"}  # fmt: skip
    checks = {"equations": {"a": [CHECK], "b": [other]}, "discrepancies": {}}
    written = write_check_pages(checks, tmp_path / "checks")
    assert [path.name for path in written] == ["word-transport.md", "zlpr.md"]
    before = written[0].stat().st_mtime_ns
    write_check_pages(checks, tmp_path / "checks")
    assert written[0].stat().st_mtime_ns == before


def test_mathjax_is_local_small_and_loaded_once(project: Project) -> None:
    project.build()
    scripts = project.html / "_static" / "mathjax"
    assert (scripts / "tex-chtml.js").is_file()
    assert (scripts / "input/tex/extensions/html.js").is_file()
    assert list((scripts / "output/chtml/fonts/woff-v2").glob("*.woff"))
    assert sum(path.stat().st_size for path in scripts.rglob("*") if path.is_file()) < 2_000_000
    page = project.read("notebooks/zlpr.html")
    assert len(re.findall(r'src="[^"]*mathjax[^"]*"', page)) == 1
    assert '"load": ["[tex]/html"]' in page


def test_pages_load_nothing_from_another_host(project: Project) -> None:
    project.build()
    assert external_loads(project.html) == []


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://example.org/x.js"></script>',
        '<link rel="stylesheet" href="//example.org/x.css">',
        '<img src="http://example.org/x.png">',
        '<style>@import "https://example.org/x.css";</style>',
        '<p style="background: url(https://example.org/x.png)">',
        '<script>const url = "https://unpkg.com/thebe";</script>',
    ],
)
def test_the_search_for_foreign_loads_finds_each_kind(tmp_path: Path, markup: str) -> None:
    (tmp_path / "page.html").write_text(f'<a href="https://example.org">fine</a>{markup}')
    assert len(external_loads(tmp_path)) == 1


def test_unreadable_evidence_stops_the_build_with_a_sentence(project: Project) -> None:
    project.claims.append(dict(project.claims[0]))
    project.write_evidence()
    with pytest.raises(ExtensionError, match=r"`id` must be unique. Got 'zlpr/value' twice"):
        project.build()
