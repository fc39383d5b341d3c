"""Small networks with exact or double-precision numbers, on which the equations are tried."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import torch
from tests.equations.support import draw
from torch import Tensor

WIDTHS = (3, 4, 5, 4, 2)
NEAR = 1e-12


def matrix(rows: int, columns: int, seed: int) -> list[list[Any]]:
    """A random matrix of mpmath numbers."""
    numbers = draw(rows * columns, seed=seed, spread=1.0)
    return [numbers[i * columns : (i + 1) * columns] for i in range(rows)]


def chain(seed: int, widths: Sequence[int] = WIDTHS) -> tuple[list[Any], list[Any]]:
    """Weights and biases of a network with these widths."""
    sizes = list(zip(widths[1:], widths[:-1], strict=True))
    weights = [matrix(rows, columns, 100 * seed + i) for i, (rows, columns) in enumerate(sizes)]
    return weights, [draw(rows, seed=100 * seed + 50 + i) for i, (rows, _) in enumerate(sizes)]


def factors(count: int, seed: int) -> list[Any]:
    """Positive numbers with product one."""
    numbers = draw(count, seed=seed, spread=1.0)
    mean = mpmath.fsum(numbers) / count
    return [mpmath.exp(number - mean) for number in numbers]


def tensor(numbers: Any) -> Tensor:
    """A matrix of numbers of any kind in double precision."""
    return torch.tensor([[float(entry) for entry in row] for row in numbers], dtype=torch.float64)


def relu(value: Any) -> Any:
    """The larger of a number and zero."""
    return value if value > 0 else value * 0


def hidden_layers(weights: Any, biases: Any, x: Any, activation: Callable[[Any], Any]) -> Any:
    """The output of every layer, the last without activation."""
    outputs = []
    for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = [mpmath.fdot(row, x) + b for row, b in zip(weight, bias, strict=True)]
        x = [activation(entry) for entry in x] if at + 1 < len(weights) else x
        outputs.append(x)
    return outputs


class Network:
    """A ReLU network in double precision with its cross-entropy on a few random examples."""

    def __init__(
        self, seed: int, *, bias: bool, widths: Sequence[int] = WIDTHS, rows: int = 6
    ) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        sizes = list(zip(widths[1:], widths[:-1], strict=True))
        self.weights = [normal(*size) * 1.3 / math.sqrt(size[1]) for size in sizes]
        self.biases = [0.4 * normal(size[0]) * bias for size in sizes]
        self.x = normal(rows, widths[0])
        self.y = torch.randint(widths[-1], (rows,), generator=generator)

    def outputs(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
        """Scores of the examples under these parameters."""
        value = self.x
        for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            value = value @ weight.T + bias
            value = value.relu() if at + 1 < len(weights) else value
        return value

    def loss(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
        """Mean cross-entropy under these parameters."""
        return torch.nn.functional.cross_entropy(self.outputs(weights, biases), self.y)

    def gradients(self, extra: Callable[[list[Tensor]], Tensor] | None = None) -> Any:
        """Gradients of the loss, plus something of the weights, for weights and for biases."""
        weights = [w.clone().requires_grad_() for w in self.weights]
        biases = [b.clone().requires_grad_() for b in self.biases]
        total = self.loss(weights, biases)
        total = total if extra is None else total + extra(weights)
        found = torch.autograd.grad(total, [*weights, *biases])
        return found[: len(weights)], found[len(weights) :]

    def pull(self) -> float:
        """Minus the derivative of the loss when all scores are multiplied by a factor, at one."""
        scores = self.outputs(self.weights, self.biases).requires_grad_()
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, self.y), scores)
        return -(slope * scores).sum().item()

    def change(
        self, measure: Callable[[Any, Any], float], extra: Any = None, decay: float = 0.0
    ) -> float:
        """Rate of change of a quadratic measure under the gradient flow, by central differences."""
        by_weight, by_bias = self.gradients(extra)
        by_weight = [g + decay * w for g, w in zip(by_weight, self.weights, strict=True)]
        by_bias = [g + decay * b for g, b in zip(by_bias, self.biases, strict=True)]
        step = 1e-2  # central differences of a quadratic function are exact

        def at(way: int) -> float:
            moved = [
                [(p - way * step * g).tolist() for p, g in zip(parts, slopes, strict=True)]
                for parts, slopes in ((self.weights, by_weight), (self.biases, by_bias))
            ]
            return measure(*moved)

        return (at(1) - at(-1)) / (2 * step)


def log_norms(weights: Sequence[Tensor]) -> Tensor:
    """Sum of the logarithms of the Frobenius norms."""
    return torch.stack([w.norm().log() for w in weights]).sum()
