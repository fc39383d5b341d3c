"""Penalties on weights and the scale that layers can shift (chapter `weight-scale-shift`).

`run` trains bias-free ReLU networks with every penalty and measures accuracy, margins, Jacobians
and robustness. Parts of the study, each in a module of its own: methods and their grids in
`weight_scale_methods`, training in `weight_scale_training`, attacks and measures in
`weight_scale_attacks` and `weight_scale_measures`; norms along the training and the collapse of
the log-norm penalty in `weight_scale_dynamics`; training from shifted first weights in
`weight_scale_starts`; activations and rules for the biases in `weight_scale_activations`.
`recorded_rows` reads what the full profile gave.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from scispaces.studies.comparison import Row, compare_cells, data_set_and_model
from scispaces.studies.recorded import read_rows
from scispaces.studies.weight_scale_activations import activation_changes
from scispaces.studies.weight_scale_comparison import Budget, compare_methods
from scispaces.studies.weight_scale_data import load
from scispaces.studies.weight_scale_dynamics import collapse, conserved
from scispaces.studies.weight_scale_methods import METHODS
from scispaces.studies.weight_scale_networks import Model
from scispaces.studies.weight_scale_starts import shifted_starts

LOSSES = tuple(METHODS)
# One way to train for every penalty, with the optimiser that it is mostly discussed with.
QUICK_LOSSES = (
    "none_sgd",
    "l2_sgd",
    "log_norm_sgd",
    "direction_sgd",
    "balanced_sgd",
    "none_adam",
    "l2_adam",
    "adamw",
)
BUDGETS = {
    ("quick", "mlp"): Budget(values=3, updates=150, width=32, judged=50, attacked=100),
    ("full", "mlp"): Budget(values=5, updates=500, width=64, judged=100, attacked=200),
    ("full", "cnn"): Budget(values=5, updates=400, width=64, judged=100, attacked=200),
}
SEEDS = {"digits-mlp": tuple(range(10))}
FEWER_SEEDS = tuple(range(5))
# Whether more is better.
METRICS = {
    "accuracy": True,
    "cross_entropy": False,
    "cross_entropy_rescaled": False,
    "margin_over_frobenius": True,
    "margin_over_spectral": True,
    "margin_over_jacobian": True,
    "jacobian": False,
    "pgd_more": True,
    "pgd_masked": True,
}
COMPARISONS = (
    "mnist-mlp",
    "fashion-mnist-mlp",
    "digits-mlp",
    "mnist-cnn",
    "fashion-mnist-cnn",
    "digits-cnn",
)
EXPERIMENTS: dict[str, Callable[[], list[Row]]] = {
    "starts": shifted_starts,
    "conserved": conserved,
    "collapse": collapse,
    "activations": activation_changes,
}


def seeds_of(data_set: str, model: Model) -> tuple[int, ...]:
    """The seeds of a comparison in the full profile."""
    return SEEDS.get(f"{data_set}-{model}", FEWER_SEEDS)


def run(
    data_set: str = "digits",
    model: Model = "mlp",
    seeds: Iterable[int] | None = None,
    profile: str = "quick",
) -> list[Row]:
    """Train bias-free networks with every penalty; choose on validation rows; measure.

    A method has as many values of its strength as a method without a penalty has learning rates;
    the learning rate of a penalty is the best one without it, with the same optimiser. Each seed
    decides the rows, the first weights and the batches, for all methods alike.

    Args:
        data_set: digits; mnist or fashion-mnist, as 14 × 14 means of 2 × 2 pixels.
        model: mlp, three hidden layers; cnn, two convolutions and a linear layer.
        seeds: of the repetitions; those of the full profile if left out.
        profile: quick (mlp only, the methods of `QUICK_LOSSES`) or full.

    Returns:
        One row per method (`loss`), criterion and seed. criterion: accuracy, the setting with the
        best validation accuracy (ties by cross-entropy); matched, the setting most robust on
        validation rows among those that lose at most one point of validation accuracy against the
        best without a penalty. rate, strength; setting, its place in the grid.
        Measures of `weight_scale_measures`: quality, sensitivity, robustness, norms; idle_share,
        share of the first layer's squares on pixels that are 0 in every training row (mlp);
        train_cross_entropy, pull (E<f, y - p> over the training rows); norm_curve, norms of the
        layers at nine moments of the training; squares_start and balanced_squares_start, as
        squares and balanced_squares, of the first weights.
        With criterion accuracy, joined over the grid: sweep_setting, and on test rows
        sweep_accuracy, sweep_cross_entropy and sweep_robust (attack at the middle radius).
    """
    budget = BUDGETS[profile, model]
    names = QUICK_LOSSES if profile == "quick" else LOSSES
    chosen = list(seeds_of(data_set, model) if seeds is None else seeds)
    head = {"table": "methods", "data_set": data_set, "model": model}
    return [head | row for row in compare_methods(data_set, model, names, chosen, budget)]


def _experiment(name: str) -> list[Row]:
    head = {"table": name, "data_set": "digits", "model": "mlp"}
    return [head | row for row in EXPERIMENTS[name]()]


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs.

    Example:
        >>> blocks("quick")
        ['digits-mlp']
    """
    if profile == "quick":
        return ["digits-mlp"]
    return [*COMPARISONS, *(f"digits-{name}" for name in EXPERIMENTS)]


def run_block(
    block: str, profile: str, *, store: Path | None = None, progress: bool = False
) -> list[Row]:
    """Run a comparison, or one of the `EXPERIMENTS`.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Raises:
        ValueError: there is no such block in the profile.
    """
    data_set, name = data_set_and_model(block, blocks(profile))
    if name in EXPERIMENTS:
        cells: list[dict[str, Any]] = [{"name": name}]
        return compare_cells(_experiment, cells, [data_set], load, store=store, progress=progress)
    cells = [{"data_set": data_set, "model": name, "profile": profile}]
    return compare_cells(run, cells, [data_set], load, store=store, progress=progress)


def recorded_rows(table: str = "methods") -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Args:
        table: methods, starts, conserved, collapse or activations.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
        ValueError: there is no such table.
    """
    rows = [row for row in read_rows("weight-scale-shift/trials.csv") if row["table"] == table]
    if not rows:
        raise ValueError(
            f"`table` must be one of {', '.join(('methods', *EXPERIMENTS))}. Got {table!r}."
        )
    filled = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in filled} for row in rows]
