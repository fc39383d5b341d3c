"""Logit adjustment: class priors taken out of the scores, in the loss or after training."""

import math

from torch import Tensor, nn

from scispaces.losses._blocks import loss_of_rows
from scispaces.losses._common import (
    Reduction,
    check_class_indices,
    check_class_prior,
    check_logits,
    in_floats,
    require,
    wide,
)
from scispaces.losses._one_against_others import OneAgainstOthers


def logit_adjusted_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    class_prior: Tensor,
    *,
    tau: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Softmax cross-entropy of scores to which the log prior is added, in the loss only.

    .. math:: \mathcal L = -\log \frac{e^{f_y + \tau \log \pi_y}}{\sum_j e^{f_j + \tau \log \pi_j}}

    (book: `logit-adjustment-loss`). Predict the class of the largest f, without the prior: that
    is the rule of the balanced error. For plain accuracy predict the largest
    :math:`f + \tau \log \pi`. Neither class weights nor `adjust_logits` belong on top of it: each
    of them takes out the prior a second time.

    Args:
        logits: Scores f, shape (..., classes).
        targets: Index y of the class of every row, integer, shape (...).
        class_prior: Probability of every class in training, positive, of sum 1, shape (classes,);
            see `class_prior_from_counts`.
        tau: Strength; 1 is consistent for the balanced error, 0 is plain cross-entropy.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. The only memory of the
        size of the logits is the gradient.

    Raises:
        TypeError: if the logits or the prior are not floating-point or the targets not integer.
        ValueError: for a target out of range or a prior that is no distribution without zeros
            (not looked at under `torch.compile` and `torch.func`), other shapes, a tau that is
            not finite, or no row to average.

    Example:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([2])
        >>> logit_adjusted_cross_entropy(logits, targets, torch.tensor([0.7, 0.2, 0.1]))
        tensor(3.4910)

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021, equation (10).
        [2] J. Su. Scientific Spaces, archives/7615 (2020).
    """
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    adjustment = _adjustment(class_prior, tau, logits)
    return _adjusted_cross_entropy(logits, targets, adjustment, reduction)


def adjust_logits(logits: Tensor, class_prior: Tensor, *, tau: float = 1.0) -> Tensor:
    r"""Take the prior out of the scores of a model trained without adjustment.

    .. math:: f_y - \tau \log \pi_y

    (book: `logit-adjustment-post-hoc`). The class of its maximum is the prediction for the
    balanced error. The sign is minus: notes that print this rule with a plus give the decoding
    for plain accuracy of a model trained by `logit_adjusted_cross_entropy`. Scores of such a
    model are without the prior already; do not adjust them.

    Args:
        logits: Scores f of a model trained by plain cross-entropy, shape (..., classes).
        class_prior: Probability of every class in training, positive, of sum 1, shape (classes,).
        tau: Strength; 1 is exact for calibrated scores, other values are tuned on held-out data.

    Returns:
        Adjusted scores of the same shape, float32 or wider; gradients flow into the logits.

    Raises:
        TypeError: if the logits or the prior are not floating-point.
        ValueError: for a prior that is no distribution without zeros, of another length or
            device, or a tau that is not finite.

    Example:
        >>> import torch
        >>> adjust_logits(torch.tensor([[1.0, 0.0]]), torch.tensor([0.9, 0.1]))
        tensor([[1.1054, 2.3026]])

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021, equation (9).
    """
    check_logits(logits, "none")
    return logits.to(wide(logits.dtype)) - _adjustment(class_prior, tau, logits)


class LogitAdjustedCrossEntropy(nn.Module):
    """`logit_adjusted_cross_entropy` for code that wants a module; the prior moves with it.

    Args:
        class_prior: Probability of every class in training, shape (classes,). Its logarithm is
            the buffer `log_prior`, part of the module's state.
        tau: Strength, a plain attribute.
        reduction: "mean", "sum" or "none" over the rows.

    Example:
        >>> import torch
        >>> criterion = LogitAdjustedCrossEntropy(torch.tensor([0.7, 0.2, 0.1]))
        >>> criterion(torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([2]))
        tensor(3.4910)
    """

    log_prior: Tensor

    def __init__(
        self, class_prior: Tensor, tau: float = 1.0, reduction: Reduction = "mean"
    ) -> None:
        super().__init__()
        check_class_prior(class_prior)
        require(math.isfinite(tau), "tau", tau, "be finite")
        self.register_buffer("log_prior", in_floats(class_prior).log())
        self.tau = tau
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """See `logit_adjusted_cross_entropy`."""
        check_logits(logits, self.reduction)
        check_class_indices(targets, logits)
        if logits.shape[-1:] != self.log_prior.shape:
            raise ValueError(
                f"`logits` must have a score for each of the {len(self.log_prior)} classes of the "
                f"prior. Got shape {tuple(logits.shape)}."
            )
        return _adjusted_cross_entropy(logits, targets, self.tau * self.log_prior, self.reduction)


def _adjustment(class_prior: Tensor, tau: float, logits: Tensor) -> Tensor:
    """tau log prior, in the dtype of computation."""
    check_class_prior(class_prior, logits)
    require(math.isfinite(tau), "tau", tau, "be finite")
    dtype = wide(logits.dtype)
    return tau * class_prior.detach().to(dtype).log()


def _adjusted_cross_entropy(
    logits: Tensor, targets: Tensor, adjustment: Tensor, reduction: Reduction
) -> Tensor:
    loss = OneAgainstOthers(own_too=True)
    labels = loss.labels(logits, targets, margins=adjustment.unsqueeze(0))
    return loss_of_rows(loss, logits, labels, reduction)
