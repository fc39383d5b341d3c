"""Translators of sequences fine-tuned for their task loss: the comparison of the methods."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from scispaces.datasets.sequences import (
    SequenceData,
    load_cmudict,
    load_multi30k,
    make_spelling_rules,
)
from scispaces.studies import sampling_finetuning as finetuning
from scispaces.studies.comparison import Row
from scispaces.studies.sampling_finetuning import Parts, Tuned
from scispaces.studies.sampling_sequences import Translator
from scispaces.studies.sampling_settings import Settings, describe, joined
from scispaces.studies.sampling_updates import METHODS, Scale, settings_of
from scispaces.studies.trials import run_trials

SEQUENCE_METHODS = ("start", *METHODS)
SEQUENCE_SEEDS = {"quick": (0, 1), "full": tuple(range(5))}
TUNING_SEED = 1000
# Whether more is better.
SEQUENCE_METRICS = {
    "symbol_error": False,
    "sequence_error": False,
    "unfinished": False,
    "distance": False,
    "bleu": True,
}
SCALES = {
    "spelling-rules": Scale(
        embedding=12,
        hidden=32,
        batch=32,
        rate=0.01,
        starts={"trained": 120},
        steady=120,
        updates=12,
        looks=2,
        outputs=4,
        cap=20,
        configurations=4,
        valid=200,
    ),
    "cmudict": Scale(
        embedding=32,
        hidden=96,
        batch=64,
        rate=0.004,
        starts={"trained": 1100, "converged": 2400},
        steady=1100,
        updates=80,
        looks=4,
        outputs=4,
        cap=20,
        configurations=8,
        valid=1000,
    ),
    "multi30k": Scale(
        embedding=128,
        hidden=256,
        batch=64,
        rate=0.002,
        starts={"converged": 9000},
        steady=6000,
        updates=400,
        looks=4,
        outputs=4,
        cap=40,
        configurations=8,
        valid=500,
        task="bleu",
    ),
}


def _load(data_set: str, seed: int) -> SequenceData:
    if data_set == "cmudict":
        return load_cmudict(seed)
    return load_multi30k() if data_set == "multi30k" else make_spelling_rules(seed)


@cache
def _prepared(data_set: str, seed: int, device: str) -> tuple[Parts, dict[str, Translator]]:
    """The rows and the models before the training for the task loss, made once per process."""
    scale, data = SCALES[data_set], _load(data_set, seed)
    parts = Parts.of(data, scale.valid, device)
    return parts, finetuning.train_by_likelihood(data, parts, scale, seed)


def _finetune(
    data_set: str, start: str, method: str, settings: Settings, seed: int, device: str
) -> tuple[Tuned, Parts]:
    parts, before = _prepared(data_set, seed, device)
    tuned = finetuning.finetune(before[start], method, settings, parts, SCALES[data_set], seed)
    return tuned, parts


def _tune(data_set: str, start: str, method: str, device: str) -> dict[str, float]:
    """The settings that are best on the validation rows of a seed used for nothing else."""
    scale = SCALES[data_set]
    tried = [
        (
            finetuning.worth(
                _finetune(data_set, start, method, each, TUNING_SEED, device)[0].valid, scale
            ),
            each,
        )
        for each in settings_of(method, scale.configurations)
    ]
    return min(tried, key=lambda each: each[0])[1]


def _finetuned_row(
    data_set: str, start: str, method: str, settings: dict[str, float], seed: int, device: str
) -> Row:
    """What a method makes of one start; method "start" leaves it as it is."""
    scale = SCALES[data_set]
    if method == "start":
        parts, before = _prepared(data_set, seed, device)
        model, valid = before[start], finetuning.judge(before[start], parts.valid, scale.cap)
        notes: Row = {"valid": valid.symbol_error, "steps": 0}
    else:
        tuned, parts = _finetune(data_set, start, method, settings, seed, device)
        model = tuned.model
        notes = {
            "valid": tuned.valid.symbol_error,
            "steps": tuned.updates,
            "ess": None if np.isnan(tuned.ess) else tuned.ess,
            "guided_weight": None if np.isnan(tuned.guided_weight) else tuned.guided_weight,
            "curve": joined(tuned.curve),
        }
    scores = finetuning.judge(model, parts.test, scale.cap)
    return {
        "data_set": data_set,
        "model": start,
        "loss": method,
        "seed": seed,
        **{name: getattr(scores, name) for name in SEQUENCE_METRICS},
        "dimension": sum(parameter.numel() for parameter in model.parameters()),
        **notes,
        "chosen": describe(settings),
    }


def compare_sequences(
    data_set: str,
    starts: Iterable[str] | None = None,
    seeds: Iterable[int] = SEQUENCE_SEEDS["quick"],
    *,
    methods: Iterable[str] = METHODS,
    device: str = "cpu",
    store: Path | None = None,
    progress: bool = False,
) -> list[Row]:
    """Train translators of sequences by likelihood, then for their task loss by every method.

    Args:
        data_set: spelling-rules (nothing to download), cmudict or multi30k.
        starts: keys of `SCALES[data_set].starts`, how far the likelihood training went; all of
            them if left out.
        seeds: each decides the words, the split, the first weights, the batches and the draws.
            The settings of every method are chosen with another seed, on its validation rows.
        methods: of `SEQUENCE_METHODS`; "start", no further training, is always among them.
        device: where to compute.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        One row per start (`model`), method (`loss`) and seed:

        - on the test rows symbol_error (edit distances over symbols of the references),
          sequence_error (share of outputs with any error), unfinished (share without an end),
          distance (mean edit distance) and bleu;
        - valid, symbol_error on the validation rows at the best look; steps, the updates until
          then; curve, symbol_error on the validation rows at every look, joined by ";";
        - for searches ess and guided_weight, means over the updates; dimension, the number of
          weights; chosen: the settings.
    """
    chosen = list(seeds)
    begin = list(SCALES[data_set].starts if starts is None else starts)
    ways = [method for method in methods if method != "start"]
    _load(data_set, TUNING_SEED)  # in this process too, see `compare_cells`
    common = {"data_set": data_set, "device": device}
    tunings = [common | {"start": start, "method": method} for start in begin for method in ways]
    found = run_trials(_tune, tunings, store=store, progress=progress)
    settings = {
        (tuning["start"], tuning["method"]): best
        for tuning, best in zip(tunings, found, strict=True)
    }
    cells = [
        common
        | {"start": start, "method": method, "seed": seed}
        | {"settings": settings.get((start, method), {})}
        for start in begin
        for method in ("start", *ways)
        for seed in chosen
    ]
    return run_trials(_finetuned_row, cells, store=store, progress=progress)
