"""The scale that layers can pass among themselves, and a penalty that does not see it."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from scispaces.optim._common import (
    Parameters,
    as_number,
    check_at_least_zero,
    check_positive,
    list_parameters,
    wide,
)

Weighted = (
    nn.Linear
    | nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
)
# phi(c x) = c phi(x) for every c >= 0. Compared by type: a class derived from one of these may
# compute anything.
_HOMOGENEOUS = frozenset(
    {nn.Identity, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Flatten, nn.Unflatten}
    | {nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d}
    | {nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d}
    | {nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d}
    | {nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d}
    | {nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d}
    | {nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d}
    | {nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d}
    | {nn.PixelShuffle, nn.PixelUnshuffle, nn.Upsample, nn.UpsamplingNearest2d}
)


def weight_scale_penalty(
    parameters: Parameters, *, log_norm: float, direction_l1: float = 0.0, floor: float = 1e-6
) -> Tensor:
    r"""Regulariser that does not change when layers pass scale among themselves.

    .. math:: \lambda_1 \sum_l \log \lVert W_l \rVert_2
        + \lambda_2 \sum_l \Big\lVert \frac{W_l}{\lVert W_l \rVert_2} \Big\rVert_1

    Norms are those of all entries (Frobenius). The first sum is the logarithm of the product of
    the norms, which bounds the Jacobian of a chain of Linear layers, not of convolutions. The
    second asks for sparse directions. Both are invariant under `shift_weight_scale_`, which L2 is
    not; rescaling single neurons changes them (book: `weight-scale-shift-log-norm`,
    `weight-scale-shift-neuron-product`).

    The first sum has no lower bound. With mean cross-entropy over K classes and W Lambert's
    function, weights collapse to 0 if lambda_1 exceeds W((K - 1) / e), 1.10 for ten classes (book:
    `weight-scale-shift-pull-bound`). Layers behind a normalisation collapse with any lambda_1.

    Args:
        parameters: The weights W, of any floating dtypes and devices. Tensors of fewer than two
            axes, biases and scales of normalisation, are left out.
        log_norm: Weight lambda_1 >= 0 of the first sum.
        direction_l1: Weight lambda_2 >= 0 of the second sum.
        floor: Norm > 0 below which a tensor counts as one of this norm; its logarithm is then
            constant, and the gradient of the first sum 0. The default only prevents division by
            0. A floor of sqrt(learning rate * log_norm) also keeps steps of plain gradient
            descent from overshooting 0 (book: `weight-scale-shift-floor`).

    Returns:
        A scalar, float32 or wider, on the device of the first weight.

    Raises:
        TypeError: if the parameters are not floating-point tensors.
        ValueError: for weights below 0, a floor that is not positive, or nothing to regularise.

    Example:
        >>> import torch
        >>> weights = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.6], [0.8]])]
        >>> shifted = [10 * weights[0], weights[1] / 10]
        >>> weight_scale_penalty(weights, log_norm=1.0, direction_l1=0.1)
        tensor(1.8894)
        >>> weight_scale_penalty(shifted, log_norm=1.0, direction_l1=0.1)
        tensor(1.8894)

    References:
        [1] Z. Liu, Y. Cui, A. B. Chan. Improve Generalization and Robustness of Neural Networks
            via Weight Scale Shifting Invariant Regularizations. arXiv:2008.02965.
        [2] J. Su. Scientific Spaces, archives/7681 (2020).
    """
    log_norm = check_at_least_zero("log_norm", log_norm)
    direction_l1 = check_at_least_zero("direction_l1", direction_l1)
    floor = check_positive("floor", floor)
    weights = [each for each in list_parameters(parameters) if each.ndim >= 2]
    if not weights:
        raise ValueError("`parameters` must hold a tensor of two or more axes. Got none.")
    terms = []
    for weight in weights:
        if not weight.is_floating_point():
            raise TypeError(f"`parameters` must be floating-point. Got {weight.dtype}.")
        flat = weight.to(wide(weight.dtype)).reshape(-1)
        norm = torch.linalg.vector_norm(flat).clamp_min(floor)
        term = log_norm * norm.log()
        if direction_l1:
            term = term + direction_l1 * (flat.abs().sum() / norm)
        terms.append(term.to(weights[0].device))
    return torch.stack(terms).sum()


@torch.no_grad()
def shift_weight_scale_(model: nn.Sequential, factors: Sequence[float] | Tensor) -> None:
    r"""Pass scale between the layers of a network, in place, without changing its function.

    .. math:: W_l \leftarrow \gamma_l W_l, \qquad
        b_l \leftarrow \Big(\prod_{k \le l} \gamma_k\Big) b_l, \qquad \prod_l \gamma_l = 1

    A bias is added to what all layers up to its own have scaled, hence the product (book:
    `weight-scale-shift-rule`). With its own layer's factor alone, as it is sometimes printed, the
    function changes (book: `weight-scale-shift-printed-bias`).

    Args:
        model: A chain, `nn.Sequential`, nested or not, of Linear and Conv layers with what is
            positively homogeneous between them: ReLU, leaky ReLU, PReLU, RReLU, max and average
            pooling, dropout, flattening, padding with zeros, and the like. Before the first and
            behind the last of these layers there may be anything. `nn.Sequential(*layers)` makes
            a chain of layers that belong to another module; they are shared, not copied.
        factors: One positive factor gamma for each Linear or Conv layer, with product 1.

    Raises:
        TypeError: if the model is not an `nn.Sequential`.
        ValueError: for a layer between that is not positively homogeneous, which is named; a
            weight that is shared or parametrised; too few or many factors, one that is not
            positive, or a product that is not 1.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> x = torch.ones(1, 2)
        >>> before = model(x)
        >>> shift_weight_scale_(model, [4.0, 0.25])
        >>> torch.equal(model(x), before)
        True

    References:
        [1] J. Su. Scientific Spaces, archives/7681 (2020).
    """
    layers = _chain(model)
    numbers = factors.tolist() if isinstance(factors, Tensor) else factors
    numbers = [as_number("factors", each) for each in numbers]
    if len(numbers) != len(layers):
        raise ValueError(
            f"`factors` must hold one for each of the {len(layers)} layers. Got {len(numbers)}."
        )
    for index, number in enumerate(numbers):
        if not 0 < number < math.inf:
            raise ValueError(
                f"`factors` must be positive and finite. Got {number:g} at index {index}."
            )
    product = math.fsum(math.log(number) for number in numbers)
    if abs(product) > 1e-6:  # room for factors that were rounded to float32
        raise ValueError(f"`factors` must have product 1. Got {math.exp(product):.9g}.")
    _shift(layers, numbers)


@torch.no_grad()
def balance_weight_scale_(model: nn.Sequential) -> Tensor:
    r"""Give all layers of a network the same weight norm, in place, keeping its function.

    .. math:: \gamma_l = \frac{G}{\lVert W_l \rVert}, \qquad
        G = \Big(\prod_l \lVert W_l \rVert\Big)^{1/L}

    By the inequality of arithmetic and geometric means, this is the shift with the smallest
    :math:`\sum_l \lVert W_l \rVert^2`, whose value is :math:`L G^2` (book:
    `weight-scale-shift-balance`). Biases follow the weights (see `shift_weight_scale_`); their
    norms are no part of what is minimised. From a balanced start the gradient of L2 shifts no
    scale between the layers (book: `weight-scale-shift-split`).

    Args:
        model: A chain as for `shift_weight_scale_`.

    Returns:
        The factors gamma, float64; `shift_weight_scale_(model, 1 / factors)` undoes the balance.

    Raises:
        TypeError: if the model is not an `nn.Sequential`.
        ValueError: as `shift_weight_scale_`, and for a weight whose norm is 0 or not finite.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False))
        >>> for layer, value in zip(model, (8.0, 2.0)):
        ...     _ = torch.nn.init.constant_(layer.weight, value)
        >>> balance_weight_scale_(model)
        tensor([0.5000, 2.0000], dtype=torch.float64)
        >>> model[0].weight.item(), model[1].weight.item()
        (4.0, 4.0)
    """
    layers = _chain(model)
    logarithms = []
    for name, layer in layers:
        norm = torch.linalg.vector_norm(layer.weight, dtype=torch.float64).item()
        if not 0 < norm < math.inf:
            raise ValueError(
                f"`model` must have weights of positive, finite norm. Got {norm:g} at '{name}'."
            )
        logarithms.append(math.log(norm))
    mean = math.fsum(logarithms) / len(logarithms)
    factors = [math.exp(mean - logarithm) for logarithm in logarithms]
    _shift(layers, factors)
    return torch.tensor(factors, dtype=torch.float64)


_Layers = list[tuple[str, Weighted]]


def _shift(layers: _Layers, factors: list[float]) -> None:
    product = 1.0
    for (_, layer), factor in zip(layers, factors, strict=True):
        product *= factor
        layer.weight.mul_(factor)
        if layer.bias is not None:
            layer.bias.mul_(product)


def _chain(model: nn.Sequential) -> _Layers:
    """The layers with weights, by name, if scale passes through everything between them."""
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"`model` must be an nn.Sequential. Got {type(model).__name__}.")
    layers = list(_leaves(model, ""))
    places = [place for place, (_, layer) in enumerate(layers) if isinstance(layer, Weighted)]
    if not places:
        raise ValueError("`model` must have a Linear or Conv layer. Got none.")
    weighted: _Layers = []
    seen: set[int] = set()
    for name, layer in layers[places[0] : places[-1] + 1]:
        if not isinstance(layer, Weighted):
            if type(layer) not in _HOMOGENEOUS:
                raise ValueError(
                    "`model` must be positively homogeneous between its first and last weight. "
                    f"Got {type(layer).__name__} at '{name}'."
                )
            continue
        tensors = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        if not all(isinstance(each, nn.Parameter) for each in tensors):
            raise ValueError(f"`model` must not have parametrised weights. Got one at '{name}'.")
        if any(id(each) in seen for each in tensors):
            raise ValueError(f"`model` must not share weights between layers. Got '{name}' twice.")
        seen.update(map(id, tensors))
        weighted.append((name, layer))
    return weighted


def _leaves(model: nn.Sequential, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, layer in zip(model._modules, model, strict=True):  # named_children leaves out twins
        if type(layer) is nn.Sequential:
            yield from _leaves(layer, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", layer
