"""Softmax over subsets of k classes: the road the article tries first, and leaves."""

import torch
from torch import Tensor

from scispaces.losses._common import (
    Reduction,
    check_indices,
    check_logits,
    reduce_rows,
    refuse_value,
    values_are_readable,
    wide,
)


def k_subset_cross_entropy(
    logits: Tensor, positives: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""Cross-entropy of a softmax over all subsets of k classes.

    .. math:: \mathcal L = -\log \frac{e^{s_{t_1} + \dots + s_{t_k}}}{Z_k}, \qquad
        Z_k = \sum_{i_1 < \dots < i_k} e^{s_{i_1} + \dots + s_{i_k}}

    (book: `zlpr-subset-softmax`). Every row has the same number k of positives; k = 1 is the
    usual softmax cross-entropy.

    Args:
        logits: Scores s, shape (..., classes).
        positives: Indices t of the positives, shape (..., k), integer, different within a row.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. O(classes * k) time.

    Raises:
        TypeError: if the logits are not floating-point or the indices not integer.
        ValueError: for an index out of range or named twice, k > classes, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0, 0.5]])
        >>> k_subset_cross_entropy(logits, torch.tensor([[0, 2]]))
        tensor(0.2413)

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020).
    """
    check_logits(logits, reduction)
    check_indices(positives, logits)
    classes = logits.shape[-1]
    index = positives.long()
    if index.numel() and values_are_readable(logits, positives):
        wrong = (index < 0) | (index >= classes)
        if wrong.any().item():
            refuse_value("positives", positives, wrong, f"lie in [0, {classes})")
        ordered, order = index.sort(dim=-1, stable=True)
        again = torch.zeros_like(wrong)
        again[..., 1:] = ordered[..., 1:] == ordered[..., :-1]
        if again.any().item():
            wrong = wrong.scatter(-1, order, again)
            refuse_value("positives", positives, wrong, "name every class at most once in a row")
    partition = log_elementary_symmetric(logits, index.shape[-1])
    chosen = _bounded(logits).gather(-1, index).sum(-1)
    return reduce_rows(partition - chosen, reduction)


def log_elementary_symmetric(logits: Tensor, k: int) -> Tensor:
    r"""Logarithm of the elementary symmetric polynomial of degree k of the exponentials.

    .. math:: \log Z_k = \log e_k(e^{s_1}, \dots, e^{s_n}), \qquad
        E_m \leftarrow E_m + E_{m-1} e^{s_i}, \quad m = k, \dots, 1

    (book: `zlpr-subset-recursion`), the recursion over i in logarithms: all its terms are
    positive, so no digit is lost, and none overflows.

    Args:
        logits: Scores s, shape (..., classes).
        k: Degree, between 0 and the number of classes.

    Returns:
        Shape (...), float32 or wider. The gradient, finite at every score, is the probability
        of each class to be in the subset.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: if there are no subsets of k classes.

    Example:
        >>> import torch
        >>> log_elementary_symmetric(torch.zeros(5), 2).exp()  # the number of pairs among five
        tensor(10.)

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020).
    """
    check_logits(logits, "none")
    _check_degree(logits, k)
    scores = _bounded(logits)
    sums = scores.new_zeros(*scores.shape[:-1], 1)  # log E_0, ..., log E_m while m classes are in
    for score in scores.split(1, dim=-1):
        with_class = sums + score
        # Not logaddexp, whose second derivative is NaN where the two are far apart.
        inner = torch.stack([sums[..., 1:], with_class[..., :-1]]).logsumexp(0)
        sums = torch.cat([sums[..., :1], inner, with_class[..., -1:]], -1)[..., : k + 1]
    return sums[..., k]


def newton_elementary_symmetric(logits: Tensor, k: int) -> Tensor:
    r"""The same polynomial by Newton's identities: kept to show how it loses digits.

    .. math:: k Z_k = \sum_{j=1}^{k} (-1)^{j-1} Z_{k-j} S_j, \qquad S_j = \sum_i e^{j s_i}

    (book: `zlpr-newton`). The sum alternates, so its terms cancel: at 50 classes and k = 20
    three of the sixteen digits are gone, and large scores overflow. Use
    `log_elementary_symmetric`.

    Args:
        logits: Scores s, shape (..., classes).
        k: Degree, between 0 and the number of classes.

    Returns:
        Z_k itself, not its logarithm; shape (...), float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: if there are no subsets of k classes.

    Example:
        >>> import torch
        >>> newton_elementary_symmetric(torch.zeros(5), 2)
        tensor(10.)

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020).
    """
    check_logits(logits, "none")
    _check_degree(logits, k)
    scores = logits.to(wide(logits.dtype))
    power_sums = [torch.exp(j * scores).sum(-1) for j in range(k + 1)]
    values = [scores.new_ones(scores.shape[:-1])]
    for m in range(1, k + 1):
        terms = [(-1) ** (j - 1) * values[m - j] * power_sums[j] for j in range(1, m + 1)]
        values.append(torch.stack(terms).sum(0) / m)
    return values[k]


def _check_degree(logits: Tensor, k: int) -> None:
    if not 0 <= k <= logits.shape[-1]:
        raise ValueError(
            f"`k` must lie between 0 and the number of classes, {logits.shape[-1]}. Got {k}."
        )


def _bounded(logits: Tensor) -> Tensor:
    """Scores in the dtype of computation, infinite ones held at a number whose sums are finite."""
    scores = logits.to(wide(logits.dtype))
    bound = torch.finfo(scores.dtype).max ** 0.5
    return scores.clamp(-bound, bound)
