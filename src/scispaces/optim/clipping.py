"""Gradient clipping, hard and soft, as it is defined: without a hidden epsilon."""

import math
from typing import Literal, overload

import torch
from torch import Tensor

from scispaces.optim._common import (
    Parameters,
    as_number,
    check_choice,
    check_float_tensor,
    check_positive,
    list_parameters,
    wide,
)
from scispaces.optim._norms import dense_gradients, norm_of_norms, stack, tensor_norms

Form = Literal["hard", "soft"]
Scope = Literal["global", "tensor"]
FORMS, SCOPES = ("hard", "soft"), ("global", "tensor")


@overload
def clip_factor(norm: Tensor, threshold: float, *, form: Form = "hard") -> Tensor: ...
@overload
def clip_factor(norm: float, threshold: float, *, form: Form = "hard") -> float: ...
def clip_factor(norm: Tensor | float, threshold: float, *, form: Form = "hard") -> Tensor | float:
    r"""The number in (0, 1] that clipping multiplies a gradient with.

    .. math:: \text{hard: } \min\Big(1, \frac{c}{\lVert g \rVert}\Big), \qquad
        \text{soft: } \frac{c}{c + \lVert g \rVert} = \frac{1}{1 + \lVert g \rVert / c}

    (book: `gradient-clipping-hard`, `gradient-clipping-soft`)

    The soft factor lies between half the hard one and the hard one itself; it is exactly half of
    it at a norm equal to the threshold (book: `gradient-clipping-two-forms`).

    Args:
        norm: Norm of the gradient, at least 0: a number, or a tensor of any shape.
        threshold: The norm c > 0 at which hard clipping begins. Infinity clips nothing.
        form: "hard" or "soft".

    Returns:
        A float for a number, else a tensor of the same shape, float32 or wider, differentiable.
        A norm of 0 gives 1, an infinite one 0 (but 1 at an infinite threshold), NaN gives NaN.

    Raises:
        TypeError: if the norm is neither a number nor a floating-point tensor.
        ValueError: for a threshold that is not positive, a norm below 0 (the values of a tensor
            are not looked at) or another form.

    Example:
        >>> clip_factor(4.0, 1.0), clip_factor(4.0, 1.0, form="soft")
        (0.25, 0.2)
        >>> import torch
        >>> clip_factor(torch.tensor([0.0, 1.0, torch.inf]), 1.0, form="soft")
        tensor([1.0000, 0.5000, 0.0000])

    References:
        [1] R. Pascanu, T. Mikolov, Y. Bengio. On the Difficulty of Training Recurrent Neural
            Networks. ICML 2013.
        [2] J. Zhang et al. Why Gradient Clipping Accelerates Training. ICLR 2020.
    """
    threshold = check_positive("threshold", threshold, finite=False)
    check_choice("form", form, FORMS)
    if isinstance(norm, Tensor):
        check_float_tensor("norm", norm)
        return _factor(norm.to(wide(norm.dtype)), threshold, form)
    number = as_number("norm", norm)
    if number < 0:
        raise ValueError(f"`norm` must be at least 0. Got {number:g}.")
    return _factor(torch.tensor(number, dtype=torch.float64), threshold, form).item()


