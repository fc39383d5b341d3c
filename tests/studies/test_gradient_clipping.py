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


def test_the_recorded_rows_are_those_of_the_full_profile() -> None:
    tuning, runs, probes = map(gradient_clipping.recorded_rows, ("tuning", "run", "probe"))
    expected = {
        (c.config.data_set, c.config.model, method, variant, seed)
        for c in FULL.values()
        for method in c.methods
        for variant in ("tuned", *(c.variants if method in c.varied else ()))
        for seed in c.seeds
    }
    names = ("data_set", "model", "loss", "variant", "seed")
    found = [tuple(row[name] for name in names) for row in runs]
    assert len(found) == len(expected)
    assert set(found) == expected
    for comparison in FULL.values():
        task = (comparison.config.data_set, comparison.config.model)
        for method in comparison.methods:
            tried = [row for row in tuning if (*task, method) == tuple(row[n] for n in names[:3])]
            settings = comparison.settings(method)
            # Recorded numbers have six digits.
            steps = pytest.approx([setting.step for setting in settings], rel=5e-6)
            assert [row["step"] for row in tried] == steps
            assert [row["threshold"] for row in tried] == [s.threshold for s in settings]
            known = [row for row in tried if row["validation_loss"] is not None]
            best = min(known, key=lambda row: row["validation_loss"])
            assert [row["chosen"] for row in tried] == [int(row is best) for row in tried]
    for row in runs:
        own = [p for p in probes if all(p[name] == row[name] for name in names)]
        schedule = next(
            c.schedule
            for c in FULL.values()
            if (c.config.data_set, c.config.model) == (row["data_set"], row["model"])
        )
        if row["diverged"]:
            assert row["test_loss"] is None
            assert len(own) <= schedule.probes
        else:
            assert row["updates"] == schedule.updates
            assert len(own) == schedule.probes


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`block` must be one of data-descriptions, digits\. Got"):
        gradient_clipping.run_block("wikitext-2-words", "quick")
