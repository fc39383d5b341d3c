"""ZLPR of every row, from labels by place and from labels as a matrix.

Each side of ZLPR is log(1 + sum w exp(x)): over the negatives x = s, over the positives x = -s,
with weights w that are 0 or 1 for hard labels. Both sides are shifted by their largest exponent
(or 0, if that is larger) before exp(), so that nothing overflows.
"""

import torch
from torch import Tensor

from scispaces.losses._blocks import Pieces, as_numbers
from scispaces.losses._exponents import limit, powers_

Side = tuple[Tensor, Tensor]  # exponents and weights


class ZLPRByPlace:
    """Hard labels by place, (rows, k).

    Labels: `places`, with gaps filled by copies; `first`, True for the entries that count;
    `occupied`, (rows, 1), False for a row without positives, which has class 0 in all places.
    """

    def rows(self, scores: Tensor, places: Tensor, first: Tensor, occupied: Tensor) -> Tensor:
        """See `RowLoss`."""
        off = (~occupied).to(scores.dtype).expand_as(places)
        negative = torch.ones_like(scores).scatter(1, places, off)
        positive = -scores.gather(1, places)
        return _side(scores, negative) + _side(positive, first.to(scores.dtype))

    def rows_and_slopes(
        self, pieces: Pieces, share: float, places: Tensor, first: Tensor, occupied: Tensor
    ) -> Tensor:
        """See `RowLoss`."""
        kept = pieces.logits.gather(1, places).to(pieces.dtype)
        positive = torch.where(occupied, -kept, -torch.inf)
        negative = torch.where(occupied, -torch.inf, kept)  # what stands in the places
        shift, total = kept.new_empty(2, 2, len(kept), 1)
        for block, scores in pieces:
            scores.scatter_(1, places[block], negative[block])
            shift[0, block] = _shift(scores)
            powers_(scores.sub_(shift[0, block]))
            torch.sum(scores, -1, keepdim=True, out=total[0, block])
            if pieces.gradient is not None:
                scores.mul_(share / (total[0, block] + torch.exp(-shift[0, block])))
        shift[1] = _shift(positive)
        powers_(positive.sub_(shift[1]))
        total[1] = (positive * first).sum(-1, keepdim=True)
        partition = total + torch.exp(-shift)
        if pieces.gradient is not None:
            slopes = positive.mul_(-share / partition[1])
            slopes = torch.where(occupied, slopes, pieces.gradient.gather(1, places))
            pieces.gradient.scatter_(1, places, slopes)
        return _value(shift, total, partition).sum(0)[:, 0]


class ZLPRByWeight:
    """Labels as a matrix.

    Labels: `targets` in [0, 1]; a `mask` that is True where a class counts, or None.
    """

    def rows(self, scores: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        """See `RowLoss`."""
        negative, positive = _weights(scores, targets, mask)
        return _side(scores, negative) + _side(-scores, positive)

    def rows_and_slopes(
        self, pieces: Pieces, share: float, targets: Tensor, mask: Tensor | None
    ) -> Tensor:
        """See `RowLoss`."""
        values = pieces.logits.new_empty(len(targets), 2, dtype=pieces.dtype)
        for block, scores in pieces:
            counts = None if mask is None else mask[block]
            negative, positive = _weights(scores, targets[block], counts)
            opposite = -scores.clamp_(-limit(scores), limit(scores))
            values[block, :1] = _side_and_slopes_(scores, negative, share)
            values[block, 1:] = _side_and_slopes_(opposite, positive, share)
            scores.sub_(opposite)
        return values.sum(-1)


def _weights(scores: Tensor, targets: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    positive = as_numbers(targets, scores.dtype)
    negative = 1 - positive
    if mask is None:
        return negative, positive
    counts = as_numbers(mask, scores.dtype)
    return negative * counts, positive * counts


def _side(exponents: Tensor, weights: Tensor) -> Tensor:
    """log(1 + sum w exp(x)) of every row, differentiable to any order."""
    with torch.no_grad():
        shift = _shift(torch.where(weights > 0, exponents, 0))
    total = (weights * (exponents - shift).clamp(max=0).exp()).sum(-1, keepdim=True)
    return _value(shift, total, total + torch.exp(-shift))[:, 0]


def _side_and_slopes_(exponents: Tensor, weights: Tensor, share: float) -> Tensor:
    """The same of shape (rows, 1), and `share` times its gradient in place of the exponents."""
    # A class of weight 0 must stay out of the maximum: it is moved far below.
    absent = torch.eq(weights, 0, out=torch.empty_like(weights))
    shift = _shift(torch.add(exponents, absent, alpha=-2 * limit(exponents), out=absent))
    total = powers_(exponents.sub_(shift)).mul_(weights).sum(-1, keepdim=True)
    partition = total + torch.exp(-shift)
    exponents.mul_(share / partition)
    return _value(shift, total, partition)


def _shift(exponents: Tensor) -> Tensor:
    return exponents.amax(-1, keepdim=True).clamp(0, limit(exponents))


def _value(shift: Tensor, total: Tensor, partition: Tensor) -> Tensor:
    """log(1 + e^shift total), where partition = e^-shift + total."""
    # log1p keeps the digits of a small value; a large one takes the way that can not overflow.
    small = torch.log1p(total * torch.exp(shift.clamp(max=40)))
    value = torch.where(shift > 40, shift + partition.log(), small)
    return torch.where(shift >= limit(shift), torch.inf, value)
