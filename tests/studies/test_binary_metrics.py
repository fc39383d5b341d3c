"""Metrics of one yes-or-no question against scikit-learn and direct definitions."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn import metrics
from torch import Tensor

from scispaces.studies.binary_metrics import (
    Cuts,
    balanced_error,
    brier,
    calibration_error,
    f1,
    platt_scaling,
)


@pytest.fixture(scope="module")
def positives() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(2, 120, generator=generator) < 0.15
    truth[:, 0] = True
    return truth


@pytest.fixture(scope="module")
def scores(positives: Tensor) -> Tensor:
    """Two seeds of three models: scattered, with many ties, and all equal."""
    generator = torch.Generator().manual_seed(2)
    found = torch.randn(2, 3, 120, generator=generator) + positives.unsqueeze(1)
    found[:, 1] = (2 * found[:, 1]).round() / 2
    found[:, 2] = 0.25
    return found


def models(scores: Tensor, positives: Tensor) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    return [
        (seed, model, positives[seed].numpy(), scores[seed, model].numpy())
        for seed, model in np.ndindex(2, 3)
    ]


def test_areas_are_those_of_scikit_learn(scores: Tensor, positives: Tensor) -> None:
    cuts = Cuts.of(scores, positives.unsqueeze(1))
    precision, area = cuts.average_precision(), cuts.roc_auc()
    for seed, model, truth, values in models(scores, positives):
        expected = metrics.average_precision_score(truth, values)
        assert precision[seed, model].item() == pytest.approx(expected, abs=1e-6)
        expected = metrics.roc_auc_score(truth, values)
        assert area[seed, model].item() == pytest.approx(expected, abs=1e-6)


def test_the_best_threshold_is_the_best_of_all(scores: Tensor, positives: Tensor) -> None:
    each = positives.unsqueeze(1)
    cuts = Cuts.of(scores, each)
    (best, threshold), (accuracy, other) = cuts.best_f1(), cuts.best_balanced_accuracy()
    torch.testing.assert_close(f1(scores, each, threshold.unsqueeze(-1)), best)
    reached = 1 - balanced_error(scores, each, other.unsqueeze(-1))
    torch.testing.assert_close(reached, accuracy)
    for seed, model, truth, values in models(scores, positives):
        all_f1 = [metrics.f1_score(truth, values >= cut) for cut in values]
        assert best[seed, model].item() == pytest.approx(max(all_f1), abs=1e-6)
        all_recalls = [metrics.balanced_accuracy_score(truth, values >= cut) for cut in values]
        assert accuracy[seed, model].item() == pytest.approx(max(all_recalls), abs=1e-6)


def test_decisions_at_zero_are_those_of_scikit_learn(scores: Tensor, positives: Tensor) -> None:
    each = positives.unsqueeze(1)
    found, wrong = f1(scores, each, 0.0), balanced_error(scores, each, 0.0)
    for seed, model, truth, values in models(scores, positives):
        expected = metrics.f1_score(truth, values > 0)
        assert found[seed, model].item() == pytest.approx(expected, abs=1e-6)
        expected = 1 - metrics.balanced_accuracy_score(truth, values > 0)
        assert wrong[seed, model].item() == pytest.approx(expected, abs=1e-6)


def test_f1_of_no_prediction_is_zero(positives: Tensor) -> None:
    assert f1(torch.full((120,), -1.0), positives[0], 0.0) == 0
    assert balanced_error(torch.full((120,), -1.0), positives[0], 0.0) == 0.5


def test_brier_is_that_of_scikit_learn(scores: Tensor, positives: Tensor) -> None:
    found = brier(scores.sigmoid(), positives.unsqueeze(1))
    for seed, model, truth, values in models(scores, positives):
        probabilities = torch.from_numpy(values).sigmoid().numpy()
        expected = metrics.brier_score_loss(truth, probabilities)
        assert found[seed, model].item() == pytest.approx(expected, abs=1e-6)


def test_calibration_error_is_the_mean_distance_in_the_bins() -> None:
    probabilities = torch.tensor([0.1, 0.2, 0.6, 0.7, 0.8, 1.0])
    positives = torch.tensor([False, True, True, True, False, True])
    # Two bins: mean probability 0.15 against frequency 1/2, and 3.1/4 against 3/4.
    expected = (2 * (0.5 - 0.15) + 4 * abs(3.1 / 4 - 3 / 4)) / 6
    assert calibration_error(probabilities, positives, bins=2).item() == pytest.approx(expected)
    stacked = calibration_error(probabilities.repeat(3, 1), positives, bins=2)
    torch.testing.assert_close(stacked, torch.full((3,), expected))


def test_platt_scaling_minimises_its_loss(scores: Tensor, positives: Tensor) -> None:
    slope, intercept = platt_scaling(scores, positives.unsqueeze(1))
    for seed, model, truth, values in models(scores, positives):
        number = truth.sum()
        targets = np.where(truth, (number + 1) / (number + 2), 1 / (len(truth) - number + 2))

        def loss(
            line: np.ndarray, values: np.ndarray = values, targets: np.ndarray = targets
        ) -> float:
            logits = line[0] * values + line[1]
            return float((np.logaddexp(0, logits) - targets * logits).sum())

        found = np.array([slope[seed, model].item(), intercept[seed, model].item()])
        assert loss(found) <= minimize(loss, [0.0, 0.0], tol=1e-10).fun + 1e-6


@pytest.mark.parametrize("distance", [0.1, 10.0, 1e6])
def test_platt_scaling_stays_finite_where_the_classes_are_separable(distance: float) -> None:
    positives = torch.arange(300) < 3
    scores = positives * distance + torch.linspace(0, 1e-3, 300)
    slope, intercept = platt_scaling(scores, positives)
    fitted = (slope * scores + intercept).sigmoid()
    # Platt's targets: 4/5 for the three positives, 1/299 for the others.
    torch.testing.assert_close(fitted[:3], torch.full((3,), 0.8).double(), atol=2e-2, rtol=0)
    torch.testing.assert_close(fitted[3:], torch.full((297,), 1 / 299).double(), atol=2e-3, rtol=0)
