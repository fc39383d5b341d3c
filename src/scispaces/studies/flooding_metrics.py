"""How well the probabilities of stacked networks are calibrated, one number for each network."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from scispaces.studies.long_tail_metrics import BINS, calibration_error

# Whether more is better.
METRICS = {
    "test_accuracy": True,
    "test_loss": False,
    "ece": False,
    "ece_adaptive": False,
    "brier": False,
    "noisy_loss": False,
    "noisy_ece": False,
}


def losses_and_accuracy(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and share of right decisions, `(networks,)` each.

    Args:
        scores: `(networks, classes, n)`.
        targets: `(networks, n)`.
    """
    losses = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
    return losses.mean(-1), (scores.argmax(1) == targets).to(scores.dtype).mean(-1)


def adaptive_calibration_error(scores: Tensor, targets: Tensor, bins: int = BINS) -> Tensor:
    """Expected calibration error over bins of equally many rows, in the order of confidence.

    Args:
        scores: `(networks, classes, n)`.
        targets: `(networks, n)`.
        bins: their number; their sizes differ by one row at most.

    Returns:
        `(networks,)`: mean over rows of |share of right − mean confidence| of the row's bin.

    Example:
        >>> scores = torch.tensor([[[2.0, 3.0], [0.0, 0.0]]])
        >>> targets = torch.tensor([[0, 1]])
        >>> [round(float(adaptive_calibration_error(scores, targets, bins)), 4) for bins in (1, 2)]
        [0.4167, 0.5359]
    """
    if not 1 <= bins <= scores.shape[-1]:
        raise ValueError(
            f"`bins` must be at least 1 and at most the {scores.shape[-1]} rows. Got {bins}."
        )
    best = scores.softmax(1).max(1)
    gap = (best.indices == targets).to(scores.dtype) - best.values
    ordered = gap.gather(1, best.values.argsort(dim=1, stable=True))
    parts = ordered.tensor_split(bins, dim=1)
    return torch.stack([part.sum(1).abs() for part in parts]).sum(0) / scores.shape[-1]


def brier_score(scores: Tensor, targets: Tensor) -> Tensor:
    """Mean squared distance of the probabilities from the right corner, between 0 and 2.

    Args:
        scores: `(networks, classes, n)`.
        targets: `(networks, n)`.
    """
    corners = one_hot(targets, scores.shape[1]).mT
    return (scores.softmax(1) - corners).square().sum(1).mean(-1)


def judge(scores: Tensor, targets: Tensor, noisy: Tensor) -> dict[str, Tensor]:
    """Every metric of `METRICS`, `(networks,)` each.

    Args:
        scores: `(networks, classes, n)`.
        targets: the true labels, `(networks, n)`; all metrics but the last two are about them.
        noisy: the flipped labels.
    """
    loss, accuracy = losses_and_accuracy(scores, targets)
    weights = torch.full(targets.shape, 1 / targets.shape[-1])
    return {
        "test_accuracy": accuracy,
        "test_loss": loss,
        "ece": calibration_error(scores.mT, targets, weights),
        "ece_adaptive": adaptive_calibration_error(scores, targets),
        "brier": brier_score(scores, targets),
        "noisy_loss": losses_and_accuracy(scores, noisy)[0],
        "noisy_ece": calibration_error(scores.mT, noisy, weights),
    }
