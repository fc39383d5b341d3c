"""Ranks, tests and intervals on a published example and on rows made by hand."""

from typing import Any

import pytest
from scipy import stats

from scispaces.studies import ranks

# Table 6 of Demšar (2006): area under the curve of four classifiers on fourteen data sets. The
# article gives the average ranks below and chi-square 9.28; its Nemenyi critical difference for
# four classifiers on fourteen sets is 1.25 at 5 % and 1.12 at 10 %. It ranks two values printed as
# 0.975 apart, from digits it does not print; hence the 0.9751.
DEMSAR = """
0.763 0.768 0.771 0.798
0.599 0.591 0.590 0.569
0.954 0.971 0.968 0.967
0.628 0.661 0.654 0.657
0.882 0.888 0.886 0.898
0.936 0.931 0.916 0.931
0.661 0.668 0.609 0.685
0.583 0.583 0.563 0.625
0.775 0.838 0.866 0.875
1.000 1.000 1.000 1.000
0.940 0.962 0.965 0.962
0.619 0.666 0.614 0.669
0.972 0.981 0.9751 0.975
0.957 0.978 0.946 0.970
"""
CLASSIFIERS = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")


@pytest.fixture
def published() -> list[dict[str, Any]]:
    return [
        {
            "data_set": str(number),
            "model": "tree",
            "loss": name,
            "seed": 0,
            "average_precision": float(value),
        }
        for number, line in enumerate(DEMSAR.split("\n")[1:-1])
        for name, value in zip(CLASSIFIERS, line.split(), strict=True)
    ]


def made(differences: dict[str, list[float]], metric: str = "coverage") -> list[dict[str, Any]]:
    """Rows in which zlpr exceeds bce by a given difference for each seed."""
    return [
        {"data_set": name, "model": "linear", "loss": loss, "seed": seed, metric: value}
        for name, numbers in differences.items()
        for seed, difference in enumerate(numbers)
        for loss, value in (("bce", 0.5), ("zlpr", 0.5 + difference))
    ]


def test_average_ranks_of_the_published_example(published: list[dict[str, Any]]) -> None:
    found = ranks.average_ranks(published, "average_precision", larger_is_better=True)
    assert [round(found[name], 3) for name in CLASSIFIERS] == [3.143, 2.0, 2.893, 1.964]


def test_friedman_of_the_published_example(published: list[dict[str, Any]]) -> None:
    found = ranks.friedman(published, "average_precision")
    assert (found["losses"], found["blocks"]) == (4, 14)
    # The article makes no correction for ties. One row has four equal values, three have two.
    average = ranks.average_ranks(published, "average_precision", larger_is_better=True)
    squares = sum(rank**2 for rank in average.values())
    uncorrected = 12 * 14 / (4 * 5) * (squares - 4 * 5**2 / 4)
    assert uncorrected == pytest.approx(9.28, abs=0.005)
    ties = (4**3 - 4 + 3 * (2**3 - 2)) / (14 * (4**3 - 4))
    assert found["chi_square"] == pytest.approx(uncorrected / (1 - ties))
    ratio = 13 * found["chi_square"] / (14 * 3 - found["chi_square"])
    assert found["iman_davenport"] == pytest.approx(ratio)
    assert found["iman_davenport_p_value"] == pytest.approx(stats.f.sf(ratio, 3, 39))
    assert found["p_value"] < 0.05


def test_critical_difference_of_the_published_example() -> None:
    assert ranks.nemenyi_critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert ranks.nemenyi_critical_difference(4, 14, alpha=0.1) == pytest.approx(1.12, abs=0.005)


def test_a_measure_is_ranked_in_the_direction_told() -> None:
    rows = made({"a": [0.1]})
    found = ranks.average_ranks(rows, "coverage", larger_is_better=False)
    assert found == {"bce": 1.0, "zlpr": 2.0}
    found = ranks.average_ranks(rows, "coverage", larger_is_better=True)
    assert found == {"bce": 2.0, "zlpr": 1.0}


def test_a_loss_without_the_metric_takes_no_part() -> None:
    absent = {"data_set": "a", "model": "linear", "loss": "softmax", "seed": 0, "coverage": None}
    rows = [*made({"a": [0.1]}), absent]
    found = ranks.average_ranks(rows, "coverage", larger_is_better=False)
    assert set(found) == {"zlpr", "bce"}


def test_blocks_with_different_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="must have the same losses in every block"):
        ranks.friedman([*made({"a": [0.1]}), made({"b": [0.1]})[0]], "coverage")


def test_paired_differences_are_the_one_sample_interval_of_scipy() -> None:
    numbers = [0.1, 0.3, -0.1, 0.2]
    (entry,) = ranks.paired_differences(made({"a": numbers}), "coverage", "zlpr", rival="bce")
    expected = stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
    assert entry["data_set"] == "a"
    assert entry["n"] == 4
    assert entry["mean"] == pytest.approx(0.125)
    assert (entry["low"], entry["high"]) == pytest.approx(tuple(expected))


def test_one_seed_gives_no_interval() -> None:
    with pytest.raises(ValueError, match=r"must have two seeds .* Got 1 in a, linear"):
        ranks.paired_differences(made({"a": [0.1]}), "coverage", "zlpr", rival="bce")


def test_wilcoxon_counts_in_the_direction_told() -> None:
    rows = made({name: [0.01 * (at + 1)] for at, name in enumerate("abcdef")})
    found = ranks.wilcoxon(rows, "coverage", "zlpr", rival="bce", larger_is_better=False)
    assert (found["wins"], found["losses"], found["blocks"]) == (0, 6, 6)
    assert found["p_value"] == pytest.approx(2 / 2**6)
    assert found["median_difference"] == pytest.approx(0.035)
    other = ranks.wilcoxon(rows, "coverage", "zlpr", rival="bce", larger_is_better=True)
    assert other == {**found, "wins": 6, "losses": 0}


def test_numbers_are_plain_python_numbers(published: list[dict[str, Any]]) -> None:
    rows = made({name: [0.1] for name in "abc"})
    results = [
        *ranks.average_ranks(published, "average_precision", larger_is_better=True).values(),
        *ranks.friedman(published, "average_precision").values(),
        *ranks.wilcoxon(rows, "coverage", "zlpr", rival="bce", larger_is_better=True).values(),
        ranks.nemenyi_critical_difference(3, 5),
    ]
    assert {type(number) for number in results} == {int, float}
