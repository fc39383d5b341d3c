"""One training with or without clipping, its probes of smoothness, and the choice of the step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from scispaces.optim import ClippedSGD, hessian_norm, hessian_vector_product, local_smoothness
from scispaces.studies.clipping_tasks import Config, Task, make_task

Row = dict[str, Any]
Method = Literal["none", "hard", "soft", "normalised"]
METHODS: tuple[Method, ...] = ("none", "hard", "soft", "normalised")
# Below every norm of a gradient that is met: hard clipping there normalises.
TINY = 2.0**-40
# A training whose loss exceeds its first loss so many times is given up.
LOST = 5.0


@dataclass(frozen=True)
class Setting:
    """How steps are made.

    Attributes:
        method: none, hard or soft clipping, or normalised (steps of a fixed length).
        step: the learning rate; the length of a step for normalised.
        threshold: of the clipping, else None.
    """

    method: Method
    step: float
    threshold: float | None = None

    def optimiser(self, parameters: Sequence[Tensor]) -> ClippedSGD:
        """The optimiser, without momentum and decay."""
        if self.method == "normalised":
            return ClippedSGD(parameters, lr=self.step / TINY, threshold=TINY)
        return ClippedSGD(
            parameters,
            lr=self.step,
            threshold=math.inf if self.threshold is None else self.threshold,
            form="soft" if self.method == "soft" else "hard",
        )


@dataclass(frozen=True)
class Schedule:
    """How long to train and how often to look.

    Attributes:
        updates: number of steps.
        intervals: the training loss is averaged over so many equal parts of the training, and
            validation loss measured after each.
        probes: how often smoothness is probed, at even distances.
        iterations: of the power iteration.
    """

    updates: int
    intervals: int = 10
    probes: int = 0
    iterations: int = 8


def train(config: Config, setting: Setting, schedule: Schedule, seed: int) -> tuple[Row, list[Row]]:
    """Train once.

    Returns:
        The row of the run: diverged (0 or 1), train_loss (mean over the last interval),
        validation_loss, test_loss, test_accuracy (all None if it diverged), train_curve and
        validation_curve (joined by ";"), clipped (share of the steps whose gradient was longer than
        the threshold, None without one).
        The rows of its probes, see `probe`, each with the number of its update.
    """
    task = make_task(config, seed)
    optimiser = setting.optimiser(task.parameters)
    looks = set(np.linspace(0, schedule.updates - 1, schedule.probes).astype(int).tolist())
    losses: list[float] = []
    curve: list[float] = []
    norms: list[float] = []
    probes: list[Row] = []
    for number in range(schedule.updates):
        optimiser.zero_grad()
        loss = next(task.losses)()
        losses.append(loss.item())
        # `not <=` so that NaN is lost too.
        if not losses[-1] <= LOST * losses[0]:
            return _diverged(len(losses)), probes
        loss.backward()
        if number in looks:
            probes.append({"update": number} | _probed_step(task, optimiser, schedule, seed))
        else:
            optimiser.step()
        norms.append(_recorded_norm(optimiser))
        if (number + 1) * schedule.intervals // schedule.updates > len(curve):
            curve.append(task.judge("validation")[0])
    if not math.isfinite(curve[-1]):
        return _diverged(len(losses)), probes
    parts = np.array_split(losses, schedule.intervals)
    means = [float(part.mean()) for part in parts]
    test_loss, accuracy = task.judge("test")
    threshold = setting.threshold
    row = {
        "diverged": 0,
        "updates": len(losses),
        "train_loss": means[-1],
        "validation_loss": curve[-1],
        "test_loss": test_loss,
        "test_accuracy": accuracy,
        "clipped": None if threshold is None else float(np.mean(np.array(norms) > threshold)),
        "train_curve": ";".join(f"{mean:.5g}" for mean in means),
        "validation_curve": ";".join(f"{value:.5g}" for value in curve),
    }
    return row, probes


def _diverged(updates: int) -> Row:
    names = ("train_loss", "validation_loss", "test_loss", "test_accuracy", "clipped")
    return {
        "diverged": 1,
        "updates": updates,
        **dict.fromkeys(names),
        "train_curve": None,
        "validation_curve": None,
    }


def _recorded_norm(optimiser: ClippedSGD) -> float:
    norm = optimiser.gradient_norm
    return 0.0 if norm is None else norm.item()


def _probed_step(task: Task, optimiser: ClippedSGD, schedule: Schedule, seed: int) -> Row:
    """Take the step, and probe the way that it took from where it began."""
    before = [parameter.detach().clone() for parameter in task.parameters]
    optimiser.step()
    after = [parameter.detach().clone() for parameter in task.parameters]
    with torch.no_grad():
        for parameter, value in zip(task.parameters, before, strict=True):
            parameter.copy_(value)
    step = [end - start for end, start in zip(after, before, strict=True)]
    row = {"batch_norm": _recorded_norm(optimiser)}
    row |= probe(task.probe, task.parameters, step, schedule.iterations, seed)
    with torch.no_grad():
        for parameter, value in zip(task.parameters, after, strict=True):
            parameter.copy_(value)
    return row


def probe(
    loss: Callable[[], Tensor],
    parameters: list[Tensor],
    step: list[Tensor],
    iterations: int,
    seed: int,
) -> Row:
    """Gradient norm and smoothness of a loss at the parameters.

    Args:
        loss: of a fixed batch.
        parameters: where.
        step: the way that training takes from there.
        iterations: of the power iteration.
        seed: of its first vector.

    Returns:
        - probe_loss, gradient_norm: of the fixed batch, there;
        - step_length;
        - difference: change of the gradient from there to the middle of the step over the distance,
          the measure of the paper's code;
        - along_step: length of the Hessian times the step, over that of the step;
        - curvature: second derivative in the direction of the step, with its sign;
        - hessian: spectral norm of the Hessian by power iteration, a lower bound.
    """
    value = loss()
    gradient = torch.autograd.grad(value, parameters)
    length = _length(step)
    product = hessian_vector_product(loss, parameters, step)
    middle = [part / 2 for part in step]
    generator = torch.Generator().manual_seed(seed)
    largest = hessian_norm(loss, parameters, iterations=iterations, generator=generator)
    inner = sum(float((p * s).sum()) for p, s in zip(product, step, strict=True))
    return {
        "probe_loss": value.item(),
        "gradient_norm": _length(gradient),
        "step_length": length,
        "difference": local_smoothness(loss, parameters, middle).item(),
        "along_step": _length(product) / length,
        "curvature": inner / length**2,
        "hessian": largest.item(),
    }


def _length(vector: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(part.double().square().sum()) for part in vector))


def choose(
    config: Config, settings: Sequence[Setting], schedule: Schedule, seeds: Sequence[int]
) -> tuple[Setting, list[Row]]:
    """The setting with the lowest validation loss at the end of training, mean over the seeds.

    A setting that diverged for a seed is not chosen.

    Returns:
        It, and one row per setting: step, threshold, validation_loss (None if it diverged).

    Raises:
        RuntimeError: all settings diverged.
    """
    rows, found = [], []
    for setting in settings:
        runs = [train(config, setting, schedule, seed)[0] for seed in seeds]
        diverged = any(run["diverged"] for run in runs)
        loss = None if diverged else float(np.mean([run["validation_loss"] for run in runs]))
        rows.append({"step": setting.step, "threshold": setting.threshold, "validation_loss": loss})
        if loss is not None:
            found.append((loss, setting))
    if not found:
        raise RuntimeError(f"Every setting of {settings[0].method} diverged.")
    return min(found, key=lambda pair: pair[0])[1], rows
