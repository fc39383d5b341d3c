"""What a shift of scale does to a network, by activation and by the rule for the biases."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import cross_entropy

from scispaces.studies.comparison import Row
from scispaces.studies.weight_scale_data import Task, lay_out
from scispaces.studies.weight_scale_training import BATCH, batches

Rule = Literal["no_bias", "naive", "cumulative"]
Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
}
RULES: tuple[Rule, ...] = ("no_bias", "naive", "cumulative")
WIDTH = 48
RATE = 0.003
FIRST_BIAS = 0.5


class BiasedNetworks:
    """Three hidden layers of 48 units, one network per seed.

    Attributes:
        weights: `(seeds, inputs, outputs)` of each layer.
        biases: `(seeds, 1, outputs)` of each layer, or none.
    """

    def __init__(self, activation: str, weights: list[Tensor], biases: list[Tensor]) -> None:
        self.activation = activation
        self.weights = weights
        self.biases = biases

    @classmethod
    def start(
        cls, activation: str, seeds: Sequence[int], pixels: int, *, biased: bool
    ) -> "BiasedNetworks":
        """Networks before their training, with normal weights and normal biases."""
        sizes = [pixels, WIDTH, WIDTH, WIDTH, 10]
        weights, biases = [], []
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for inputs, outputs in pairwise(sizes):
            drawn = [torch.randn(inputs, outputs, generator=each) for each in generators]
            shifts = [torch.randn(1, outputs, generator=each) for each in generators]
            weights.append(torch.stack(drawn).double() * (2 / inputs) ** 0.5)
            biases.append(torch.stack(shifts).double() * FIRST_BIAS)
        return cls(activation, weights, biases if biased else [])

    def scores(self, rows: Tensor) -> Tensor:
        """Scores `(seeds, rows, 10)` of images `(seeds, rows, pixels)`."""
        hidden = rows
        for at, weight in enumerate(self.weights):
            inner = ACTIVATIONS[self.activation](hidden) if at else hidden
            hidden = inner @ weight
            if self.biases:
                hidden = hidden + self.biases[at]
        return hidden

    def shifted(self, factors: Sequence[float], rule: Rule) -> "BiasedNetworks":
        """With every weight times its factor, and the biases as the rule says.

        Args:
            factors: one for each layer.
            rule: naive, a bias takes the factor of its layer; cumulative, the product of the
                factors up to its layer; no_bias, there are none.
        """
        of_bias = list(accumulate(factors, mul)) if rule == "cumulative" else factors
        weights = [each * factor for each, factor in zip(self.weights, factors, strict=True)]
        biases = [b * factor for b, factor in zip(self.biases, of_bias, strict=False)]
        return BiasedNetworks(self.activation, weights, biases)


def _train(networks: BiasedNetworks, task: Task, updates: int) -> None:
    parameters = [*networks.weights, *networks.biases]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    places = torch.arange(len(task.seeds))[:, None]
    for rows in batches(task, updates):
        scores = networks.scores(task.train.x[places, rows])
        targets = task.train.y[places, rows]
        optimiser.zero_grad()
        (cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum") / BATCH).backward()
        optimiser.step()
    for parameter in parameters:
        parameter.requires_grad_(False)


def activation_changes(
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    scales: Sequence[float] = (1.1, 2.0),
    *,
    updates: int = 200,
) -> list[Row]:
    """Change of the scores of networks on the digits under shifts of scale.

    Args:
        seeds: of first weights and batches.
        scales: c of the factors (c, 1 / c², c², 1 / c), whose product is 1.
        updates: of the training.

    Returns:
        A row for each activation, state (start, trained), scale, rule and seed: change, root mean
        square of the change of the scores over the root mean square of the scores; decisions,
        share of test rows decided otherwise; accuracy and shifted_accuracy.
    """
    task = lay_out("digits", "mlp", seeds).double()
    test = task.test
    rows: list[Row] = []
    for activation in ACTIVATIONS:
        for biased in (True, False):
            networks = BiasedNetworks.start(activation, seeds, test.x.shape[2], biased=biased)
            for state in ("start", "trained"):
                if state == "trained":
                    _train(networks, task, updates)
                before = networks.scores(test.x)
                for scale in scales:
                    factors = (scale, scale**-2, scale**2, 1 / scale)
                    for rule in RULES[1:] if biased else RULES[:1]:
                        after = networks.shifted(factors, rule).scores(test.x)
                        head = {"activation": activation, "state": state, "scale": scale}
                        rows += _changes(head | {"rule": rule}, before, after, test.y, seeds)
    return rows


def _changes(
    head: Row, before: Tensor, after: Tensor, y: Tensor, seeds: Sequence[int]
) -> list[Row]:
    change = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
    old, new = before.argmax(-1), after.argmax(-1)
    columns = {
        "change": change,
        "decisions": (old != new).double().mean(1),
        "accuracy": (old == y).double().mean(1),
        "shifted_accuracy": (new == y).double().mean(1),
    }
    return [
        head | {"seed": seed} | {name: float(values[at]) for name, values in columns.items()}
        for at, seed in enumerate(seeds)
    ]
