"""Losses that ask every class of a row for itself and add up the answers."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from scispaces.losses._blocks import Pieces, as_numbers


class ElementLoss(ABC):
    """A `RowLoss` from the terms of its classes; targets arrive as numbers, 0 or 1."""

    @abstractmethod
    def terms(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The term of every class, by differentiable torch functions."""

    @abstractmethod
    def terms_and_slopes(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The terms, which may lie in the memory of `scores`, and their derivatives, elsewhere."""

    def rows(self, scores: Tensor, targets: Tensor) -> Tensor:
        """See `RowLoss`."""
        return self.terms(scores, as_numbers(targets, scores.dtype)).sum(-1)

    def rows_and_slopes(self, pieces: Pieces, share: float, targets: Tensor) -> Tensor:
        """See `RowLoss`."""
        rows = pieces.logits.new_empty(len(targets), dtype=pieces.dtype)
        for block, scores in pieces:
            numbers = as_numbers(targets[block], scores.dtype)
            terms, slopes = self.terms_and_slopes(scores, numbers)
            rows[block] = terms.sum(-1)
            torch.mul(slopes, share, out=scores)
        return rows


class WrongnessLoss(ElementLoss):
    """Terms that are the same function of `wrong` for both labels; see `_logistic`."""

    @abstractmethod
    def of_wrong(self, wrong: Tensor) -> Tensor:
        """The terms, by differentiable torch functions."""

    @abstractmethod
    def of_wrong_and_slopes(self, wrong: Tensor) -> tuple[Tensor, Tensor]:
        """The terms, which may lie in the memory of `wrong`, and their derivatives, elsewhere."""

    def terms(self, scores: Tensor, targets: Tensor) -> Tensor:
        """See `ElementLoss`."""
        return self.of_wrong(scores * (1 - 2 * targets))

    def terms_and_slopes(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `ElementLoss`."""
        sign = torch.rsub(targets, 1, alpha=2)  # 1 - 2 t in one pass
        terms, slopes = self.of_wrong_and_slopes(scores.mul_(sign))
        return terms, slopes.mul_(sign)
