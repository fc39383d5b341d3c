"""`{num}` and `{given}`: what readers see, what is refused, and that no build is stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.book.extension_project import Project, age

from scispaces.book.facts import Facts, UnknownNumberError
from scispaces.book.html import typeset


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write_evidence()
    return project


def test_numbers_are_formatted_linked_and_noted(project: Project) -> None:
    assert project.build() == ""
    page = project.read("notebooks/zlpr.html")
    assert (
        '<a class="num" href="../book/evidence.html#claim-zlpr-value" '
        'aria-describedby="tip-claim-zlpr-value">2.996</a>' in page
    )
    assert page.count('id="tip-claim-zlpr-value"') == 1, "one note, however often it is used"
    assert 'aria-describedby="tip-claim-zlpr-ranks">2.50</a>' in page
    note = page.partition('id="tip-claim-zlpr-value"')[2].partition("</dl>")[0]
    for told in ("verified, recomputed in this build", "A processor", "abcdef123456", "zlpr-003"):
        assert told in note
    assert 'id="claim-zlpr-value"' in project.read("book/evidence.html")


def test_numbers_in_formulas_are_linked_for_pointer_and_keyboard(project: Project) -> None:
    project.build()
    page = project.read("notebooks/zlpr.html")
    link = r"\href{../book/evidence.html#claim-zlpr-value}{\class{num-drawn}{3.0}}"
    assert rf"\(\mathcal L = {link}\)" in page
    assert re.search(r'<a class="num num-note" [^>]*>Where 3.0 comes from</a>', page)
    assert r"{-1.2\times 10^{-7}}" in page
    assert "Where −1.2\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10<sup>−7</sup> comes from" in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.5, "−0.5"),
        (1.5e-7, "1.5\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10−7"),
        (2.0, "2.0"),
        (-3e12, "−3.0\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}1012"),
    ],
)
def test_numbers_are_set_as_printers_do(value: float, shown: str) -> None:
    text = f"{value:.1f}" if value == -0.5 else f"{value:.1e}"
    assert "".join(node.astext() for node in typeset(text)) == shown


def test_inputs_are_printed_plainly(project: Project) -> None:
    project.build()
    page = project.read("notebooks/zlpr.html")
    assert '<span class="given">0.25</span>' in page
    assert r"\given{0.2}" in page
    assert '"given": ["{#1}", 1]' in page


def test_only_timings_and_dates_are_volatile(project: Project) -> None:
    project.build()
    marked = re.findall(r'class="([^"]*volatile[^"]*)"[^>]*>([^<]*)', project.read(
        "notebooks/zlpr.html"))  # fmt: skip
    assert ("num volatile", "18.2") in marked
    others = {text for classes, text in marked if "num" not in classes.split()}
    assert others == {"2026-11-22 07:00:00 UTC"}


def test_two_builds_are_identical(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        project = Project(tmp_path / name)
        project.write_evidence()
        project.build()
        pages.append(
            {path.name: path.read_bytes() for path in project.html.rglob("*.[hj][ts][mo]*")}
        )
    assert pages[0].keys() == pages[1].keys()
    assert {name for name in pages[0] if pages[0][name] != pages[1][name]} == set()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{num}`zlpr/unknown`", "no claim has the id 'zlpr/unknown'"),
        ("{num}`zlpr/ranks[none]`", "zlpr/ranks has no part [none]"),
        ("{num}`zlpr/ranks`", "zlpr/ranks does not fit its format"),
        ("{num}`zlpr/value:d`", "zlpr/value does not fit its format"),
        ("{num}`value`", "must be written `chapter/name[key]:format`"),
        ("$a = {num}`zlpr/unknown`$", "in maths: no claim has the id 'zlpr/unknown'"),
    ],
)
def test_a_number_without_evidence_is_a_warning_until_mended(
    project: Project, written: str, told: str
) -> None:
    path = project.page("notebooks/zlpr.md", f"# A chapter\n\nIt is {written}.\n")
    assert told in project.build()
    assert told in project.build(), "the second build of an unchanged page must warn again"
    path.write_text("# A chapter\n\nIt is {num}`zlpr/value`.\n", encoding="utf-8")
    assert project.build() == ""


def test_a_number_never_recorded_is_a_warning(project: Project) -> None:
    del project.values["zlpr/value"]
    project.write_evidence()
    assert "no result is recorded for 'zlpr/value'" in project.build()


def test_an_incremental_build_shows_the_new_value(project: Project) -> None:
    project.build()
    project.values["zlpr/value"] = 4.125
    project.write_evidence()
    assert project.build() == ""
    page = project.read("notebooks/zlpr.html")
    assert 'aria-describedby="tip-claim-zlpr-value">4.125</a>' in page
    assert r"\class{num-drawn}{4.1}" in page
    assert "2.996" not in page
    assert "4.125" in project.read("book/evidence.html")


def test_a_changed_result_with_an_old_time_stamp_is_noticed(project: Project) -> None:
    project.build()
    project.values["zlpr/value"] = 4.125
    project.write_evidence()
    age(project.root / "_build" / "results" / "zlpr.json")
    project.build()
    assert "4.125" in project.read("notebooks/zlpr.html")
    assert "2.996" not in project.read("notebooks/zlpr.html")


def test_a_changed_claim_changes_the_note_and_the_format(project: Project) -> None:
    project.build()
    project.claims[0].update(says="Another sentence.", format=".5f")
    project.write_evidence()
    project.build()
    page = project.read("notebooks/zlpr.html")
    assert "Another sentence." in page
    assert ">2.99573</a>" in page


def test_a_page_without_changed_inputs_is_left_alone(project: Project) -> None:
    project.page("notebooks/other.md", "# Another page\n\nNo number here.\n")
    project.build()
    before = (project.html / "notebooks/other.html").stat().st_mtime_ns
    project.values["zlpr/value"] = 4.125
    project.write_evidence()
    project.build()
    assert (project.html / "notebooks/other.html").stat().st_mtime_ns == before


def test_lists_are_indexed_by_place(project: Project) -> None:
    project.values["zlpr/ranks"] = [1.75, 2.5]
    project.write_evidence()
    facts = Facts.read(project.root)
    assert facts.number("zlpr/ranks[1]:.1f").text == "2.5"
    with pytest.raises(UnknownNumberError, match=r"no part \[7\]"):
        facts.number("zlpr/ranks[7]")
