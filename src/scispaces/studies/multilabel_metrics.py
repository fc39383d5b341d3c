"""Multi-label metrics for many models at once, in PyTorch.

Scores have the shape `(..., rows, labels)`, one model per leading index, and labels are boolean of
a shape that broadcasts to it. Ties count against the model, as in scikit-learn, with which the
tests compare every function here. A label without a positive row says nothing about a model, so
means over labels leave it out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

THRESHOLDS = 32
WIDEST_CARDINALITY_RATIO = 8.0


def _counts_not_below(scores: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
    """For each score, how many scores of its row, and of the row's positives, are not below it."""
    of_positives = scores.masked_fill(~positives, -torch.inf)
    size = scores.shape[-1]
    not_below_all, not_below_positive = (
        size - torch.searchsorted(pool.sort(dim=-1).values, scores.contiguous())
        for pool in (scores, of_positives)
    )
    return not_below_all, not_below_positive


def _mean_over(values: Tensor, mask: Tensor, otherwise: float) -> Tensor:
    """Mean of the last axis over a mask, another value where the mask is empty."""
    number = mask.sum(-1)
    total = values.masked_fill(~mask, 0.0).sum(-1)
    return torch.where(number > 0, total / number.clamp(min=1), otherwise)


def average_precision(scores: Tensor, positives: Tensor) -> Tensor:
    """Label ranking average precision: the mean over rows, and in a row over its positives, of

    the share of positives among the labels scored as high; 1 for a row without positives.
    """
    positives = positives.expand_as(scores)
    everything, positive = _counts_not_below(scores, positives)
    return _mean_over(positive / everything, positives, 1.0).mean(-1)


def macro_average_precision(scores: Tensor, positives: Tensor) -> Tensor:
    """Area under the precision-recall curve of each label, averaged over labels with a positive."""
    by_label = positives.expand_as(scores).transpose(-1, -2)
    everything, positive = _counts_not_below(scores.transpose(-1, -2), by_label)
    areas = _mean_over(positive / everything, by_label, 0.0)
    return _mean_over(areas, by_label.any(-1), 0.0)


def ranking_loss(scores: Tensor, positives: Tensor) -> Tensor:
    """Share of (positive, negative) pairs of a row in the wrong order, averaged over the rows."""
    positives = positives.expand_as(scores)
    everything, positive = _counts_not_below(scores, positives)
    wrong = (everything - positive).masked_fill(~positives, 0).sum(-1)
    pairs = positives.sum(-1) * (~positives).sum(-1)
    return (wrong / pairs.clamp(min=1)).mean(-1)


def coverage(scores: Tensor, positives: Tensor) -> Tensor:
    """How far down the ranking the last positive is, as a share of all labels; mean over rows."""
    positives = positives.expand_as(scores)
    everything, _ = _counts_not_below(scores, positives)
    return everything.masked_fill(~positives, 0).amax(-1).float().mean(-1) / scores.shape[-1]


def one_error(scores: Tensor, positives: Tensor) -> Tensor:
    """Share of the rows with a positive whose highest score is not on one."""
    positives = positives.expand_as(scores)
    top = positives.gather(-1, scores.argmax(-1, keepdim=True)).squeeze(-1)
    return _mean_over((~top).float(), positives.any(-1), 0.0)


@dataclass(frozen=True)
class Counts:
    """True positives, predicted and actual positives of each label, `(..., labels)`."""

    hits: Tensor
    predicted: Tensor
    actual: Tensor

    def micro_f1(self) -> Tensor:
        """F1 of all decisions pooled; 0 where nothing is predicted and nothing is there."""
        size = self.predicted.sum(-1) + self.actual.sum(-1)
        return 2 * self.hits.sum(-1) / size.clamp(min=1)

    def label_f1(self) -> Tensor:
        """F1 of each label."""
        return 2 * self.hits / (self.predicted + self.actual).clamp(min=1)

    def macro_f1(self) -> Tensor:
        """F1 of each label, averaged over the labels with a positive."""
        return self.mean_over_labels(self.label_f1())

    def mean_over_labels(self, values: Tensor) -> Tensor:
        """Mean of one value per label over the labels with a positive."""
        return _mean_over(values, (self.actual > 0).expand_as(values), 0.0)


def count(scores: Tensor, positives: Tensor, threshold: Tensor | float) -> Counts:
    """The counts behind every F1 when the labels with scores above a threshold are predicted.

    Args:
        scores: `(..., rows, labels)`.
        positives: boolean, broadcasts to the scores.
        threshold: a number or a tensor that broadcasts to the scores.
    """
    predicted = scores > threshold
    positives = positives.expand_as(scores)
    return Counts((predicted & positives).sum(-2), predicted.sum(-2), positives.sum(-2))


def candidate_thresholds(scores: Tensor, positives: Tensor) -> Tensor:
    """Thresholds worth trying, `(..., candidates)`, from high to low.

    Between the first and the last the number of predicted labels grows by equal factors from 1/8
    to 8 times the number of positives.
    """
    flat = scores.flatten(-2)
    size = flat.shape[-1]
    actual = positives.expand_as(scores).flatten(-2).float().sum(-1, keepdim=True)
    exponents = torch.linspace(-1, 1, THRESHOLDS, device=scores.device)
    wanted = (actual * WIDEST_CARDINALITY_RATIO**exponents).long().clamp(1, size - 1)
    highest = flat.topk(int(wanted.max()) + 1, dim=-1).values
    return (highest.gather(-1, wanted - 1) + highest.gather(-1, wanted)) / 2


def counts_at(scores: Tensor, positives: Tensor, thresholds: Tensor) -> Counts:
    """The counts at each of several thresholds per model.

    Args:
        scores: `(..., rows, labels)`.
        positives: boolean, broadcasts to the scores.
        thresholds: `(..., candidates)`, from high to low.

    Returns:
        Counts of the shape `(..., candidates, labels)`.
    """
    *models, rows, labels = scores.shape
    size = thresholds.shape[-1]
    # How many candidates a score is not above; each score falls into one of size + 1 bins.
    bins = torch.searchsorted(-thresholds.contiguous(), -scores.flatten(-2), right=True)
    bins = bins.unflatten(-1, (rows, labels))
    model = torch.arange(scores[..., 0, 0].numel(), device=scores.device).view(*models, 1, 1)
    cells = (model * (size + 1) + bins) * labels + torch.arange(labels, device=scores.device)
    positives = positives.expand_as(scores)
    shape, cell_count = (*models, size + 1, labels), model.numel() * (size + 1) * labels
    predicted, hits = (
        torch.bincount(chosen, minlength=cell_count).view(shape).cumsum(-2)[..., :size, :]
        for chosen in (cells.flatten(), cells[positives])
    )
    return Counts(hits, predicted, positives.sum(-2).unsqueeze(-2).expand_as(hits))
