"""The comparison of losses as the chapter calls it, on small and on recorded data."""

import json
from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from scispaces.datasets import files_read, load_digit_pairs
from scispaces.studies import recorded, zlpr
from scispaces.studies.multilabel_tuning import Budget

SMALL = Budget(configurations=6, updates=8, passes=0, checkpoints=2, batch=16)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rows and updates than the quick profile."""
    data = load_digit_pairs(train_rows=100, test_rows=50)
    monkeypatch.setattr(zlpr, "load", lambda _: data)
    monkeypatch.setitem(zlpr.BUDGETS, "quick", SMALL)


@pytest.mark.usefixtures("small")
def test_rows_have_every_metric_and_are_the_same_in_every_run(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    rows = zlpr.compare(["digit-pairs"], seeds=[4, 7], store=store)
    assert [(row["loss"], row["seed"]) for row in rows] == [
        (loss, seed) for loss in zlpr.LOSSES for seed in (4, 7)
    ]
    for row in rows:
        without_threshold = row["loss"] in ("ranking", "softmax")
        missing = {name for name in zlpr.METRICS if row[name] is None}
        assert missing == (
            {name for name in zlpr.METRICS if name.endswith(("_own", "_untuned"))}
            if without_threshold
            else set()
        )
        assert all(0 <= row[name] <= 1 for name in set(zlpr.METRICS) - missing)
    json.dumps(rows, allow_nan=False)
    assert zlpr.compare(["digit-pairs"], seeds=[4, 7]) == rows
    assert zlpr.compare(["digit-pairs"], seeds=[4, 7], store=store) == rows


@pytest.mark.usefixtures("small")
def test_a_seed_gives_the_same_row_whatever_seeds_are_beside_it() -> None:
    config = zlpr.Config("digit-pairs", "mlp", "zlpr", SMALL)
    [alone] = zlpr.run(config, [7])
    _, together = zlpr.run(config, [4, 7])
    numbers = {name: together[name] for name in zlpr.METRICS}
    assert {name: alone[name] for name in zlpr.METRICS} == pytest.approx(numbers, abs=1e-3)


@pytest.mark.usefixtures("small")
def test_a_loss_without_a_parameter_has_nothing_left_untuned() -> None:
    rows = zlpr.run(zlpr.Config("digit-pairs", "linear", "zlpr", SMALL), [0])
    assert rows[0]["micro_f1_own"] == rows[0]["micro_f1_untuned"]
    assert rows[0]["macro_f1_own"] == rows[0]["macro_f1_untuned"]


def test_workers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlpr, "LOSSES", ("zlpr", "bce"))
    monkeypatch.setattr(zlpr, "load", load_tiny)
    alone = zlpr.compare(["digit-pairs"], seeds=[1])
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert zlpr.compare(["digit-pairs"], seeds=[1]) == alone


def load_tiny(_: str) -> object:
    """Digit pairs, few of them."""
    return load_digit_pairs(train_rows=60, test_rows=20)


def test_blocks_cover_every_data_set_with_every_model() -> None:
    full = zlpr.blocks("full")
    assert len(set(full)) == len(zlpr.FULL_DATA_SETS) * 2 == 22
    assert {block.rpartition("-")[0] for block in full} == set(zlpr.FULL_DATA_SETS)
    assert set(zlpr.blocks("quick")) <= set(full)
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'scene-forest'"):
        zlpr.run_block("scene-forest", "full")


@pytest.mark.usefixtures("small")
def test_a_block_is_the_comparison_of_its_data_set_and_model() -> None:
    rows = zlpr.run_block("digit-pairs-linear", "quick")
    assert {(row["data_set"], row["model"]) for row in rows} == {("digit-pairs", "linear")}
    assert len(rows) == len(zlpr.LOSSES) * len(zlpr.SEEDS)


def test_digit_pairs_need_no_file() -> None:
    before = files_read()
    assert zlpr.load("digit-pairs").name == "digit-pairs"
    assert files_read() == before


def test_budgets_give_large_data_more_updates() -> None:
    full = zlpr.BUDGETS["full"]
    assert full.updates_for(1000) == full.updates
    assert full.updates_for(47_000) > full.updates
    assert replace(full, passes=0).updates_for(47_000) == full.updates


def test_recorded_tables_keep_numbers_and_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        zlpr.recorded_rows()
    (tmp_path / "zlpr").mkdir()
    (tmp_path / "zlpr" / "trials.csv").write_text("loss,seed,coverage,other\nbce,3,0.25,\n")
    assert zlpr.recorded_rows() == [{"loss": "bce", "seed": 3, "coverage": 0.25, "other": None}]
