"""Small discrete worlds of features and classes, in which everything can be summed out."""

from itertools import product as cartesian
from typing import Any

import mpmath
import torch
from tests.equations.support import DIGITS, draw_unit


class World:
    """Random probabilities of `points` feature values and `classes` classes, as exact sums."""

    def __init__(self, seed: int, points: int = 4, classes: int = 3, tilt: int = 3) -> None:
        with mpmath.workdps(DIGITS + 10):
            numbers = draw_unit(points * classes, seed=seed)
            # Powers of the class index make the later classes rare.
            weights = [
                [numbers[x * classes + y] / (1 + y) ** tilt for y in range(classes)]
                for x in range(points)
            ]
            total = sum(sum(row) for row in weights)
            self.joint = [[w / total for w in row] for row in weights]
            self.points, self.classes = range(points), range(classes)
            self.marginal = [sum(row) for row in self.joint]
            self.prior = [sum(row[y] for row in self.joint) for y in self.classes]
            self.posterior = [
                [p / m for p in row] for row, m in zip(self.joint, self.marginal, strict=True)
            ]
            self.likelihood = [
                [p / b for p, b in zip(row, self.prior, strict=True)] for row in self.joint
            ]
            self.pmi = [
                [mpmath.log(p / (m * b)) for p, b in zip(row, self.prior, strict=True)]
                for row, m in zip(self.joint, self.marginal, strict=True)
            ]

    def rules(self) -> Any:
        """Every decision rule: a class for each feature value."""
        return cartesian(self.classes, repeat=len(self.points))

    def class_errors(self, rule: Any) -> list[Any]:
        """The chance of a wrong decision within each class."""
        return [
            sum(self.likelihood[x][y] for x in self.points if rule[x] != y) for y in self.classes
        ]

    def cost(self, rule: Any, costs: Any) -> Any:
        """The expected cost of a rule, costs[y][k] for deciding k in class y."""
        return sum(self.joint[x][y] * costs[y][rule[x]] for x in self.points for y in self.classes)


def best_class(values: Any) -> int:
    """Index of the largest value, found by sorting."""
    return sorted(range(len(values)), key=lambda i: values[i])[-1]


def tensor(values: Any) -> torch.Tensor:
    """Nested mpmath numbers as a float64 tensor."""
    if isinstance(values, list):
        return torch.stack([tensor(value) for value in values])
    return torch.tensor(float(values), dtype=torch.float64)


def risk_slope(posterior: Any, weights: Any, margins: Any, scores: Any) -> list[float]:
    """Gradient, by autograd, of the expected pairwise-margin loss at one feature value."""
    f = tensor(list(scores)).requires_grad_()
    risk = torch.zeros((), dtype=torch.float64)
    for y, (probability, weight) in enumerate(zip(posterior, weights, strict=True)):
        others = [i for i in range(len(f)) if i != y]
        wrong = torch.stack([f[i] - f[y] + float(margins[y][i]) for i in others])
        risk = risk + float(probability) * float(weight) * torch.log1p(wrong.exp().sum())
    (slope,) = torch.autograd.grad(risk, f)
    return slope.tolist()


def adjusted_margins(prior: Any, tau: Any) -> list[list[Any]]:
    """The margins of the adjusted loss, written as differences of logarithms."""
    return [[tau * (mpmath.log(b) - mpmath.log(a)) for b in prior] for a in prior]
