"""Losses on raw scores: tensors in, tensors out.

Scores are called `logits`, shape (..., classes); the last axis runs over the classes, all others
over rows. Every loss sums or compares over the class axis of a row; `reduction` acts over rows.
It computes, and returns, float32 or wider; gradients have the dtype of the logits.
"""

from scispaces.losses.binary import asymmetric_loss, focal_loss, soft_f1_loss
from scispaces.losses.divergence import symmetric_bernoulli_divergence
from scispaces.losses.ranking import pairwise_ranking_loss
from scispaces.losses.subset import (
    k_subset_cross_entropy,
    log_elementary_symmetric,
    newton_elementary_symmetric,
)
from scispaces.losses.zlpr import ZLPRLoss, zlpr_loss, zlpr_loss_from_indices, zlpr_predict

__all__ = [
    "ZLPRLoss",
    "asymmetric_loss",
    "focal_loss",
    "k_subset_cross_entropy",
    "log_elementary_symmetric",
    "newton_elementary_symmetric",
    "pairwise_ranking_loss",
    "soft_f1_loss",
    "symmetric_bernoulli_divergence",
    "zlpr_loss",
    "zlpr_loss_from_indices",
    "zlpr_predict",
]
