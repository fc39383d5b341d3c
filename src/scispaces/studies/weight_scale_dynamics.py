"""How weight norms move while bias-free networks learn, for the chapter `weight-scale-shift`.

Everything here is plain SGD on the bundled digits in double precision. With mean cross-entropy,
E<f, y - p>, the pull, is what the data add to every layer's squared norm alike:
d‖W_l‖²/dt = 2 (pull - what the penalty takes), in the limit of small steps.
"""

import math
from collections.abc import Sequence

import torch
from scipy.special import lambertw
from torch import Tensor

from scispaces.optim import weight_scale_penalty
from scispaces.studies.comparison import Row
from scispaces.studies.weight_scale_attacks import margins, share_right
from scispaces.studies.weight_scale_data import Part, Task, lay_out
from scispaces.studies.weight_scale_measures import jacobian_norms, joined
from scispaces.studies.weight_scale_methods import PENALTIES, Method
from scispaces.studies.weight_scale_networks import CLASSES, Weights, squared_norms
from scispaces.studies.weight_scale_training import NormHistory, train

WIDTH = 32
LOOKS = 21
# Of each penalty where conserved differences are watched.
STRENGTHS = {"none": 0.0, "l2": 0.05, "log_norm": 0.3, "balanced": 0.005}


def largest_pull(classes: int = CLASSES) -> float:
    """The largest value of E<f, y - p> for any scores: Lambert's W at (classes - 1) / e.

    Example:
        >>> round(largest_pull(2), 4)
        0.2785
    """
    return float(lambertw((classes - 1) / math.e).real)


def pull(task: Task, weights: Weights, copies: int = 1) -> Tensor:
    """E<f, y - p> over the training rows, `(networks,)`."""
    rows = task.train.repeated(copies)
    with torch.no_grad():
        scores = task.architecture.scores(weights, rows.x)
        own = scores.gather(-1, rows.y.unsqueeze(-1)).squeeze(-1)
        return (own - (scores.softmax(-1) * scores).sum(-1)).mean(-1)


def _plain(penalty: str) -> Method:
    return Method("sgd", PENALTIES[penalty][0] if penalty != "none" else None)


def _digits(seeds: Sequence[int]) -> Task:
    return lay_out("digits", "mlp", seeds, width=WIDTH).double()


def conserved(
    penalties: Sequence[str] = tuple(STRENGTHS),
    steps: Sequence[float] = (0.08, 0.04, 0.02, 0.01),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    *,
    horizon: float = 8.0,
) -> list[Row]:
    """Differences of squared norms between the layers along plain SGD, and the law of the flow.

    Args:
        penalties: keys of `STRENGTHS`.
        steps: learning rates.
        seeds: of first weights and batches.
        horizon: learning rate times the number of updates.

    Returns:
        A row for each penalty, step and seed: time, and at these times, joined, difference
        (‖W_1‖² - ‖W_4‖²) and law (what the gradient flow makes of its first value); drift, the
        largest distance from the law over all pairs of layers and times.
    """
    task = _digits(seeds)
    rows: list[Row] = []
    for penalty in penalties:
        strength = STRENGTHS[penalty]
        for step in steps:
            updates = round(horizon / step)
            looks = [round(updates * at / (LOOKS - 1)) for at in range(LOOKS)]
            history = NormHistory()
            train(
                task,
                _plain(penalty),
                [strength],
                step,
                updates,
                momentum=0.0,
                look=history,
                looks=looks,
            )
            time = step * torch.tensor(looks, dtype=torch.float64)
            squares = torch.stack(history.seen, dim=1)
            apart = squares.unsqueeze(-1) - squares.unsqueeze(-2)
            decay = torch.exp(-2 * strength * time) if penalty == "l2" else torch.ones_like(time)
            law = apart[:, :1] * decay[:, None, None]
            drift = (apart - law).abs().flatten(1).amax(1)
            for at, seed in enumerate(seeds):
                rows.append(
                    {"penalty": penalty, "strength": strength, "step": step, "seed": seed}
                    | {"drift": float(drift[at]), "time": joined(time[None])[0]}
                    | {"difference": joined(apart[at, None, :, 0, -1])[0]}
                    | {"law": joined(law[at, None, :, 0, -1])[0]}
                )
    return rows


