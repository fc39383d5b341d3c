"""Translators of sequences trained by likelihood, then for their task loss; the best look kept."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from scispaces.datasets.sequences import SequenceData, SequencePairs
from scispaces.studies.sampling_metrics import Scores, score
from scispaces.studies.sampling_sequences import Translator, decode_all, start
from scispaces.studies.sampling_settings import Settings
from scispaces.studies.sampling_updates import (
    UPDATES,
    Scale,
    clipped_step,
    likelihood_gradient,
    updates_of,
)


@dataclass(frozen=True)
class Parts:
    """The rows of a task on a device: source and target of each part."""

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, data: SequenceData, valid: int, device: str) -> "Parts":
        """All rows, of the validation part the first `valid` only."""

        def tensors(part: SequencePairs) -> tuple[Tensor, Tensor]:
            return (
                torch.from_numpy(part.source).to(device),
                torch.from_numpy(part.target).to(device),
            )

        source, target = tensors(data.valid)
        return cls(tensors(data.train), (source[:valid], target[:valid]), tensors(data.test))


def batches(rows: int, size: int, seed: int) -> Iterator[Tensor]:
    """Row numbers of one batch after another, every row once before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(rows, generator=generator)[: rows - rows % size].split(size)


def judge(model: Translator, part: tuple[Tensor, Tensor], cap: int) -> Scores:
    """The scores of the greedy outputs for a part."""
    return score(decode_all(model, part[0], cap), part[1].cpu().numpy())


def train_by_likelihood(
    data: SequenceData, parts: Parts, scale: Scale, seed: int
) -> dict[str, Translator]:
    """The translators after each number of updates in `scale.starts`."""
    device = parts.train[0].device
    model = start(data, embedding=scale.embedding, hidden=scale.hidden, seed=seed).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=scale.rate)
    last = max(scale.starts.values())
    kept: dict[str, Translator] = {}
    draws = islice(batches(len(parts.train[0]), scale.batch, seed), last)
    for at, rows in enumerate(draws, start=1):
        left = (last + 1 - at) / (last + 1 - min(scale.steady, last))
        optimiser.param_groups[0]["lr"] = scale.rate * min(1.0, left)
        likelihood_gradient(model, *_rows(parts, rows))
        clipped_step(model, optimiser)
        kept |= {name: copy.deepcopy(model) for name, when in scale.starts.items() if when == at}
    return kept


def _rows(parts: Parts, rows: Tensor) -> tuple[Tensor, Tensor]:
    source, target = parts.train
    chosen = rows.to(source.device)
    return source[chosen], target[chosen]


@dataclass
class Tuned:
    """A model at its best look.

    Attributes:
        model: the model.
        valid: its scores on the validation rows.
        updates: how many it had made.
        curve: symbol error on the validation rows at every look.
        ess, guided_weight: of the searches, means over all updates; NaN for other methods.
    """

    model: Translator
    valid: Scores
    updates: int
    curve: list[float]
    ess: float
    guided_weight: float


def finetune(
    before: Translator, method: str, settings: Settings, parts: Parts, scale: Scale, seed: int
) -> Tuned:
    """Train a copy of a model for the task loss by one method.

    Args:
        before: the model to start from.
        method: one of `METHODS`.
        settings: one of `settings_of(method, …)`.
        parts: the rows.
        scale: the sizes.
        seed: of the batches and of the method's own draws.
    """
    model = copy.deepcopy(before)
    update = UPDATES[method](model, settings, scale, seed)
    total = updates_of(method, scale)
    looks = {round(total * at / scale.looks) for at in range(1, scale.looks + 1)}
    notes: list[dict[str, float]] = []
    curve: list[float] = []
    best: tuple[Translator, Scores, int] | None = None
    draws = islice(batches(len(parts.train[0]), scale.batch, seed + 1), total)
    for at, rows in enumerate(draws, start=1):
        notes.append(update(*_rows(parts, rows)))
        if at in looks:
            found = judge(model, parts.valid, scale.cap)
            curve.append(found.symbol_error)
            if best is None or worth(found, scale) < worth(best[1], scale):
                best = copy.deepcopy(model), found, at
    assert best is not None  # the last update is a look
    ess, guided_weight = (
        float(np.mean([note.get(name, np.nan) for note in notes]))
        for name in ("ess", "guided_weight")
    )
    return Tuned(*best, curve, ess, guided_weight)


def worth(scores: Scores, scale: Scale) -> float:
    """What a model is chosen by, less is better."""
    return scores.symbol_error if scale.task == "distance" else -scores.bleu
