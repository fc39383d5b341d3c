"""Losses on raw scores: tensors in, tensors out.

Scores are called `logits`, shape (..., classes); the last axis runs over the classes, all others
over rows. A single yes-or-no question has shape (rows, 1): shape (rows,) would be one row. Every
loss sums or compares over the class axis of a row; `reduction` acts over rows. It computes, and
returns, float32 or wider; gradients have the dtype of the logits.
"""

from scispaces.losses.accuracy import (
    smooth_accuracy_loss,
    softened_cross_entropy,
    truncated_cross_entropy,
)
from scispaces.losses.binary import asymmetric_loss, soft_f1_loss
from scispaces.losses.consistency import BinaryConsistency, binary_fisher_consistency
from scispaces.losses.dice import dice_loss, self_adjusting_dice_loss
from scispaces.losses.divergence import symmetric_bernoulli_divergence
from scispaces.losses.flooding import FloodedLoss, flood, flood_rows
from scispaces.losses.focal import focal_loss, softmax_focal_loss
from scispaces.losses.logit_adjustment import (
    LogitAdjustedCrossEntropy,
    adjust_logits,
    logit_adjusted_cross_entropy,
)
from scispaces.losses.margins import (
    equalised_margins,
    ldam_margins,
    logit_adjustment_margins,
    pairwise_margin_cross_entropy,
)
from scispaces.losses.priors import (
    class_prior_from_counts,
    effective_number_weights,
    inverse_frequency_weights,
)
from scispaces.losses.ranking import pairwise_ranking_loss
from scispaces.losses.subset import (
    k_subset_cross_entropy,
    log_elementary_symmetric,
    newton_elementary_symmetric,
)
from scispaces.losses.zlpr import ZLPRLoss, zlpr_loss, zlpr_loss_from_indices, zlpr_predict

__all__ = [
    "BinaryConsistency",
    "FloodedLoss",
    "LogitAdjustedCrossEntropy",
    "ZLPRLoss",
    "adjust_logits",
    "asymmetric_loss",
    "binary_fisher_consistency",
    "class_prior_from_counts",
    "dice_loss",
    "effective_number_weights",
    "equalised_margins",
    "flood",
    "flood_rows",
    "focal_loss",
    "inverse_frequency_weights",
    "k_subset_cross_entropy",
    "ldam_margins",
    "log_elementary_symmetric",
    "logit_adjusted_cross_entropy",
    "logit_adjustment_margins",
    "newton_elementary_symmetric",
    "pairwise_margin_cross_entropy",
    "pairwise_ranking_loss",
    "self_adjusting_dice_loss",
    "smooth_accuracy_loss",
    "soft_f1_loss",
    "softened_cross_entropy",
    "softmax_focal_loss",
    "symmetric_bernoulli_divergence",
    "truncated_cross_entropy",
    "zlpr_loss",
    "zlpr_loss_from_indices",
    "zlpr_predict",
]
