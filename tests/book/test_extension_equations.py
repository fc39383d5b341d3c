"""Badges, the inventory, the index of equations and `equations.json`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile
from tests.book.extension_project import CHECK, Project

from scispaces.book.equations_source import CITATION_STYLES, cite, find_equations


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write_evidence()
    return project


def test_badge_has_permalink_checks_and_citation(project: Project) -> None:
    assert project.build() == ""
    page = project.read("notebooks/zlpr.html")
    assert 'id="equation-zlpr-loss"' in page
    badge = page.partition('<details class="equation-badge">')[2].partition("</details>")[0]
    assert "1 check passed" in badge
    assert 'href="../book/checks/zlpr.html#loss-limit"' in badge
    assert "The limit is reached by <code>mpmath</code> at fifty digits." in badge
    assert 'href="#equation-zlpr-loss"' in badge
    assert "@incollection{scispaces-zlpr-loss," in badge
    assert "Copy BibTeX</button>" in badge


def test_check_page_shows_the_source_under_its_own_anchor(project: Project) -> None:
    project.build()
    page = project.read("book/checks/zlpr.html")
    section = page.partition('id="loss-limit"')[2]
    assert "test_limit" in section
    assert 'href="../equations.html#index-zlpr-loss"' in section
    assert 'href="../discrepancies.html#discrepancy-zlpr-clip"' in page
    assert "tests/equations/zlpr/test_loss.py, line 7" in section


def test_transcription_stands_once_above_the_first_check_of_its_label(project: Project) -> None:
    formulas = "def zlpr_loss(s):\n    return s + 41\n\n\ndef zlpr_other(s):\n    return s + 43\n"
    project.write("tests/equations/zlpr/formulas.py", formulas)
    second = {**CHECK, "test": f"{CHECK['test']}_again"}
    project.checks["equations"]["zlpr-loss"].append(second)
    project.write_evidence()
    assert project.build() == ""
    page = project.read("book/checks/zlpr.html")
    assert page.count('id="transcription-zlpr-loss"') == 1
    assert page.count("41") == 1
    assert page.index("41") < page.index('id="loss-limit"')
    assert "43" not in page, "no check of the page is about that label"
    project.write("tests/equations/zlpr/formulas.py", formulas.replace("41", "47"))
    project.build()
    assert "47" in project.read("book/checks/zlpr.html")


def test_site_search_does_not_find_check_pages(project: Project) -> None:
    project.build()
    index = json.loads(
        project.read("searchindex.js").removeprefix("Search.setIndex(").removesuffix(")")
    )
    place = index["docnames"].index("book/checks/zlpr")
    found = [word for word, pages in index["terms"].items() if place in [pages, *_listed(pages)]]
    assert found == []
    assert "loss" in index["terms"], "the chapters are searched"
    assert not [title for title in index["alltitles"] if title.startswith("Checks")]


def _listed(pages: int | list[int]) -> list[int]:
    return pages if isinstance(pages, list) else []


def test_cases_of_one_test_are_one_check_and_one_failure_shows(project: Project) -> None:
    cases = [{**CHECK, "test": f"{CHECK['test']}[{number}]"} for number in range(3)]
    project.checks["equations"]["zlpr-loss"] = cases
    cases[1]["outcome"] = "failed"
    project.write_evidence()
    project.build()
    page = project.read("notebooks/zlpr.html")
    assert '<span class="state state-failed">0 of 1 checks passed</span>' in page
    assert page.count("#loss-limit") == 1


def test_changed_checks_change_the_badge_and_the_sources(project: Project) -> None:
    project.build()
    project.checks["equations"]["zlpr-loss"][0].update(says="New.", source="def test_new(): ...\n")
    project.write_evidence()
    project.build()
    assert ">New.</a>" in project.read("notebooks/zlpr.html")
    assert "test_new" in project.read("book/checks/zlpr.html")
    assert "New." in project.read("book/equations.html")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$$\nx^2\n$$\n", "a displayed equation has no label: x^2"),
        ("\\begin{align}\nx &= 1\n\\end{align}\n", "a displayed equation has no label"),
        ("$$\nx^2\n$$ (zlpr-square)\n", "the equation 'zlpr-square' has no check"),
    ],
)
def test_an_equation_without_label_or_check_is_a_warning(
    project: Project, text: str, told: str
) -> None:
    project.page("notebooks/other.md", f"# Another page\n\n{text}")
    assert told in project.build()
    assert told in project.build(), "and again, until it is mended"


def test_index_draws_every_equation_and_follows_the_chapters(project: Project) -> None:
    project.build()
    index = project.read("book/equations.html")
    assert "1 labelled equations, 1 of them checked, by 1 checks." in index
    assert r"\[L = \log(1 + e^s) \approx -1.2\times 10^{-7}\]" in index
    assert 'href="../notebooks/zlpr.html#equation-zlpr-loss"' in index
    assert "mathjax/tex-chtml.js" in index
    chapter = project.source / "notebooks/zlpr.md"
    chapter.write_text(chapter.read_text("utf-8").replace("e^s", "e^{-s}"), encoding="utf-8")
    project.build()
    assert r"\log(1 + e^{-s})" in project.read("book/equations.html")


def test_equations_document_lists_label_tex_address_and_checks(project: Project) -> None:
    project.build()
    [entry] = json.loads(project.read("equations.json"))
    assert entry == {
        "label": "zlpr-loss",
        "tex": r"L = \log(1 + e^s) \approx -1.2\times 10^{-7}",
        "url": "notebooks/zlpr.html#equation-zlpr-loss",
        "chapter": "A chapter",
        "checks": [
            {
                "test": "tests/equations/zlpr/test_loss.py::test_limit",
                "says": "The limit is reached by `mpmath` at fifty digits.",
                "outcome": "passed",
                "url": "book/checks/zlpr.html#loss-limit",
            }
        ],
    }


def test_addresses_are_whole_when_the_book_knows_its_own(project: Project) -> None:
    conf = project.source / "conf.py"
    conf.write_text(conf.read_text("utf-8") + 'html_baseurl = "https://example.org/book"\n')
    project.build()
    address = "https://example.org/book/notebooks/zlpr.html#equation-zlpr-loss"
    assert json.loads(project.read("equations.json"))[0]["url"] == address
    assert f"url = {{{address}}}" in project.read("notebooks/zlpr.html")


def test_a_book_without_an_address_of_its_own_cites_none(project: Project) -> None:
    project.build()
    entry = project.read("notebooks/zlpr.html").partition('<pre class="bibtex"')[2]
    attributes, _, shown = entry.partition("</pre>")[0].partition(">")
    assert 'data-url="notebooks/zlpr.html#equation-zlpr-loss"' in attributes
    assert shown == cite("zlpr-loss", "A chapter", "", "bibtex")


def test_inventory_lists_equations(project: Project) -> None:
    project.build()
    data = io.BytesIO((project.html / "objects.inv").read_bytes())
    inventory = InventoryFile.load(data, "", lambda base, name: base + name)
    assert inventory["math:equation"]["zlpr-loss"][2] == "notebooks/zlpr.html#equation-zlpr-loss"


def test_another_book_links_to_an_equation(project: Project, tmp_path: Path) -> None:
    project.build()
    other = Project(tmp_path / "other")
    other.write_evidence()
    conf = other.source / "conf.py"
    inventory = str(project.html / "objects.inv")
    mapping = {"sv": ("https://example.org/", inventory)}
    text = conf.read_text("utf-8") + f"intersphinx_mapping = {mapping!r}\n"
    conf.write_text(text, encoding="utf-8")
    other.page("notebooks/zlpr.md", "# Elsewhere\n\n[the loss](inv:sv:math:equation#zlpr-loss)\n")
    other.page("notebooks/zlpr2.md", "# Elsewhere too\n\n{external+sv:math:numref}`zlpr-loss`\n")
    assert other.build() == ""
    address = "https://example.org/notebooks/zlpr.html#equation-zlpr-loss"
    assert f'href="{address}"' in other.read("notebooks/zlpr.html")
    assert f'href="{address}"' in other.read("notebooks/zlpr2.html")


def test_equations_inside_directives_are_found_with_their_lines() -> None:
    text = (
        "# T\n\n:::{note}\n$$\na\n$$ (in-note)\n:::\n\n```{math}\n:label: in-math\n\nb\n```\n\n"
        "```{code-cell} python\n'$$ c $$'\n```\n\n$$d$$\n\n> $$\n> e\n> $$ (quoted)\n"
    )
    found = [(equation.label, equation.line) for equation in find_equations(text)]
    assert found == [("in-note", 4), ("in-math", 9), ("", 19), ("quoted", 21)]


@pytest.mark.parametrize("style", CITATION_STYLES)
def test_every_citation_names_label_chapter_book_and_address(style: str) -> None:
    entry = cite("zlpr-loss", "Many labels", "https://example.org", style)
    for part in ("zlpr-loss", "Many labels", "Scientific Spaces, Verified", "https://example.org"):
        assert part in entry


def test_bibtex_escapes_what_tex_would_read_as_a_command() -> None:
    assert r"Loss \& 50\% of \#1" in cite("a-b", "Loss & 50% of #1", "u", "bibtex")


@pytest.mark.parametrize("style", CITATION_STYLES)
@pytest.mark.parametrize(
    "url",
    ["", "notebooks/a.html", "file:///a.html", "http://localhost:8000/a.html",
     "http://127.0.0.1/a.html", "http://[::1]:80/a.html"],
)  # fmt: skip
def test_an_address_that_others_cannot_reach_is_left_out(style: str, url: str) -> None:
    entry = cite("a-b", "T", url, style)
    assert "a.html" not in entry
    assert "url" not in entry
    assert entry == entry.rstrip()


def test_bibtex_titles_keep_their_capitals() -> None:
    entry = cite("zlpr-loss", "ZLPR", "", "bibtex")
    assert r"title = {{Equation \texttt{zlpr-loss}, in ZLPR}}," in entry
    assert "booktitle = {{Scientific Spaces, Verified}}," in entry


def test_an_unknown_citation_style_is_refused() -> None:
    with pytest.raises(ValueError, match="Got 'mla'"):
        cite("a-b", "T", "u", "mla")
