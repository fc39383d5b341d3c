"""ZLPR of every row, twice: in plain torch, and in blocks that stay in cache.

Each side of ZLPR is log(1 + sum w exp(x)): over the negatives x = s, over the positives x = -s,
with weights w that are 0 or 1 for hard labels. `plain_rows` says so in torch functions that can
be differentiated to any order, compiled and transformed. The two autograd functions below it are
for eager training; the table of `benchmarks/zlpr.py` is why they exist:

- They walk through the rows in blocks. The gradient is the only memory of the size of the logits
  that they take, and nothing of that size lives between the forward and the backward pass.
- Exponents are held at a floor. Below it exp() leaves the normal floating-point numbers, where
  processors are 10 to 100 times slower; what is held there counts as zero.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scispaces.losses._blocks import as_numbers, blocks, rows_per_block
from scispaces.losses._common import wide

Side = tuple[Tensor, Tensor]  # exponents and weights


class Positives(NamedTuple):
    """Hard labels by place, (rows, k), any order; gaps are filled with copies.

    `first` marks the entries that count. A row without any holds class 0 throughout and is not
    `occupied`, (rows, 1).
    """

    places: Tensor
    first: Tensor
    occupied: Tensor

    def sides(self, scores: Tensor) -> tuple[Side, Side]:
        """Exponents and weights of the negatives, then of the positives."""
        off = (~self.occupied).to(scores.dtype).expand_as(self.places)
        negative = torch.ones_like(scores).scatter(1, self.places, off)
        return (scores, negative), (-scores.gather(1, self.places), self.first.to(scores.dtype))


class Weights(NamedTuple):
    """Labels as a matrix: `targets` in [0, 1] and, if not None, a `mask` of what counts."""

    targets: Tensor
    mask: Tensor | None

    def sides(self, scores: Tensor) -> tuple[Side, Side]:
        """Exponents and weights of the negatives, then of the positives."""
        positive = as_numbers(self.targets, scores.dtype)
        negative = 1 - positive
        if self.mask is not None:
            counts = as_numbers(self.mask, scores.dtype)
            positive, negative = positive * counts, negative * counts
        return (scores, negative), (-scores, positive)


def plain_rows(logits: Tensor, labels: Positives | Weights) -> Tensor:
    """ZLPR of every row of `logits` (rows, classes), in plain differentiable torch."""
    negative, positive = labels.sides(logits.to(wide(logits.dtype)))
    return _plain_side(*negative) + _plain_side(*positive)


def _plain_side(exponents: Tensor, weights: Tensor) -> Tensor:
    with torch.no_grad():
        shift = torch.where(weights > 0, exponents, 0).amax(-1, keepdim=True)
        shift = shift.clamp(0, _limit(exponents))
    total = (weights * (exponents - shift).clamp(max=0).exp()).sum(-1, keepdim=True)
    return _value(shift, total, total + torch.exp(-shift))[:, 0]


class IndexedZLPR(torch.autograd.Function):
    """`plain_rows` of `Positives`, in blocks, with the gradient written down."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, index: Tensor, first: Tensor, occupied: Tensor) -> Tensor:
        """The loss of every row."""
        kept = logits.gather(1, index).to(wide(logits.dtype))
        shift, total = kept.new_empty(2, 2, len(kept), 1)

        blocked = torch.where(occupied, -torch.inf, kept)
        workspace = _workspace(logits, kept.dtype)
        for block in blocks(logits):
            scores = workspace[: block.stop - block.start].copy_(logits[block])
            scores.scatter_(1, index[block], blocked[block])
            highest = torch.amax(scores, -1, keepdim=True, out=shift[0, block])
            scores.sub_(highest.clamp_(0, _limit(scores)))
            torch.sum(_powers_(scores), -1, keepdim=True, out=total[0, block])

        positive = torch.where(occupied, -kept, -torch.inf)
        highest = torch.amax(positive, -1, keepdim=True, out=shift[1])
        powers = _exact_powers_(positive.sub_(highest.clamp_(0, _limit(positive))))
        torch.sum(powers * first, -1, keepdim=True, out=total[1])

        # Sums of nothing but floors; cheaper here than number by number.
        torch.threshold_(total, logits.shape[1] * _least(total), 0.0)
        partition = total + torch.exp(-shift)
        ctx.save_for_backward(logits, index, first, occupied, powers, shift[0], partition)
        return _value(shift, total, partition).sum(0)[:, 0]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient, block by block; by way of `plain_rows` where it must have its own."""
        logits, index, first, occupied, powers, shift, partition = ctx.saved_tensors
        silent = None, None, None
        if torch.is_grad_enabled():
            return _differentiable(logits, Positives(index, first, occupied), outer[0]), *silent
        scale, scale_positive = outer[0].unsqueeze(-1) / partition
        gradient = torch.empty_like(logits)
        workspace = gradient if logits.dtype is shift.dtype else _workspace(logits, shift.dtype)
        for block in blocks(logits):
            # In full precision the powers are made where the gradient goes.
            place = block if workspace is gradient else slice(0, block.stop - block.start)
            scores = torch.sub(logits[block], shift[block], out=workspace[place])
            _exact_powers_(scores).mul_(scale[block])
            if workspace is not gradient:
                gradient[block] = scores
        slope = (powers * -scale_positive).to(gradient.dtype)
        slope = torch.where(occupied, slope, gradient.gather(1, index))
        return gradient.scatter_(1, index, slope), *silent


class WeightedZLPR(torch.autograd.Function):
    """`plain_rows` of `Weights`, in blocks, with the gradient written down."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        """The loss of every row."""
        shift, total = logits.new_empty(2, 2, len(logits), 1, dtype=wide(logits.dtype))
        for block in blocks(logits):
            for side, (exponents, weights) in enumerate(_sides(logits, targets, mask, block)):
                # A class of weight 0 must stay out of the maximum: it is moved far below.
                absent = torch.eq(weights, 0, out=torch.empty_like(weights))
                absent = torch.add(exponents, absent, alpha=-2 * _limit(exponents))
                highest = torch.amax(absent, -1, keepdim=True, out=shift[side, block])
                exponents.sub_(highest.clamp_(0, _limit(exponents)))
                powers = _exact_powers_(exponents).mul_(weights)
                torch.sum(powers, -1, keepdim=True, out=total[side, block])
        partition = total + torch.exp(-shift)
        ctx.save_for_backward(logits, targets, mask, shift, partition)
        return _value(shift, total, partition).sum(0)[:, 0]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient, block by block; by way of `plain_rows` where it must have its own."""
        logits, targets, mask, shift, partition = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _differentiable(logits, Weights(targets, mask), outer[0]), None, None
        scale = outer[0].unsqueeze(-1) / partition
        gradient = torch.empty_like(logits)
        for block in blocks(logits):
            negative, positive = (
                _exact_powers_(exponents.sub_(shift[side, block]))
                .mul_(weights)
                .mul_(scale[side, block])
                for side, (exponents, weights) in enumerate(_sides(logits, targets, mask, block))
            )
            gradient[block] = negative.sub_(positive)
        return gradient, None, None


