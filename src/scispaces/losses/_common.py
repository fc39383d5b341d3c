"""What every loss shares: the checks at the door and the reduction over rows.

A row is one sample: the last axis of `logits` runs over the classes, every other axis over rows.
"""

import math
from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def values_are_readable(*tensors: Tensor | None) -> bool:
    """Whether Python may look at the values: not while tracing, transforming, or on `meta`.

    `torch.compile` and `torch.func` run the code on stand-ins. The losses then take their plain
    differentiable form, and checks of values (never those of shapes and types) are left out.
    """
    if torch.compiler.is_compiling():
        return False
    # The one question of functorch without a public name; torch's own autograd asks it this way.
    if torch._C._are_functorch_transforms_active():
        return False
    return not any(tensor is not None and tensor.is_meta for tensor in tensors)


def check_logits(logits: Tensor, reduction: str, name: str = "logits") -> None:
    """Refuse logits or a reduction that no loss can work with."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        got = f"dtype {logits.dtype}" if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(f"`{name}` must be a floating-point tensor. Got {got}.")
    if logits.ndim == 0:
        raise ValueError(f"`{name}` must have a class axis, shape (..., classes). Got a scalar.")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"`reduction` must be 'mean', 'sum' or 'none'. Got {reduction!r}.")
    if reduction == "mean" and 0 in logits.shape[:-1]:
        raise ValueError(
            "`logits` must hold at least one row for reduction='mean': the mean of no losses is "
            f"undefined. Got shape {tuple(logits.shape)}; 'sum' gives 0 there."
        )


def require(holds: bool, name: str, value: object, must: str) -> None:
    """Refuse a setting with the sentence that says what it must be."""
    if not holds:
        raise ValueError(f"`{name}` must {must}. Got {value!r}.")


def check_like_logits(name: str, tensor: Tensor, logits: Tensor) -> None:
    """Refuse a companion of the logits that is no tensor, has another shape or device."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"`{name}` must be a tensor. Got {type(tensor).__name__}.")
    if tensor.shape != logits.shape:
        raise ValueError(
            f"`{name}` must have the shape of `logits`, {tuple(logits.shape)}. "
            f"Got {tuple(tensor.shape)}."
        )
    if tensor.device != logits.device:
        raise ValueError(
            f"`{name}` must be on the device of `logits`, {logits.device}. Got {tensor.device}."
        )


def check_targets(targets: Tensor, logits: Tensor, *, hard: bool = False) -> None:
    """Refuse targets of another shape or device, or with a value outside [0, 1].

    With `hard`, every value must be 0 or 1.
    """
    check_like_logits("targets", targets, logits)
    if targets.is_complex():
        raise TypeError(f"`targets` must be bool, integer or real. Got dtype {targets.dtype}.")
    if targets.dtype is torch.bool or targets.numel() == 0 or not values_are_readable(targets):
        return
    low, high = torch.aminmax(targets.detach())
    if not (low.item() >= 0 and high.item() <= 1):  # written so that NaN is refused too
        refuse_value("targets", targets, ~((targets >= 0) & (targets <= 1)), "lie in [0, 1]")
    if hard and targets.is_floating_point():
        soft = (targets > 0) & (targets < 1)
        if soft.any().item():
            refuse_value("targets", targets, soft, "be 0 or 1 here")


def check_mask(mask: Tensor | None, logits: Tensor) -> None:
    """Refuse a mask that is not boolean or not shaped like the logits."""
    if mask is None:
        return
    check_like_logits("mask", mask, logits)
    if mask.dtype is not torch.bool:
        raise TypeError(f"`mask` must be boolean, True where a class counts. Got {mask.dtype}.")


def check_indices(positives: Tensor, logits: Tensor) -> None:
    """Refuse positives that are no integers, or do not go with the rows of the logits."""
    if not isinstance(positives, Tensor) or positives.dtype not in _INTEGERS:
        got = positives.dtype if isinstance(positives, Tensor) else type(positives).__name__
        raise TypeError(f"`positives` must be a tensor of integers. Got {got}.")
    if positives.ndim == 0 or positives.shape[:-1] != logits.shape[:-1]:
        raise ValueError(
            f"`positives` must have the rows of `logits`, {tuple(logits.shape[:-1])}, and a last "
            f"axis of indices. Got shape {tuple(positives.shape)}."
        )
    if positives.device != logits.device:
        raise ValueError(
            f"`positives` must be on the device of `logits`, {logits.device}. "
            f"Got {positives.device}."
        )


