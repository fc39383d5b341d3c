"""Class priors and class weights from the number of samples of every class."""

import math

import torch
from torch import Tensor

from scispaces.losses._common import check_class_numbers


def class_prior_from_counts(class_counts: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """The share of every class, (count + smoothing) / sum of the same."""
    if not 0 <= smoothing < math.inf:
        raise ValueError(f"`smoothing` must be finite and at least 0. Got {smoothing!r}.")
    check_class_numbers("class_counts", class_counts, positive=smoothing == 0)
    counts = _numbers(class_counts) + smoothing
    return counts / counts.sum()


def inverse_frequency_weights(class_counts: Tensor) -> Tensor:
    """Weights proportional to 1 / count, of mean 1 over the samples."""
    check_class_numbers("class_counts", class_counts, positive=True)
    counts = _numbers(class_counts)
    return counts.mean() / counts


def effective_number_weights(class_counts: Tensor, *, beta: float = 0.9999) -> Tensor:
    """Weights proportional to (1 - beta) / (1 - beta^count), of mean 1 over the samples."""
    check_class_numbers("class_counts", class_counts, positive=True)
    if not 0 <= beta < 1:
        raise ValueError(f"`beta` must be in [0, 1). Got {beta!r}.")
    counts = _numbers(class_counts)
    log_beta = math.log(beta) if beta > 0 else -math.inf
    weights = -1 / torch.expm1(counts * log_beta)
    return weights * counts.sum() / (weights * counts).sum()


def _numbers(counts: Tensor) -> Tensor:
    counts = counts.detach()
    return counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
