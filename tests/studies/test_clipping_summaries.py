"""Correlations and intervals on rows whose answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from scispaces.studies.clipping_summaries import (
    STATISTICS,
    association,
    associations,
    curve,
    mean_interval,
)

Row = dict[str, float]


def rows_of(norms: list[float], values: list[float]) -> list[Row]:
    return [
        {"update": at, "gradient_norm": norm, "hessian": value}
        for at, (norm, value) in enumerate(zip(norms, values, strict=True))
    ]


def test_a_power_law_is_found_whatever_the_order_of_the_rows() -> None:
    norms = [0.5, 2.0, 1.0, 3.0, 0.7]
    found = association(rows_of(norms, [4 * norm**1.5 for norm in norms])[::-1])
    assert set(found) == set(STATISTICS)
    assert found["pearson"] == pytest.approx(1)
    assert found["exponent"] == pytest.approx(1.5)
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson_of_changes"] == pytest.approx(1)


def test_a_line_is_found() -> None:
    norms = [0.5, 2.0, 1.0, 3.0, 0.7]
    found = association(rows_of(norms, [3 + 2 * norm for norm in norms]))
    assert found["l1"] == pytest.approx(2)
    assert found["l0"] == pytest.approx(3)
    assert found["pearson"] < 1


def test_a_common_trend_correlates_the_values_but_not_their_changes() -> None:
    """Both rise by e at every probe, but for jitters that are opposite."""
    jitter = np.array([0.1, -0.1, 0.15, -0.05, 0.1, -0.12])
    trend = np.arange(6.0)
    norms, values = np.exp(trend + jitter), np.exp(trend - jitter)
    found = association(rows_of(norms.tolist(), values.tolist()))
    assert found["pearson"] > 0.95
    assert found["pearson_of_changes"] == pytest.approx(-1)


def test_runs_are_told_apart_and_dead_ones_left_empty() -> None:
    norms = [0.5, 2.0, 1.0, 3.0]
    alive = [row | {"seed": 0} for row in rows_of(norms, norms)]
    dead = [row | {"seed": 1} for row in rows_of(norms, [1.0, 1.0, 0.0, 0.0])]
    found = associations([*dead, *alive], ["seed"])
    assert [row["seed"] for row in found] == [1, 0]
    assert found[0] == {"seed": 1} | dict.fromkeys(STATISTICS)
    assert found[1]["l1"] == pytest.approx(1)


def test_too_few_probes_and_zeros_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`rows` must hold four probes at least\. Got 3"):
        association(rows_of([1, 2, 3], [1, 2, 3]))
    with pytest.raises(ValueError, match=r"`rows` must have positive norms and hessian"):
        association(rows_of([1, 2, 3, 4], [1, 2, 3, 0]))


def test_the_interval_is_that_of_student() -> None:
    values = [1.0, 2.5, 2.0, 4.0]
    found = mean_interval(values, confidence=0.9)
    test = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found["low"], found["high"]) == pytest.approx((test.low, test.high))
    assert found["mean"] == pytest.approx(2.375)
    assert found["n"] == 4


def test_correlations_are_averaged_after_the_transformation_of_fisher() -> None:
    values = [0.9, 0.99, 0.2]
    plain = mean_interval([math.atanh(value) for value in values])
    found = mean_interval(values, correlations=True)
    for end in ("mean", "low", "high"):
        assert found[end] == pytest.approx(math.tanh(plain[end]))
    assert -1 < found["low"] < found["high"] < 1
    with pytest.raises(ValueError, match=r"`values` must have two entries at least\. Got 1"):
        mean_interval([0.5])


def test_a_curve_is_read_back() -> None:
    np.testing.assert_array_equal(curve({"c": "3.5;2;1e-05"}, "c"), [3.5, 2.0, 1e-5])
