"""The penalties that the chapter `weight-scale-shift` compares, and the grids of their strengths.

Every method is an optimiser with a penalty added to the loss, or with decay outside of it:

- none_sgd, none_adam: no penalty, the learning rate is what is tuned;
- l2_sgd, l2_adam: strength / 2 times the sum of squares; with SGD this is weight decay;
- adamw: Adam, and every step shrinks the weights by the factor 1 - rate × strength;
- log_norm_…: strength times the sum over the layers of log norms;
- direction_…: the same, and `DIRECTION_SHARE` of the strength on the L1 norms of the directions;
- balanced_…: strength / 2 times L (product of the norms)^(2 / L), which is the smallest L2 penalty
  that any shift of scale between the L layers can reach.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from scispaces.optim import weight_scale_penalty
from scispaces.studies.weight_scale_networks import Weights

Optimiser = Literal["sgd", "adam"]
Penalty = Callable[[Weights], Tensor]

MOMENTUM = 0.9
# Of an L1 norm of a direction over the logarithm of a norm. The gradient of the first is about
# 0.6 sqrt(entries) times that of the second, which is about 40 in these layers.
DIRECTION_SHARE = 0.02


def sum_of_squares(weights: Weights) -> Tensor:
    """Half the sum of squares of each network, `(networks,)`."""
    return torch.stack([weight.flatten(1).square().sum(1) for weight in weights]).sum(0) / 2


def log_norms(weights: Weights) -> Tensor:
    """Sum over the layers of the logarithms of their norms, `(networks,)`."""
    return torch.func.vmap(lambda *own: weight_scale_penalty(own, log_norm=1.0))(*weights)


def log_norms_and_directions(weights: Weights) -> Tensor:
    """The same with `DIRECTION_SHARE` of the L1 norms of the directions, `(networks,)`."""

    def one(*own: Tensor) -> Tensor:
        return weight_scale_penalty(own, log_norm=1.0, direction_l1=DIRECTION_SHARE)

    return torch.func.vmap(one)(*weights)


def balanced_squares(weights: Weights) -> Tensor:
    """Half the sum of squares that balanced layers would have, `(networks,)`."""
    layers = len(weights)
    return layers / 2 * (2 / layers * log_norms(weights)).exp()


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        optimiser: sgd, with momentum, or adam.
        penalty: added to the loss, times a strength; None for none.
        decoupled: whether a strength shrinks the weights beside the step.
        strengths: smallest and largest.
    """

    optimiser: Optimiser
    penalty: Penalty | None = None
    decoupled: bool = False
    strengths: tuple[float, float] = (0.0, 0.0)

    @property
    def tuned(self) -> bool:
        """Whether there is a strength; without one the learning rate is tuned."""
        return self.penalty is not None or self.decoupled

    def grid(self, values: int) -> list[float]:
        """Strengths in equal ratios."""
        return np.geomspace(*self.strengths, values).tolist()


PENALTIES: dict[str, tuple[Penalty, tuple[float, float]]] = {
    "l2": (sum_of_squares, (1e-4, 1e-1)),
    "log_norm": (log_norms, (3e-3, 3.0)),
    "direction": (log_norms_and_directions, (3e-3, 3.0)),
    "balanced": (balanced_squares, (1e-4, 1e-1)),
}
OPTIMISERS: tuple[Optimiser, ...] = ("sgd", "adam")
METHODS: dict[str, Method] = {
    **{f"none_{optimiser}": Method(optimiser) for optimiser in OPTIMISERS},
    **{
        f"{name}_{optimiser}": Method(optimiser, penalty, strengths=strengths)
        for name, (penalty, strengths) in PENALTIES.items()
        for optimiser in OPTIMISERS
    },
    "adamw": Method("adam", decoupled=True, strengths=(0.03, 30.0)),
}
# Smallest and largest learning rates, in equal ratios, as many as there are strengths.
RATES: dict[Optimiser, tuple[float, float]] = {"sgd": (0.005, 0.32), "adam": (0.0003, 0.0192)}
