"""ZLPR against seven rivals on multi-label data sets (chapter `zlpr`).

`compare` trains; `recorded_rows` reads the outcome of the full profile. Both give rows that
`scispaces.studies.ranks` turns into average ranks, tests and intervals. The losses, their tuning
and the models are in `multilabel_losses`, `multilabel_tuning` and `multilabel_training`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from scispaces.datasets import (
    MultilabelData,
    load_digit_pairs,
    load_goemotions,
    load_mulan,
    load_reuters_r90,
)
from scispaces.studies.comparison import Row, compare_cells, data_set_and_model
from scispaces.studies.multilabel_losses import COMPARED
from scispaces.studies.multilabel_training import train
from scispaces.studies.multilabel_tuning import Budget
from scispaces.studies.recorded import read_rows

Model = Literal["linear", "mlp"]

LOSSES = tuple(COMPARED)
MODELS: tuple[Model, ...] = ("mlp", "linear")
QUICK_DATA_SETS = ("digit-pairs", "flags", "emotions", "scene", "yeast")
# The longest first, so that parallel jobs end together.
FULL_DATA_SETS = (
    "corel5k",
    "bibtex",
    "goemotions",
    "reuters-r90",
    "enron",
    "cal500",
    "yeast",
    "scene",
    "digit-pairs",
    "emotions",
    "flags",
)
HIDDEN_UNITS = 64
SEEDS = tuple(range(10))
BUDGETS = {
    "quick": Budget(configurations=6, updates=100, passes=1, checkpoints=5, batch=64),
    "full": Budget(configurations=6, updates=400, passes=3, checkpoints=8, batch=128),
}
# Whether more is better.
METRICS = {
    "micro_f1_own": True,
    "macro_f1_own": True,
    "micro_f1_untuned": True,
    "macro_f1_untuned": True,
    "micro_f1_tuned": True,
    "macro_f1_tuned": True,
    "macro_f1_label_tuned": True,
    "average_precision": True,
    "macro_average_precision": True,
    "ranking_loss": False,
    "one_error": False,
    "coverage": False,
}


@dataclass(frozen=True)
class Config:
    """One cell of the comparison.

    Attributes:
        data_set: one of `FULL_DATA_SETS`.
        model: linear, or mlp with one hidden layer of 64 units.
        loss: one of `LOSSES`.
        budget: what the tuning may spend.
        device: where to compute.
    """

    data_set: str
    model: Model
    loss: str
    budget: Budget = BUDGETS["quick"]
    device: str = "cpu"


@cache
def load(data_set: str) -> MultilabelData:
    """The data set of a name in `FULL_DATA_SETS`, read once per process."""
    loaders = {
        "digit-pairs": load_digit_pairs,
        "reuters-r90": load_reuters_r90,
        "goemotions": load_goemotions,
    }
    return loaders[data_set]() if data_set in loaders else load_mulan(data_set)


def run(config: Config, seeds: Sequence[int]) -> list[Row]:
    """Train one loss on one data set with several seeds at once.

    Args:
        config: what to train.
        seeds: each decides split, first weights and order of batches.

    Returns:
        One row per seed: data_set, model, loss, seed, every key of `METRICS` (None where the loss
        has no threshold of its own) and what each criterion chose.
    """
    results = train(
        load(config.data_set),
        COMPARED[config.loss],
        hidden=HIDDEN_UNITS if config.model == "mlp" else None,
        seeds=seeds,
        budget=config.budget,
        device=config.device,
    )
    blank = dict.fromkeys(METRICS)
    return [
        {
            "data_set": config.data_set,
            "model": config.model,
            "loss": config.loss,
            "seed": seed,
            **blank,
            **result,
        }
        for seed, result in zip(seeds, results, strict=True)
    ]


def _cell(seeds: list[int], profile: str, **cell: Any) -> list[Row]:
    """`run` with arguments that a store of trials can hold."""
    return run(Config(budget=BUDGETS[profile], **cell), seeds)


def compare(
    data_sets: Iterable[str],
    model: Model = "linear",
    seeds: Iterable[int] = SEEDS,
    profile: str = "quick",
    *,
    device: str = "cpu",
    store: Path | None = None,
    progress: bool = False,
) -> list[Row]:
    """Train every loss on each of the data sets.

    Args:
        data_sets: names of `FULL_DATA_SETS`.
        model: linear or mlp.
        seeds: of the repetitions.
        profile: quick or full, the budget of the tuning.
        device: where to compute.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        The rows of `run` for every data set and loss.
    """
    names, chosen = list(data_sets), list(seeds)
    cells = [
        {
            "data_set": name,
            "model": model,
            "loss": loss,
            "seeds": chosen,
            "profile": profile,
            "device": device,
        }
        for name in names
        for loss in LOSSES
    ]
    return compare_cells(_cell, cells, names, load, store=store, progress=progress)


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs, each a data set and a model.

    Example:
        >>> blocks("quick")[:2]
        ['digit-pairs-linear', 'flags-linear']
    """
    if profile == "quick":
        return [f"{data_set}-linear" for data_set in QUICK_DATA_SETS]
    return [f"{data_set}-{model}" for data_set in FULL_DATA_SETS for model in MODELS]


def run_block(block: str, profile: str, **options: Any) -> list[Row]:
    """Train every loss on the data set and model of a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        **options: device, store and progress as in `compare`.

    Raises:
        ValueError: there is no such block in the profile.
    """
    data_set, name = data_set_and_model(block, blocks(profile))
    model: Model = "mlp" if name == "mlp" else "linear"
    return compare([data_set], model, profile=profile, **options)


def recorded_rows() -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return read_rows("zlpr/trials.csv")
