"""The command line, as a user meets it: right and wrong arguments."""

import json
import re
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from scispaces import cli
from scispaces.studies.trials import run_trials

CHAPTER = """---
scispaces: {title: Many labels}
---

$$ x = y $$ (zlpr-loss)
"""
CLAIMS = "claims:\n  - {id: zlpr/one, says: One., kind: exact, expected: 1}\n"


@pytest.fixture
def book(tmp_path, monkeypatch):
    for folder in ("notebooks", "data/claims", "_build/results"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text("format: jb-book\n")
    (tmp_path / "notebooks/zlpr.md").write_text(CHAPTER)
    (tmp_path / "data/claims/zlpr.yml").write_text(CLAIMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.console, "width", 160)
    return tmp_path


def call(*arguments):
    result = CliRunner().invoke(cli.app, arguments)
    return result.exit_code, re.sub(r"\s+", " ", result.output).strip()


def results(root, value):
    entry = {"value": value, "seeds": None, "interval": None, "state": "verified"}
    document = {"profile": "quick", "records": {"zlpr/one": entry}}
    (root / "_build/results/zlpr.json").write_text(json.dumps(document))


def test_list_shows_claims_equations_and_state(book):
    assert call("list") == (0, "chapter title claims equations built zlpr Many labels 1 1 no")


def test_verify_passes_and_counts(book):
    results(book, 1)
    assert call("verify") == (0, "1 claims in 1 chapters: all hold.")


@pytest.mark.parametrize(
    ("value", "problem"),
    [(2, "out of tolerance"), (float("nan"), "not finite"), (1.0, "out of tolerance")],
)
def test_verify_fails_with_a_table(book, value, problem):
    results(book, value)
    code, output = call("verify", "zlpr")
    assert code == 1
    for word in ("zlpr/one", problem, "expected", "got", "tolerance", "published"):
        assert word in output


def test_verify_without_a_build_says_so(book):
    code, output = call("verify")
    assert code == 1
    assert "Not executed yet: zlpr. Run `make book` first." in output


@pytest.mark.parametrize("command", [("run", "zlp"), ("verify", "zlp"), ("study", "zlp", "x")])
def test_an_unknown_chapter_is_refused_with_a_suggestion(book, command):
    options = ("--output", "x.jsonl") if command[0] == "study" else ()
    code, output = call(*command, *options)
    assert code == 2
    assert "`CHAPTER` must be a chapter's slug. Got 'zlp'. Did you mean zlpr?" in output


def one_row(seed):
    if seed in one_row.broken:
        raise KeyboardInterrupt
    one_row.calls.append(seed)
    return {"seed": seed}


def test_a_killed_study_goes_on_where_it_stopped(book, monkeypatch, tmp_path):
    def run_block(block, profile, **options):
        return run_trials(one_row, [{"seed": seed} for seed in range(3)], **options)

    module = SimpleNamespace(blocks=lambda profile: ["only"], run_block=run_block)
    monkeypatch.setattr("scispaces.cli.import_module", lambda name: module)
    output = tmp_path / "studies" / "only.jsonl"
    one_row.calls, one_row.broken = [], {2}
    assert call("study", "zlpr", "only", "--output", str(output))[0] != 0
    assert not output.exists()
    one_row.broken = set()
    assert call("study", "zlpr", "only", "--output", str(output))[0] == 0
    assert one_row.calls == [0, 1, 2]
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows[1:] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
    assert [path.name for path in output.parent.iterdir()] == ["only.jsonl"]


def test_cite_prints_each_style_and_its_address(book, monkeypatch):
    monkeypatch.setenv("SCISPACES_URL", "https://example.org/book/")
    for style in ("bibtex", "apa", "text"):
        code, output = call("cite", "zlpr-loss", "--format", style)
        assert code == 0
        assert "Many labels" in output
        assert "https://example.org/book/notebooks/zlpr.html#equation-zlpr-loss" in output


def test_cite_without_an_address_prints_none(book, monkeypatch):
    monkeypatch.delenv("SCISPACES_URL", raising=False)
    assert "url" not in call("cite", "zlpr-loss")[1]


def test_cite_refuses_an_unknown_label(book):
    code, output = call("cite", "zlpr-los")
    assert code == 2
    assert "Got 'zlpr-los'. Did you mean zlpr-loss?" in output


def test_lint_names_the_place(book):
    code, output = call("lint")
    assert code == 1
    assert "a label must have a check: zlpr-loss" in output


def test_data_status_lists_the_registry():
    code, output = call("data", "status")
    assert code == 0
    assert "multilabel/mulan" in output


def test_data_fetch_refuses_an_unknown_prefix():
    code, output = call("data", "fetch", "multilabel/mulam")
    assert code == 2
    assert "`PREFIX` must match a registered file" in output


def test_data_fetch_without_a_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SCISPACES_OFFLINE", "1")
    monkeypatch.setenv("SCISPACES_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, output = call("data", "fetch", "multilabel/mulan/flags/flags.xml")
    assert code == 1
    assert "SCISPACES_DATA" in output


def test_outside_the_checkout_the_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = call("list")
    assert code == 2
    assert "must be the working folder or one above it" in output
