"""Class priors and class weights from the number of samples of every class."""

import math

import torch
from torch import Tensor

from scispaces.losses._common import check_class_numbers, in_floats, require


def class_prior_from_counts(class_counts: Tensor, *, smoothing: float = 0.0) -> Tensor:
    r"""The share of every class in the training set, each count raised by a constant.

    .. math:: \pi_y = \frac{n_y + a}{\sum_j (n_j + a)}

    (book: `logit-adjustment-prior-estimate`). With a = 0 it is the estimate of largest
    likelihood; a > 0 is the mean under a symmetric Dirichlet prior and gives classes without a
    sample a positive probability.

    Args:
        class_counts: Number n of samples of every class, shape (classes,), integer or float.
        smoothing: The constant a >= 0, in samples.

    Returns:
        Shape (classes,), positive, of sum 1. Floating-point counts are computed in float32 or
        wider, integers in torch's default dtype.

    Raises:
        TypeError: if the counts are no numbers.
        ValueError: for a negative or infinite count or smoothing, and without smoothing for a
            count of 0, whose logarithm no loss could use.

    Example:
        >>> import torch
        >>> class_prior_from_counts(torch.tensor([60, 30, 10]))
        tensor([0.6000, 0.3000, 0.1000])
        >>> class_prior_from_counts(torch.tensor([3, 1, 0]), smoothing=1.0)
        tensor([0.5714, 0.2857, 0.1429])

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021.
    """
    require(0 <= smoothing < math.inf, "smoothing", smoothing, "be finite and at least 0")
    check_class_numbers("class_counts", class_counts, positive=smoothing == 0)
    counts = in_floats(class_counts) + smoothing
    return counts / counts.sum()


def inverse_frequency_weights(class_counts: Tensor) -> Tensor:
    r"""Weights by which every class counts the same in sum.

    .. math:: w_y = \frac{\sum_j n_j}{K n_y}

    (book: `logit-adjustment-inverse-frequency`) for K classes. The weights are 1 on average over
    the samples, so that a learning rate keeps its meaning: the sum of n w is the sum of n.

    Args:
        class_counts: Number n of samples of every class, positive, shape (classes,).

    Returns:
        Shape (classes,); dtype as in `class_prior_from_counts`.

    Raises:
        TypeError: if the counts are no numbers.
        ValueError: if a count is not positive and finite.

    Example:
        >>> import torch
        >>> inverse_frequency_weights(torch.tensor([60, 30, 10]))
        tensor([0.5556, 1.1111, 3.3333])

    References:
        [1] G. King, L. Zeng. Logistic Regression in Rare Events Data. Political Analysis, 2001.
    """
    check_class_numbers("class_counts", class_counts, positive=True)
    counts = in_floats(class_counts)
    return counts.mean() / counts


def effective_number_weights(class_counts: Tensor, *, beta: float = 0.9999) -> Tensor:
    r"""Weights by the effective number of samples, of which later ones repeat earlier ones.

    .. math:: w_y \propto \frac{1 - \beta_n}{1 - \beta_n^{n_y}}

    (book: `logit-adjustment-effective-number`), beta_n = `beta`. They lead from 1 at beta = 0 to
    `inverse_frequency_weights` as beta goes to 1, and are normalised in the same way, to 1 on
    average over the samples; the original has them sum to the number of classes.

    Args:
        class_counts: Number n of samples of every class, positive, shape (classes,).
        beta: In [0, 1); (N - 1) / N where N different samples of a class are thought to exist.

    Returns:
        Shape (classes,); dtype as in `class_prior_from_counts`. No digits are lost for beta near
        1 or for large counts.

    Raises:
        TypeError: if the counts are no numbers.
        ValueError: if a count is not positive and finite, or beta is outside [0, 1).

    Example:
        >>> import torch
        >>> effective_number_weights(torch.tensor([6000, 300, 10]), beta=0.999)
        tensor([ 0.7736,  2.9763, 77.5216])

    References:
        [1] Y. Cui et al. Class-Balanced Loss Based on Effective Number of Samples. CVPR 2019.
    """
    check_class_numbers("class_counts", class_counts, positive=True)
    require(0 <= beta < 1, "beta", beta, "be in [0, 1)")
    counts = in_floats(class_counts)
    log_beta = math.log1p(beta - 1) if beta > 0 else -math.inf
    weights = -1 / torch.expm1(counts * log_beta)
    return weights * (counts.sum() / (weights * counts).sum())