def _differentiable(logits: Tensor, labels: Positives | Weights, outer: Tensor) -> Tensor:
    rows = plain_rows(logits, labels)
    return torch.autograd.grad(rows, logits, outer, create_graph=True)[0]


def _sides(logits: Tensor, targets: Tensor, mask: Tensor | None, block: slice) -> tuple[Side, Side]:
    """Both sides of a block, as tensors of their own with finite exponents."""
    limit = _limit(logits)
    scores = logits[block].to(wide(logits.dtype)).clamp(-limit, limit)
    return Weights(targets[block], None if mask is None else mask[block]).sides(scores)


def _workspace(logits: Tensor, dtype: torch.dtype) -> Tensor:
    return logits.new_empty(min(rows_per_block(logits), len(logits)), logits.shape[1], dtype=dtype)


def _value(shift: Tensor, total: Tensor, partition: Tensor) -> Tensor:
    """log(1 + e^shift total), where partition = e^-shift + total."""
    # log1p keeps the digits of a small value; a large one takes the way that can not overflow.
    small = torch.log1p(total * torch.exp(shift.clamp(max=40)))
    value = torch.where(shift > 40, shift + partition.log(), small)
    return torch.where(shift >= _limit(shift), torch.inf, value)


def _powers_(exponents: Tensor) -> Tensor:
    """exp(x) in place for x <= 0, the exponent held at the floor; positive x count as 0."""
    return exponents.clamp_(math.log(_least(exponents) / 2), 0).exp_()


def _exact_powers_(exponents: Tensor) -> Tensor:
    """The same with 0 for what was held at the floor."""
    return torch.threshold_(_powers_(exponents), _least(exponents), 0.0)


def _least(numbers: Tensor) -> float:
    """The smallest power told from 0."""
    return 8 * torch.finfo(numbers.dtype).tiny


def _limit(numbers: Tensor) -> float:
    """From here on an exponent counts as infinite."""
    return torch.finfo(wide(numbers.dtype)).max / 2
