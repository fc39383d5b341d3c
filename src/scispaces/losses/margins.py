"""Softmax cross-entropy with a margin for every pair of classes, and margins to give it."""

import math

from torch import Tensor

from scispaces.losses._blocks import loss_of_rows
from scispaces.losses._common import (
    Reduction,
    check_class_indices,
    check_class_numbers,
    check_class_prior,
    check_logits,
    in_floats,
    refuse_value,
    require,
    values_are_readable,
)
from scispaces.losses._one_against_others import OneAgainstOthers


def pairwise_margin_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    margins: Tensor | None = None,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Softmax cross-entropy that asks class y to win over class y' by a margin of their own.

    .. math:: \mathcal L = \alpha_y \log\Big[1 + \sum_{y' \ne y} e^{\Delta_{yy'}}
        e^{f_{y'} - f_y}\Big]

    (book: `logit-adjustment-margin-family`). The members of the family differ in their margins
    and weights only:

    - logit adjustment: `logit_adjustment_margins`, or faster `logit_adjusted_cross_entropy`
    - LDAM: `ldam_margins`
    - equalised: `equalised_margins`
    - balanced: no margins, weights proportional to 1 / prior, `inverse_frequency_weights`
    - plain cross-entropy: no margins, no weights

    Logit adjustment and balanced are consistent for the balanced error, each by itself; both
    together are not.

    Args:
        logits: Scores f, shape (..., classes).
        targets: Index y of the class of every row, integer, shape (...).
        margins: Margins, entry [y, y'] that of class y over class y'; shape (classes, classes) or
            one that broadcasts to it. The diagonal plays no part. None for margins of 0.
        class_weights: Weight alpha of every class, at least 0, shape (classes,); 1 if not given.
        reduction: "mean", "sum" or "none" over the rows. The mean divides by the number of rows,
            not by the sum of their weights as `torch.nn.functional.cross_entropy` does.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. Besides the gradient, of
        the size of the logits, it takes memory for the margins of a block of rows.

    Raises:
        TypeError: if the logits or margins are not floating-point or the targets not integer.
        ValueError: for a target out of range or a margin that is not finite (not looked at under
            `torch.compile` and `torch.func`), other weights or shapes, or no row to average.

    Example:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0])
        >>> pairwise_margin_cross_entropy(logits, targets)
        tensor(0.2413)
        >>> margins = ldam_margins(torch.tensor([10, 100, 1000]))
        >>> pairwise_margin_cross_entropy(logits, targets, margins=margins)
        tensor(0.3715)

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021, equation (11).
    """
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    if class_weights is not None:
        check_class_numbers("class_weights", class_weights, logits=logits)
    table = None if margins is None else _as_table(margins, logits)
    loss = OneAgainstOthers()
    labels = loss.labels(logits, targets, class_weights, table)
    return loss_of_rows(loss, logits, labels, reduction)


def logit_adjustment_margins(class_prior: Tensor, *, tau: float = 1.0) -> Tensor:
    r"""Margins of logit adjustment, large for a rare class over a frequent one.

    .. math:: \Delta_{yy'} = \tau \log \frac{\pi_{y'}}{\pi_y}

    (book: `logit-adjustment-loss-pairwise`).

    Args:
        class_prior: Probability of every class, positive, of sum 1, shape (classes,).
        tau: Strength; 1 makes the loss consistent for the balanced error, 0 gives no margins.

    Returns:
        Shape (classes, classes), float32 or wider, for `pairwise_margin_cross_entropy`.

    Raises:
        TypeError: if the prior is not floating-point.
        ValueError: if it is not a distribution without zeros, or tau is not finite.

    Example:
        >>> import torch
        >>> logit_adjustment_margins(torch.tensor([0.8, 0.2]))
        tensor([[ 0.0000, -1.3863],
                [ 1.3863,  0.0000]])

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021, equation (10).
    """
    check_class_prior(class_prior)
    require(math.isfinite(tau), "tau", tau, "be finite")
    log_prior = in_floats(class_prior).log()
    return tau * (log_prior - log_prior.unsqueeze(-1))


def ldam_margins(class_counts: Tensor, *, largest: float = 0.5) -> Tensor:
    r"""Margins of LDAM, by the fourth root of the number of samples of the true class.

    .. math:: \Delta_{yy'} = C n_y^{-1/4}

    (book: `logit-adjustment-ldam`), with C such that the rarest class has the margin `largest`.
    The authors' code multiplies margins and normalised scores by a scale of 30: in units of the
    logits, as here, its largest margin of 0.5 is one of 15.

    Args:
        class_counts: Number n of samples of every class, positive, shape (classes,).
        largest: Margin of the rarest class, at least 0.

    Returns:
        Shape (classes, classes), float32 or wider, equal within a row: a view on (classes,)
        numbers.

    Raises:
        TypeError: if the counts are no numbers.
        ValueError: if a count is not positive, or the largest margin not finite and at least 0.

    Example:
        >>> import torch
        >>> ldam_margins(torch.tensor([16, 1]))
        tensor([[0.2500, 0.2500],
                [0.5000, 0.5000]])

    References:
        [1] K. Cao et al. Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss.
            NeurIPS 2019.
    """
    check_class_numbers("class_counts", class_counts, positive=True)
    require(0 <= largest < math.inf, "largest", largest, "be finite and at least 0")
    counts = in_floats(class_counts)
    margins = largest * (counts.min() / counts) ** 0.25
    return margins.unsqueeze(-1).expand(-1, len(margins))


def equalised_margins(class_prior: Tensor, *, power: float = 1.0) -> Tensor:
    r"""Margins of the equalised loss, by the prior of the other class: rare ones push less.

    .. math:: \Delta_{yy'} = \log F(\pi_{y'}), \qquad F(\pi) = \pi^a

    (book: `logit-adjustment-equalised`) with a = `power`. The original has a function F of 0 and
    1, which drops rare others now and then; this smooth one is that of Menon et al.

    Args:
        class_prior: Probability of every class, positive, of sum 1, shape (classes,).
        power: The exponent a; 0 gives no margins.

    Returns:
        Shape (classes, classes), float32 or wider, equal within a column: a view on (classes,)
        numbers.

    Raises:
        TypeError: if the prior is not floating-point.
        ValueError: if it is not a distribution without zeros, or the power is not finite.

    Example:
        >>> import torch
        >>> equalised_margins(torch.tensor([0.75, 0.25]), power=0.5)
        tensor([[-0.1438, -0.6931],
                [-0.1438, -0.6931]])

    References:
        [1] J. Tan et al. Equalization Loss for Long-Tailed Object Recognition. CVPR 2020.
        [2] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021.
    """
    check_class_prior(class_prior)
    require(math.isfinite(power), "power", power, "be finite")
    margins = power * in_floats(class_prior).log()
    return margins.expand(len(margins), -1)


def _as_table(margins: Tensor, logits: Tensor) -> Tensor:
    """The margins with two axes; an axis along which they repeat has length 1."""
    if not isinstance(margins, Tensor) or not margins.is_floating_point():
        got = f"dtype {margins.dtype}" if isinstance(margins, Tensor) else type(margins).__name__
        raise TypeError(f"`margins` must be a floating-point tensor. Got {got}.")
    classes = logits.shape[-1]
    if margins.ndim > 2 or any(size not in (1, classes) for size in margins.shape):
        raise ValueError(
            f"`margins` must broadcast to (classes, classes), ({classes}, {classes}). "
            f"Got shape {tuple(margins.shape)}."
        )
    if margins.device != logits.device:
        raise ValueError(
            f"`margins` must be on the device of `logits`, {logits.device}. Got {margins.device}."
        )
    table = margins.detach()[(None,) * (2 - margins.ndim)]
    table = table[: 1 if table.stride(0) == 0 else None, : 1 if table.stride(1) == 0 else None]
    # The sum is the cheapest way to see that all are finite.
    if values_are_readable(table) and not math.isfinite(table.sum().item()):
        wrong = ~table.isfinite()
        if table.shape == (classes, classes):
            wrong.fill_diagonal_(False)
        if wrong.any().item():
            refuse_value("margins", table, wrong, "be finite off the diagonal")
    return table
