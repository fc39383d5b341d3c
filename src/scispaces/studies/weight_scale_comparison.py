"""The comparison of penalties of the chapter `weight-scale-shift`: train, choose, measure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scispaces.studies.comparison import Row
from scispaces.studies.weight_scale_data import Task, lay_out
from scispaces.studies.weight_scale_dynamics import pull
from scispaces.studies.weight_scale_measures import (
    Columns,
    balanced_squares,
    glance,
    joined,
    mean_cross_entropy,
    norms,
    quality,
    robustness,
    sensitivity,
)
from scispaces.studies.weight_scale_methods import METHODS, OPTIMISERS, RATES, Method, Optimiser
from scispaces.studies.weight_scale_networks import Model, Weights, squared_norms
from scispaces.studies.weight_scale_training import NormHistory, train

LOOKS = 9
# How much validation accuracy a setting chosen for robustness may lose, against the best setting
# without a penalty.
ALLOWED_LOSS = 0.01


@dataclass(frozen=True)
class Budget:
    """What every method may spend.

    Attributes:
        values: strengths of a penalty, or learning rates without one.
        updates: steps of each training.
        width: units of a hidden layer of the mlp.
        judged: rows under attack while choosing.
        attacked: test rows for attacks and Jacobians.
    """

    values: int
    updates: int
    width: int
    judged: int
    attacked: int

    def looks(self) -> list[int]:
        """Numbers of updates at which the norms are read, the first 0, the last all."""
        return [round(each) for each in np.linspace(0, self.updates, LOOKS)]


@dataclass(frozen=True)
class Family:
    """The networks of one method, a setting of every seed next to the other.

    Attributes:
        settings: learning rates or strengths.
        weights: `(seeds × settings, …)`.
        history: squared norms at every look, `(looks, seeds × settings, layers)`.
        validation, test: outcome of `glance`, `(seeds, settings, 3)`.
    """

    settings: list[float]
    weights: Weights
    history: Tensor
    validation: Tensor
    test: Tensor

    def choices(self, bar: Tensor | None) -> list[int]:
        """The setting of each seed: most accurate, or most robust of those that reach a bar.

        Args:
            bar: smallest validation accuracy of each seed, `(seeds,)`, or None.
        """
        found = []
        for seed, judged in enumerate(self.validation.tolist()):
            accurate = max(range(len(judged)), key=lambda at: (judged[at][0], -judged[at][1]))
            if bar is not None:
                able = [at for at, each in enumerate(judged) if each[0] >= float(bar[seed])]
                robust = sorted(able, key=lambda at: (judged[at][2], judged[at][0]))
                accurate = robust[-1] if robust else accurate
            found.append(accurate)
        return found


def _family(task: Task, method: Method, rates: Sequence[float], budget: Budget) -> Family:
    """Train a method with every strength at one learning rate, or with every learning rate."""
    seeds = len(task.seeds)
    settings = method.grid(budget.values) if method.tuned else list(rates)
    runs = [(settings, rates[0])] if method.tuned else [([0.0], rate) for rate in rates]
    parts, seen = [], []
    for strengths, rate in runs:
        history = NormHistory()
        weights = train(
            task,
            method,
            strengths,
            rate,
            budget.updates,
            look=history,
            looks=budget.looks(),
        )
        parts.append([weight.unflatten(0, (seeds, len(strengths))) for weight in weights])
        seen.append(torch.stack(history.seen).unflatten(1, (seeds, len(strengths))))
    weights = [torch.cat(each, 1).flatten(0, 1) for each in zip(*parts, strict=True)]
    judged = [
        glance(task.architecture, weights, part.repeated(len(settings)), budget.judged)
        for part in (task.validation, task.test)
    ]
    shaped = [each.unflatten(0, (seeds, len(settings))) for each in judged]
    return Family(settings, weights, torch.cat(seen, 2).flatten(1, 2), *shaped)


def _rate_for(family: Family) -> float:
    """The learning rate of the best mean validation accuracy, then cross-entropy."""
    accuracy, losses, _ = family.validation.mean(0).unbind(1)
    order = sorted(range(len(accuracy)), key=lambda at: (accuracy[at].item(), -losses[at].item()))
    return family.settings[order[-1]]


def learned(task: Task, weights: Weights) -> Columns:
    """Where each network stands on its training rows.

    Returns:
        train_cross_entropy; pull: E<f, y - p>, what a penalty has to hold against.
    """
    with torch.no_grad():
        scores = task.architecture.scores(weights, task.train.x)
    return {
        "train_cross_entropy": mean_cross_entropy(scores, task.train.y).tolist(),
        "pull": pull(task, weights).tolist(),
    }


def _rows(
    task: Task, name: str, family: Family, criterion: str, rate: float, bar: Tensor, budget: Budget
) -> list[Row]:
    """What the chosen network of each seed is worth."""
    chosen = family.choices(bar if criterion == "matched" else None)
    at = torch.arange(len(chosen)) * len(family.settings) + torch.tensor(chosen)
    weights = [weight[at] for weight in family.weights]
    architecture = task.architecture
    few = task.test.first(budget.attacked)
    active = (task.train.x.amax(1) > 0).to(task.train.x.dtype)
    columns: Columns = {
        **quality(architecture, weights, task.validation, task.test),
        **sensitivity(architecture, weights, few),
        **robustness(architecture, weights, few, active),
        **norms(architecture, weights),
        **learned(task, weights),
        "norm_curve": [
            " ".join(joined(own.sqrt())) for own in family.history[:, at].transpose(0, 1)
        ],
    }
    if architecture.model == "mlp":
        squares = weights[0].square().sum(2)
        columns["idle_share"] = ((squares * (1 - active)).sum(1) / squares.sum(1)).tolist()
    tuned = METHODS[name].tuned
    rows: list[Row] = []
    for seed, setting in enumerate(chosen):
        row: Row = {"loss": name, "criterion": criterion, "seed": task.seeds[seed]}
        row["rate"] = rate if tuned else family.settings[setting]
        row["strength"] = family.settings[setting] if tuned else 0.0
        row["setting"] = setting
        row |= {key: values[seed] for key, values in columns.items()}
        if criterion == "accuracy":
            swept = family.test[seed].T
            for key, values in zip(("accuracy", "cross_entropy", "robust"), swept, strict=True):
                row[f"sweep_{key}"] = joined(values[None])[0]
            row["sweep_setting"] = joined(torch.tensor([family.settings]))[0]
        rows.append(row)
    return rows


def compare_methods(
    data_set: str, model: Model, names: Sequence[str], seeds: Sequence[int], budget: Budget
) -> list[Row]:
    """Train every method, choose a setting for each seed on its validation rows, measure it.

    Args:
        data_set: digits, mnist or fashion-mnist.
        model: mlp or cnn.
        names: of `METHODS`.
        seeds: of the repetitions.
        budget: what every method may spend.

    Returns:
        Rows for every method, criterion and seed, see `weight_scale_shift.run`.
    """
    task = lay_out(data_set, model, seeds, width=budget.width)
    start = task.architecture.start(seeds)
    begun = squared_norms(start).sum(1).tolist(), balanced_squares(task.architecture, start)
    rows: list[Row] = []
    plain: dict[Optimiser, Family] = {}
    for optimiser in OPTIMISERS:
        grid = np.geomspace(*RATES[optimiser], budget.values).tolist()
        plain[optimiser] = _family(task, METHODS[f"none_{optimiser}"], grid, budget)
    for name in names:
        method = METHODS[name]
        reference = plain[method.optimiser]
        rate = _rate_for(reference)
        family = _family(task, method, [rate], budget) if method.tuned else reference
        bar = reference.validation[..., 0].amax(1) - ALLOWED_LOSS
        for criterion in ("accuracy", "matched"):
            rows += _rows(task, name, family, criterion, rate, bar, budget)
    for row in rows:
        at = task.seeds.index(row["seed"])
        row["squares_start"], row["balanced_squares_start"] = begun[0][at], float(begun[1][at])
    return rows
