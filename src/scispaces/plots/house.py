"""The house style: one look, two themes, the same bytes in every build.

A figure is drawn twice by one function, for the light and for the dark theme, and shown as SVG with
a description for those who do not see it. Colours are Okabe and Ito's [1], told apart by every kind
of colour vision; a line style goes with each, and `MARKERS` serve points, so that colour never
stands alone.

1. M. Okabe, K. Ito: Color Universal Design, 2008.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Blue, vermilion, green, purple, orange, sky, grey: darker on paper, lighter on black.
_COLOURS = {
    "light": ("#0072B2", "#C14A00", "#00805F", "#A8497F", "#A86E00", "#2E86B5", "#4D4D4D"),
    "dark": ("#5CB3F0", "#FF8A4C", "#2FD0A4", "#EFA0CF", "#F2B540", "#9AD3F7", "#C8C8C8"),
}
_INK = {"light": "#1d2126", "dark": "#e4e6e8"}
_FAINT = {"light": "#d8d6cf", "dark": "#39424a"}


def style(theme: str, name: str = "figure") -> dict[Any, Any]:
    """Return matplotlib settings for `light` or `dark`; `name` makes the SVG's inner ids its own.

    Raises:
        ValueError: if `theme` is neither.
    """
    if theme not in _COLOURS:
        raise ValueError(f"`theme` must be 'light' or 'dark'. Got {theme!r}.")
    ink, faint = _INK[theme], _FAINT[theme]
    return {
        "axes.prop_cycle": cycler(color=_COLOURS[theme]) + cycler(linestyle=LINE_STYLES),
        "axes.edgecolor": ink,
        "axes.facecolor": "none",
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.labelcolor": ink,
        "axes.labelsize": 13,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 13,
        "figure.facecolor": "none",
        "font.family": "DejaVu Sans",
        "font.size": 13,
        "grid.color": faint,
        "grid.linewidth": 0.8,
        "legend.fontsize": 12,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "lines.markersize": 5.5,
        "mathtext.fontset": "cm",
        "savefig.facecolor": "none",
        "svg.fonttype": "path",
        "svg.hashsalt": f"{name}-{theme}",
        "text.color": ink,
        "xtick.color": ink,
        "xtick.labelsize": 12,
        "ytick.color": ink,
        "ytick.labelsize": 12,
    }


def svg(
    draw: Callable[[Any], object],
    *,
    theme: str = "light",
    name: str = "figure",
    size: tuple[float, float] = (6.4, 3.9),
) -> str:
    """Return one theme's drawing as SVG text: the same bytes whenever and wherever it is drawn.

    Args:
        draw: called with a single `Axes`; or with the empty `Figure` if its parameter is named
            `figure`, to lay out several axes.
        theme: `light` or `dark`.
        name: salt of the ids inside the SVG.
        size: width and height in inches.
    """
    with mpl.rc_context(style(theme, name)):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure if _wants_figure(draw) else figure.add_subplot())
        text = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=metadata)
    return text.getvalue()


def figure_html(
    draw: Callable[[Any], object],
    *,
    alt: str,
    caption: str,
    name: str,
    size: tuple[float, float] = (6.4, 3.9),
) -> str:
    """Return the HTML that `show` displays: a picture for each theme, and a caption."""
    require_words(alt=alt, caption=caption, name=name)
    pictures = []
    for theme in _COLOURS:
        drawn = svg(draw, theme=theme, name=name, size=size).encode()
        source = "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()
        # Without the book's style sheet, in Jupyter, only the light picture shows.
        hidden = ' style="display:none"' if theme == "dark" else ""
        pictures.append(
            f'<img class="only-{theme}" src="{source}" alt="{escape(alt)}"'
            f' width="{size[0] * 96:.0f}" height="{size[1] * 96:.0f}"{hidden}>'
        )
    return (
        f'<figure class="book-figure" id="{escape(name)}"><div>{"".join(pictures)}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def show(
    draw: Callable[[Any], object],
    *,
    alt: str,
    caption: str,
    name: str,
    size: tuple[float, float] = (6.4, 3.9),
) -> None:
    """Draw a figure for both themes and display it in the notebook.

    Args:
        draw: draws on the `Axes` it is given, or on the whole `Figure` if its parameter is named
            `figure`. It is called once for each theme and must draw the same both times; colours,
            line styles and markers come from the style's cycle (or from `palette`).
        alt: what the picture shows, for readers who do not see it: axes, curves, what follows.
        caption: the text under the picture.
        name: the figure's id on the page, unique in the book: `zlpr-gradient-mass`.
        size: width and height in inches.

    Raises:
        ValueError: if `alt`, `caption` or `name` is empty.

    Example:
        >>> show(lambda axes: axes.plot([0, 1], [1, 0]), name="falling", caption="A line.",
        ...      alt="A straight line falls from one to zero.")  # doctest: +ELLIPSIS
        <IPython.core.display.HTML object>
    """
    display_html(figure_html(draw, alt=alt, caption=caption, name=name, size=size))


def palette() -> list[str]:
    """Return the colours of the theme that is being drawn; call it inside `draw`."""
    return [to_hex(entry["color"]) for entry in mpl.rcParams["axes.prop_cycle"]]


def interactive(fragment: str, *, name: str, caption: str, fallback_text: str) -> None:
    """Display a small self-contained HTML figure with controls of its own.

    Args:
        fragment: HTML with its own script and no address of another host.
        name: the figure's id on the page.
        caption: the text under the figure.
        fallback_text: what the figure shows, for readers without scripts.

    Raises:
        ValueError: if the fragment names another host, or a text is empty.
    """
    require_words(name=name, caption=caption, fallback_text=fallback_text)
    if any(scheme in fragment for scheme in ("http:", "https:", '"//')):
        raise ValueError("`fragment` must load nothing from another host.")
    display_html(
        f'<figure class="book-figure" id="{escape(name)}">{fragment}'
        f"<noscript><p>{escape(fallback_text)}</p></noscript>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def require_words(**texts: str) -> None:
    """Refuse an empty text: every figure and table must speak to those who do not see it."""
    for word, text in texts.items():
        if not text.strip():
            raise ValueError(f"`{word}` must say something. Got {text!r}.")


def _wants_figure(draw: Callable[[Any], object]) -> bool:
    code = getattr(draw, "__code__", None)
    names: Iterable[str] = code.co_varnames[: code.co_argcount] if code else ()
    return "figure" in names


def display_html(markup: str) -> None:
    """Display HTML in the notebook."""
    from IPython.display import HTML, display  # the library part must not need IPython

    display(HTML(markup))
