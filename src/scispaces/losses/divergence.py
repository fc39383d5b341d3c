"""The symmetric divergence between the label probabilities of two score vectors."""

import torch
from torch import Tensor

from scispaces.losses._common import (
    Reduction,
    check_like_logits,
    check_logits,
    reduce_rows,
    wide,
)


def symmetric_bernoulli_divergence(
    logits_p: Tensor, logits_q: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""Sum over the classes of both Kullback-Leibler divergences between two Bernoulli variables.

    .. math:: D(s, t) = \sum_i (\sigma(s_i) - \sigma(t_i)) (s_i - t_i)

    (book: `zlpr-divergence`). It is symmetric, 0 only where the scores agree, and serves as the
    consistency term of regularisers that pass one sample twice through a network, such as R-Drop.

    Args:
        logits_p: Scores s, shape (..., classes).
        logits_q: Scores t, same shape.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none". float32 or wider; gradients flow into both
        arguments, each in its own dtype. Equal infinite scores count as agreeing; other infinite
        ones give +inf.

    Raises:
        TypeError: if the scores are not floating-point tensors.
        ValueError: if the shapes differ, or there is no row to average.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[2.0, -1.0], [0.0, 3.0]])
        >>> symmetric_bernoulli_divergence(scores, scores.flip(0), reduction="none")
        tensor([3.4961, 3.4961])

    References:
        [1] L. Wu et al. R-Drop: Regularized Dropout for Neural Networks. NeurIPS 2021.
        [2] J. Su. Scientific Spaces, archives/9039 (2022), the form for many labels.
    """
    check_logits(logits_p, reduction)
    check_logits(logits_q, reduction, name="logits_q")
    check_like_logits("logits_q", logits_q, logits_p)
    dtype = wide(torch.promote_types(logits_p.dtype, logits_q.dtype))
    p, q = logits_p.to(dtype), logits_q.to(dtype)
    # Where both probabilities are near 1 their difference lives in the complements.
    high = p + q > 0
    near, far = torch.where(high, -q, p), torch.where(high, -p, q)
    difference = torch.where(p == q, 0, p - q)
    return reduce_rows(((near.sigmoid() - far.sigmoid()) * difference).sum(-1), reduction)
