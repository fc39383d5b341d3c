"""ZLPR: softmax and cross-entropy carried over to any number of labels in a row."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scispaces.losses._blocks import loss_of_rows
from scispaces.losses._common import (
    Reduction,
    check_indices,
    check_like_logits,
    check_logits,
    check_mask,
    check_targets,
    refuse_value,
    values_are_readable,
)
from scispaces.losses._zlpr_kernel import ZLPRByPlace, ZLPRByWeight


def zlpr_loss(
    logits: Tensor, targets: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Zero-bounded log-sum-exp and pairwise rank-based loss of every row.

    .. math:: \mathcal L = \log\Big(1 + \sum_i t_i e^{-s_i}\Big)
        + \log\Big(1 + \sum_i (1 - t_i) e^{s_i}\Big)

    (book: `zlpr-loss` for hard, `zlpr-soft-loss` for soft targets). Give it raw scores, without
    sigmoid or softmax, and predict the classes with a score above 0: `zlpr_predict`.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Labels t in [0, 1] of the same shape: bool, integer or float, hard or soft. They
            are constants: no gradient flows into them.
        mask: Bool of the same shape, True where a class counts. A class that does not count
            leaves value and gradient alone, unless its logit is NaN.
        reduction: "mean", "sum" or "none" over the rows. A row of no classes costs 0.

    Returns:
        A scalar, or shape (...) for reduction "none". Half precision is computed and returned in
        float32, other types in their own; the gradient has the dtype of the logits. An infinite
        logit on the wrong side, or one beyond half the largest float, costs +inf with a finite
        gradient. Hard targets with few positives cost on a CPU what their indices would; the
        only memory of the size of the logits is the gradient (in float32 for half precision).

    Raises:
        TypeError: if the logits are not floating-point or the mask is not boolean.
        ValueError: for targets outside [0, 1] (not looked at under `torch.compile` and
            `torch.func`), another shape or device, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0, 0.5]])
        >>> zlpr_loss(logits, torch.tensor([[1, 0, 1]]))
        tensor(0.8682)
        >>> zlpr_loss(logits, torch.tensor([[0.9, 0.1, 0.8]]))
        tensor(1.5060)

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020) and 9064 (2022), soft targets.
        [2] J. Su et al. ZLPR: A Novel Loss for Multi-label Classification. arXiv:2208.02955.
    """
    check_logits(logits, reduction)
    check_like_logits("targets", targets, logits)
    check_mask(mask, logits)
    flat = targets.detach().reshape(-1, targets.shape[-1]) if targets.numel() else targets
    if mask is None and flat.device.type == "cpu" and values_are_readable(logits, targets):
        places = _places_of_positives(flat)
        if places is not None:
            return loss_of_rows(ZLPRByPlace(), logits, places, reduction)
    check_targets(targets, logits)
    weights = (flat, None if mask is None else mask.reshape(flat.shape))
    return loss_of_rows(ZLPRByWeight(), logits, weights, reduction)


