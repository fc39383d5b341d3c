"""Figures that more than one chapter draws.

1. J. Demšar: Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

import matplotlib as mpl
from matplotlib.axes import Axes

from scispaces.plots.house import interactive, palette


def critical_difference_diagram(
    axes: Axes, average_ranks: Mapping[str, float], critical_difference: float
) -> None:
    """Draw average ranks on a line and join those that do not differ significantly [1].

    The best (lowest) rank stands on the left. A bar joins every largest group whose ranks lie
    within `critical_difference` of each other.

    Args:
        axes: where to draw; its own lines and ticks are removed.
        average_ranks: the average rank of each method over the data sets.
        critical_difference: the Nemenyi critical difference, in ranks.

    Raises:
        ValueError: if there are fewer than two methods or the difference is not positive.
    """
    if len(average_ranks) < 2:
        raise ValueError(f"`average_ranks` must hold two methods. Got {len(average_ranks)}.")
    if critical_difference <= 0:
        raise ValueError(f"`critical_difference` must be positive. Got {critical_difference}.")
    ranked = sorted(average_ranks.items(), key=lambda item: (item[1], item[0]))
    low, high = 1, len(ranked)
    groups = rank_groups([rank for _, rank in ranked], critical_difference)
    ink = mpl.rcParams["text.color"]
    colour = palette()[0]
    half = (len(ranked) + 1) // 2
    first_row = 0.55 + 0.28 * len(groups)
    axes.axis("off")
    axes.grid(False)
    axes.hlines(0, low, high, color=ink, linewidth=1.5)
    for tick in range(low, high + 1):
        axes.vlines(tick, -0.12, 0, color=ink, linewidth=1.5)
        axes.text(tick, -0.22, str(tick), ha="center", va="bottom")
    for place, (name, rank) in enumerate(ranked):
        left = place < half
        row = first_row + 0.5 * (place if left else len(ranked) - 1 - place)
        edge = low - 0.1 if left else high + 0.1
        axes.plot([rank, rank, edge], [0, row, row], color=ink, linewidth=1, linestyle="-")
        label = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
        axes.text(edge, row, f" {label} ", ha="right" if left else "left", va="center")
        axes.plot(rank, 0, color=colour, marker="o", linestyle="", zorder=3)
    for number, (start, stop) in enumerate(groups):
        height = 0.3 + 0.28 * number
        axes.hlines(height, start - 0.03, stop + 0.03, color=colour, linewidth=5)
    axes.hlines(-0.95, low, low + critical_difference, color=colour, linewidth=3)
    label = f"critical difference {critical_difference:.2f}"
    axes.text(low + critical_difference / 2, -1.05, label, ha="center", va="bottom")
    axes.set_ylim(first_row + 0.5 * half, -1.6)
    axes.set_xlim(low - 0.1, high + 0.1)


def rank_groups(ranks: Sequence[float], critical_difference: float) -> list[tuple[float, float]]:
    """Return the first and last rank of each largest group within the critical difference.

    Example:
        >>> rank_groups([1.0, 1.5, 2.4, 4.0], 1.0)
        [(1.0, 1.5), (1.5, 2.4)]
    """
    groups: list[tuple[float, float]] = []
    for start in sorted(ranks):
        stop = max(rank for rank in ranks if rank <= start + critical_difference)
        if stop > start and (not groups or stop > groups[-1][1]):
            groups.append((start, stop))
    return groups


def dot_plot_with_intervals(
    axes: Axes,
    estimates: Mapping[str, tuple[float, float, float]],
    *,
    reference: float | None = None,
    label: str = "",
) -> None:
    """Draw one row for each estimate: a dot and the interval around it.

    Args:
        axes: where to draw.
        estimates: name -> (value, lower limit, upper limit), from top to bottom.
        reference: where to draw a vertical line, for example zero for differences.
        label: what the horizontal axis measures.

    Raises:
        ValueError: if a value lies outside its interval.
    """
    for name, (value, lower, upper) in estimates.items():
        if not lower <= value <= upper:
            raise ValueError(f"`estimates` must lie in their intervals. Got {name!r}: {value}.")
    rows = range(len(estimates))
    colour = palette()[0]
    if reference is not None:
        axes.axvline(reference, color=mpl.rcParams["text.color"], linewidth=1.2, linestyle="--")
    for row, (value, lower, upper) in zip(rows, estimates.values(), strict=True):
        axes.hlines(row, lower, upper, color=colour, linewidth=2.5)
        axes.plot(value, row, marker="o", markersize=7, color=colour, linestyle="")
    axes.set_yticks(list(rows), list(estimates))
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)


def gradient_mass_slider() -> None:
    """Display the interactive figure of gradient masses: ZLPR and BCE against three sliders."""
    fragment = files("scispaces.plots").joinpath("gradient_mass.html")
    interactive(
        fragment.read_text(encoding="utf-8"),
        name="zlpr-gradient-mass-slider",
        caption=(
            "Total gradient on the negatives and on one positive, as bars on one common "
            "scale. Move the sliders: under binary cross-entropy the total on the negatives grows "
            "with their number, under ZLPR neither total can pass one."
        ),
        fallback_text=(
            "With scripts switched on, three sliders here set the number of negatives, the score "
            "they share and the score of the one positive, and bars show the total gradient on "
            "the negatives and on the positive for ZLPR and for binary cross-entropy."
        ),
    )
