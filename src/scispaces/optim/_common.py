"""What the room shares: checks at the door, and visits to other points of parameter space."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

Parameters = Tensor | Iterable[Tensor]


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype to compute in: float32 for half precision, else the dtype itself."""
    return torch.promote_types(dtype, torch.float32)


def check_positive(name: str, number: float, *, finite: bool = True) -> float:
    """The number as a float; refused unless positive (and finite)."""
    value = as_number(name, number)
    if not value > 0 or (finite and value == math.inf):
        raise ValueError(f"`{name}` must be positive{' and finite' * finite}. Got {value:g}.")
    return value


def check_at_least_zero(name: str, number: float) -> float:
    """The number as a float; refused unless finite and at least 0."""
    value = as_number(name, number)
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be at least 0 and finite. Got {value:g}.")
    return value


def as_number(name: str, number: float) -> float:
    """A Python or numpy number as a float; tensors are not read, that could wait for a device."""
    if isinstance(number, Tensor | str | bool):
        raise TypeError(f"`{name}` must be a number. Got {type(number).__name__}.")
    try:
        return float(number)
    except TypeError as error:
        raise TypeError(f"`{name}` must be a number. Got {type(number).__name__}.") from error


def check_choice(name: str, choice: str, choices: Sequence[str]) -> None:
    """Refuse what is not one of the choices."""
    if choice not in choices:
        must = " or ".join(repr(each) for each in choices)
        raise ValueError(f"`{name}` must be {must}. Got {choice!r}.")


def check_float_tensor(name: str, tensor: Tensor) -> None:
    """Refuse what is not a tensor of real floating-point numbers."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        got = f"dtype {tensor.dtype}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"`{name}` must be a floating-point tensor. Got {got}.")


def list_parameters(parameters: Parameters, name: str = "parameters") -> list[Tensor]:
    """The tensors in order; one that comes twice is listed once."""
    if isinstance(parameters, Tensor):
        return [parameters]
    listed: dict[int, Tensor] = {}
    for parameter in parameters:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"`{name}` must be tensors. Got {type(parameter).__name__}.")
        listed.setdefault(id(parameter), parameter)
    return list(listed.values())


@contextmanager
def same_random_numbers(parameters: Sequence[Tensor]) -> Iterator[Callable[[], None]]:
    """Yields a function that winds the global generators back to where they were.

    Dropout then draws the same mask at every point that is compared. After the block the
    generators stand where the last evaluation left them.
    """
    accelerators = sorted({p.device.index or 0 for p in parameters if p.is_cuda})
    host = torch.get_rng_state()
    states = [torch.cuda.get_rng_state(index) for index in accelerators]

    def wind_back() -> None:
        torch.set_rng_state(host)
        for index, state in zip(accelerators, states, strict=True):
            torch.cuda.set_rng_state(state, index)

    yield wind_back


@contextmanager
def visits(parameters: Sequence[Tensor]) -> Iterator[Callable[[Sequence[Tensor], float], None]]:
    """Yields a function that moves the parameters to start + fraction * step.

    Whatever happens in the block, they are bit for bit back at the start after it.
    """
    start = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def move(step: Sequence[Tensor], fraction: float) -> None:
        for parameter, origin, change in zip(parameters, start, step, strict=True):
            parameter.copy_(torch.add(origin, change.to(origin.dtype), alpha=fraction))

    try:
        yield move
    finally:
        with torch.no_grad():
            for parameter, origin in zip(parameters, start, strict=True):
                parameter.copy_(origin)
