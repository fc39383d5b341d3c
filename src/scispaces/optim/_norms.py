"""Euclidean norms of gradients, to the last digits, without waiting for the device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from scispaces.optim._common import wide

# On a CPU the sum of squares of float32 runs through few accumulators: 10 million equal entries
# in one tensor are off by up to 0.8 %. Rows of this size keep the error near 1e-5 and take a fifth
# more time.
_PIECE = 1 << 14
# Outside of this range the squares of float32 entries leave the range of float32.
_LEAST, _MOST = 1e-12, 1e37


def on_host(tensor: Tensor) -> bool:
    """Whether reading a value costs nothing: a real tensor in main memory, not being traced."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def dense_gradients(parameters: Sequence[Tensor], name: str = "parameters") -> list[Tensor]:
    """The gradients that there are; sparse ones are refused."""
    gradients = []
    for index, parameter in enumerate(parameters):
        gradient = parameter.grad
        if gradient is None:
            continue
        if gradient.layout is not torch.strided:
            raise TypeError(
                f"`{name}` must have dense gradients. Got a gradient of layout "
                f"{gradient.layout} at parameter {index}; `.to_dense()` makes it dense."
            )
        gradients.append(gradient)
    return gradients


def tensor_norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The norm of every tensor, on its device; half precision is squared and summed in float32."""
    norms: dict[int, Tensor] = {}
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for index, tensor in enumerate(tensors):
        groups.setdefault((tensor.device, tensor.dtype), []).append(index)
    for (device, dtype), members in groups.items():
        group = [tensors[index].detach() for index in members]
        values = _piecewise(group) if device.type == "cpu" else _at_once(group, wide(dtype))
        if on_host(group[0]) and wide(dtype) is torch.float32:
            for place, (value, tensor) in enumerate(zip(values, group, strict=True)):
                if not _LEAST < value.item() < _MOST:
                    exact = torch.linalg.vector_norm(tensor, dtype=torch.float64)
                    values[place] = exact.to(torch.float32)
        norms.update(zip(members, values, strict=True))
    return [norms[index] for index in range(len(tensors))]


def stack(norms: Sequence[Tensor]) -> Tensor:
    """The norms side by side, in the widest of their dtypes, on the device of the first."""
    dtype = norms[0].dtype
    for norm in norms[1:]:
        dtype = torch.promote_types(dtype, norm.dtype)
    return torch.stack([norm.to(norms[0].device, dtype, non_blocking=True) for norm in norms])


def norm_of_norms(norms: Sequence[Tensor]) -> Tensor:
    """The norm of everything: one number on the device of the first."""
    if not norms:
        return torch.zeros(())
    stacked = stack(norms)
    if len(norms) == 1:
        return stacked[0]
    if stacked.device.type == "cpu":  # float64 has room for the squares of all float32 numbers
        return torch.linalg.vector_norm(stacked, dtype=torch.float64).to(stacked.dtype)
    return torch.linalg.vector_norm(stacked)


def _at_once(group: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    return list(torch._foreach_norm(group, 2, dtype=None if dtype.is_complex else dtype))


def _piecewise(group: list[Tensor]) -> list[Tensor]:
    dtype = wide(group[0].dtype)
    small = [tensor for tensor in group if tensor.numel() <= _PIECE]
    found = iter(_at_once(small, dtype) if small else [])
    return [_by_rows(each, dtype) if each.numel() > _PIECE else next(found) for each in group]


def _by_rows(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The norm of the norms of the rows of the tensor, cut into rows of one piece each."""
    flat, given = tensor.reshape(-1), None if dtype.is_complex else dtype
    whole = flat.numel() // _PIECE * _PIECE
    norms = torch.linalg.vector_norm(flat[:whole].view(-1, _PIECE), dim=1, dtype=given)
    if whole < flat.numel():
        rest = torch.linalg.vector_norm(flat[whole:], dtype=given)
        norms = torch.cat([norms, rest.reshape(1)])
    return torch.linalg.vector_norm(norms, dtype=torch.float64).to(norms.dtype)