@torch.no_grad()
def clip_gradients_(
    parameters: Parameters,
    threshold: float,
    *,
    form: Form = "hard",
    scope: Scope = "global",
    error_if_nonfinite: bool = False,
) -> Tensor:
    r"""Clip the gradients of the parameters in place and return the norm they had.

    .. math:: g \leftarrow g \cdot \min\Big(1, \frac{c}{\lVert g \rVert}\Big)
        \quad \text{or} \quad g \leftarrow g \cdot \frac{c}{c + \lVert g \rVert}

    As `torch.nn.utils.clip_grad_norm_` but for its + 1e-6 in the denominator
    (book: `gradient-clipping-torch-factor`), its acceptance of negative thresholds (which turn
    gradients round) and its norm of large tensors on a CPU, which can be off by several per cent.

    Args:
        parameters: A tensor or tensors, of any dtypes and devices. Those without a gradient are
            left alone; one that is listed twice counts once.
        threshold: The norm c > 0 at which hard clipping begins. Infinity clips nothing.
        form: "hard" or "soft".
        scope: "global" for one norm of all gradients together, "tensor" for one of each.
        error_if_nonfinite: Refuse an infinite or NaN norm before anything is changed. This alone
            waits for the device.

    Returns:
        The norm before clipping, float32 or wider: a scalar, or for scope "tensor" one number
        for each parameter, 0 where there is no gradient. A NaN in the norm makes all gradients
        under it NaN. An infinite norm makes finite entries 0 and infinite ones NaN. Norms of half
        precision are taken in float32; on a CPU norms of float32 overflow only beyond 3e38,
        elsewhere where a square does, at entries beyond 1e19.

    Raises:
        TypeError: for a sparse gradient, or parameters that are no tensors.
        ValueError: for a threshold that is not positive, another form or scope.
        RuntimeError: for a norm that is not finite, if asked to.

    Example:
        >>> import torch
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> clip_gradients_([weight], 1.0)
        tensor(5.)
        >>> weight.grad
        tensor([0.6000, 0.8000])

    References:
        [1] R. Pascanu, T. Mikolov, Y. Bengio. On the Difficulty of Training Recurrent Neural
            Networks. ICML 2013.
    """
    threshold = check_positive("threshold", threshold, finite=False)
    check_choice("form", form, FORMS)
    check_choice("scope", scope, SCOPES)
    listed = list_parameters(parameters)
    gradients = dense_gradients(listed)
    norms = tensor_norms(gradients)
    norm = norm_of_norms(norms) if scope == "global" else _one_for_each(listed, norms)
    if error_if_nonfinite and not norm.isfinite().all().item():
        raise RuntimeError(f"The norm of the gradients must be finite. Got {norm.tolist()}.")
    if scope == "global":
        scale_(gradients, [_factor(norm, threshold, form)] * len(gradients))
    else:
        scale_(gradients, [_factor(each, threshold, form) for each in norms])
    return norm


def scale_(tensors: list[Tensor], factors: list[Tensor]) -> None:
    """Multiply every tensor by its factor, in place; the factor is not rounded to half precision.

    A factor of no axes would take on the dtype of the tensor, one of one axis does not.
    """
    groups: dict[tuple[torch.device, int], list[Tensor]] = {}
    shared: dict[int, Tensor] = {}
    for tensor, factor in zip(tensors, factors, strict=True):
        if tensor.dtype in (torch.float16, torch.bfloat16):
            row = tensor if tensor.ndim else tensor.unsqueeze(0)
            row.mul_(factor.to(tensor.device, non_blocking=True).reshape(1))
        else:
            groups.setdefault((tensor.device, id(factor)), []).append(tensor)
            shared[id(factor)] = factor
    for (device, key), group in groups.items():
        torch._foreach_mul_(group, shared[key].to(device, non_blocking=True))


def _factor(norm: Tensor, threshold: float, form: Form) -> Tensor:
    if threshold == math.inf:
        return torch.where(norm.isnan(), norm, torch.ones_like(norm))
    limits = torch.finfo(norm.dtype)
    threshold = min(max(threshold, limits.tiny), limits.max)
    if form == "hard":
        # As a tensor: torch divides a number by a tensor through the reciprocal, and c * (1 / c)
        # need not be 1.
        return torch.full_like(norm, threshold) / norm.clamp_min(threshold)
    return 1 / (1 + norm / threshold)


def _one_for_each(parameters: list[Tensor], norms: list[Tensor]) -> Tensor:
    if not norms:
        return torch.zeros(len(parameters))
    given, zero = iter(norms), torch.zeros_like(norms[0])
    return stack([zero if each.grad is None else next(given) for each in parameters])
