"""How a loss that treats every row by itself is computed fast, and with little memory.

In eager training the rows are walked through in blocks that stay in cache, and the gradient is
written down together with the value, in the one piece of memory of the size of the logits that is
needed at all; it is kept until the backward pass gives it away. Fresh memory and passes through
it cost more than the arithmetic of a loss. Under `torch.compile` and `torch.func`, and for
derivatives of the gradient, the same loss is computed by plain differentiable torch functions.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from scispaces.losses._common import Reduction, reduce_rows, values_are_readable, wide

_BLOCK = 2**17  # elements for each thread: half a megabyte of float32 stays in its L2 cache
_ACCELERATOR_BLOCK = 2**24  # there launches are dear and caches matter less

Labels = tuple[Tensor | None, ...]  # what goes with the logits and gets no gradient


class RowLoss(Protocol):
    """A loss of rows, given in two ways that must agree."""

    def rows(self, scores: Tensor, *labels: Any) -> Tensor:
        """The loss of every row, (rows,), by differentiable torch functions.

        `scores` are the logits (rows, classes) in the dtype of computation.
        """

    def rows_and_slopes(self, pieces: "Pieces", share: float, *labels: Any) -> Tensor:
        """The same, leaving `share` times the gradient in the memory of the pieces."""


class Pieces:
    """The logits, block by block, as copies in the dtype of computation to be worked on in place.

    The copies lie in `gradient` where there is one, else in memory that is used again.
    """

    def __init__(self, logits: Tensor, *, recording: bool) -> None:
        self.logits = logits
        self.dtype = wide(logits.dtype)
        # Float32 for half precision too: what is small now may be scaled up later.
        shape, device = logits.shape, logits.device
        self.gradient = torch.empty(shape, dtype=self.dtype, device=device) if recording else None

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        rows, classes = self.logits.shape
        on_cpu = self.logits.device.type == "cpu"
        size = _BLOCK * torch.get_num_threads() if on_cpu else _ACCELERATOR_BLOCK
        step = max(1, size // classes)
        target = self.gradient
        if target is None:
            target = self.logits.new_empty(min(step, rows), classes, dtype=self.dtype)
        for start in range(0, rows, step):
            block = slice(start, min(start + step, rows))
            place = slice(block.stop - start) if self.gradient is None else block
            yield block, target[place].copy_(self.logits[block])


def loss_of_rows(loss: RowLoss, logits: Tensor, labels: Labels, reduction: Reduction) -> Tensor:
    """The reduced loss of `logits`, (..., classes), and `labels`, flattened to (rows, ...)."""
    dtype = wide(logits.dtype)
    if logits.numel() == 0:
        return reduce_rows(logits.to(dtype).sum(-1), reduction)
    flat = logits.reshape(-1, logits.shape[-1])
    if values_are_readable(logits, *labels):
        value = _ValueAndGradient.apply(loss, reduction, torch.is_grad_enabled(), flat, *labels)
    else:
        value = reduce_rows(loss.rows(flat.to(dtype), *labels), reduction)
    return value.reshape(logits.shape[:-1]) if reduction == "none" else value


def flat_rows(targets: Tensor) -> tuple[Tensor]:
    """Targets shaped like the logits as labels, (rows, classes), without gradient."""
    return (targets.detach().reshape(-1, targets.shape[-1]) if targets.numel() else targets,)


def as_numbers(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in a floating-point dtype."""
    # Booleans convert five times faster as the bytes they are.
    return (tensor.view(torch.uint8) if tensor.dtype is torch.bool else tensor).to(dtype)


class _ValueAndGradient(torch.autograd.Function):
    """A loss of rows whose gradient is made in the forward pass and given away in the backward."""

    @staticmethod
    def forward(
        ctx: Any,
        loss: RowLoss,
        reduction: Reduction,
        recording: bool,
        logits: Tensor,
        *labels: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(logits, *labels)
        ctx.loss, ctx.reduction = loss, reduction
        recording = recording and ctx.needs_input_grad[3]
        rows, ctx.gradient = _value_and_gradient(loss, reduction, recording, logits, labels)
        return reduce_rows(rows, reduction)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        logits, *labels = ctx.saved_tensors
        nothing = (None,) * len(labels)
        if torch.is_grad_enabled():  # the gradient is to have a gradient of its own
            rows = ctx.loss.rows(logits.to(wide(logits.dtype)), *labels)
            value = reduce_rows(rows, ctx.reduction)
            gradient = torch.autograd.grad(value, logits, outer[0], create_graph=True)[0]
            return None, None, None, gradient, *nothing
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:  # given away before, the graph being retained
            _, gradient = _value_and_gradient(ctx.loss, ctx.reduction, True, logits, labels)
        weight = outer[0].unsqueeze(-1)
        if weight.numel() != 1 or weight.device.type != "cpu" or weight.item() != 1:
            gradient.mul_(weight)
        return None, None, None, gradient.to(logits.dtype), *nothing


def _value_and_gradient(
    loss: RowLoss, reduction: str, recording: bool, logits: Tensor, labels: Any
) -> tuple[Tensor, Tensor | None]:
    pieces = Pieces(logits, recording=recording)
    share = 1 / len(logits) if reduction == "mean" else 1.0
    rows = loss.rows_and_slopes(pieces, share, *labels)
    return rows, pieces.gradient
