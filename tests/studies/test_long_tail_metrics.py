"""Weighted metrics against counting by hand."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from scispaces.studies.long_tail_metrics import calibration_error, class_errors, log_loss, thirds


def test_class_errors_are_shares_within_each_class() -> None:
    targets = torch.tensor([[0, 0, 0, 1, 2]])
    scores = torch.eye(3)[torch.tensor([[0, 0, 1, 1, 0]])]
    torch.testing.assert_close(class_errors(scores, targets, 3), torch.tensor([[1 / 3, 0.0, 1.0]]))


def test_calibration_error_of_two_bins_by_hand() -> None:
    # Confidences .9 (right), .9 (wrong) in one bin; .6 (right) in another.
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    targets = torch.tensor([[0, 1, 1]])
    even = torch.full((1, 3), 1 / 3)
    found = calibration_error(p.log().unsqueeze(0), targets, even)
    assert found.item() == pytest.approx((abs(1 - 1.8) + abs(1 - 0.6)) / 3, abs=1e-6)
    heavy = torch.tensor([[0.5, 0.25, 0.25]])
    found = calibration_error(p.log().unsqueeze(0), targets, heavy)
    assert found.item() == pytest.approx(abs(0.5 * 0.1 - 0.25 * 0.9) + 0.25 * 0.4, abs=1e-6)


def test_a_certain_and_right_model_has_no_calibration_error() -> None:
    scores = 1e3 * torch.eye(2).unsqueeze(0)
    even = torch.full((1, 2), 0.5)
    assert calibration_error(scores, torch.tensor([[0, 1]]), even).item() == 0
    assert calibration_error(scores, torch.tensor([[1, 0]]), even).item() == 1


def test_log_loss_is_cross_entropy_with_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 7, 3, generator=generator)
    targets = torch.randint(3, (2, 7), generator=generator)
    weights = torch.rand(2, 7, generator=generator)
    found = log_loss(scores, targets, weights)
    for seed in range(2):
        each = cross_entropy(scores[seed], targets[seed], reduction="none")
        torch.testing.assert_close(found[seed], (weights[seed] * each).sum())


@pytest.mark.parametrize("classes", [3, 10, 28, 52])
def test_thirds_cover_all_classes_once(classes: int) -> None:
    parts = thirds(classes)
    assert [number for part in parts for number in range(classes)[part]] == list(range(classes))
    assert len(range(classes)[parts[0]]) == len(range(classes)[parts[2]])
