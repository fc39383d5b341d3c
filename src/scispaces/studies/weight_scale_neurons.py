"""Scale that single hidden units can shift, finer than the scale of whole layers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from scispaces.studies.comparison import Row
from scispaces.studies.weight_scale_data import lay_out
from scispaces.studies.weight_scale_dynamics import WIDTH
from scispaces.studies.weight_scale_measures import balanced_squares
from scispaces.studies.weight_scale_methods import METHODS
from scispaces.studies.weight_scale_networks import Weights, squared_norms
from scispaces.studies.weight_scale_training import train

SWEEPS = 200


def balance_neurons(weights: Weights, sweeps: int = SWEEPS) -> Weights:
    """Give the weights into and out of every hidden unit of an mlp the same norm.

    The weights into a ReLU unit may be multiplied by a positive number and those out of it divided
    by the same, and the function stays. In the logarithms of these numbers the sum of squares is
    convex, and each sweep minimises it layer by layer. Units with no weights on one side stay.

    Args:
        weights: `(networks, inputs, outputs)` of each layer.
        sweeps: over all hidden layers.

    Returns:
        New weights in double precision, of the smallest sum of squares that sweeps can reach.
    """
    moved = [weight.detach().double().clone() for weight in weights]
    for _ in range(sweeps):
        for before, after in pairwise(moved):
            into, out = before.square().sum(1), after.square().sum(2)
            factor = torch.where((into > 0) & (out > 0), (out / into) ** 0.25, 1.0)
            before.mul_(factor.unsqueeze(1))
            after.div_(factor.unsqueeze(2))
    return moved


def neuron_shares(
    settings: Mapping[str, tuple[float, float]],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    *,
    updates: int = 300,
) -> list[Row]:
    """Sums of squares of networks on the digits before and after the two kinds of balancing.

    Args:
        settings: strength and learning rate of each method, a key of `METHODS`.
        seeds: of first weights and batches.
        updates: of each training.

    Returns:
        A row for each method, moment (start, end) and seed: squares; balanced_squares, the least
        by shifts between layers; neuron_squares, the least by shifts of every hidden unit.
    """
    task = lay_out("digits", "mlp", seeds, width=WIDTH)
    start = task.architecture.start(seeds)
    rows: list[Row] = []
    for name, (strength, rate) in settings.items():
        end = train(task, METHODS[name], [strength], rate, updates)
        for moment, weights in (("start", start), ("end", end)):
            columns: dict[str, Tensor] = {
                "squares": squared_norms(weights).sum(1),
                "balanced_squares": balanced_squares(task.architecture, weights),
                "neuron_squares": squared_norms(balance_neurons(weights)).sum(1),
            }
            rows += [
                {"loss": name, "moment": moment, "seed": seed}
                | {key: float(values[at]) for key, values in columns.items()}
                for at, seed in enumerate(seeds)
            ]
    return rows
