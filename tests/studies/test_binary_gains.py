"""The definition of the gains, on rows made by hand."""

from typing import Any

import pytest
from scipy import stats

from scispaces.studies.binary_gains import answer, chosen_losses, gains, origin
from scispaces.studies.binary_losses import COMPARED, MODIFIED

PLAIN = {
    "f1_own": 0.5,
    "f1_tuned": 0.6,
    "balanced_error_own": 0.3,
    "balanced_error_tuned": 0.2,
    "average_precision": 0.7,
    "brier": 0.1,
}


def made(
    data_sets: tuple[str, ...] = ("a",), seeds: int = 3, model: str = "linear"
) -> list[dict[str, Any]]:
    """Rows in which every loss is plain cross-entropy."""
    return [
        {
            "data_set": data_set,
            "model": model,
            "loss": loss,
            "seed": seed,
            **PLAIN,
            **{f"validation_{name}": 0.5 for name in PLAIN},
        }
        for data_set in data_sets
        for loss in COMPARED
        for seed in range(seeds)
    ]


def change(rows: list[dict[str, Any]], loss: str, **values: float) -> None:
    for row in rows:
        if row["loss"] == loss:
            row.update(values)


def mean(rows: list[dict[str, Any]], metric: str, remedy: str) -> float:
    [found] = [row["mean"] for row in gains(rows, metric) if row["remedy"] == remedy]
    return found


def test_the_modified_loss_is_the_one_that_validation_prefers_not_the_test() -> None:
    rows = made()
    change(rows, "focal", f1_own=0.9, validation_f1_own=0.4)
    change(rows, "dice", f1_own=0.55, validation_f1_own=0.6)
    assert mean(rows, "f1", "modified") == pytest.approx(0.05)
    assert chosen_losses(rows, "f1") == {**dict.fromkeys(MODIFIED, 0), "dice": 3}
    assert chosen_losses(rows, "brier")[MODIFIED[0]] == 3


def test_simple_remedies_are_not_among_the_modified_losses() -> None:
    rows = made()
    change(rows, "weighted_bce", f1_own=0.9, validation_f1_own=0.9)
    change(rows, "logit_adjusted", f1_own=0.8, validation_f1_own=0.9)
    assert mean(rows, "f1", "modified") == 0
    assert mean(rows, "f1", "weights") == pytest.approx(0.4)
    assert mean(rows, "f1", "margin") == pytest.approx(0.3)


def test_the_threshold_is_that_of_plain_cross_entropy() -> None:
    rows = made()
    assert mean(rows, "f1", "threshold") == pytest.approx(0.1)
    # Less error is a gain.
    assert mean(rows, "balanced_error", "threshold") == pytest.approx(0.1)


def test_weights_or_threshold_is_decided_by_validation() -> None:
    rows = made()
    change(rows, "weighted_bce", f1_own=0.9)
    change(rows, "bce", validation_f1_tuned=0.6)
    assert mean(rows, "f1", "weights or threshold") == pytest.approx(0.1)
    change(rows, "weighted_bce", validation_f1_own=0.7)
    assert mean(rows, "f1", "weights or threshold") == pytest.approx(0.4)


def test_no_threshold_touches_the_other_metrics() -> None:
    rows = made()
    change(rows, "focal", average_precision=0.8, validation_average_precision=0.6)
    change(rows, "weighted_bce", brier=0.08)
    assert {row["remedy"] for row in gains(rows, "brier")} == {"modified", "weights", "margin"}
    assert mean(rows, "average_precision", "modified") == pytest.approx(0.1)
    assert mean(rows, "brier", "weights") == pytest.approx(0.02)


def test_the_interval_is_that_of_the_paired_differences() -> None:
    rows = made()
    differences = [0.1, 0.3, -0.1]
    for row in rows:
        if row["loss"] == "weighted_bce":
            row["f1_own"] = 0.5 + differences[row["seed"]]
    [entry] = [row for row in gains(rows, "f1") if row["remedy"] == "weights"]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (entry["low"], entry["high"]) == pytest.approx(tuple(expected))
    assert entry["n"] == 3


def test_tasks_of_one_origin_count_once() -> None:
    names = ("digits-8-1-20", "digits-8-1-100", "pima", "sms-spam")
    rows = [*made(names), *made(names, model="mlp")]
    gain = {"digits-8-1-20": 0.1, "digits-8-1-100": 0.3, "pima": 0.5, "sms-spam": 0.3}
    for row in rows:
        if row["loss"] == "dice":
            row["f1_own"] = 0.5 + gain[row["data_set"]]
            row["validation_f1_own"] = 0.9
        if row["loss"] == "weighted_bce":
            row["f1_own"] = 0.5 + gain[row["data_set"]] / 2
    found = {row["remedy"]: row for row in answer(rows, "f1")}
    modified, weights = found["modified"], found["weights"]
    assert modified["n"] == 3
    assert modified["mean"] == pytest.approx((0.2 + 0.5 + 0.3) / 3)
    expected = stats.ttest_1samp([0.2, 0.5, 0.3], 0).confidence_interval(0.95)
    assert (modified["low"], modified["high"]) == pytest.approx(tuple(expected))
    assert modified["low"] < 0
    assert weights["share"] is None
    assert weights["shortfall"] == pytest.approx(0.5 / 3)


def test_a_share_has_an_interval_where_there_is_a_gain() -> None:
    rows = made(("pima", "german", "abalone", "sms-spam"))
    gain = {"pima": 0.2, "german": 0.22, "abalone": 0.18, "sms-spam": 0.21}
    part = {"pima": 0.1, "german": 0.22, "abalone": 0.09, "sms-spam": 0.105}
    for row in rows:
        if row["loss"] == "dice":
            row.update(f1_own=0.5 + gain[row["data_set"]], validation_f1_own=0.9)
        if row["loss"] == "weighted_bce":
            row["f1_own"] = 0.5 + part[row["data_set"]]
    found = {row["remedy"]: row for row in answer(rows, "f1")}
    assert found["modified"]["share"] == 1
    weights = found["weights"]
    assert weights["share"] == pytest.approx(0.515 / 0.81)
    assert 0.5 <= weights["share_low"] < weights["share"] < weights["share_high"] <= 1
    assert answer(rows, "f1") == list(found.values())


def test_origins_are_told_from_names() -> None:
    names = ("digits-8", "digits-3-1-20", "fashion-6-1-500", "breast-cancer-1-5", "mammography")
    assert [origin(name) for name in names] == [
        "digits",
        "digits",
        "fashion",
        "breast-cancer",
        "mammography",
    ]
