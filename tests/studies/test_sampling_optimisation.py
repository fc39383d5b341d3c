"""The study as the chapter calls it, small."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scispaces.datasets import files_read, make_spelling_rules
from scispaces.studies import recorded, sampling_translation
from scispaces.studies import sampling_optimisation as study
from scispaces.studies.ranks import paired_differences
from scispaces.studies.sampling_search import Budget

SMALL = Budget(passes=57, candidates=16, configurations=4, looks=2)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of everything than the quick profile."""
    monkeypatch.setitem(study.BUDGETS, "quick", SMALL)
    scale = study.SCALES["spelling-rules"]
    few = replace(scale, starts={"trained": 20}, steady=20, updates=2, batch=8, valid=20)
    monkeypatch.setitem(study.SCALES, "spelling-rules", few)
    monkeypatch.setattr(
        sampling_translation,
        "make_spelling_rules",
        lambda seed: make_spelling_rules(seed, train=60, valid=20, test=20),
    )
    sampling_translation._prepared.cache_clear()
    yield
    sampling_translation._prepared.cache_clear()


@pytest.mark.usefixtures("small")
def test_classifiers_give_a_row_for_each_task_method_and_seed(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    rows = study.compare_classifiers(["toy-outliers"], seeds=[4, 7], store=store)
    assert [(row["model"], row["loss"], row["seed"]) for row in rows] == [
        (f"linear-{task}", method, seed)
        for task in ("error", "f1")
        for method in study.CLASSIFIER_METHODS
        for seed in (4, 7)
    ]
    for row in rows:
        assert row["data_set"] == "toy-outliers"
        assert row["dimension"] == 3
        assert all(0 <= row[name] <= 1 for name in (*study.CLASSIFIER_METRICS, "train", "valid"))
        assert len(row["curve"].split(";")) == SMALL.looks
        searched = row["loss"] not in ("cross_entropy", "surrogate")
        assert (row["ess"] is not None) == searched
        if searched:
            sizes = [float(size) for size in row["ess_curve"].split(";")]
            assert np.mean(sizes) == pytest.approx(row["ess"], rel=1e-3)
    json.dumps(rows, allow_nan=False)
    assert study.compare_classifiers(["toy-outliers"], seeds=[4, 7], store=store) == rows
    [alone] = study.compare_classifiers(["toy-outliers"], ["f1"], [7], methods=["mgs_flat"])
    assert alone in rows
    differences = paired_differences(rows, "error", "mgs_proposal", rival="surrogate")
    assert [entry["model"] for entry in differences] == ["linear-error", "linear-f1"]


def test_classifiers_are_trained_on_the_processor_only() -> None:
    with pytest.raises(ValueError, match=r"`device` must be 'cpu' for classifiers\. Got 'cuda'\."):
        study.compare_classifiers(["toy"], device="cuda")


@pytest.mark.usefixtures("small")
def test_sequences_give_a_row_for_each_method_and_seed(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    rows = study.compare_sequences("spelling-rules", seeds=[3, 5], store=store)
    assert [(row["loss"], row["seed"]) for row in rows] == [
        (method, seed) for method in study.SEQUENCE_METHODS for seed in (3, 5)
    ]
    for row in rows:
        assert (row["data_set"], row["model"]) == ("spelling-rules", "trained")
        assert all(row[name] >= 0 for name in study.SEQUENCE_METRICS)
        assert row["bleu"] <= 1
        assert (row["chosen"] == "") == (row["loss"] == "start")
        if row["loss"] != "start":
            assert row["valid"] == pytest.approx(min(map(float, row["curve"].split(";"))), rel=1e-3)
    json.dumps(rows, allow_nan=False)
    assert study.compare_sequences("spelling-rules", seeds=[3, 5], store=store) == rows
    # The settings come from a seed of their own: they are the same for every seed.
    for method in study.SEQUENCE_METHODS:
        assert len({row["chosen"] for row in rows if row["loss"] == method}) == 1
    [begin, random] = study.compare_sequences("spelling-rules", seeds=[5], methods=["random"])
    assert begin in rows
    assert random in rows


def test_effective_sizes_lie_between_one_and_all_and_fall_with_the_dimension() -> None:
    rows = study.effective_sizes([2, 500], range(6))
    assert len(rows) == 2 * 2 * 6
    sizes = {}
    for row in rows:
        assert 1 <= row["ess"] <= 16
        assert 1 / 16 <= row["largest_weight"] <= 1
        assert 0 <= row["guided_weight"] <= 1 + 1e-9
        if row["loss"] == "proposal":
            assert row["best"] == 1  # the weights fall with the task loss alone
        sizes.setdefault((row["loss"], row["dimension"]), []).append(row["ess"])
    assert np.mean(sizes["flat", 500]) < np.mean(sizes["flat", 2]) / 2
    assert np.mean(sizes["proposal", 500]) > 2 * np.mean(sizes["flat", 500])
    far = [row["farthest"] for row in rows if row["loss"] == "flat" and row["dimension"] == 500]
    assert sum(far) >= 5


def test_blocks_cover_everything_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    without = study.blocks("full")
    assert len(set(without)) == len(without) == 2 + 1 + len(study.CLASSIFIER_SETS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert study.blocks("full") == [study.MULTI30K_BLOCK, *without]
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'mnist-linear'"):
        study.run_block("mnist-linear", "full")


def test_a_block_is_the_comparison_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(study, "compare_sequences", lambda *what, **how: [(what, how)])
    [(what, how)] = study.run_block(study.MULTI30K_BLOCK, "full")
    assert what == ("multi30k", ["converged"], study.SEQUENCE_SEEDS["full"])
    assert how["device"] == "cuda"
    [(what, how)] = study.run_block("cmudict-trained", "full", device="cpu")
    assert what[:2] == ("cmudict", ["trained"])
    assert how["device"] == "cpu"
    monkeypatch.setattr(study, "effective_sizes", lambda **how: [how])
    assert study.run_block(study.DIMENSION_BLOCK, "full") == [{"seeds": study.DIMENSION_SEEDS}]


@pytest.mark.usefixtures("small")
def test_quick_blocks_run_and_read_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "CLASSIFIER_SEEDS", (0,))
    before = files_read()
    [_, name, _] = study.blocks("quick")
    rows = study.run_block(name, "quick")
    assert {(row["data_set"], row["model"]) for row in rows} == {
        ("breast-cancer", "linear-error"),
        ("breast-cancer", "linear-f1"),
    }
    assert files_read() == before


def test_recorded_rows_are_read_from_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        study.recorded_rows()
    (tmp_path / "sampling-optimisation").mkdir()
    (tmp_path / "sampling-optimisation" / "trials.csv").write_text("loss,seed,ess\nrandom,3,\n")
    assert study.recorded_rows() == [{"loss": "random", "seed": 3, "ess": None}]
