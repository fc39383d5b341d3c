"""Many small models trained as one: every seed and every configuration in the same program.

A model alone is too small to keep a processor busy, so all models of a comparison are stacked
along leading axes `(seeds, configurations)` and advance together. Models of one seed share their
first weights and the order of their batches; models of different seeds share nothing.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Adam's usual 1e-8 is not small beside the gradients of rare labels.
EPSILON = 1e-10


class StackedModels:
    """Linear models, or networks with one hidden layer, with a learning rate for each.

    The features are expected in the unit in which a row has mean absolute sum 1: then one step of
    Adam with learning rate r moves a score by about r at most, for any number of features. All
    scores start at 0. Adam's step does not depend on the scale of a gradient, so a weight is held
    as its learning rate times a tensor that one optimiser with learning rate 1 moves; this gives
    each model its own rate at no cost.

    Attributes:
        rates: learning rates `(seeds, configurations, 1, 1)`.
        parameters: weights and biases of one or two layers, over their learning rates. The first
            weights are `(seeds, features, configurations, units)`, so that one product serves all
            configurations of a seed; all others have the shape `(seeds, configurations, …)`.
    """

    def __init__(self, rates: Tensor, parameters: list[Tensor]) -> None:
        self.rates = rates
        self.parameters = parameters

    @classmethod
    def start(
        cls,
        features: int,
        labels: int,
        *,
        hidden: int | None,
        learning_rates: Tensor,
        seeds: Sequence[int],
        feature_norm: float,
    ) -> "StackedModels":
        """Models before their training.

        Args:
            features, labels: sizes of a row and of its target.
            hidden: width of the hidden layer, or None for linear models.
            learning_rates: `(configurations,)`, on the device of the models.
            seeds: of the first weights of a network.
            feature_norm: root mean square of the Euclidean norm of a row; the hidden units of a
                network start with variance 2.
        """
        device = learning_rates.device
        models, units = (len(seeds), len(learning_rates)), hidden or labels
        first = torch.zeros(models[0], features, models[1], units, device=device)
        parameters = [first, torch.zeros(*models, 1, units, device=device)]
        if hidden is not None:
            for at, seed in enumerate(seeds):
                generator = torch.Generator().manual_seed(seed)
                weights = torch.randn(features, 1, hidden, generator=generator).to(device)
                first[at] = weights * math.sqrt(2) / feature_norm / learning_rates[:, None]
            parameters.append(torch.zeros(*models, hidden, labels, device=device))
            parameters.append(torch.zeros(*models, 1, labels, device=device))
        return cls(learning_rates[:, None, None].repeat(len(seeds), 1, 1, 1), parameters)

    def optimiser(self) -> torch.optim.Optimizer:
        """Adam for all the models, each with its own learning rate."""
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        return torch.optim.Adam(self.parameters, lr=1.0, eps=EPSILON, fused=True)

    def scores(self, rows: Tensor) -> Tensor:
        """Scores `(seeds, configurations, rows, labels)` of features `(seeds, rows, features)`."""
        first, bias, *output = self.parameters
        inner = (rows @ first.flatten(2)).unflatten(2, first.shape[2:]).transpose(1, 2)
        scores = (inner + bias) * self.rates
        if output:
            weight, bias = output
            # Divided by the width: a step of this layer too moves a score by about its rate.
            scores = (scores.relu() @ weight / weight.shape[-2] + bias) * self.rates
        return scores

    def one_per_seed(self) -> "StackedModels":
        """Room for one model of each seed."""
        first, *others = self.parameters
        room = [
            torch.zeros_like(first[:, :, :1]),
            *(torch.zeros_like(part[:, :1]) for part in others),
        ]
        return StackedModels(torch.ones_like(self.rates[:, :1]), room)

    def take(self, others: "StackedModels", seed: int, configuration: int) -> None:
        """Make the only model of a seed a copy of one of the other models of that seed."""
        with torch.no_grad():
            self.rates[seed, 0] = others.rates[seed, configuration]
            self.parameters[0][seed, :, 0] = others.parameters[0][seed, :, configuration]
            for mine, theirs in zip(self.parameters[1:], others.parameters[1:], strict=True):
                mine[seed, 0] = theirs[seed, configuration]
