"""Search guided by likelihood against its rivals (chapter `sampling-optimisation`).

`compare_classifiers` trains linear classifiers for their error and for F1, `compare_sequences`
fine-tunes translators of sequences for edit distance (or BLEU), `effective_sizes` counts what a
step of search rests on; `recorded_rows` reads the outcome of the full profile. Rows of the first
two suit `scispaces.studies.ranks`: data_set, model, loss (the method), seed and the metrics.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from scispaces.datasets import load_breast_cancer_rows, load_digits
from scispaces.studies import sampling_search as search
from scispaces.studies.comparison import Row, compare_cells, data_set_and_model
from scispaces.studies.recorded import read_rows
from scispaces.studies.sampling_classifiers import TASK_LOSSES, decisions, error, f1_loss, lay_out
from scispaces.studies.sampling_dimension import DIMENSIONS, REFERENCES, effective_sizes
from scispaces.studies.sampling_settings import describe, joined
from scispaces.studies.sampling_translation import (
    SCALES,
    SEQUENCE_METHODS,
    SEQUENCE_METRICS,
    SEQUENCE_SEEDS,
    compare_sequences,
)

__all__ = [
    "CLASSIFIER_METHODS",
    "CLASSIFIER_METRICS",
    "DIMENSIONS",
    "REFERENCES",
    "SEQUENCE_METHODS",
    "SEQUENCE_METRICS",
    "blocks",
    "compare_classifiers",
    "compare_sequences",
    "effective_sizes",
    "recorded_rows",
    "run_block",
]

CLASSIFIER_METHODS = search.METHODS
CLASSIFIER_SETS = (
    "toy-outliers",
    "breast-cancer-outliers",
    "breast-cancer",
    "digits-outliers",
    "digits",
)
CLASSIFIER_SEEDS = tuple(range(10))
DIMENSION_SEEDS = tuple(range(40))
MULTI30K_BLOCK = "multi30k-converged"
DIMENSION_BLOCK = "two-clouds-linear"
# Whether more is better.
CLASSIFIER_METRICS = {"error": False, "f1_loss": False}
BUDGETS = {
    "quick": search.Budget(passes=304, candidates=16, configurations=4, looks=4),
    "full": search.Budget(passes=608, candidates=16, configurations=8, looks=5),
}


def _train_classifier(
    data_set: str, task: str, method: str, seeds: list[int], profile: str
) -> list[Row]:
    """One method on one data set, tuned for each seed on its validation rows."""
    budget, rows = BUDGETS[profile], []
    for seed in seeds:
        data = lay_out(data_set, seed)
        tried = [
            (search.train(data, task, method, settings, budget, seed), settings)
            for settings in budget.settings(method)
        ]
        best, settings = min(tried, key=lambda each: each[0].valid)
        decided = decisions(best.weights, data.test)
        rows.append(
            {
                "data_set": data_set,
                "model": f"linear-{task}",
                "loss": method,
                "seed": seed,
                "error": error(decided, data.test),
                "f1_loss": f1_loss(decided, data.test),
                "train": TASK_LOSSES[task](decisions(best.weights, data.train), data.train),
                "valid": best.valid,
                "dimension": best.weights.numel(),
                "steps": best.steps,
                "ess": _mean(best.sizes),
                "guided_weight": _mean(best.guided),
                "curve": joined(best.curve),
                "ess_curve": joined(best.sizes),
                "chosen": describe(settings),
            }
        )
    return rows


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _nothing_to_read(name: str) -> object:
    """Read the bundled rows of a classifier's data set."""
    return load_digits() if name.startswith("digits") else load_breast_cancer_rows()


def compare_classifiers(
    data_sets: Iterable[str],
    tasks: Iterable[str] = ("error", "f1"),
    seeds: Iterable[int] = CLASSIFIER_SEEDS,
    profile: str = "quick",
    *,
    methods: Iterable[str] = CLASSIFIER_METHODS,
    device: str = "cpu",
    store: Path | None = None,
    progress: bool = False,
) -> list[Row]:
    """Train linear classifiers for their error and for F1 by every method.

    Args:
        data_sets: toy, breast-cancer or digits, each with or without "-outliers" behind it.
        tasks: error, f1, what is trained for and tuned by.
        seeds: each decides the split, the outliers and the candidates.
        profile: quick or full, the budget of the tuning.
        methods: of `CLASSIFIER_METHODS`.
        device: must be "cpu"; the models are too small for anything else.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        One row per data set, task (model "linear-error" or "linear-f1"), method and seed:

        - error and f1_loss on the test rows, which are clean; train and valid, the task loss on
          the others;
        - dimension, the number of weights; steps, at the best look; curve, the task loss on the
          training rows at every look, joined by ";";
        - for searches ess, the mean effective sample size over the steps, ess_curve, that of each
          step, and guided_weight, the mean total weight of the guided candidates;
        - chosen: the settings.
    """
    if device != "cpu":
        raise ValueError(f"`device` must be 'cpu' for classifiers. Got {device!r}.")
    names, chosen, trained_for, ways = list(data_sets), list(seeds), list(tasks), list(methods)
    cells = [
        {"data_set": name, "task": task, "method": method, "seeds": chosen, "profile": profile}
        for name in names
        for task in trained_for
        for method in ways
    ]
    return compare_cells(
        _train_classifier, cells, names, _nothing_to_read, store=store, progress=progress
    )


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs, each a data set and a model.

    The full profile holds Multi30k only where there is a GPU.

    Example:
        >>> blocks("quick")
        ['breast-cancer-outliers-linear', 'breast-cancer-linear', 'spelling-rules-trained']
    """
    if profile == "quick":
        classifiers = [f"{name}-linear" for name in CLASSIFIER_SETS if "breast" in name]
        return [*classifiers, "spelling-rules-trained"]
    on_gpu = [MULTI30K_BLOCK] if torch.cuda.is_available() else []
    return [
        *on_gpu,
        DIMENSION_BLOCK,
        *(f"{name}-linear" for name in CLASSIFIER_SETS),
        *(f"cmudict-{start}" for start in SCALES["cmudict"].starts),
    ]


def run_block(
    block: str,
    profile: str,
    *,
    device: str | None = None,
    store: Path | None = None,
    progress: bool = False,
) -> list[Row]:
    """The comparison of a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        device: where to train the translators; a GPU if there is one and it is left out.
        store, progress: as in `compare_sequences`.

    Raises:
        ValueError: there is no such block in the profile.
    """
    data_set, model = data_set_and_model(block, blocks(profile))
    if block == DIMENSION_BLOCK:
        return effective_sizes(seeds=DIMENSION_SEEDS)
    if data_set in SCALES:
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        seeds = SEQUENCE_SEEDS[profile]
        return compare_sequences(
            data_set, [model], seeds, device=place, store=store, progress=progress
        )
    return compare_classifiers([data_set], profile=profile, store=store, progress=progress)


def recorded_rows() -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return read_rows("sampling-optimisation/trials.csv")
