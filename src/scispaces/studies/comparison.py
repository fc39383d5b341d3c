"""What the comparisons of studies share: cells run as trials, blocks of data set and model."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from scispaces.studies.trials import Trial, run_trials

Row = dict[str, Any]


def compare_cells(
    function: Callable[..., list[Row]],
    cells: Iterable[Trial],
    data_sets: Iterable[str],
    load: Callable[[str], object],
    *,
    store: Path | None,
    progress: bool,
) -> list[Row]:
    """The rows of all cells of a comparison, in their order.

    Args:
        function: gives the rows of one cell, see `run_trials`.
        cells: its arguments, cell by cell.
        data_sets: the names of what the cells read.
        load: reads one of them.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.
    """
    for name in data_sets:
        # Read here too when the training happens in other processes: the parent's list of files
        # read is the one that provenance reports.
        load(name)
    outcomes = run_trials(function, cells, store=store, progress=progress)
    return [row for rows in outcomes for row in rows]


def require_block(block: str, blocks: Iterable[str]) -> None:
    """Refuse a block that a study does not have.

    Raises:
        ValueError: there is no such block.
    """
    names = list(blocks)
    if block not in names:
        raise ValueError(f"`block` must be one of {', '.join(names)}. Got {block!r}.")


def data_set_and_model(block: str, blocks: Sequence[str]) -> tuple[str, str]:
    """What a block consists of; its name joins the two.

    Raises:
        ValueError: there is no such block.

    Example:
        >>> data_set_and_model("digits-8-1-20-mlp", ["digits-8-1-20-linear", "digits-8-1-20-mlp"])
        ('digits-8-1-20', 'mlp')
    """
    require_block(block, blocks)
    data_set, _, model = block.rpartition("-")
    return data_set, model
