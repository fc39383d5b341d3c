"""The growing label space: masses against the book's formulas, curves, memory."""

from pathlib import Path

import pytest
import torch

from scispaces.studies import label_growth, recorded
from scispaces.studies.label_growth import run

TIMING = "milliseconds"


def test_masses_at_equal_scores_are_those_of_the_formulas() -> None:
    for row in label_growth.run([10, 500], seed=2, updates=1):
        classes, positives = row["classes"], label_growth.POSITIVES
        negatives = classes - positives
        expected = {
            "zlpr": (positives / (1 + positives), negatives / (1 + negatives)),
            "bce": (positives / 2, negatives / 2),
            # The sigmoid of the first score is the frequency of a positive, r / n.
            "bce_prior": (positives * negatives / classes, negatives * positives / classes),
        }[row["arm"]]
        found = (row["positive_mass"], row["negative_mass"])
        assert found == pytest.approx(expected, rel=1e-4)


def test_the_learnable_part_is_the_same_for_every_number_of_labels() -> None:
    tasks = [label_growth.teacher_task(torch.Generator().manual_seed(5)) for _ in range(2)]
    for one, other in zip(*tasks, strict=True):
        assert torch.equal(one, other)
    rows, test_rows, positives, _ = tasks[0]
    assert rows.shape == (4096, 32)
    assert test_rows.shape == (256, 32)
    assert (positives[:, 0] != positives[:, 1]).all()
    share = positives.flatten().bincount(minlength=label_growth.LEARNABLE) / len(positives)
    assert share.min() > 0.05
    assert share.max() < 0.5


def test_everything_but_the_time_repeats() -> None:
    first, second = (label_growth.train("zlpr", 50, seed=1, updates=15) for _ in range(2))
    assert first.pop(TIMING) > 0
    second.pop(TIMING)
    assert first == second
    assert [point["update"] for point in first["curve"]] == [1, 10, 15]


def test_zlpr_learns_among_many_labels_what_it_learns_among_few() -> None:
    few, many = label_growth.run([10, 2000], seed=0, updates=100, arms=["zlpr"])
    assert many["micro_f1"] > 0.9 * few["micro_f1"] > 0.4
    bce_few, bce_many = label_growth.run([10, 2000], seed=0, updates=100, arms=["bce"])
    assert bce_many["micro_f1"] < 0.8 * bce_few["micro_f1"]


def test_zlpr_from_indices_needs_no_second_copy_of_the_scores() -> None:
    memory = {
        row["arm"]: row["extra_memory"] for row in label_growth.run([5000], seed=0, updates=1)
    }
    assert memory["zlpr"] <= 1.1
    assert memory["bce"] >= 2


def test_recorded_curves_are_read_as_they_were_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_growth, "FOLDER", tmp_path)
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    monkeypatch.setattr(label_growth, "FULL_CLASS_COUNTS", (10,))
    monkeypatch.setattr(label_growth, "FULL_SEEDS", (4,))
    monkeypatch.setattr(label_growth, "run", lambda counts, seed: run(counts, seed, updates=10))
    label_growth.record()
    expected = label_growth.curve_rows(run([10], 4, updates=10))
    rows = label_growth.recorded_rows()
    assert [row["update"] for row in rows] == [1, 10] * 3
    for row, other in zip(rows, expected, strict=True):
        assert row.pop("arm") == other.pop("arm")
        del row[TIMING], other[TIMING]
        assert row == pytest.approx(other, rel=1e-5)


def test_fewer_labels_than_the_task_has_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`classes` must be at least 10\. Got 9"):
        label_growth.train("zlpr", 9, seed=0)
