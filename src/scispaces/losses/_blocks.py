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

Elementwise = Callable[[Tensor, Tensor], Tensor]  # (scores, targets) -> one number each


def rows_per_block(logits: Tensor) -> int:
    """How many rows of `logits` (rows, classes) make a block."""
    block = _BLOCK * torch.get_num_threads() if logits.device.type == "cpu" else _ACCELERATOR_BLOCK
    return max(1, block // logits.shape[1])


def blocks(logits: Tensor) -> Iterator[slice]:
    """The rows of `logits` (rows, classes), as slices of a block each."""
    step = rows_per_block(logits)
    for start in range(0, len(logits), step):
        yield slice(start, min(start + step, len(logits)))


def sum_of_classes(
    values: Elementwise, slopes: Elementwise, logits: Tensor, targets: Tensor
) -> Tensor:
    """The sum of `values` over the classes, block by block where that can be done.

    `values` is made of differentiable torch functions, `slopes` is its derivative in the scores.
    Both get numbers in the dtype of computation.
    """
    if logits.numel() == 0:
        return logits.to(wide(logits.dtype)).sum(-1)
    flat = logits.reshape(-1, logits.shape[-1])
    labels = targets.detach().reshape(flat.shape)
    if values_are_readable(logits, targets):
        rows = _InBlocks.apply(values, slopes, flat, labels)
    else:
        rows = values(*_as_numbers(flat, labels)).sum(-1)
    return rows.reshape(logits.shape[:-1])


def as_numbers(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in a floating-point dtype."""
    # Booleans convert five times faster as the bytes they are.
    return (tensor.view(torch.uint8) if tensor.dtype is torch.bool else tensor).to(dtype)


def _as_numbers(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    dtype = wide(logits.dtype)
    return logits.to(dtype), as_numbers(targets, dtype)


class _InBlocks(torch.autograd.Function):
    """The sum over the classes of a function of score and target; keeps nothing but its inputs."""

    @staticmethod
    def forward(
        ctx: Any, values: Elementwise, slopes: Elementwise, logits: Tensor, targets: Tensor
    ) -> Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.values, ctx.slopes = values, slopes
        rows = [
            values(*_as_numbers(logits[block], targets[block])).sum(-1) for block in blocks(logits)
        ]
        return torch.cat(rows)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[None, None, Tensor, None]:
        logits, targets = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient must have a gradient of its own
            rows = ctx.values(*_as_numbers(logits, targets)).sum(-1)
            gradient = torch.autograd.grad(rows, logits, outer[0], create_graph=True)[0]
            return None, None, gradient, None
        gradient = torch.empty_like(logits)
        for block in blocks(logits):
            slopes = ctx.slopes(*_as_numbers(logits[block], targets[block]))
            gradient[block] = slopes.mul_(outer[0][block, None])
        return None, None, gradient, None
