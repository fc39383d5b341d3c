"""The comparison of losses as the chapter calls it, small."""

import json
from pathlib import Path

import pytest

from scispaces.datasets import files_read
from scispaces.studies import imbalance_revisited as study
from scispaces.studies import recorded
from scispaces.studies.multilabel_tuning import Budget

SMALL = Budget(configurations=4, updates=6, passes=0, checkpoints=2, batch=64)
CRITERIA = (
    "f1_own",
    "f1_tuned",
    "balanced_error_own",
    "balanced_error_tuned",
    "average_precision",
    "roc_auc",
    "brier",
    "brier_recalibrated",
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer updates than the quick profile."""
    monkeypatch.setitem(study.BUDGETS, "quick", SMALL)


@pytest.mark.usefixtures("small")
def test_rows_have_every_metric_and_are_the_same_in_every_run(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    rows = study.compare(["breast-cancer-1-20"], "mlp", seeds=[4, 7], store=store)
    assert [(row["loss"], row["seed"]) for row in rows] == [
        (loss, seed) for loss in study.LOSSES for seed in (4, 7)
    ]
    for row in rows:
        assert {row["data_set"], row["model"]} == {"breast-cancer-1-20", "mlp"}
        assert all(0 <= row[name] <= 1 for name in study.METRICS)
        assert {name for name in row if name.startswith("validation_")} == {
            f"validation_{name}" for name in CRITERIA
        }
        for name in CRITERIA:
            parameter, rate, updates = row[f"chosen_{name}"].split(";")
            assert (parameter == "") == (not study.COMPARED[row["loss"]].parameters)
            assert float(rate) > 0
            assert 1 <= int(updates) <= SMALL.updates
    json.dumps(rows, allow_nan=False)
    assert study.compare(["breast-cancer-1-20"], "mlp", seeds=[4, 7]) == rows
    assert study.compare(["breast-cancer-1-20"], "mlp", seeds=[4, 7], store=store) == rows


@pytest.mark.usefixtures("small")
def test_a_seed_gives_the_same_row_whatever_seeds_are_beside_it() -> None:
    config = study.Config("digits-8-1-20", "linear", "weighted_bce", SMALL)
    [alone] = study.run(config, [7])
    _, together = study.run(config, [4, 7])
    numbers = {name: together[name] for name in study.METRICS}
    assert {name: alone[name] for name in study.METRICS} == pytest.approx(numbers, abs=1e-3)


def test_a_longer_search_learns_something() -> None:
    config = study.Config("breast-cancer-1-5", "linear", "bce", study.BUDGETS["quick"])
    for row in study.run(config, range(3)):
        assert row["roc_auc"] > 0.95
        assert row["f1_own"] > 0.8
        assert row["brier"] < 0.06


def test_blocks_cover_every_data_set_with_every_model() -> None:
    full = study.blocks("full")
    assert len(set(full)) == len(study.FULL_DATA_SETS) * 2 == 20
    assert set(study.blocks("quick")) <= set(full)
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'pima-forest'"):
        study.run_block("pima-forest", "full")


@pytest.mark.usefixtures("small")
def test_a_block_is_the_comparison_of_its_data_set_and_model() -> None:
    rows = study.run_block("digits-8-1-100-linear", "quick")
    assert {(row["data_set"], row["model"]) for row in rows} == {("digits-8-1-100", "linear")}
    assert len(rows) == len(study.LOSSES) * len(study.SEEDS)


def test_the_quick_data_sets_need_no_file() -> None:
    before = files_read()
    for name in study.QUICK_DATA_SETS:
        base, ratio = study.parse(name)
        assert ratio is not None
        assert study.load(base).name == base
    assert files_read() == before


def test_recorded_rows_are_read_from_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        study.recorded_rows()
    (tmp_path / "imbalance-revisited").mkdir()
    table = tmp_path / "imbalance-revisited" / "trials.csv"
    table.write_text("loss,seed,brier\nbce,3,0.25\n")
    assert study.recorded_rows() == [{"loss": "bce", "seed": 3, "brier": 0.25}]


def test_the_recorded_table_is_complete() -> None:
    rows = study.recorded_rows()
    expected = {
        (data_set, model, loss, seed)
        for data_set in study.FULL_DATA_SETS
        for model in study.MODELS
        for loss in study.LOSSES
        for seed in study.SEEDS
    }
    assert {(row["data_set"], row["model"], row["loss"], row["seed"]) for row in rows} == expected
    assert len(rows) == len(expected)
    assert all(0 <= row[name] <= 1 for row in rows for name in study.METRICS)
