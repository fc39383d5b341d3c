"""The study as the chapter calls it, small."""

import json
from pathlib import Path

import pytest

from scispaces.datasets import files_read
from scispaces.studies import recorded, weight_scale_shift
from scispaces.studies.weight_scale_comparison import Budget

SMALL = Budget(values=2, updates=8, width=8, judged=8, attacked=8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer updates than the quick profile, and two seeds."""
    monkeypatch.setitem(weight_scale_shift.BUDGETS, ("quick", "mlp"), SMALL)
    monkeypatch.setitem(weight_scale_shift.SEEDS, "digits-mlp", (0, 1))


@pytest.mark.usefixtures("small")
def test_a_block_is_the_comparison_of_its_data_set_and_model(tmp_path: Path) -> None:
    before = files_read()
    store = tmp_path / "store.jsonl"
    rows = weight_scale_shift.run_block("digits-mlp", "quick", store=store)
    assert {(r["table"], r["data_set"], r["model"]) for r in rows} == {("methods", "digits", "mlp")}
    assert [(row["loss"], row["criterion"], row["seed"]) for row in rows] == [
        (loss, criterion, seed)
        for loss in weight_scale_shift.QUICK_LOSSES
        for criterion in ("accuracy", "matched")
        for seed in (0, 1)
    ]
    for row in rows:
        for name in ("accuracy", "pgd_more", "pgd_masked"):
            assert 0 <= row[name] <= 1
    assert set(weight_scale_shift.METRICS) <= set(rows[0])
    json.dumps(rows, allow_nan=False)
    assert weight_scale_shift.run_block("digits-mlp", "quick", store=store) == rows
    assert files_read() == before


def test_experiments_are_blocks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weight_scale_shift.EXPERIMENTS, "collapse", lambda: [{"seed": 4}])
    rows = weight_scale_shift.run_block("digits-collapse", "full")
    assert rows == [{"table": "collapse", "data_set": "digits", "model": "mlp", "seed": 4}]


def test_blocks_cover_comparisons_and_experiments() -> None:
    full = weight_scale_shift.blocks("full")
    assert len(set(full)) == len(full) == 10
    assert set(weight_scale_shift.blocks("quick")) <= set(full)
    assert len(weight_scale_shift.seeds_of("digits", "mlp")) == 10
    assert len(weight_scale_shift.seeds_of("mnist", "cnn")) == 5
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'mnist-starts'"):
        weight_scale_shift.run_block("mnist-starts", "full")


def test_recorded_rows_are_read_table_by_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        weight_scale_shift.recorded_rows()
    folder = tmp_path / "weight-scale-shift"
    folder.mkdir()
    (folder / "trials.csv").write_text(
        "table,seed,accuracy,time\nmethods,0,0.5,\ncollapse,0,,\ncollapse,1,,2.5\n"
    )
    assert weight_scale_shift.recorded_rows() == [{"table": "methods", "seed": 0, "accuracy": 0.5}]
    assert weight_scale_shift.recorded_rows("collapse") == [
        {"table": "collapse", "seed": 0, "time": None},
        {"table": "collapse", "seed": 1, "time": 2.5},
    ]
    with pytest.raises(ValueError, match=r"`table` must be one of methods, starts.* Got 'tables'"):
        weight_scale_shift.recorded_rows("tables")
