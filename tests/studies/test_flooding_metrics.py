"""Calibration and Brier score against plain loops."""

import math

import pytest
import torch

from scispaces.studies.flooding_metrics import (
    METRICS,
    adaptive_calibration_error,
    brier_score,
    judge,
    losses_and_accuracy,
)


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = 2 * torch.randn(3, 4, 50, generator=generator, dtype=torch.float64)
    return scores, torch.randint(0, 4, (3, 50), generator=generator)


def test_adaptive_calibration_error_is_what_a_loop_computes(
    drawn: tuple[torch.Tensor, torch.Tensor],
) -> None:
    scores, targets = drawn
    for network in range(3):
        rows = []
        for at in range(50):
            probabilities = scores[network, :, at].softmax(0)
            best = int(probabilities.argmax())
            rows.append((float(probabilities[best]), best == int(targets[network, at])))
        rows.sort()
        # 50 rows in 15 bins: five bins of four rows, then ten of three.
        sizes, start, total = [4] * 5 + [3] * 10, 0, 0.0
        for size in sizes:
            part = rows[start : start + size]
            total += abs(sum(right - confidence for confidence, right in part))
            start += size
        found = adaptive_calibration_error(scores, targets)[network]
        assert float(found) == pytest.approx(total / 50, rel=1e-12)


def test_a_calibrated_forecast_has_little_calibration_error() -> None:
    generator = torch.Generator().manual_seed(1)
    chance = 0.5 + 0.5 * torch.rand(1, 40_000, generator=generator)
    targets = (torch.rand(1, 40_000, generator=generator) > chance).long()
    scores = torch.stack([chance.log(), (1 - chance).log()], 1)
    assert float(adaptive_calibration_error(scores, targets)) < 0.012
    assert float(adaptive_calibration_error(3 * scores, targets)) > 0.1


@pytest.mark.parametrize("bins", [0, 51])
def test_bins_without_rows_are_refused(drawn: tuple[torch.Tensor, torch.Tensor], bins: int) -> None:
    with pytest.raises(ValueError, match=r"`bins` must be at least 1 and at most the 50 rows"):
        adaptive_calibration_error(*drawn, bins)


def test_brier_score_has_its_known_values(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    targets = torch.tensor([[0, 1]])
    sure = torch.tensor([[[100.0, -100.0], [-100.0, 100.0]]])
    assert float(brier_score(sure, targets)) == 0
    assert float(brier_score(-sure, targets)) == 2
    assert float(brier_score(torch.zeros(1, 4, 2), targets)) == pytest.approx(0.75)
    scores, drawn_targets = drawn
    probabilities = scores.softmax(1)
    by_hand = sum(
        (float(probabilities[0, c, at]) - (c == int(drawn_targets[0, at]))) ** 2
        for at in range(50)
        for c in range(4)
    )
    assert float(brier_score(scores, drawn_targets)[0]) == pytest.approx(by_hand / 50)


def test_loss_and_accuracy_are_means_over_rows() -> None:
    scores = torch.tensor([[[0.0, 0.0], [math.log(3), -1e4]]])
    loss, accuracy = losses_and_accuracy(scores, torch.tensor([[1, 1]]))
    assert float(accuracy) == 0.5
    assert float(loss) == pytest.approx((-math.log(3 / 4) + 1e4) / 2)


def test_judging_has_every_metric_and_two_on_flipped_labels() -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(2, 3, 60, generator=generator)
    true = scores.argmax(1)
    wrong = (true + 1) % 3
    found = judge(scores, true, wrong)
    assert found.keys() == METRICS.keys()
    assert found["test_accuracy"].tolist() == [1, 1]
    assert (found["noisy_loss"] > found["test_loss"]).all()
    confidence = scores.softmax(1).max(1).values.mean(1)
    assert found["noisy_ece"] == pytest.approx(confidence, abs=1e-6)
    assert found["ece"] == pytest.approx(1 - confidence, abs=1e-6)