def decay_path(squared_norm: float, strength: float, step: float, updates: int) -> list[float]:
    """Signed length of a weight under the log-norm penalty alone, by steps of plain SGD.

    The gradient flow would make the squared length fall in a straight line, to 0 at the time
    squared_norm / (2 strength). A step takes w to w - step strength / w.

    Returns:
        The length along the first direction before every step and at the end.
    """
    direction = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    weight = (direction * math.sqrt(squared_norm)).requires_grad_(True)
    optimiser = torch.optim.SGD([weight], lr=step)
    lengths = [math.sqrt(squared_norm)]
    for _ in range(updates):
        optimiser.zero_grad()
        weight_scale_penalty(weight, log_norm=strength).backward()
        optimiser.step()
        lengths.append(float((weight.detach() * direction).sum()))
    return lengths


def collapse(
    strengths: Sequence[float] = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0),
    seeds: Sequence[int] = tuple(range(10)),
    *,
    step: float = 0.02,
    horizon: float = 40.0,
) -> list[Row]:
    """Plain SGD on cross-entropy with the log-norm penalty, to see when the weights vanish.

    A layer counts as vanished once its squared norm is at most step × strength: a step of the
    penalty alone then turns it round instead of shortening it.

    Args:
        strengths: of the penalty.
        seeds: of first weights and batches.
        step: learning rate.
        horizon: learning rate times the number of updates.

    Returns:
        A row for each strength and seed: collapsed; time of it; decay_time, of the smallest layer
        under the penalty alone; latest_time, the bound for the flow where the strength exceeds
        `largest_pull` (else None); accuracy on test rows at the end; pull on the training rows at
        the end; squares_least, squares_most: smallest and largest squared norm of a layer after
        the collapse, or in all the training where there is none.
    """
    task = _digits(seeds)
    updates = round(horizon / step)
    history = NormHistory()
    weights = train(
        task,
        _plain("log_norm"),
        strengths,
        step,
        updates,
        momentum=0.0,
        look=history,
        looks=range(updates + 1),
    )
    copies = len(strengths)
    test = task.test.repeated(copies)
    with torch.no_grad():
        accuracy = share_right(margins(task.architecture.scores(weights, test.x), test.y))
    end = pull(task, weights, copies)
    squares = torch.stack(history.seen, dim=1)
    rows: list[Row] = []
    for network, path in enumerate(squares):
        seed, strength = seeds[network // copies], strengths[network % copies]
        small = (path.amin(1) <= step * strength).nonzero().flatten()
        first = int(small[0]) if len(small) else None
        after = path[first or 0 :]
        smallest, bound = float(path[0].amin()), strength - largest_pull()
        rows.append(
            {
                "strength": strength,
                "seed": seed,
                "collapsed": int(first is not None),
                "time": None if first is None else step * first,
                "decay_time": smallest / (2 * strength),
                "latest_time": smallest / (2 * bound) if bound > 0 else None,
                "accuracy": float(accuracy[network]),
                "pull": float(end[network]),
                "squares_least": float(after.amin()),
                "squares_most": float(after.amax()),
            }
        )
    return rows


def track(
    name: str,
    method: Method,
    strength: float,
    rate: float,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    updates: int = 400,
    rows_measured: int = 100,
) -> list[Row]:
    """Norms and Jacobians while networks learn the bundled digits.

    Returns:
        A row for each look and seed: loss (the name), update, layer_norms joined,
        frobenius_product, spectral_product, jacobian and jacobian_largest over test rows.
    """
    task = lay_out("digits", "mlp", seeds, width=WIDTH)
    few: Part = task.test.first(rows_measured)
    rows: list[Row] = []

    def look(update: int, own: Weights) -> None:
        weights = [weight.detach() for weight in own]
        norms = squared_norms(weights).sqrt()
        spectral = task.architecture.operator_norms(weights).prod(1)
        jacobian = jacobian_norms(lambda x: task.architecture.scores(weights, x), few.x)
        for at, seed in enumerate(seeds):
            rows.append(
                {
                    "loss": name,
                    "update": update,
                    "seed": seed,
                    "layer_norms": joined(norms[at, None])[0],
                    "frobenius_product": float(norms[at].prod()),
                    "spectral_product": float(spectral[at]),
                    "jacobian": float(jacobian[at].mean()),
                    "jacobian_largest": float(jacobian[at].amax()),
                }
            )

    looks = [round(updates * at / (LOOKS - 1)) for at in range(LOOKS)]
    train(task, method, [strength], rate, updates, look=look, looks=looks)
    return rows
