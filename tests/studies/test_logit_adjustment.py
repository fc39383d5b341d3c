"""The long-tail comparison as the chapter calls it, small."""

import json
from pathlib import Path

import pytest
import torch

from scispaces.datasets import files_read
from scispaces.studies import logit_adjustment, long_tail_resnet, recorded
from scispaces.studies.long_tail_methods import TAUS
from scispaces.studies.multilabel_tuning import Budget

SMALL = Budget(configurations=6, updates=6, passes=0, checkpoints=2, batch=16)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer updates than the quick profile."""
    for model in ("linear", "mlp"):
        monkeypatch.setitem(logit_adjustment.BUDGETS, ("quick", model), SMALL)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_rows_have_every_metric_and_are_the_same_in_every_run(tmp_path: Path, model: str) -> None:
    store = tmp_path / "store.jsonl"
    rows = logit_adjustment.compare(["digits-lt-10"], model, seeds=[4, 7], store=store)
    assert [(row["loss"], row["seed"]) for row in rows] == [
        (loss, seed) for loss in logit_adjustment.LOSSES for seed in (4, 7)
    ]
    for row in rows:
        assert (row["data_set"], row["model"]) == ("digits-lt-10", model)
        assert all(row[name] >= 0 for name in logit_adjustment.METRICS)
        bounded = set(logit_adjustment.METRICS) - {"nll", "nll_natural", "nll_balanced"}
        assert all(row[name] <= 1 + 1e-6 for name in bounded)
        errors = [float(error) for error in row["errors"].split(";")]
        assert sum(errors) / 10 == pytest.approx(row["balanced_error"], abs=1e-3)
        assert sum(errors[:3]) / 3 == pytest.approx(row["head_error"], abs=1e-3)
        assert sum(errors[7:]) / 3 == pytest.approx(row["tail_error"], abs=1e-3)
        assert ("tau_curve" in row) == (row["loss"] == "post_hoc_tuned")
        if row["loss"] == "la":
            assert row["agreement_with_la"] == pytest.approx(1)
    json.dumps(rows, allow_nan=False)
    assert logit_adjustment.compare(["digits-lt-10"], model, seeds=[4, 7]) == rows
    assert logit_adjustment.compare(["digits-lt-10"], model, seeds=[4, 7], store=store) == rows


@pytest.mark.usefixtures("small")
def test_the_curve_over_tau_passes_through_the_chosen_value() -> None:
    rows = logit_adjustment.run("digits-lt-10", "linear", [0, 1, 2])
    for row in rows:
        if row["loss"] == "post_hoc_tuned":
            tau = float(row["chosen"].split(";")[0])
            curve = [float(error) for error in row["tau_curve"].split(";")]
            assert len(curve) == len(TAUS)
            assert curve[TAUS.index(tau)] == pytest.approx(row["balanced_error"], abs=1e-4)


@pytest.mark.usefixtures("small")
def test_post_hoc_keeps_the_natural_probabilities_of_its_scores() -> None:
    rows = logit_adjustment.run("digits-lt-10", "linear", [0])
    by_loss = {row["loss"]: row for row in rows}
    assert by_loss["erm"]["ece"] == by_loss["erm"]["ece_natural"]
    assert by_loss["post_hoc"]["nll"] != pytest.approx(by_loss["post_hoc"]["nll_natural"])


@pytest.mark.usefixtures("small")
def test_a_seed_gives_the_same_row_whatever_seeds_are_beside_it() -> None:
    alone = logit_adjustment.run("digits-lt-10", "linear", [7])
    together = logit_adjustment.run("digits-lt-10", "linear", [4, 7])
    for one, other in zip(alone, [row for row in together if row["seed"] == 7], strict=True):
        assert one["balanced_error"] == pytest.approx(other["balanced_error"], abs=5e-3)


def test_blocks_cover_data_sets_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    without = logit_adjustment.blocks("full")
    assert len(set(without)) == len(without) == 8 * 2 + 2
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert logit_adjustment.blocks("full") == [*without, long_tail_resnet.BLOCK]
    assert set(logit_adjustment.blocks("quick")) <= set(without)
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'mnist-lt-10-cnn'"):
        logit_adjustment.run_block("mnist-lt-10-cnn", "full")


@pytest.mark.usefixtures("small")
def test_a_block_is_the_comparison_of_its_data_set_and_model() -> None:
    before = files_read()
    rows = logit_adjustment.run_block("digits-lt-10-linear", "quick")
    assert {(row["data_set"], row["model"]) for row in rows} == {("digits-lt-10", "linear")}
    assert len(rows) == len(logit_adjustment.LOSSES) * 10
    assert files_read() == before


def test_the_gpu_block_is_the_residual_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(long_tail_resnet, "compare", lambda **options: [options])
    assert logit_adjustment.run_block(long_tail_resnet.BLOCK, "full", progress=True) == [
        {"progress": True}
    ]


def test_recorded_rows_are_read_from_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        logit_adjustment.recorded_rows()
    (tmp_path / "logit-adjustment").mkdir()
    (tmp_path / "logit-adjustment" / "trials.csv").write_text("loss,seed,errors\nla,3,0.1;0\n")
    assert logit_adjustment.recorded_rows() == [{"loss": "la", "seed": 3, "errors": "0.1;0"}]
