"""ZLPR: softmax and cross-entropy carried over to any number of labels a row."""

import numpy as np
import torch
from torch import Tensor, nn

from scispaces.losses._common import (
    Reduction,
    check_like_logits,
    check_logits,
    check_mask,
    check_targets,
    reduce_rows,
    values_are_readable,
    wide,
)
from scispaces.losses._zlpr_kernel import (
    IndexedZLPR,
    Positives,
    WeightedZLPR,
    Weights,
    plain_rows,
)


def zlpr_loss(
    logits: Tensor, targets: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    check_logits(logits, reduction)
    check_like_logits("targets", targets, logits)
    check_mask(mask, logits)
    flat = targets.detach().flatten(0, -2) if targets.ndim > 1 else targets.detach()[None]
    labels: Positives | Weights | None = None
    if mask is None and flat.device.type == "cpu" and values_are_readable(logits, targets):
        labels = _hard_positives(flat)
    if labels is None:
        check_targets(targets, logits)
        labels = Weights(flat, None if mask is None else mask.reshape(flat.shape))
    return _reduced(logits, labels, reduction)


def zlpr_loss_from_indices(
    logits: Tensor, positives: Tensor, *, padding_index: int = -1, reduction: Reduction = "mean"
) -> Tensor:
    check_logits(logits, reduction)
    return _reduced(logits, _indexed_positives(positives, logits, padding_index), reduction)


def zlpr_predict(logits: Tensor) -> Tensor:
    check_logits(logits, "none")
    return logits > 0


def _reduced(logits: Tensor, labels: Positives | Weights, reduction: Reduction) -> Tensor:
    if logits.shape[-1] == 0:
        return reduce_rows(logits.to(wide(logits.dtype)).sum(-1), reduction)
    flat = logits.reshape(-1, logits.shape[-1])
    if not values_are_readable(logits):
        rows = plain_rows(flat, labels)
    elif isinstance(labels, Positives):
        rows = IndexedZLPR.apply(flat, *labels)
    else:
        rows = WeightedZLPR.apply(flat, *labels)
    return reduce_rows(rows.reshape(logits.shape[:-1]), reduction)


def _indexed_positives(positives: Tensor, logits: Tensor, padding_index: int) -> Positives:
    k = positives.shape[-1]
    classes = logits.shape[-1]
    flat = positives.reshape(-1, k).long() if k else positives.new_empty(logits.shape[:-1].numel(),0).long()
    if k == 0:
        flat = flat.new_full((flat.shape[0], 1), padding_index)
    real = flat != padding_index
    if flat.numel() and values_are_readable(logits, positives):
        low, high = torch.aminmax(torch.where(real, flat, 0))
        if low.item() < 0 or high.item() >= max(1, classes):
            raise ValueError("bad index")
    ordered = torch.where(real, flat, -1).sort(-1).values
    first = ordered > torch.nn.functional.pad(ordered[:, :-1], (1, 0), value=-1)
    index = torch.where(ordered < 0, ordered[:, -1:], ordered).clamp_min(0)
    return Positives(index, first)


def _hard_positives(targets: Tensor) -> Positives | None:
    """Sparse hard targets as places, or None where the matrix itself serves better."""
    rows, classes = targets.shape
    array = targets.numpy()
    places = torch.from_numpy(np.flatnonzero(array if array.dtype == bool else array != 0))
    if len(places) > targets.numel() // 8:
        return None
    if targets.dtype is not torch.bool and not (targets.flatten()[places] == 1).all():
        return None
    row = places // classes
    counts = torch.bincount(row, minlength=rows)
    most = max(1, int(counts.max())) if rows else 1
    if most * rows > targets.numel() // 8:
        return None
    rank = torch.arange(len(places)) - (counts.cumsum(0) - counts)[row]
    index = torch.full((rows, most), -1)
    index[row, rank] = places % classes
    first = index >= 0
    return Positives(torch.where(first, index, index[:, :1]).clamp_min(0), first)


class ZLPRLoss(nn.Module):
    """`zlpr_loss` for code that wants a module."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        return zlpr_loss(logits, targets, mask=mask, reduction=self.reduction)
