"""Walking through the rows in blocks that stay in cache.

Fresh memory costs several times more than the arithmetic of a loss, so the losses that work
class by class never make more than a block of intermediate numbers at a time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from scispaces.losses._common import values_are_readable, wide

_BLOCK = 2**18  # elements for each thread: a megabyte of float32 stays in its L2 cache
_ACCELERATOR_BLOCK = 2**24  # there launches are dear and caches matter less

RowLoss = Callable[[Tensor, Tensor], Tensor]


def rows_per_block(logits: Tensor) -> int:
    """How many rows of `logits` (rows, classes) make a block."""
    block = _BLOCK * torch.get_num_threads() if logits.device.type == "cpu" else _ACCELERATOR_BLOCK
    return max(1, block // logits.shape[1])


def blocks(logits: Tensor) -> Iterator[slice]:
    """The rows of `logits` (rows, classes), as slices of a block each."""
    step = rows_per_block(logits)
    for start in range(0, len(logits), step):
        yield slice(start, min(start + step, len(logits)))


def loss_of_rows(row_loss: RowLoss, logits: Tensor, targets: Tensor) -> Tensor:
    """`row_loss(logits, targets)` of shape (...), block by block where that can be done.

    `row_loss` maps scores and targets, (rows, classes), both in the dtype of computation, to the
    losses (rows,) by differentiable torch functions.
    """
    if logits.numel() == 0:
        return logits.to(wide(logits.dtype)).sum(-1)
    flat = logits.reshape(-1, logits.shape[-1])
    labels = targets.detach().reshape(flat.shape)
    if values_are_readable(logits, targets):
        rows = _InBlocks.apply(row_loss, flat, labels)
    else:
        rows = row_loss(flat.to(wide(flat.dtype)), as_numbers(labels, wide(flat.dtype)))
    return rows.reshape(logits.shape[:-1])


def as_numbers(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in a floating-point dtype."""
    # Booleans convert five times faster as the bytes they are.
    return (tensor.view(torch.uint8) if tensor.dtype is torch.bool else tensor).to(dtype)


class _InBlocks(torch.autograd.Function):
    """A loss of rows that keeps only its inputs and computes a block anew for its gradient."""

    @staticmethod
    def forward(ctx: Any, row_loss: RowLoss, logits: Tensor, targets: Tensor) -> Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.row_loss = row_loss
        dtype = wide(logits.dtype)
        return torch.cat(
            [
                row_loss(logits[block].to(dtype), as_numbers(targets[block], dtype))
                for block in blocks(logits)
            ]
        )

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[None, Tensor, None]:
        logits, targets = ctx.saved_tensors
        dtype = wide(logits.dtype)
        if torch.is_grad_enabled():  # the gradient must have a gradient of its own
            rows = ctx.row_loss(logits.to(dtype), as_numbers(targets, dtype))
            return None, *torch.autograd.grad(rows, logits, outer[0], create_graph=True), None
        gradient = torch.empty_like(logits)
        for block in blocks(logits):
            with torch.enable_grad():
                scores = logits[block].to(dtype).detach().requires_grad_()
                rows = ctx.row_loss(scores, as_numbers(targets[block], dtype))
            gradient[block] = torch.autograd.grad(rows, scores, outer[0][block])[0]
        return None, gradient, None
