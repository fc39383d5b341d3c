"""Flooding: a training loss that is kept from falling below a level."""

import math
from typing import Literal, NamedTuple

from torch import Tensor

from scispaces.losses._common import Reduction, reduce_rows, wide


class FloodedLoss(NamedTuple):
    """What to differentiate, and what to log."""

    loss: Tensor
    raw: Tensor


def flood(loss: Tensor, level: float) -> Tensor:
    r"""Flooded loss: ascent instead of descent where the loss is below the level.

    .. math:: \tilde L = |L - b| + b, \qquad \nabla \tilde L = \mathrm{sign}(L - b)\, \nabla L

    (book: `flooding-loss`, `flooding-gradient`). Not the same as max(L, b), whose gradient below
    the level is 0 (book: `flooding-clamp`). Give it the mean over a mini-batch for flooding as
    published; with a loss for each example it floods each of them, which by Jensen's inequality is
    never less and is another method. A batch that decides about itself descends on the spread of
    the losses (book: `flooding-batch-spread`). Regularisers are added after it: the level is meant
    for the loss of the data (book: `flooding-total`).

    Args:
        loss: Loss L of any shape; every entry is flooded by itself.
        level: Flood level b >= 0, in the units of the loss; 0 leaves a loss >= 0 alone.

    Returns:
        A tensor of the same shape, float32 or wider, nowhere below the level. Where the loss is
        exactly the level the gradient is 0. NaN stays NaN. The value says nothing about how well
        the data are fitted: log the raw loss (`flood_rows` hands it back).

    Raises:
        TypeError: if the loss is not a floating-point tensor.
        ValueError: for a level that is negative or not finite.

    Example:
        >>> import torch
        >>> loss = torch.tensor([0.9, 0.1], requires_grad=True)
        >>> flood(loss, 0.25)
        tensor([0.9000, 0.4000], grad_fn=<AddBackward0>)
        >>> flood(loss, 0.25).sum().backward()
        >>> loss.grad
        tensor([ 1., -1.])

    References:
        [1] T. Ishida et al. Do We Need Zero Training Loss After Achieving Zero Training Error?
            ICML 2020.
    """
    _check_float("loss", loss)
    if not 0 <= level < math.inf:
        raise ValueError(f"`level` must be at least 0 and finite. Got {level:g}.")
    return (loss.to(wide(loss.dtype)) - level).abs() + level


def flood_rows(
    losses: Tensor,
    level: float,
    *,
    by: Literal["batch", "row"] = "batch",
    reduction: Reduction = "mean",
) -> FloodedLoss:
    r"""Flooded loss of a batch together with the raw loss to log.

    .. math:: \Big|\frac1n \sum_i L_i - b\Big| + b
        \ \text{ (by batch)}, \qquad \frac1n \sum_i \big(|L_i - b| + b\big) \ \text{ (by row)}

    Args:
        losses: Losses of the rows, what a loss with reduction "none" returns.
        level: Flood level b >= 0, in the units of the loss of one row.
        by: "batch" floods the mean of the rows, "row" every row by itself.
        reduction: "mean", or "sum" for n times that; "none" keeps the rows and needs by "row".

    Returns:
        `loss`, to differentiate, and `raw`, the same reduction of the losses as they came,
        without gradient. By row `loss` is never below that by batch (book: `flooding-jensen`).

    Raises:
        TypeError: if the losses are not a floating-point tensor.
        ValueError: for a level that is negative or not finite, no row to average, another `by`
            or reduction, or reduction "none" by batch.

    Example:
        >>> import torch
        >>> losses = torch.tensor([0.2, 1.0])
        >>> flood_rows(losses, 0.5)
        FloodedLoss(loss=tensor(0.6000), raw=tensor(0.6000))
        >>> flood_rows(losses, 0.5, by="row")
        FloodedLoss(loss=tensor(0.9000), raw=tensor(0.6000))

    References:
        [1] T. Ishida et al. Do We Need Zero Training Loss After Achieving Zero Training Error?
            ICML 2020.
    """
    if by not in ("batch", "row"):
        raise ValueError(f"`by` must be 'batch' or 'row'. Got {by!r}.")
    _check_float("losses", losses)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"`reduction` must be 'mean', 'sum' or 'none'. Got {reduction!r}.")
    if losses.numel() == 0 and (by == "batch" or reduction == "mean"):
        raise ValueError(f"`losses` must hold at least one row. Got shape {tuple(losses.shape)}.")
    if by == "batch" and reduction == "none":
        raise ValueError("`reduction` must be 'mean' or 'sum' to flood by batch. Got 'none'.")
    rows = losses.to(wide(losses.dtype))
    raw = reduce_rows(rows.detach(), reduction)
    if by == "row":
        return FloodedLoss(reduce_rows(flood(rows, level), reduction), raw)
    flooded = flood(rows.mean(), level)
    return FloodedLoss(flooded if reduction == "mean" else flooded * rows.numel(), raw)


def _check_float(name: str, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        got = f"dtype {tensor.dtype}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"`{name}` must be a floating-point tensor. Got {got}.")
