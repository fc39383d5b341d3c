"""The comparison of flooding with its rivals as the chapter calls it, small."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scispaces.studies import flooding, recorded
from scispaces.studies.flooding_dynamics import LOOKS, STEPS_OF_A_LOOK
from scispaces.studies.flooding_rows import choose, chosen_rows, join_values
from scispaces.studies.flooding_training import Look, Schedule

SMALL = Schedule((6, 6), normalised=True, epochs=4, batch=100, looks=3)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer epochs and units than any profile."""
    for key in flooding.SCHEDULES:
        batch = 400 if key[1] == "real" else 100
        monkeypatch.setitem(flooding.SCHEDULES, key, replace(SMALL, batch=batch))
    monkeypatch.setattr(flooding, "WIDE", SMALL)


def look(epoch: int, loss: list[float], accuracy: list[float]) -> Look:
    values = {"held_loss": torch.tensor([loss]), "held_accuracy": torch.tensor([accuracy])}
    return Look(epoch, values)


def test_the_best_on_validation_rows_is_chosen_and_the_loss_breaks_ties() -> None:
    looks = [look(1, [0.9, 0.4], [0.5, 0.7]), look(5, [0.3, 0.8], [0.7, 0.6])]
    assert choose(looks, 0, "loss") == (1, 0)
    assert choose(looks, 0, "accuracy") == (1, 0)
    assert choose(looks[:1], 0, "accuracy") == (0, 1)
    looks.append(look(9, [0.5, 0.6], [0.2, 0.8]))
    assert choose(looks, 0, "accuracy") == (2, 1)
    assert choose(looks, 0, "loss") == (1, 0)


def test_without_stopping_only_the_last_look_counts() -> None:
    looks = [look(1, [0.1, 0.4], [0.9, 0.7]), look(5, [0.3, 0.2], [0.6, 0.7])]
    rows = chosen_rows("flood", looks, [0.0, 0.25], [8])
    assert [(row["loss"], row["chosen_by"], row["value"], row["epoch"]) for row in rows] == [
        ("flood", "loss", 0.25, 5),
        ("flood", "accuracy", 0.25, 5),
        ("flood_stopped", "loss", 0.0, 1),
        ("flood_stopped", "accuracy", 0.0, 1),
    ]
    assert {row["seed"] for row in rows} == {8}


def test_plain_training_is_the_first_of_the_values() -> None:
    [joined] = join_values([look(3, [0.5], [0.6])], [look(3, [0.1, 0.2], [0.7, 0.8])])
    assert joined.epoch == 3
    assert joined.values["held_loss"][0].tolist() == pytest.approx([0.5, 0.1, 0.2])
    with pytest.raises(ValueError, match="argument"):
        join_values([look(3, [0.5], [0.6])], [])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("data_set", "percent"), [("spiral", 5), ("digits", 20)])
def test_rows_have_every_metric_and_are_the_same_in_every_run(
    tmp_path: Path, data_set: str, percent: int
) -> None:
    store = tmp_path / "store.jsonl"
    rows = flooding.compare([data_set], [percent], seeds=[4, 7], store=store)
    choices = [row for row in rows if row["part"] == "choice"]
    assert sorted({row["loss"] for row in choices}) == sorted(flooding.LOSSES)
    assert len(choices) == len(flooding.LOSSES) * len(flooding.CRITERIA) * 2
    levels = [row for row in rows if row["part"] == "level"]
    assert len(levels) == len(flooding.QUICK_VALUES) * 2
    assert len(choices) + len(levels) == len(rows)
    for row in rows:
        assert (row["data_set"], row["model"], row["percent"]) == (
            f"{data_set}-{percent}",
            "mlp",
            percent,
        )
        assert row["seed"] in (4, 7)
        bounded = set(flooding.METRICS) - {"test_loss", "noisy_loss"}
        assert all(0 <= row[name] <= 2 for name in bounded)
        assert row["train_loss"] > 0
        # Curves for the largest rate of flips.
        wanted = row["part"] == "level" and percent == 20
        assert ("test_loss_curve" in row) == wanted
        if wanted:
            epochs = [int(epoch) for epoch in row["epochs"].split(";")]
            curve = [float(loss) for loss in row["test_loss_curve"].split(";")]
            assert len(epochs) == len(curve)
            assert epochs[-1] == row["epoch"] == 4
            assert curve[-1] == pytest.approx(row["test_loss"], rel=0.01)
    json.dumps(rows, allow_nan=False)
    assert flooding.compare([data_set], [percent], seeds=[4, 7]) == rows
    assert flooding.compare([data_set], [percent], seeds=[4, 7], store=store) == rows


