"""Where weights, additive and multiplicative margins end on separable data."""

import numpy as np
import pytest
from sklearn.svm import SVC

from scispaces.studies.binary_separable import (
    METHODS,
    Row,
    separable_data,
    train_separable,
    widest_margin,
)

ITERATIONS = 4000


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return train_separable(*separable_data(), iterations=ITERATIONS)


def last(rows: list[Row], method: str) -> Row:
    return next(row for row in rows if row["method"] == method and row["iteration"] == ITERATIONS)


def test_the_data_is_separable_and_the_positives_are_few() -> None:
    points, signs = separable_data(3, 40, seed=5)
    assert (points[:, 1] * signs > 0).all()
    assert [(signs == side).sum() for side in (1, -1)] == [3, 40]


def test_the_widest_margin_is_that_of_a_support_vector_machine() -> None:
    points, signs = separable_data()
    # With the bias among the features as a constant, which the machine's own intercept is not.
    inputs = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    found = widest_margin(points, signs)
    machine = SVC(kernel="linear", C=1e6, tol=1e-9).fit(
        np.concatenate([inputs, -inputs]), np.concatenate([signs, -signs])
    )
    np.testing.assert_allclose(found, machine.coef_[0], rtol=1e-3)
    assert machine.intercept_[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_widest_margin_keeps_every_distance_it_was_asked_for(scale: float) -> None:
    points, signs = separable_data()
    weights = widest_margin(points, signs, scale)
    room = signs * (points @ weights[:2] + weights[2])
    assert room[signs > 0].min() == pytest.approx(scale)
    assert room[signs < 0].min() == pytest.approx(1)


def test_points_that_no_line_divides_are_refused() -> None:
    points = np.array([[0.0], [1.0], [2.0]])
    with pytest.raises(ValueError, match="`points` must be separable by a line"):
        widest_margin(points, np.array([1.0, -1.0, 1.0]))


def test_a_weight_and_an_additive_margin_change_nothing_in_the_end(rows: list[Row]) -> None:
    for method in ("cross_entropy", "weighted", "weighted_squared", "logit_adjusted"):
        end = last(rows, method)
        assert end["angle"] < 0.5
        assert end["angle_to_limit"] < 0.5
        assert end["position"] == pytest.approx(0.5, abs=0.01)


def test_both_change_the_line_on_the_way(rows: list[Row]) -> None:
    early = {row["method"]: row["position"] for row in rows if row["iteration"] == 32}
    assert early["logit_adjusted"] < early["weighted"] < early["cross_entropy"]


def test_weights_of_the_squared_ratio_follow_the_adjustment(rows: list[Row]) -> None:
    def path(method: str) -> dict[int, float]:
        return {row["iteration"]: row["position"] for row in rows if row["method"] == method}

    squared, adjusted, weighted = map(path, ("weighted_squared", "logit_adjusted", "weighted"))
    late = [at for at in squared if at >= 36]
    assert max(abs(squared[at] - adjusted[at]) for at in late) < 0.01
    assert max(abs(weighted[at] - adjusted[at]) for at in late) > 0.1


def test_a_multiplicative_margin_ends_elsewhere(rows: list[Row]) -> None:
    end = last(rows, "scaled")
    assert end["angle_to_limit"] < 1
    # Three times as much room before the positives: a quarter of the way, on a parallel line.
    assert end["position"] == pytest.approx(0.25, abs=0.01)
    assert end["angle"] < 1


@pytest.mark.parametrize("method", ["weighted", "scaled"])
def test_the_path_is_that_of_gradient_descent_on_the_logarithm_of_the_loss(method: str) -> None:
    points, signs = separable_data()
    few = train_separable(points, signs, iterations=2, looks=2, rate=0.1)
    inputs = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    weights = np.zeros(3)
    scale = np.where(signs > 0, 3.0, 1.0) if method == "scaled" else np.ones(len(signs))
    factors = scale if method == "scaled" else np.where(signs > 0, 10.0, 1.0)
    for iteration in (1, 2):
        # By differences.
        def log_loss(at: np.ndarray) -> float:
            each = np.logaddexp(0, -signs * (inputs @ at) / scale)
            return float(np.log((factors * each).sum()))

        steps = 1e-6 * np.eye(3)
        slope = [(log_loss(weights + step) - log_loss(weights - step)) / 2e-6 for step in steps]
        weights = weights - 0.1 * np.array(slope)
        row = next(row for row in few if row["method"] == method and row["iteration"] == iteration)
        assert row["norm"] == pytest.approx(np.linalg.norm(weights), rel=1e-6)


def test_every_look_has_every_method(rows: list[Row]) -> None:
    looks = {row["iteration"] for row in rows}
    assert len(rows) == len(looks) * len(METHODS)
    assert {row["method"] for row in rows} == set(METHODS)
    assert {1, ITERATIONS} <= looks
