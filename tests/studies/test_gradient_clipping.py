"""The comparison as the chapter calls it, small."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scispaces.studies import gradient_clipping
from scispaces.studies.clipping_comparisons import FULL, PROFILES, QUICK
from scispaces.studies.clipping_training import METHODS, Schedule
from scispaces.studies.ranks import paired_differences


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer updates and settings than the quick profile, and variants besides."""
    for block, comparison in list(QUICK.items()):
        less = replace(
            comparison,
            schedule=Schedule(8, 4, probes=4, iterations=2),
            seeds=(0, 1),
            variants={"small": 1 / 8, "large": 4.0},
            varied=("none", "hard"),
            steps=comparison.steps[:2],
            lengths=comparison.lengths[:2],
            clipped=comparison.clipped[:2],
            methods=METHODS,
        )
        monkeypatch.setitem(QUICK, block, less)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("block", gradient_clipping.blocks("quick"))
def test_rows_are_complete_and_the_same_in_every_run(tmp_path: Path, block: str) -> None:
    store = tmp_path / "store.jsonl"
    rows = gradient_clipping.run_block(block, "quick", store=store)
    json.dumps(rows, allow_nan=False)
    parts = {
        part: [row for row in rows if row["part"] == part] for part in ("tuning", "run", "probe")
    }
    assert sum(map(len, parts.values())) == len(rows)
    assert [(row["loss"], row["variant"], row["seed"]) for row in parts["run"]] == [
        (method, variant, seed)
        for method in METHODS
        for variant in ("tuned", "small", "large")
        for seed in (0, 1)
        if variant == "tuned" or method in ("none", "hard")
    ]
    for method in METHODS:
        tried = [row for row in parts["tuning"] if row["loss"] == method]
        assert len(tried) == 2
        best = min(tried, key=lambda row: row["validation_loss"])
        assert [row["chosen"] for row in tried] == [int(row is best) for row in tried]
        for row in parts["run"]:
            if row["loss"] == method:
                factor = {"tuned": 1, "small": 1 / 8, "large": 4}[row["variant"]]
                assert row["step"] == best["step"] * factor
                assert row["threshold"] == best["threshold"]
    assert len(parts["probe"]) == 4 * len(parts["run"])
    assert {row["data_set"] for row in rows} == {block}
    assert gradient_clipping.run_block(block, "quick", store=store) == rows
    entries = paired_differences(
        [row for row in parts["run"] if row["variant"] == "tuned"],
        "validation_loss",
        "hard",
        rival="none",
    )
    assert [entry["n"] for entry in entries] == [2]


def test_every_method_has_as_many_settings_in_every_comparison() -> None:
    for profile, comparisons in PROFILES.items():
        for comparison in comparisons.values():
            numbers = {
                len({repr(setting) for setting in comparison.settings(method)})
                for method in METHODS
            }
            assert numbers == {6 if profile == "quick" else 8}
            assert gradient_clipping.TUNING_SEED not in comparison.seeds


def test_full_has_five_seeds_but_for_the_second_corpus() -> None:
    assert {block: len(comparison.seeds) for block, comparison in FULL.items()} == dict.fromkeys(
        FULL, 5
    ) | {"wikitext-2-words": 3}


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`block` must be one of data-descriptions, digits\. Got"):
        gradient_clipping.run_block("wikitext-2-words", "quick")
