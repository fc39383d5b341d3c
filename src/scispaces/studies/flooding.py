"""Flooding against early stopping and other rivals where labels are flipped (chapter `flooding`).

`compare` trains every method on a data set with a rate of flips; `recorded_rows` reads the outcome
of the full profile. Rows have a `part`:

- choice: a method with its value chosen on validation rows; `scispaces.studies.ranks` turns these
  into ranks and paired intervals once they are limited to one `chosen_by`;
- level, floor: flooding with one level after the last epoch, level 0 being plain training; those
  in part floor have a finer grid and more rates of flips;
- path: what a network does at the level, see `flooding_dynamics`.

The tasks are in `flooding_data`, the methods in `flooding_methods`, training in
`flooding_training`, metrics in `flooding_metrics`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from scispaces.studies.comparison import Row, compare_cells, require_block
from scispaces.studies.flooding_data import DATA_SETS, SYNTHETIC, lay_out, load
from scispaces.studies.flooding_dynamics import PATHS, follow, reach_level, small_task
from scispaces.studies.flooding_methods import METHODS, Method
from scispaces.studies.flooding_metrics import METRICS as METRICS
from scispaces.studies.flooding_rows import CRITERIA as CRITERIA
from scispaces.studies.flooding_rows import chosen_rows, join_values, level_rows, short
from scispaces.studies.flooding_training import Look, Schedule, train
from scispaces.studies.recorded import read_rows

# Every method trained to the end, and with the epoch chosen too; plain_stopped: early stopping.
LOSSES = tuple(f"{method}{stopped}" for method in METHODS for stopped in ("", "_stopped"))
PERCENTS = {name: (1, 5, 10) if name in SYNTHETIC else (0, 10, 20) for name in DATA_SETS}
SEEDS = {name: tuple(range(10)) if name in SYNTHETIC else tuple(range(5)) for name in DATA_SETS}
QUICK_SEEDS = tuple(range(5))
QUICK_VALUES = (0, 3, 4, 5, 6)
SCHEDULES = {
    ("quick", "synthetic"): Schedule((32, 32, 32, 32), True, epochs=120, batch=100, rate=2e-3),
    ("quick", "real"): Schedule((32, 32), False, epochs=30, batch=100, rate=5e-3),
    ("full", "synthetic"): Schedule((40, 40, 40, 40), True, epochs=300, batch=100),
    ("full", "real"): Schedule((64, 64), False, epochs=50, batch=100, rate=3e-3),
}
# The paper's width and number of epochs.
WIDE = Schedule((500, 500, 500, 500), True, epochs=500, batch=100)
WIDE_DATA_SET, WIDE_PERCENT, WIDE_LEVELS = "sinusoid", 10, (0.0, 0.1, 0.2)
# How the best level depends on the noise.
FLOOR_LEVELS = {
    "sinusoid": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6),
    "digits": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4),
}
FLOOR_PERCENTS = (0, 5, 10, 20, 30)
ALL_ROWS_DATA_SET, ALL_ROWS_PERCENTS = "digits", (10, 20)
PATH_STEPS = 2000


def schedule_for(data_set: str, profile: str) -> Schedule:
    """How the networks of a data set are trained in a profile."""
    return SCHEDULES[profile, "synthetic" if data_set in SYNTHETIC else "real"]


def values_for(method: Method, data_set: str, profile: str) -> list[float]:
    """The values of a method that are tried, the first one plain training."""
    values = method.synthetic if data_set in SYNTHETIC else method.real
    if profile == "quick" and len(values) > 1:
        return [values[at] for at in QUICK_VALUES]
    return list(values)


def run(
    data_set: str, percent: int, seeds: Sequence[int] | None = None, profile: str = "quick"
) -> list[Row]:
    """Train every method on one data set with one rate of flips.

    Args:
        data_set: one of `flooding_data.DATA_SETS`.
        percent: of flipped labels in training and validation rows.
        seeds: each decides rows, flips, first weights and batches; those of `SEEDS` if left out.
        profile: quick or full.

    Returns:
        Rows with data_set ("sinusoid-10" for 10 per cent of flips), model ("mlp"), percent, and:

        - part, loss (of `LOSSES`; without "_stopped" in part level), seed, value, epoch, in part
          choice also chosen_by (loss or accuracy on the validation rows);
        - train_loss, held_loss, held_accuracy, and every key of `METRICS` on clean test rows;
        - in part level with the most flips: epochs, train_loss_curve, test_loss_curve,
          test_accuracy_curve, joined by ";".
    """
    chosen = list(
        (QUICK_SEEDS if profile == "quick" else SEEDS[data_set]) if seeds is None else seeds
    )
    task = lay_out(data_set, percent / 100, chosen)
    schedule = schedule_for(data_set, profile)
    plain = train(task, METHODS["plain"], [0.0], chosen, schedule)
    rows = []
    for name, method in METHODS.items():
        values = values_for(method, data_set, profile)
        looks = plain
        if len(values) > 1:
            looks = join_values(plain, train(task, method, values[1:], chosen, schedule))
        rows += chosen_rows(name, looks, values, chosen)
        if name == "flood":
            curves = percent == PERCENTS[data_set][-1]
            rows += level_rows(name, looks, values, chosen, curves=curves)
    return [_head(data_set, percent) | row for row in rows]


def _head(data_set: str, percent: int, model: str = "mlp") -> Row:
    return {"part": "", "data_set": f"{data_set}-{percent}", "model": model, "percent": percent}


def run_wide(seeds: Sequence[int]) -> list[Row]:
    """Plain training and flooding at the paper's width and number of epochs; rows as of `run`."""
    task = lay_out(WIDE_DATA_SET, WIDE_PERCENT / 100, seeds)
    looks = train(task, METHODS["flood"], WIDE_LEVELS, seeds, WIDE)
    plain = [
        Look(look.epoch, {name: values[:, :1] for name, values in look.values.items()})
        for look in looks
    ]
    rows = [
        *chosen_rows("plain", plain, WIDE_LEVELS[:1], seeds),
        *chosen_rows("flood", looks, WIDE_LEVELS, seeds),
        *level_rows("flood", looks, WIDE_LEVELS, seeds, curves=True),
    ]
    head = _head(WIDE_DATA_SET, WIDE_PERCENT, "mlp-500")
    return [head | row for row in rows]


