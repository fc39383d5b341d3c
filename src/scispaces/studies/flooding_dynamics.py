"""What a flooded network does once it has reached its level (chapter `flooding`).

Networks are first trained without flooding until the mean loss of all training rows is at the
level. From there every path goes on with flooding: of the mean over all rows, over a batch, or
row by row, and with plain gradient descent, momentum or Adam. The gradient of the mean loss of all
rows is measured along the way: if flooding descends on its norm, it falls.

For gradient descent with all rows there is a prediction. A descent and an ascent step with rate ε
together move the parameters by −(ε²/2) ∇‖g‖² up to third order, and what is along g is undone by
the level; so per step ‖g‖² changes by −(ε²/4) ‖P ∇‖g‖²‖², where P removes the part along g and
∇‖g‖² = 2 H g is a Hessian-vector product.

With batches two steps do not cancel to first order: their mean is a step of descent on
E|L_B − b|, how far the loss of a batch is from the level, which is of order ε and not ε².
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from scispaces.losses import flood
from scispaces.studies.flooding_data import NoisyTask, lay_out
from scispaces.studies.flooding_metrics import losses_and_accuracy
from scispaces.studies.flooding_networks import StackedNetworks
from scispaces.studies.flooding_training import row_losses

By = Literal["batch", "row", "all"]
Optimiser = Literal["sgd", "momentum", "adam"]
Row = dict[str, Any]

DATA_SET, RATE_OF_FLIPS, ROWS, BATCH = "digits", 0.1, 400, 40
HIDDEN = (64, 64)
LEVEL = 0.2
START_RATE, MOST_START_STEPS = 1e-3, 5000
MOMENTUM = 0.9
LOOKS = 20
# The loss alternates around the level; a look is the mean over so many steps.
STEPS_OF_A_LOOK = 2


@dataclass(frozen=True)
class Path:
    """How to go on from the level.

    Attributes:
        by: what is flooded, the mean over a batch or each of its rows; with "all" the mean over a
            batch goes up or down as the mean over all rows is below or above the level, so that a
            batch does not decide about itself.
        batch: rows of a step; 400 are all.
        optimiser: sgd, momentum (0.9) or adam.
        rate: learning rate.
    """

    by: By
    batch: int
    optimiser: Optimiser
    rate: float


RATES: dict[Optimiser, float] = {"sgd": 0.05, "momentum": 0.01, "adam": 1e-3}
MODES: tuple[tuple[By, int], ...] = (
    ("batch", ROWS),
    ("batch", BATCH),
    ("row", BATCH),
    ("all", BATCH),
)
PATHS = (
    *(Path("batch", ROWS, "sgd", rate) for rate in (0.02, 0.1)),
    *(Path(by, batch, optimiser, rate) for by, batch in MODES for optimiser, rate in RATES.items()),
    *(Path("batch", batch, "sgd", RATES["sgd"]) for batch in (10, 20, 100, 200)),
    Path("row", ROWS, "sgd", RATES["sgd"]),
)


def _optimiser(path: Path, parameters: list[Tensor]) -> torch.optim.Optimizer:
    if path.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=path.rate, fused=True)
    momentum = MOMENTUM if path.optimiser == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=path.rate, momentum=momentum)


def small_task(seeds: Sequence[int]) -> NoisyTask:
    """The first 400 training rows of the digits, a tenth of the labels flipped."""
    task = lay_out(DATA_SET, RATE_OF_FLIPS, seeds)
    return replace(task, x=task.x[:, :, :ROWS], y=task.y[:, :ROWS], clean_y=task.clean_y[:, :ROWS])


def _draw(task: NoisyTask, batch: int, generators: list[torch.Generator]) -> tuple[Tensor, Tensor]:
    """So many rows of every seed, drawn without replacement."""
    n = task.y.shape[1]
    if batch == n:
        return task.x, task.y
    rows = torch.stack([torch.randperm(n, generator=each)[:batch] for each in generators])
    x = task.x.gather(2, rows.unsqueeze(1).expand(-1, task.x.shape[1], -1))
    return x, task.y.gather(1, rows)


def reach_level(task: NoisyTask, seeds: Sequence[int], level: float = LEVEL) -> StackedNetworks:
    """Networks, one of each seed, just after their mean training loss has fallen to the level.

    Raises:
        RuntimeError: one of them does not come down to it.
    """
    sizes = (task.x.shape[1], *HIDDEN, task.classes)
    networks = StackedNetworks(sizes, seeds, 1, normalised=False)
    optimiser = torch.optim.Adam(networks.parameters, lr=START_RATE, fused=True)
    generators = [torch.Generator().manual_seed(30_000 + seed) for seed in seeds]
    kept = [part.detach().clone() for part in networks.parameters]
    waiting = torch.ones(len(seeds), dtype=torch.bool)
    for _ in range(MOST_START_STEPS):
        x, y = _draw(task, BATCH, generators)
        optimiser.zero_grad()
        row_losses(networks.scores(x), y).mean(-1).sum().backward()
        optimiser.step()
        with torch.no_grad():
            loss = row_losses(networks.scores(task.x), task.y).mean((1, 2))
            arrived = waiting & (loss <= level)
            for mine, theirs in zip(kept, networks.parameters, strict=True):
                mine[arrived] = theirs[arrived]
            waiting &= ~arrived
            if not waiting.any():
                for mine, theirs in zip(kept, networks.parameters, strict=True):
                    theirs.copy_(mine)
                return networks
    raise RuntimeError(
        f"A network did not reach the level {level:g} in {MOST_START_STEPS} steps of Adam."
    )


@dataclass(frozen=True)
class Slope:
    """Where the networks are, by L of all training rows, `(seeds,)` each.

    Attributes:
        loss, squared_norm: L and ‖g‖².
        curvature: g' H g / ‖g‖², the second derivative of L along g.
        squared_drift: ‖P ∇‖g‖²‖².
        excursion: |L − b| / ‖g‖².
    """

    loss: Tensor
    squared_norm: Tensor
    curvature: Tensor
    squared_drift: Tensor
    excursion: Tensor


def slope(networks: StackedNetworks, task: NoisyTask) -> Slope:
    """Loss, gradient and how fast the squared norm of the gradient falls along the level set."""
    loss = row_losses(networks.scores(task.x), task.y).mean(-1)
    parts = torch.autograd.grad(loss.sum(), networks.parameters, create_graph=True)
    gradient = torch.cat([part.flatten(1) for part in parts], 1)
    squared = gradient.square().sum(1)
    ascent = torch.autograd.grad(squared.sum(), networks.parameters)
    gradient, squared = gradient.detach(), squared.detach()
    turn = torch.cat([part.flatten(1) for part in ascent], 1)
    along = (turn * gradient).sum(1) / squared
    across = turn - along.unsqueeze(1) * gradient
    found = loss.detach().squeeze(1)
    excursion = (found - LEVEL).abs() / squared
    return Slope(found, squared, along / 2, across.square().sum(1), excursion)


def _mean_slope(slopes: list[Slope]) -> Slope:
    names = [field.name for field in fields(Slope)]
    return Slope(
        **{name: torch.stack([getattr(each, name) for each in slopes]).mean(0) for name in names}
    )


def state(networks: StackedNetworks, task: NoisyTask) -> dict[str, list[float]]:
    """What one network of each seed has learned.

    Returns:
        spread: standard deviation of the losses of the training rows; memorised: share of the
        flipped training rows decided as their flipped label; test_loss, test_accuracy.
    """
    with torch.no_grad():
        scores = networks.scores(task.x)
        spread = row_losses(scores, task.y).squeeze(1).std(1, correction=0)
        flipped = task.y != task.clean_y
        fitted = (scores.squeeze(1).argmax(1) == task.y) & flipped
        loss, accuracy = losses_and_accuracy(networks.scores(task.test_x).squeeze(1), task.test_y)
    found = {
        "spread": spread,
        "memorised": fitted.sum(1) / flipped.sum(1),
        "test_loss": loss,
        "test_accuracy": accuracy,
    }
    return {name: values.tolist() for name, values in found.items()}


def _flooded(
    by: By, losses: Tensor, networks: StackedNetworks, task: NoisyTask
) -> tuple[Tensor, Tensor]:
    """What to differentiate, and the share of it that is below the level, `(seeds,)` each."""
    if by == "row":
        return flood(losses, LEVEL).mean(1), (losses < LEVEL).float().mean(1)
    mean = losses.mean(1)
    if by == "batch":
        return flood(mean, LEVEL), (mean < LEVEL).float()
    with torch.no_grad():
        height = row_losses(networks.scores(task.x), task.y).mean((1, 2)) - LEVEL
    return height.sign() * mean, (height < 0).float()


def follow(
    path: Path, task: NoisyTask, start: StackedNetworks, seeds: Sequence[int], steps: int
) -> list[Row]:
    """Go on from the level with flooding.

    Args:
        path: how.
        task: the rows of the seeds.
        start: networks at the level; they stay as they are.
        seeds: of the batches.
        steps: how many.

    Returns:
        One row per seed: by, batch, optimiser, rate, steps; ascent_share (steps below the level;
        row by row the share of rows below it); train_loss, norm (‖g‖) and all of `state` with the
        suffix _start (at arrival) and _end; log_fall, the change of log ‖g‖² from the first look
        to the last, and predicted_fall, what gradient descent with all rows should make of it;
        curvature and excursion, means over the looks, see `Slope`; norm_curve, ‖g‖ at the looks,
        joined by ";".
    """
    networks = StackedNetworks((1, 1), seeds, 1, normalised=False)
    networks.parameters = [part.detach().clone().requires_grad_(True) for part in start.parameters]
    optimiser = _optimiser(path, networks.parameters)
    generators = [torch.Generator().manual_seed(40_000 + seed) for seed in seeds]
    before = state(networks, task)
    first = slope(networks, task)
    every = steps // LOOKS
    below = torch.zeros(len(seeds))
    looks: list[Slope] = []
    recent: list[Slope] = []
    for step in range(1, steps + 1):
        x, y = _draw(task, path.batch, generators)
        losses = row_losses(networks.scores(x), y).squeeze(1)
        objective, share = _flooded(path.by, losses, networks, task)
        below += share
        optimiser.zero_grad()
        objective.sum().backward()
        optimiser.step()
        if (step - 1) % every >= every - STEPS_OF_A_LOOK:
            recent.append(slope(networks, task))
        if step % every == 0:
            looks.append(_mean_slope(recent))
            recent = []
    after = state(networks, task)
    squares = torch.stack([each.squared_norm for each in looks])
    relative = torch.stack([each.squared_drift / each.squared_norm for each in looks])
    predicted = -(path.rate**2) / 4 * every * torch.trapezoid(relative, dim=0)
    measured = squares[-1].log() - squares[0].log()
    rows = []
    for at, seed in enumerate(seeds):
        row: Row = {
            "by": path.by,
            "batch": path.batch,
            "optimiser": path.optimiser,
            "rate": path.rate,
            "steps": steps,
            "seed": seed,
            "ascent_share": float(below[at]) / steps,
            "train_loss_start": float(first.loss[at]),
            "train_loss_end": float(looks[-1].loss[at]),
            "norm_start": math.sqrt(float(first.squared_norm[at])),
            "norm_end": math.sqrt(float(squares[-1][at])),
            "log_fall": float(measured[at]),
            "curvature": float(torch.stack([each.curvature for each in looks]).mean(0)[at]),
            "excursion": float(torch.stack([each.excursion for each in looks]).mean(0)[at]),
            "norm_curve": ";".join(f"{norm:.3g}" for norm in squares[:, at].sqrt().tolist()),
        }
        for suffix, found in (("start", before), ("end", after)):
            row |= {f"{name}_{suffix}": values[at] for name, values in found.items()}
        if path == Path("batch", ROWS, "sgd", path.rate):
            row["predicted_fall"] = float(predicted[at])
        rows.append(row)
    return rows
