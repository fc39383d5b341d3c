"""Training with and without clipping, and smoothness along it (chapter `gradient-clipping`).

`compare` trains; `recorded_rows` reads the outcome of the full profile. Models, data and batches
are in `clipping_tasks`, a single training and its probes in `clipping_training`, correlations and
intervals in `clipping_summaries`; the races on formulas are in `clipping_races` and
`clipping_products`.

Every method chooses among eight settings (six in the quick profile) by the validation loss at the
end of training, with a seed that is not used afterwards. `loss` is the name of a method here, as
in the other studies: none (plain gradient descent on batches), hard, soft, normalised.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from scispaces.studies.clipping_comparisons import PROFILES
from scispaces.studies.clipping_tasks import Config, Task, make_task
from scispaces.studies.clipping_training import (
    METHODS,
    Method,
    Setting,
    choose,
    train,
)
from scispaces.studies.comparison import Row, compare_cells, require_block
from scispaces.studies.recorded import read_rows

LOSSES = METHODS
# Whether more is better.
METRICS = {
    "train_loss": False,
    "validation_loss": False,
    "test_loss": False,
    "test_accuracy": True,
}
TUNING_SEED = 1000


def tune(block: str, method: Method, profile: str) -> list[Row]:
    """Choose the setting of a method.

    Returns:
        One row per setting: part (tuning), data_set, model, loss, seed, step, threshold,
        validation_loss (None if it diverged), chosen (1 or 0).
    """
    comparison = PROFILES[profile][block]
    schedule = replace(comparison.schedule, probes=0)
    chosen, tried = choose(comparison.config, comparison.settings(method), schedule, [TUNING_SEED])
    head = {"part": "tuning", **_head(comparison.config, method, "tuned", TUNING_SEED)}
    return [
        head
        | row
        | {"chosen": int((row["step"], row["threshold"]) == (chosen.step, chosen.threshold))}
        for row in tried
    ]


def run(
    block: str,
    method: Method,
    step: float,
    threshold: float | None,
    variant: str,
    seed: int,
    profile: str,
) -> list[Row]:
    """Train once and probe.

    Returns:
        A row with part "run" and the keys of `clipping_training.train`, and for each probe a row
        with part "probe" and the keys of `clipping_training.probe`, update and batch_norm (norm of
        the gradient of the batch); all with data_set, model, loss, variant (tuned, or a name of
        the variants of the comparison), seed, step and threshold.
    """
    comparison = PROFILES[profile][block]
    setting = Setting(method, step, threshold)
    outcome, probes = train(comparison.config, setting, comparison.schedule, seed)
    head = _head(comparison.config, method, variant, seed)
    head |= {"step": step, "threshold": threshold}
    return [{"part": "run"} | head | outcome, *({"part": "probe"} | head | row for row in probes)]


def _head(config: Config, method: Method, variant: str, seed: int) -> Row:
    return {
        "data_set": config.data_set,
        "model": config.model,
        "loss": method,
        "variant": variant,
        "seed": seed,
    }


def compare(
    block: str, profile: str = "quick", *, store: Path | None = None, progress: bool = False
) -> list[Row]:
    """Tune every method, then train and probe it with every seed.

    Args:
        block: a key of `PROFILES[profile]`.
        profile: quick or full.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        The rows of `tune` and `run`.
    """
    comparison = PROFILES[profile][block]

    def load(name: str) -> Task:
        return make_task(comparison.config, TUNING_SEED)

    options: dict[str, Any] = {"store": store, "progress": progress}
    cells = [
        {"block": block, "method": method, "profile": profile} for method in comparison.methods
    ]
    tuning = compare_cells(tune, cells, [block], load, **options)
    chosen = {row["loss"]: row for row in tuning if row["chosen"]}
    trials = [
        {
            "block": block,
            "method": method,
            "step": chosen[method]["step"] * factor,
            "threshold": chosen[method]["threshold"],
            "variant": variant,
            "seed": seed,
            "profile": profile,
        }
        for method in comparison.methods
        for variant, factor in {"tuned": 1.0, **comparison.variants}.items()
        for seed in comparison.seeds
        if variant == "tuned" or method in comparison.varied
    ]
    return tuning + compare_cells(run, trials, [block], load, **options)


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs, each a task.

    Example:
        >>> blocks("quick")
        ['data-descriptions', 'digits']
    """
    return list(PROFILES[profile])


def run_block(block: str, profile: str, **options: Any) -> list[Row]:
    """Compare the methods on the task of a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        **options: store and progress as in `compare`.

    Raises:
        ValueError: there is no such block in the profile.
    """
    require_block(block, blocks(profile))
    return compare(block, profile, **options)


def recorded_rows(part: str) -> list[Row]:
    """The rows of the full profile with a part ("tuning", "run" or "probe"), as recorded.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return [row for row in read_rows("gradient-clipping/trials.csv") if row["part"] == part]
