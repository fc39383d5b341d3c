"""Modified losses against weights and thresholds on rare classes (chapter `imbalance-revisited`).

`compare` trains; `recorded_rows` reads the outcome of the full profile. Both give rows that
`scispaces.studies.ranks` turns into average ranks, tests and intervals, and that
`scispaces.studies.binary_gains` turns into the answer to the chapter's question: how much of what
a modified loss gains over plain cross-entropy can be had by weights, or by moving the threshold?
That question is defined there. The losses are in `binary_losses`, their training in
`binary_training`, the metrics in `binary_metrics`, the theory in `binary_theory`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from scispaces.datasets.imbalanced import (
    BinaryData,
    load_breast_cancer_rows,
    load_digit_against_rest,
    load_fashion_against_rest,
    load_imbalanced,
)
from scispaces.studies.binary_losses import COMPARED
from scispaces.studies.binary_training import Task, lay_out, train
from scispaces.studies.comparison import Row, compare_cells, data_set_and_model
from scispaces.studies.multilabel_tuning import Budget
from scispaces.studies.recorded import read_rows

Model = Literal["linear", "mlp"]

LOSSES = tuple(COMPARED)
MODELS: tuple[Model, ...] = ("mlp", "linear")
# A ratio at the end of a name is imposed: "-1-20" leaves one positive for twenty negatives.
QUICK_DATA_SETS = ("breast-cancer-1-20", "digits-8-1-20", "digits-8-1-100")
# The longest first, so that parallel jobs end together.
FULL_DATA_SETS = (
    "fashion-6-1-500",
    "sms-spam",
    "mammography",
    "digits-8-1-20",
    "digits-8-1-100",
    "german",
    "abalone",
    "pima",
    "breast-cancer-1-5",
    "breast-cancer-1-20",
)
HIDDEN_UNITS = 16
SEEDS = tuple(range(10))
BUDGETS = {
    "quick": Budget(configurations=12, updates=60, passes=0, checkpoints=4, batch=128),
    "full": Budget(configurations=16, updates=400, passes=0, checkpoints=8, batch=256),
}
# Whether more is better.
METRICS = {
    "f1_own": True,
    "f1_tuned": True,
    "balanced_error_own": False,
    "balanced_error_tuned": False,
    "average_precision": True,
    "roc_auc": True,
    "brier": False,
    "calibration_error": False,
    "brier_recalibrated": False,
    "calibration_error_recalibrated": False,
}


@dataclass(frozen=True)
class Config:
    """One cell of the comparison.

    Attributes:
        data_set: one of `FULL_DATA_SETS`.
        model: linear, or mlp with one hidden layer of 16 units.
        loss: one of `LOSSES`.
        budget: what the tuning may spend.
        device: where to compute.
    """

    data_set: str
    model: Model
    loss: str
    budget: Budget = BUDGETS["quick"]
    device: str = "cpu"


def parse(data_set: str) -> tuple[str, int | None]:
    """The data set and the imposed ratio that a name stands for.

    Example:
        >>> parse("digits-8-1-100"), parse("mammography")
        (('digits-8', 100), ('mammography', None))
    """
    base, _, ratio = data_set.rpartition("-1-")
    return (base, int(ratio)) if base else (ratio, None)


@cache
def load(base: str) -> BinaryData:
    """The data set of a name without ratio, read once per process."""
    if base == "breast-cancer":
        return load_breast_cancer_rows()
    if base.startswith("digits-"):
        return load_digit_against_rest(int(base.removeprefix("digits-")))
    if base.startswith("fashion-"):
        return load_fashion_against_rest(int(base.removeprefix("fashion-")))
    return load_imbalanced(base)


@cache
def _task(data_set: str, seeds: tuple[int, ...], budget: Budget, device: str) -> Task:
    base, ratio = parse(data_set)
    return lay_out(load(base), ratio, seeds, budget, device)


def run(config: Config, seeds: Sequence[int]) -> list[Row]:
    """Train one loss on one data set with several seeds at once.

    Args:
        config: what to train.
        seeds: each decides the rows for training, validation and test, first weights and batches.

    Returns:
        One row per seed: data_set, model, loss, seed, every key of `METRICS`, and for each
        criterion its value on the validation rows and what it chose.
    """
    task = _task(config.data_set, tuple(seeds), config.budget, config.device)
    results = train(
        task,
        COMPARED[config.loss],
        hidden=HIDDEN_UNITS if config.model == "mlp" else None,
        seeds=seeds,
        budget=config.budget,
    )
    return [
        {
            "data_set": config.data_set,
            "model": config.model,
            "loss": config.loss,
            "seed": seed,
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
        data_sets: names of `FULL_DATA_SETS`, or others with a ratio the rows allow.
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
    return compare_cells(
        _cell, cells, names, lambda name: load(parse(name)[0]), store=store, progress=progress
    )


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs, each a data set and a model.

    Example:
        >>> blocks("quick")[:2]
        ['breast-cancer-1-20-linear', 'digits-8-1-20-linear']
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
    return read_rows("imbalance-revisited/trials.csv")
