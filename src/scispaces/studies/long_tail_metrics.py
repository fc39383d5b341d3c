"""How good decisions and probabilities are when classes are rare, by weighted means over rows.

With weights that give every class the same total a mean over rows is a mean over classes
(balanced error); with weights as frequent as the classes are in nature it is the plain mean.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

BINS = 15


def class_errors(scores: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Share of wrong decisions in each class.

    Args:
        scores: `(seeds, rows, classes)`; the largest decides.
        targets: `(seeds, rows)`.
        classes: their number.

    Returns:
        `(seeds, classes)`, NaN for a class without rows.
    """
    members = one_hot(targets, classes).to(scores.dtype)
    wrong = (scores.argmax(-1) != targets).to(scores.dtype)
    return torch.einsum("sr,src->sc", wrong, members) / members.sum(1)


def calibration_error(scores: Tensor, targets: Tensor, weights: Tensor, bins: int = BINS) -> Tensor:
    """Expected calibration error of the softmax: Σ over bins |weight of right − confidence|.

    A row is in the bin of its largest probability, of equal widths in [0, 1].

    Args:
        scores: `(seeds, rows, classes)`.
        targets, weights: `(seeds, rows)`; the weights sum to 1.
        bins: their number.

    Returns:
        `(seeds,)`.

    Reference:
        [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
        networks", ICML (2017).
    """
    best = scores.softmax(-1).max(-1)
    place = (best.values * bins).long().clamp(max=bins - 1)
    gap = weights * ((best.indices == targets).to(scores.dtype) - best.values)
    return scores.new_zeros(len(scores), bins).scatter_add_(1, place, gap).abs().sum(1)


def log_loss(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean of −log softmax of the right class, `(seeds,)`."""
    right = scores.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return -(weights * right).sum(1)


def thirds(classes: int) -> tuple[slice, slice, slice]:
    """The most frequent third of the classes, the middle and the least frequent third.

    Example:
        >>> [len(range(10)[part]) for part in thirds(10)]
        [3, 4, 3]
    """
    size = round(classes / 3)
    return slice(0, size), slice(size, classes - size), slice(classes - size, classes)