def check_class_indices(targets: Tensor, logits: Tensor) -> None:
    """Refuse targets that are not one class index for every row of the logits."""
    if not isinstance(targets, Tensor) or targets.dtype not in _INTEGERS:
        got = targets.dtype if isinstance(targets, Tensor) else type(targets).__name__
        raise TypeError(f"`targets` must be a tensor of integers. Got {got}.")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            "`targets` must have one class index for every row of `logits`, shape "
            f"{tuple(logits.shape[:-1])}. Got shape {tuple(targets.shape)}."
        )
    if targets.device != logits.device:
        raise ValueError(
            f"`targets` must be on the device of `logits`, {logits.device}. Got {targets.device}."
        )
    if targets.numel() == 0 or not values_are_readable(targets):
        return
    classes = logits.shape[-1]
    low, high = torch.aminmax(targets)
    if low.item() < 0 or high.item() >= classes:
        wrong = (targets < 0) | (targets >= classes)
        refuse_value("targets", targets, wrong, f"lie in [0, {classes})")


def check_class_numbers(
    name: str, numbers: Tensor, *, logits: Tensor | None = None, positive: bool = False
) -> None:
    """Refuse what is not one finite number, at least or above 0, for every class."""
    if not isinstance(numbers, Tensor) or numbers.is_complex() or numbers.dtype is torch.bool:
        got = numbers.dtype if isinstance(numbers, Tensor) else type(numbers).__name__
        raise TypeError(f"`{name}` must be a tensor of real numbers. Got {got}.")
    wanted = None if logits is None else (logits.shape[-1],)
    if numbers.ndim != 1 or numbers.numel() == 0 or wanted not in (None, tuple(numbers.shape)):
        raise ValueError(
            f"`{name}` must have one number for every class, shape "
            f"{'(classes,)' if wanted is None else wanted}. Got shape {tuple(numbers.shape)}."
        )
    if logits is not None and numbers.device != logits.device:
        raise ValueError(
            f"`{name}` must be on the device of `logits`, {logits.device}. Got {numbers.device}."
        )
    if values_are_readable(numbers):
        low, high = (value.item() for value in torch.aminmax(numbers.detach()))
        if not (low >= 0 and (low > 0 or not positive) and high < math.inf):  # refuses NaN too
            right = ((numbers > 0) if positive else (numbers >= 0)) & (numbers < math.inf)
            bound = "positive" if positive else "at least 0"
            refuse_value(name, numbers, ~right, f"be finite and {bound}")


def check_class_prior(prior: Tensor, logits: Tensor | None = None) -> None:
    """Refuse what is not a distribution that gives every class some probability."""
    if isinstance(prior, Tensor) and not prior.is_floating_point():
        raise TypeError(
            f"`class_prior` must be a floating-point tensor. Got dtype {prior.dtype}; counts are "
            "made a prior by `class_prior_from_counts`."
        )
    check_class_numbers("class_prior", prior, logits=logits, positive=True)
    if values_are_readable(prior):
        total = prior.sum(dtype=wide(prior.dtype)).item()
        # Shares rounded to half precision, or to three digits, are still meant as a distribution.
        if abs(total - 1) > 1e-2:
            raise ValueError(
                f"`class_prior` must sum to 1. Got a sum of {total:.6g}; counts are made a prior "
                "by `class_prior_from_counts`."
            )


def refuse_value(name: str, tensor: Tensor, wrong: Tensor, must: str) -> None:
    """Raise the sentence that names the first wrong value and where it stands."""
    place = tuple(wrong.nonzero()[0].tolist())
    raise ValueError(f"`{name}` must {must}. Got {tensor[place].item():.6g} at index {place}.")


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype a loss computes and returns: float32 for half precision, else the dtype itself."""
    return torch.promote_types(dtype, torch.float32)


def in_floats(numbers: Tensor) -> Tensor:
    """Numbers of the classes in the dtype of computation, integers in torch's default dtype."""
    numbers = numbers.detach()
    floating = numbers.is_floating_point()
    return numbers.to(wide(numbers.dtype) if floating else torch.get_default_dtype())


def reduce_rows(rows: Tensor, reduction: str) -> Tensor:
    """Mean, sum or nothing over the rows; the class axis is summed before, by the loss itself."""
    if reduction == "mean":
        return rows.mean()
    return rows.sum() if reduction == "sum" else rows