def zlpr_loss_from_indices(
    logits: Tensor, positives: Tensor, *, padding_index: int = -1, reduction: Reduction = "mean"
) -> Tensor:
    r"""ZLPR with the positives given by their indices; no label matrix is made.

    .. math:: \mathcal L = \log\Big(1 + \sum_{j \in pos} e^{-s_j}\Big)
        + \log\Big(1 + \sum_{i \in neg} e^{s_i}\Big)

    (book: `zlpr-loss`). The positives are taken out of the second sum before it is formed. The
    published sparse form subtracts them after, which fails once a positive scores about 15.

    Args:
        logits: Scores s, shape (..., classes).
        positives: Class indices, integer, shape (..., k). A repeated index counts once.
        padding_index: The value that fills up rows of fewer than k positives. It is padding even
            where it would be a class.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; dtypes as in `zlpr_loss`.

    Raises:
        TypeError: if the logits are not floating-point or the indices not integer.
        ValueError: for an index out of range (not looked at under `torch.compile` and
            `torch.func`), other shapes or devices, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]])
        >>> zlpr_loss_from_indices(logits, torch.tensor([[0, 2], [1, -1]]), reduction="none")
        tensor([0.8682, 1.0310])

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020) and 8888 (2022), the sparse form.
    """
    check_logits(logits, reduction)
    check_indices(positives, logits)
    classes = logits.shape[-1]
    flat = positives.long().reshape(-1, positives.shape[-1]) if positives.numel() else None
    if flat is None:
        flat = torch.full((logits.shape[:-1].numel(), 1), -1, device=logits.device)
    elif padding_index != -1:
        # Inside, -1 marks padding; a -1 that was not meant as padding stays out of range.
        flat = torch.where(flat == padding_index, -1, torch.where(flat == -1, -2, flat))
    gaps = True
    if values_are_readable(logits, positives) and positives.numel():
        lowest, highest = (bound.item() for bound in torch.aminmax(flat))
        gaps = lowest < 0
        if lowest < -1 or highest >= classes:
            wrong = (positives != padding_index) & ((positives < 0) | (positives >= classes))
            must = f"lie in [0, {classes}) or be the padding index, {padding_index}"
            refuse_value("positives", positives, wrong, must)
    return loss_of_rows(ZLPRByPlace(), logits, _without_repeats(flat, gaps=gaps), reduction)


def zlpr_predict(logits: Tensor) -> Tensor:
    r"""The classes that ZLPR predicts: those with a score above 0.

    .. math:: \{i : s_i > 0\}

    (book: `zlpr-prediction`). The threshold belongs to the loss and needs no tuning; it is not
    the statement that a class has probability above 1/2.

    Args:
        logits: Scores s, shape (..., classes).

    Returns:
        Bool of the same shape. A score of 0, and NaN, is no prediction.

    Raises:
        TypeError: if the logits are not floating-point.

    Example:
        >>> import torch
        >>> zlpr_predict(torch.tensor([[2.0, -1.0, 0.0]]))
        tensor([[ True, False, False]])

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020).
    """
    check_logits(logits, "none")
    return logits > 0


class ZLPRLoss(nn.Module):
    """`zlpr_loss` for code that wants a module.

    Args:
        reduction: "mean", "sum" or "none" over the rows.

    Example:
        >>> import torch
        >>> ZLPRLoss(reduction="sum")(torch.zeros(2, 3), torch.eye(2, 3))
        tensor(3.5835)
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `zlpr_loss`."""
        return zlpr_loss(logits, targets, mask=mask, reduction=self.reduction)


Places = tuple[Tensor, Tensor, Tensor]  # the labels of `ZLPRByPlace`


def _without_repeats(index: Tensor, *, gaps: bool) -> Places:
    """Sorted, so that a repeated index follows itself; -1 marks gaps."""
    if index.shape[1] == 1:
        return index.clamp_min(0), index >= 0, index >= 0
    index = index.sort(-1).values
    first = F.pad(index[:, 1:] != index[:, :-1], (1, 0), value=True)
    occupied = index[:, -1:] >= 0
    if gaps:
        first = first & (index >= 0)
        index = torch.where(index < 0, index[:, -1:], index).clamp_min(0)
    return index, first, occupied


def _places_of_positives(targets: Tensor) -> Places | None:
    """Hard targets, mostly 0, as places; None where the matrix itself serves better."""
    if targets.numel() == 0:
        return None
    rows, classes = targets.shape
    crowded = targets.numel() // 8
    # numpy finds the few True among many ten times faster than torch; bfloat16 it does not know.
    array = (targets if targets.dtype is not torch.bfloat16 else targets != 0).numpy()
    found = torch.from_numpy(np.flatnonzero(array if array.dtype == bool else array != 0))
    if len(found) > crowded or not bool((targets.flatten()[found] == 1).all()):
        return None
    row = found // classes
    counts = torch.bincount(row, minlength=rows)
    most = max(1, int(counts.max()))
    if most * rows > crowded:
        return None
    rank = torch.arange(len(found)) - (counts.cumsum(0) - counts)[row]
    index = torch.full((rows, most), -1)
    index[row, rank] = found % classes
    first = index >= 0
    return torch.where(first, index, index[:, :1]).clamp_min(0), first, first[:, :1]