@pytest.mark.usefixtures("small")
def test_what_is_chosen_is_no_worse_on_validation_rows_than_plain_training() -> None:
    rows = [row for row in flooding.run("sinusoid", 10, [0, 1]) if row["part"] == "choice"]
    for criterion, measure, sign in (("loss", "held_loss", -1), ("accuracy", "held_accuracy", 1)):
        for seed in (0, 1):
            found = {
                row["loss"]: sign * row[measure]
                for row in rows
                if row["chosen_by"] == criterion and row["seed"] == seed
            }
            for loss in flooding.LOSSES:
                assert found[loss] >= found["plain"]
                if loss.endswith("_stopped"):
                    assert found[loss] >= found[loss.removesuffix("_stopped")]
                    assert found[loss] >= found["plain_stopped"]


@pytest.mark.usefixtures("small")
def test_every_method_tries_equally_many_values() -> None:
    for profile, tried in (("full", 8), ("quick", 5)):
        for data_set in ("spiral", "digits"):
            counts = {
                name: len(flooding.values_for(method, data_set, profile))
                for name, method in flooding.METHODS.items()
            }
            assert counts.pop("plain") == 1
            assert set(counts.values()) == {tried}
            assert all(
                flooding.values_for(method, data_set, profile)[0] == 0
                for method in flooding.METHODS.values()
            )


@pytest.mark.usefixtures("small")
def test_the_other_parts_have_the_rows_they_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flooding, "PATHS", flooding.PATHS[-1:])
    wide = flooding.run_wide([0, 1])
    assert {row["model"] for row in wide} == {"mlp-500"}
    assert {row["part"] for row in wide} == {"choice", "level"}
    assert {row["value"] for row in wide if row["part"] == "level"} == set(flooding.WIDE_LEVELS)
    floor = flooding.run_floor("digits", 10, [0, 1])
    assert [(row["seed"], row["value"]) for row in floor] == [
        (seed, level) for seed in (0, 1) for level in flooding.FLOOR_LEVELS["digits"]
    ]
    assert {(row["data_set"], row["percent"]) for row in floor} == {("digits-10", 10)}
    whole = flooding.run_floor("digits", 10, [0], all_rows=True)
    assert {(row["model"], row["part"]) for row in whole} == {("mlp-all-rows", "floor")}
    # Two batches in each of four epochs, so eight steps with all rows.
    assert {row["epoch"] for row in whole} == {8}
    paths = flooding.run_paths([0], steps=LOOKS * STEPS_OF_A_LOOK)
    assert len(paths) == 1
    assert {row["part"] for row in paths} == {"path"}
    json.dumps([*wide, *floor, *paths], allow_nan=False)


def test_blocks_cover_every_task_and_part() -> None:
    full = flooding.blocks("full")
    assert len(set(full)) == len(full) == 6 * 3 + 5
    assert {"wide", "paths", "all-rows", "floor-sinusoid", "floor-digits"} <= set(full)
    assert set(flooding.blocks("quick")) <= set(full)
    with pytest.raises(ValueError, match=r"`block` must be one of .* Got 'moons-5'"):
        flooding.run_block("moons-5", "full")


@pytest.mark.usefixtures("small")
def test_a_block_is_the_comparison_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flooding, "QUICK_SEEDS", (2,))
    rows = flooding.run_block("digits-20", "quick")
    assert rows == flooding.compare(["digits"], [20], seeds=[2])
    monkeypatch.setattr(flooding, "FLOOR_PERCENTS", (5, 20))
    monkeypatch.setattr(flooding, "FLOOR_LEVELS", {"digits": (0.0, 0.3)})
    rows = flooding.run_block("floor-digits", "full")
    assert [row["percent"] for row in rows] == [5] * 20 + [20] * 20


def test_recorded_rows_are_read_from_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="belongs to the book's repository"):
        flooding.recorded_rows()
    (tmp_path / "flooding").mkdir()
    text = "part,loss,seed\nchoice,flood,3\npath,,4\n"
    (tmp_path / "flooding" / "trials.csv").write_text(text)
    assert flooding.recorded_rows("path") == [{"part": "path", "loss": None, "seed": 4}]
    assert len(flooding.recorded_rows()) == 2
