"""What a finite sample costs: formula against differences, and against repeated fits."""

import numpy as np
import pytest

from scispaces.studies import two_gaussians, two_gaussians_efficiency
from scispaces.studies.two_gaussians import SEPARATION, class_errors


def test_the_second_derivative_of_the_balanced_error_at_the_bayes_rule() -> None:
    slope = 2 * SEPARATION
    curvature = SEPARATION * np.exp(-(SEPARATION**2) / 2) / np.sqrt(2 * np.pi) / slope**2

    def error(along: float, across: float, offset: float) -> float:
        rule = np.array([along + across, along - across]) / np.sqrt(2)
        return float(sum(class_errors(rule, np.array(offset)))) / 2

    step = 1e-3
    for direction, expected in (((0, 1, 0), curvature), ((0, 0, 1), curvature), ((1, 0, 0), 0)):
        move = step * np.array(direction, dtype=float)
        base = np.array([slope, 0, 0])
        found = (error(*(base + move)) - 2 * error(*base) + error(*(base - move))) / step**2
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.fixture(scope="module")
def rows() -> list[two_gaussians.Row]:
    return two_gaussians.run(range(60), rows=4000)


@pytest.mark.parametrize("name", ["erm", "weighted", "ldam"])
def test_variances_are_those_of_repeated_fits(rows: list[two_gaussians.Row], name: str) -> None:
    method = two_gaussians.methods()[name]
    offset, across, along = two_gaussians_efficiency.parameter_variances(method, rows=4000)
    own = [row for row in rows if row["method"] == name]
    offsets = np.array([row["offset"] for row in own])
    sides = np.array([(row["first"] - row["second"]) / np.sqrt(2) for row in own])
    slopes = np.array([(row["first"] + row["second"]) / np.sqrt(2) for row in own])
    # The standard deviation of a variance estimated from 60 values is 18 % of it.
    assert offsets.var(ddof=1) == pytest.approx(offset, rel=0.6)
    assert sides.var(ddof=1) == pytest.approx(across, rel=0.6)
    assert slopes.mean() == pytest.approx(along, rel=0.05)


def test_the_expected_excess_is_the_measured_one(rows: list[two_gaussians.Row]) -> None:
    expected = two_gaussians_efficiency.expected_excess(rows=4000)
    assert set(expected) == {"weighted", "la", "post_hoc"}
    bayes = two_gaussians.bayes_balanced_error()
    for name, value in expected.items():
        excess = np.array([row["balanced_error"] for row in rows if row["method"] == name]) - bayes
        standard_error = excess.std(ddof=1) / np.sqrt(len(excess))
        assert abs(excess.mean() - value) < 3 * standard_error
        assert excess.mean() > 3 * standard_error
    assert expected["la"] == pytest.approx(expected["post_hoc"], rel=1e-9)


def test_weights_need_more_points_than_margins_and_both_pay_by_their_inverse() -> None:
    expected = two_gaussians_efficiency.expected_excess()
    assert expected["weighted"] > expected["la"]
    tenfold = two_gaussians_efficiency.expected_excess(rows=100_000)
    assert tenfold["la"] == pytest.approx(expected["la"] / 10)
