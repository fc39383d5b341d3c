"""The book's figures: the house style, and the figures that recur."""

from scispaces.plots.house import (
    LINE_STYLES,
    MARKERS,
    figure_html,
    interactive,
    palette,
    show,
    style,
    svg,
)
from scispaces.plots.recurring import (
    critical_difference_diagram,
    dot_plot_with_intervals,
    gradient_mass_slider,
    rank_groups,
)
from scispaces.plots.tables import show_table, table_html

__all__ = [
    "LINE_STYLES",
    "MARKERS",
    "critical_difference_diagram",
    "dot_plot_with_intervals",
    "figure_html",
    "gradient_mass_slider",
    "interactive",
    "palette",
    "rank_groups",
    "show",
    "show_table",
    "style",
    "svg",
    "table_html",
]
