"""Long runs are kept with their provenance, and nothing is kept that cannot be traced."""

import csv
import json

import pytest

from scispaces.evidence import Claim
from scispaces.evidence.store import process_provenance, store_numbers, store_study, write_block


@pytest.fixture
def origin(tmp_path):
    return process_provenance(tmp_path)


def test_blocks_become_one_table_with_their_provenance(checkout, origin):
    root = checkout("notebooks/zlpr.md", "")
    blocks = root / "_build/studies/zlpr"
    write_block(blocks / "b.jsonl", [{"seed": 1, "f1": 2 / 3}], {**origin, "data": {"b": "1"}})
    write_block(blocks / "a.jsonl", [{"seed": 0, "rank": None}], {**origin, "data": {"a": "0"}})
    folder = store_study(root, "zlpr")
    with (folder / "trials.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert rows == [
        {"seed": "0", "rank": "", "f1": ""},
        {"seed": "1", "rank": "", "f1": "0.666667"},
    ]
    study = json.loads((folder / "study.json").read_text())
    assert study["data"] == {"a": "0", "b": "1"}
    assert study["profile"] == "full"
    assert set(study) >= {"commit", "hardware", "device", "packages", "modules", "recorded"}


def test_blocks_of_different_code_are_refused(checkout, origin):
    root = checkout("notebooks/zlpr.md", "")
    blocks = root / "_build/studies/zlpr"
    write_block(blocks / "a.jsonl", [{"seed": 0}], origin)
    write_block(blocks / "b.jsonl", [{"seed": 1}], {**origin, "modules": {"other": "hash"}})
    with pytest.raises(ValueError, match="`modules` must be the same"):
        store_study(root, "zlpr")


def test_a_study_without_a_block_is_refused(checkout):
    root = checkout("notebooks/zlpr.md", "")
    with pytest.raises(FileNotFoundError, match="No block"):
        store_study(root, "zlpr")


def test_only_numbers_that_need_data_are_stored(checkout):
    entry = {"value": 1.0, "seeds": [0], "interval": None, "note": None, "state": "verified"}
    results = {
        "profile": "quick",
        "provenance": {"commit": "abc"},
        "run": {"started": "2026-11-22T10:00:00+00:00"},
        "records": {
            "zlpr/real": entry,
            "zlpr/synthetic": entry,
            "zlpr/long": {**entry, "state": "recorded"},
        },
    }
    root = checkout("_build/results/zlpr.json", json.dumps(results))
    claims = {
        name: Claim(name, "A number.", "exact", 1.0, test="t", needs=needs)
        for name, needs in {
            "zlpr/real": ("multilabel/",),
            "zlpr/synthetic": (),
            "zlpr/long": ("multilabel/",),
        }.items()
    }
    stored = json.loads(store_numbers(root, "zlpr", claims).read_text())
    kept = {"value": 1.0, "seeds": [0], "interval": None, "note": None}
    assert stored["records"] == {"zlpr/real": kept}
    assert stored["provenance"] == {
        "commit": "abc",
        "profile": "quick",
        "recorded": "2026-11-22",
    }


def test_numbers_of_a_chapter_that_was_not_run_are_refused(checkout):
    root = checkout("notebooks/zlpr.md", "")
    with pytest.raises(FileNotFoundError, match="must be executed first"):
        store_numbers(root, "zlpr", {})
