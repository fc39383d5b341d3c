"""What a loss may spend on its tuning, and how the best of its models are chosen.

A criterion is one way to judge a model on validation rows. Each number of the study is reported
for the model that is best by the criterion of the same name, so no loss is chosen by one measure
and judged by another: F1 at the loss's own threshold 0 (`own`; `untuned` with the usual parameter
only), F1 at the best of one threshold for all labels (`tuned`) or of one for each (`label_tuned`),
and average precision, which also stands for the other measures of ranking.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from scispaces.studies.multilabel_losses import ComparedLoss, Parameter
from scispaces.studies.multilabel_metrics import candidate_thresholds, count, counts_at, rank
from scispaces.studies.stacked_models import StackedModels

# In units of the score, see `StackedModels`.
LINEAR_RATES = (0.2, 2.0)
NETWORK_RATES = (0.1, 1.0)
CHECKPOINT_SPAN = 32
RANKING_CRITERION = "average_precision"


@dataclass(frozen=True)
class Budget:
    """What every loss may spend.

    Attributes:
        configurations: how many pairs of a parameter value and a learning rate.
        updates: steps of Adam, at least.
        passes: through the training rows, at least; a large data set needs more updates.
        checkpoints: how often the validation rows are looked at, at steps growing by equal
            factors from 1/32 of the updates to all of them.
        batch: rows of a step.
    """

    configurations: int
    updates: int
    passes: int
    checkpoints: int
    batch: int

    def pairs(self, loss: ComparedLoss, hidden: int | None) -> list[tuple[Parameter, float]]:
        """The pairs of parameter and learning rate tried, grouped by parameter.

        A loss with fewer parameter values has more learning rates, over the same range.

        Example:
            >>> from scispaces.studies.multilabel_losses import COMPARED
            >>> budget = Budget(configurations=6, updates=1, passes=1, checkpoints=1, batch=1)
            >>> [len(budget.pairs(COMPARED[name], hidden=None)) for name in ("zlpr", "focal")]
            [6, 6]
        """
        lowest, highest = LINEAR_RATES if hidden is None else NETWORK_RATES
        parameters = loss.parameters or (loss.usual,)
        rates = np.geomspace(lowest, highest, self.configurations // len(parameters))
        return [(parameter, float(rate)) for parameter in parameters for rate in rates]

    def updates_for(self, rows: int) -> int:
        """Steps of Adam with so many training rows."""
        return max(self.updates, -(-self.passes * rows // self.batch))


def checkpoint_updates(updates: int, checkpoints: int) -> set[int]:
    """After how many updates the validation rows are looked at, growing by equal factors.

    Example:
        >>> sorted(checkpoint_updates(320, 3))
        [10, 57, 320]
    """
    first = max(1, updates / CHECKPOINT_SPAN)
    return {round(at) for at in np.geomspace(first, updates, checkpoints)}


def judge(
    scores: Tensor, positives: Tensor, *, has_threshold: bool, usual: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """For each criterion its value and the thresholds it was reached with.

    Args:
        scores: `(seeds, configurations, rows, labels)`.
        positives: boolean `(seeds, rows, labels)`.
        has_threshold: whether score 0 is a threshold.
        usual: boolean `(configurations,)`, which ones have the usual parameter of the loss.

    Returns:
        Values `(seeds, configurations)` and thresholds `(seeds, configurations, labels)`.
    """
    each = positives.unsqueeze(1)
    zero = scores.new_zeros(*scores.shape[:2], scores.shape[-1])
    candidates = candidate_thresholds(scores, each)
    table = counts_at(scores, each, candidates)
    found = {}
    for average in ("micro_f1", "macro_f1"):
        if has_threshold:
            value = getattr(count(scores, each, 0.0), average)()
            found[f"{average}_own"] = value, zero
            found[f"{average}_untuned"] = value.masked_fill(~usual, -1.0), zero
        best = getattr(table, average)().max(-1)
        threshold = candidates.gather(-1, best.indices.unsqueeze(-1))
        found[f"{average}_tuned"] = best.values, threshold.expand_as(zero)
    of_labels = candidates.gather(-1, table.label_f1().argmax(-2))
    value = count(scores, each, of_labels.unsqueeze(-2)).macro_f1()
    found["macro_f1_label_tuned"] = value, of_labels
    # Each seed has validation rows of its own: one ranking of all of them, then a mean per seed.
    ranking = rank(scores.transpose(0, 1).flatten(1, 2), positives.flatten(0, 1))
    by_row = ranking.average_precision().unflatten(1, positives.shape[:2])
    found[RANKING_CRITERION] = by_row.mean(-1).T, zero
    return found


@dataclass
class Best:
    """The best model of each seed so far by one criterion.

    Attributes:
        models: one model per seed.
        value: its value, `(seeds,)`.
        thresholds: the thresholds it was reached with, `(seeds, labels)`.
        choice: configuration and number of updates of each seed.
    """

    models: StackedModels
    value: Tensor
    thresholds: Tensor
    choice: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def none_yet(cls, models: StackedModels, value: Tensor, thresholds: Tensor) -> "Best":
        """Room for the best of some models, worse than any of them."""
        below = torch.full_like(value[:, 0], -1.0)
        return cls(models.one_per_seed(), below, torch.zeros_like(thresholds[:, 0]))

    def update(self, models: StackedModels, value: Tensor, thresholds: Tensor, at: int) -> None:
        """Take over the models that are better than those kept, after so many updates."""
        top = value.max(1)
        for seed in (top.values > self.value).nonzero().flatten().tolist():
            configuration = int(top.indices[seed])
            self.models.take(models, seed, configuration)
            self.value[seed] = top.values[seed]
            self.thresholds[seed] = thresholds[seed, configuration]
            self.choice[seed] = configuration, at
