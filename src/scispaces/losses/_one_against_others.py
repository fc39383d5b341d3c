"""One class of a row against all others: the kernel of every loss of a softmax's p_y.

The loss is a function of one score for the row, `wrong` = log(sum of exp(s_j), j not y) - s_y,
for which 1 - p_y = sigmoid(wrong); see `_logistic`. Both p_y and 1 - p_y keep all their digits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scispaces.losses._blocks import Labels, Pieces
from scispaces.losses._common import wide
from scispaces.losses._exponents import limit, powers_
from scispaces.losses._logistic import focal, focal_and_slopes_


@dataclass(frozen=True)
class OneAgainstOthers:
    """Weighted focal loss of `wrong`; gamma 0 is cross-entropy.

    The labels are the class y of every row, a weight for every row or None, and margins or None,
    which have two axes and broadcast to (classes, classes): row y of them is added to the scores
    of the others, or, with `own_too`, to all scores.
    """

    gamma: float = 0.0
    own_too: bool = False

    def labels(
        self,
        logits: Tensor,
        targets: Tensor,
        class_weights: Tensor | None = None,
        margins: Tensor | None = None,
    ) -> Labels:
        """The labels in the form of the kernel."""
        index = targets.long().reshape(-1)
        if class_weights is not None:
            class_weights = class_weights.detach()[index].to(wide(logits.dtype))
        return index, class_weights, margins

    def rows(
        self, scores: Tensor, index: Tensor, weights: Tensor | None, margins: Tensor | None
    ) -> Tensor:
        """See `RowLoss`."""
        place, bound = index.unsqueeze(-1), limit(scores)
        own = scores.gather(-1, place)
        if margins is not None:
            scores = scores + _of_rows(margins, index).to(scores.dtype)
            own = scores.gather(-1, place) if self.own_too else own
        # Finite throughout, since the gradient of logsumexp over nothing but -inf is NaN.
        others = scores.clamp(-bound, bound).scatter(-1, place, -2 * bound).logsumexp(-1)
        values = focal(others - own.squeeze(-1).clamp(-bound, bound), self.gamma)
        return values if weights is None else values * weights

    def rows_and_slopes(
        self,
        pieces: Pieces,
        share: float,
        index: Tensor,
        weights: Tensor | None,
        margins: Tensor | None,
    ) -> Tensor:
        """See `RowLoss`."""
        rows = pieces.logits.new_empty(len(index), dtype=pieces.dtype)
        for block, scores in pieces:
            place, bound = index[block].unsqueeze(-1), limit(scores)
            own = scores.gather(-1, place)
            if margins is not None:
                scores.add_(_of_rows(margins, index[block]))
                own = scores.gather(-1, place) if self.own_too else own
            scores.scatter_(-1, place, -torch.inf)
            shift = scores.amax(-1, keepdim=True).clamp_(-bound, bound)
            total = powers_(scores.sub_(shift)).sum(-1, keepdim=True)
            total.clamp_(min=torch.finfo(scores.dtype).tiny)  # where there are no others
            wrong = shift + total.log() - own.clamp_(-bound, bound)
            values, slopes = focal_and_slopes_(wrong, self.gamma)
            if weights is not None:
                values.mul_(weights[block].unsqueeze(-1))
                slopes.mul_(weights[block].unsqueeze(-1))
            rows[block] = values.squeeze(-1)
            if pieces.gradient is not None:
                slopes.mul_(share)
                scores.mul_(slopes / total).scatter_(-1, place, slopes.neg_())
        return rows


def _of_rows(margins: Tensor, index: Tensor) -> Tensor:
    """Row y of the margins for every row, or the one row that serves all."""
    return margins if len(margins) == 1 else margins[index]