def run_floor(
    data_set: str, percent: int, seeds: Sequence[int], *, all_rows: bool = False
) -> list[Row]:
    """Flooding on a fine grid of levels; rows as in part level, with part floor.

    Args:
        data_set: a key of `FLOOR_LEVELS`.
        percent: of flipped labels in training and validation rows.
        seeds: as in `run`.
        all_rows: as many steps, but each with all training rows; the model is then "mlp-all-rows".
    """
    task = lay_out(data_set, percent / 100, seeds)
    levels, schedule = FLOOR_LEVELS[data_set], schedule_for(data_set, "full")
    if all_rows:
        rows_there = task.y.shape[1]
        steps = schedule.epochs * (rows_there // schedule.batch)
        schedule = replace(schedule, epochs=steps, batch=rows_there)
    looks = train(task, METHODS["flood"], levels, seeds, schedule)
    rows = level_rows("flood", looks[-1:], levels, seeds, curves=False)
    head = _head(data_set, percent, "mlp-all-rows" if all_rows else "mlp")
    return [head | row | {"part": "floor"} for row in rows]


def run_paths(seeds: Sequence[int], steps: int = PATH_STEPS) -> list[Row]:
    """Every path of `flooding_dynamics` from the same networks at the level, with part path."""
    task = small_task(seeds)
    start = reach_level(task, seeds)
    rows = [row for path in PATHS for row in follow(path, task, start, seeds, steps)]
    return [
        {"part": "path", "data_set": "digits-10", "model": "mlp"}
        | {key: short(value) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    ]


def _cell(kind: str, **arguments: Any) -> list[Row]:
    """One of the four kinds of runs, with arguments that a store of trials can hold."""
    kinds: dict[str, Callable[..., list[Row]]] = {
        "compare": run,
        "wide": run_wide,
        "floor": run_floor,
        "paths": run_paths,
    }
    return kinds[kind](**arguments)


def compare(
    data_sets: Iterable[str],
    percents: Iterable[int],
    seeds: Iterable[int] | None = None,
    profile: str = "quick",
    *,
    store: FilePath | None = None,
    progress: bool = False,
) -> list[Row]:
    """Train every method on each of the data sets with each rate of flips.

    Args:
        data_sets: of `flooding_data.DATA_SETS`.
        percents: of flipped labels.
        seeds: of the repetitions; those of the profile if left out.
        profile: quick or full.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        The rows of `run` for every pair.
    """
    names = list(data_sets)
    cells = [
        {"kind": "compare", "data_set": name, "percent": percent, "profile": profile}
        | ({} if seeds is None else {"seeds": list(seeds)})
        for name in names
        for percent in percents
    ]
    return compare_cells(_cell, cells, names, load, store=store, progress=progress)


def _block_cells(profile: str) -> dict[str, list[dict[str, Any]]]:
    pairs = (
        [("sinusoid", 10), ("digits", 20)]
        if profile == "quick"
        else [(name, percent) for name in DATA_SETS for percent in PERCENTS[name]]
    )
    cells: dict[str, list[dict[str, Any]]] = {
        f"{name}-{percent}": [
            {"kind": "compare", "data_set": name, "percent": percent, "profile": profile}
        ]
        for name, percent in pairs
    }
    if profile == "quick":
        return cells
    seeds = list(range(10))
    floor: dict[str, list[dict[str, Any]]] = {
        f"floor-{name}": [
            {"kind": "floor", "data_set": name, "percent": percent, "seeds": seeds}
            for percent in FLOOR_PERCENTS
        ]
        for name in FLOOR_LEVELS
    }
    all_rows = [
        {
            "kind": "floor",
            "data_set": ALL_ROWS_DATA_SET,
            "percent": percent,
            "seeds": list(SEEDS[ALL_ROWS_DATA_SET]),
            "all_rows": True,
        }
        for percent in ALL_ROWS_PERCENTS
    ]
    return {
        "wide": [{"kind": "wide", "seeds": seeds}],
        "paths": [{"kind": "paths", "seeds": seeds}],
        "all-rows": all_rows,
        **floor,
        **cells,
    }


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs.

    Example:
        >>> blocks("quick")
        ['sinusoid-10', 'digits-20']
    """
    return list(_block_cells(profile))


def run_block(
    block: str, profile: str, *, store: FilePath | None = None, progress: bool = False
) -> list[Row]:
    """Compute the rows of a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        store, progress: as in `compare`.

    Raises:
        ValueError: there is no such block in the profile.
    """
    found = _block_cells(profile)
    require_block(block, found)
    cells = found[block]
    names = [cell.get("data_set", "digits") for cell in cells]
    return compare_cells(_cell, cells, names, load, store=store, progress=progress)


def recorded_rows(part: str | None = None) -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Args:
        part: choice, level, floor or path; all of them if left out.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    rows = read_rows("flooding/trials.csv")
    return [row for row in rows if part is None or row["part"] == part]
