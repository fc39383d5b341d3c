"""What keeps a network from fitting flipped labels, each with the values that are tried.

Every method tries equally many values, the first of them the one that leaves plain training as it
is. Early stopping is not among them: it can be combined with each (see `flooding_training`).

- plain: nothing;
- flood: the mean loss of the batch is flooded, |L − b| + b;
- flood_rows: the loss of every row is flooded by itself (Xie et al., iFlood);
- clamp: max(L, b), the negative control: no gradient below the level;
- decay: weight decay, decoupled from Adam, on the weights and not on the biases;
- penalty: L + c ‖∇L‖² / 2, the gradient with respect to all parameters.

References:
    [1] T. Ishida et al., "Do we need zero training loss after achieving zero training error?",
    ICML (2020).
    [2] Y. Xie et al., "iFlood: A stable and effective regularizer", ICLR (2022).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scispaces.losses import flood

# From the losses of the rows `(seeds, values, n)` and the values to `(seeds, values)`.
Objective = Callable[[Tensor, Sequence[float]], Tensor]

SYNTHETIC_LEVELS = (0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.4)
REAL_LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.9)
# A step multiplies a weight by 1 minus learning rate times decay.
SYNTHETIC_DECAYS = (0.0, 1.0, 3.0, 10.0, 20.0, 30.0, 60.0, 100.0)
REAL_DECAYS = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 3.0, 6.0)
SYNTHETIC_PENALTIES = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
REAL_PENALTIES = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0, 2.0)


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        objective: what to minimise.
        synthetic, real: the values tried on the two kinds of tasks.
        decays: whether the value is a weight decay.
        penalises: whether the value is the weight of the squared norm of the gradient.
    """

    objective: Objective
    synthetic: tuple[float, ...]
    real: tuple[float, ...]
    decays: bool = False
    penalises: bool = False


def _plain(losses: Tensor, _: Sequence[float]) -> Tensor:
    return losses.mean(-1)


def _flood(losses: Tensor, levels: Sequence[float]) -> Tensor:
    means = losses.mean(-1)
    return torch.stack([flood(means[:, at], level) for at, level in enumerate(levels)], 1)


def _flood_rows(losses: Tensor, levels: Sequence[float]) -> Tensor:
    parts = [flood(losses[:, at], level).mean(-1) for at, level in enumerate(levels)]
    return torch.stack(parts, 1)


def _clamp(losses: Tensor, levels: Sequence[float]) -> Tensor:
    return torch.maximum(losses.mean(-1), losses.new_tensor(levels))


METHODS = {
    "plain": Method(_plain, (0.0,), (0.0,)),
    "flood": Method(_flood, SYNTHETIC_LEVELS, REAL_LEVELS),
    "flood_rows": Method(_flood_rows, SYNTHETIC_LEVELS, REAL_LEVELS),
    "clamp": Method(_clamp, SYNTHETIC_LEVELS, REAL_LEVELS),
    "decay": Method(_plain, SYNTHETIC_DECAYS, REAL_DECAYS, decays=True),
    "penalty": Method(_plain, SYNTHETIC_PENALTIES, REAL_PENALTIES, penalises=True),
}
