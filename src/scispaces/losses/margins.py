"""Softmax cross-entropy with a margin for every pair of classes, and its special cases."""

import math

import torch
from torch import Tensor

from scispaces.losses._common import (
    Reduction,
    check_class_indices,
    check_class_numbers,
    check_logits,
    check_prior,
    reduce_rows,
    wide,
)
from scispaces.losses._one_against_others import advantage, focal_values


def softmax_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Focal loss of a softmax, -w_y (1 - p_y)^gamma log p_y."""
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    if not 0 <= gamma < math.inf:
        raise ValueError(f"`gamma` must be finite and at least 0. Got {gamma!r}.")
    scores, index = logits.to(wide(logits.dtype)), targets.long()
    rows = focal_values(advantage(scores, index, None, whole=False), gamma)
    return reduce_rows(_weighted(rows, index, class_weights, logits), reduction)


def pairwise_margin_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    margins: Tensor | None = None,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """alpha_y log(1 + sum over y' != y of exp(margin[y, y'] + f_y' - f_y))."""
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    scores, index = logits.to(wide(logits.dtype)), targets.long()
    table = None if margins is None else margins.detach().to(scores)
    if table is not None:
        classes = logits.shape[-1]
        if any(size not in (1, classes) for size in table.shape) or table.ndim > 2:
            raise ValueError(
                f"`margins` must broadcast to ({classes}, {classes}). Got {tuple(table.shape)}."
            )
        table = table.reshape((1,) * (2 - table.ndim) + tuple(table.shape))
    rows = focal_values(advantage(scores, index, table, whole=False), 0.0)
    return reduce_rows(_weighted(rows, index, class_weights, logits), reduction)


def logit_adjusted_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    class_prior: Tensor,
    *,
    tau: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Softmax cross-entropy of logits + tau log prior."""
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    check_prior(class_prior, logits.shape[-1])
    _check_finite("tau", tau)
    scores, index = logits.to(wide(logits.dtype)), targets.long()
    shift = (tau * class_prior.detach().log()).to(scores)[None]
    rows = focal_values(advantage(scores, index, shift, whole=True), 0.0)
    return reduce_rows(rows, reduction)


def adjust_logits(logits: Tensor, class_prior: Tensor, *, tau: float = 1.0) -> Tensor:
    """Post-hoc adjustment: logits - tau log prior."""
    check_logits(logits, "none")
    check_prior(class_prior, logits.shape[-1])
    _check_finite("tau", tau)
    return logits.to(wide(logits.dtype)) - (tau * class_prior.detach().log()).to(
        logits.device, wide(logits.dtype)
    )


def logit_adjustment_margins(class_prior: Tensor, *, tau: float = 1.0) -> Tensor:
    """Margins of logit adjustment: tau log(prior[y'] / prior[y])."""
    check_prior(class_prior)
    _check_finite("tau", tau)
    log_prior = class_prior.detach().log()
    return tau * (log_prior - log_prior.unsqueeze(-1))


def ldam_margins(class_counts: Tensor, *, largest: float = 0.5) -> Tensor:
    """Margins of LDAM: proportional to count[y]^(-1/4), the largest of them `largest`."""
    check_class_numbers("class_counts", class_counts, positive=True)
    _check_finite("largest", largest)
    margins = (class_counts / class_counts.min()) ** -0.25 * largest
    return margins.unsqueeze(-1).expand(-1, len(margins))


def equalised_margins(class_prior: Tensor, *, power: float = 1.0) -> Tensor:
    """Margins of the equalised loss: power * log prior[y']."""
    check_prior(class_prior)
    _check_finite("power", power)
    margins = power * class_prior.detach().log()
    return margins.expand(len(margins), -1)


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite. Got {value!r}.")


def _weighted(rows: Tensor, index: Tensor, weights: Tensor | None, logits: Tensor) -> Tensor:
    if weights is None:
        return rows
    check_class_numbers("class_weights", weights, classes=logits.shape[-1])
    return torch.where(weights[index] > 0, rows, 0) * weights.detach().to(rows)[index]
