"""The rivals that sample outputs instead of parameters: policy gradient and minimum risk."""

from typing import Literal

import torch
from torch import Tensor

from scispaces.optim._common import check_choice, check_float_tensor, check_positive, wide

Reduction = Literal["mean", "sum", "none"]


def policy_gradient_loss(
    log_probabilities: Tensor,
    losses: Tensor,
    *,
    baseline: float | Tensor | Literal["others"] = "others",
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Surrogate whose gradient is an unbiased estimate of that of the expected task loss.

    .. math:: \frac1K \sum_k (l_k - b_k) \log p_\theta(y_k | x), \qquad y_k \sim p_\theta

    This is REINFORCE (book: `sampling-optimisation-policy-gradient`). A baseline b that does not
    depend on the sample itself leaves the mean of the gradient alone and lowers its spread. The
    value of the surrogate means nothing.

    Args:
        log_probabilities: Log-probabilities of the sampled outputs, shape (..., samples).
        losses: Their task losses l, constants, of the same shape.
        baseline: "others" for the mean loss of the other samples of the row (two or more samples
            needed), or a number or tensor, a running average say, to be broadcast.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if log-probabilities or losses are not floating-point tensors.
        ValueError: for losses of another shape or not finite, one sample with "others", or
            another reduction.

    Example:
        >>> import torch
        >>> log_probabilities = torch.tensor([-1.0, -2.0], requires_grad=True)
        >>> policy_gradient_loss(log_probabilities, torch.tensor([3.0, 5.0])).backward()
        >>> log_probabilities.grad
        tensor([-1.,  1.])

    References:
        [1] R. J. Williams. Simple Statistical Gradient-Following Algorithms for Connectionist
            Reinforcement Learning. Machine Learning 8, 1992.
    """
    scores, costs = _prepared(log_probabilities, losses, reduction)
    samples = costs.shape[-1]
    if isinstance(baseline, str):
        check_choice("baseline", baseline, ("others",))
        if samples < 2:
            raise ValueError(
                f"`losses` must hold two samples or more for baseline 'others'. Got {samples}."
            )
        baseline = (costs.sum(-1, keepdim=True) - costs) / (samples - 1)
    elif isinstance(baseline, Tensor):
        baseline = baseline.detach()
    return _reduced(((costs - baseline) * scores).mean(-1), reduction)


def minimum_risk_loss(
    log_probabilities: Tensor,
    losses: Tensor,
    *,
    sharpness: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Expected task loss over a few outputs, with their probabilities renormalised.

    .. math:: \sum_k Q_k l_k, \qquad
        Q_k = \frac{p_\theta(y_k | x)^a}{\sum_j p_\theta(y_j | x)^a}

    Differentiable as it stands, and biased: the outputs left out do not count.

    Args:
        log_probabilities: Log-probabilities of the outputs, shape (..., samples); the outputs of
            a row are meant to be distinct.
        losses: Their task losses l, constants, of the same shape.
        sharpness: Exponent a > 0. Long sequences want a small one, or Q is a single output.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if log-probabilities or losses are not floating-point tensors.
        ValueError: for losses of another shape or not finite, a sharpness that is not positive,
            or another reduction.

    Example:
        >>> import torch
        >>> minimum_risk_loss(torch.tensor([-1.0, -1.0, -100.0]), torch.tensor([0.0, 1.0, 9.0]))
        tensor(0.5000)

    References:
        [1] S. Shen et al. Minimum Risk Training for Neural Machine Translation. ACL 2016.
    """
    scores, costs = _prepared(log_probabilities, losses, reduction)
    sharpness = check_positive("sharpness", sharpness)
    return _reduced(((sharpness * scores).softmax(-1) * costs).sum(-1), reduction)


def _prepared(scores: Tensor, losses: Tensor, reduction: str) -> tuple[Tensor, Tensor]:
    check_float_tensor("log_probabilities", scores)
    check_float_tensor("losses", losses)
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    if losses.shape != scores.shape or losses.ndim == 0 or 0 in losses.shape:
        raise ValueError(
            "`losses` must have the shape of `log_probabilities`, (..., samples), and not be "
            f"empty. Got {tuple(losses.shape)} and {tuple(scores.shape)}."
        )
    costs = losses.detach()
    if not costs.isfinite().all().item():
        place = tuple((~costs.isfinite()).nonzero()[0].tolist())
        raise ValueError(f"`losses` must be finite. Got {costs[place].item()} at index {place}.")
    dtype = torch.promote_types(wide(scores.dtype), wide(losses.dtype))
    return scores.to(dtype), costs.to(dtype)


def _reduced(rows: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return rows.mean()
    return rows.sum() if reduction == "sum" else rows
