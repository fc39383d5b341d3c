"""Multi-label metrics for many models at once, in PyTorch.

Ties count against the model, as in scikit-learn, with which the tests compare every function
here. A label without a positive row says nothing about a model, so means over labels leave it out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

THRESHOLDS = 32
WIDEST_CARDINALITY_RATIO = 8.0


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the last axis over a mask, 0 where the mask is empty."""
    return values.masked_fill(~mask, 0.0).sum(-1) / mask.sum(-1).clamp(min=1)


@dataclass(frozen=True)
class Ranking:
    """Where the positives of each row stand in the order of its scores.

    Attributes:
        row: the row of each positive, `(pairs,)`.
        positives: boolean `(rows, labels)`.
        labels_above: for each model and positive, how many labels of the row score at least as
            high, itself included, `(models, pairs)`.
        positives_above: how many of these are positives.
    """

    row: Tensor
    positives: Tensor
    labels_above: Tensor
    positives_above: Tensor

    def _row_sum(self, values: Tensor) -> Tensor:
        rows = torch.zeros(len(values), len(self.positives), device=values.device)
        return rows.index_add_(1, self.row, values.float())

    def average_precision(self) -> Tensor:
        """For each row, the mean over its positives of the share of positives at or above them.

        Its mean over rows is the label ranking average precision; a row without positives has 1.
        """
        number = self.positives.sum(-1)
        total = self._row_sum(self.positives_above / self.labels_above)
        return torch.where(number > 0, total / number.clamp(min=1), 1.0)

    def ranking_loss(self) -> Tensor:
        """For each row, the share of its (positive, negative) pairs in the wrong order."""
        pairs = self.positives.sum(-1) * (~self.positives).sum(-1)
        return self._row_sum(self.labels_above - self.positives_above) / pairs.clamp(min=1)

    def coverage(self) -> Tensor:
        """For each row, how far down its last positive is, as a share of all labels."""
        rows = torch.zeros(len(self.labels_above), len(self.positives), device=self.row.device)
        last = rows.scatter_reduce(
            1, self.row.expand_as(self.labels_above), self.labels_above.float(), "amax"
        )
        return last / self.positives.shape[-1]


def rank(scores: Tensor, positives: Tensor) -> Ranking:
    """Rank the labels of every row, for every model.

    Args:
        scores: `(models, rows, labels)`.
        positives: boolean `(rows, labels)`.
    """
    row, label = positives.nonzero(as_tuple=True)
    among = positives[row]
    labels_above, positives_above = [], []
    for model in scores:
        above = model[row] >= model[row, label].unsqueeze(-1)
        labels_above.append(above.sum(-1, dtype=torch.int32))
        positives_above.append((above & among).sum(-1, dtype=torch.int32))
    return Ranking(row, positives, torch.stack(labels_above), torch.stack(positives_above))


def macro_average_precision(scores: Tensor, positives: Tensor) -> Tensor:
    """Area under the precision-recall curve of each label, averaged over labels with a positive.

    Args:
        scores: `(models, rows, labels)`.
        positives: boolean `(rows, labels)`.
    """
    by_label = rank(scores.transpose(-1, -2), positives.T).average_precision()
    return _mean_over(by_label, positives.any(0).expand_as(by_label))


def one_error(scores: Tensor, positives: Tensor) -> Tensor:
    """Share of the rows with a positive whose highest score is not on one.

    Args:
        scores: `(models, rows, labels)`.
        positives: boolean `(rows, labels)`.
    """
    best = scores.argmax(-1, keepdim=True)
    wrong = ~positives.expand_as(scores).gather(-1, best).squeeze(-1)
    return _mean_over(wrong.float(), positives.any(-1).expand_as(wrong))


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
        return _mean_over(values, (self.actual > 0).expand_as(values))


def count(scores: Tensor, positives: Tensor, threshold: Tensor | float) -> Counts:
    """The counts behind every F1 when the labels with scores above a threshold are predicted.

    Args:
        scores: `(..., rows, labels)`.
        positives: boolean, broadcasts to the scores.
        threshold: a number or a tensor that broadcasts to the scores.
    """
    predicted = scores > threshold
    positives = positives.expand_as(scores)
    parts = (predicted & positives, predicted, positives)
    return Counts(*(part.sum(-2, dtype=torch.int32) for part in parts))


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
