"""Tables of results: real HTML tables, which a screen reader can walk and a phone can scroll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scispaces.plots.house import display_html, require_words

Cell = str | bool | int | float | None


def show_table(
    rows: Sequence[Mapping[str, Cell]],
    *,
    caption: str,
    name: str,
    formats: Mapping[str, str] | None = None,
) -> None:
    """Display a table in the notebook.

    Args:
        rows: one mapping a row, all with the same keys, which become the head of the table. The
            first column holds the names of the rows. None leaves a cell empty, with a dash.
        caption: the text above the table.
        name: the table's id on the page, unique in the book: `zlpr-average-ranks`.
        formats: how to write the numbers of a column: {"micro-F1": ".3f"}. Without one a whole
            number is written as it is and any other number with three significant digits.

    Raises:
        ValueError: if there is no row, rows differ in their keys, a format is for no column, or
            `caption` or `name` is empty.

    Example:
        >>> show_table([{"loss": "ZLPR", "micro-F1": 0.71}, {"loss": "BCE", "micro-F1": None}],
        ...            caption="Two losses.", name="two-losses")  # doctest: +ELLIPSIS
        <IPython.core.display.HTML object>
    """
    display_html(table_html(rows, caption=caption, name=name, formats=formats))


def table_html(
    rows: Sequence[Mapping[str, Cell]],
    *,
    caption: str,
    name: str,
    formats: Mapping[str, str] | None = None,
) -> str:
    """Return the HTML that `show_table` displays."""
    require_words(caption=caption, name=name)
    if not rows:
        raise ValueError("`rows` must hold one row at least. Got none.")
    columns, formats = list(rows[0]), formats or {}
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"`rows` must all have the columns {columns}. Got {list(row)}.")
    if unknown := sorted(set(formats) - set(columns)):
        raise ValueError(f"`formats` must be for columns of the table. Got {', '.join(unknown)}.")
    numeric = {column: all(_is_number(row[column]) for row in rows) for column in columns}

    def cell(tag: str, scope: str, column: str, text: str) -> str:
        kind = ' class="number"' if numeric[column] else ""
        return f"<{tag}{scope}{kind}>{text}</{tag}>"

    def line(row: Mapping[str, Cell]) -> str:
        texts = {column: _text(row[column], formats.get(column)) for column in columns}
        return "<tr>" + "".join(
            cell("td", "", column, texts[column]) if place else
            cell("th", ' scope="row"', column, texts[column])
            for place, column in enumerate(columns)
        ) + "</tr>"  # fmt: skip

    head = "".join(cell("th", ' scope="col"', column, escape(column)) for column in columns)
    body = "".join(map(line, rows))
    # The box scrolls where the table is wider than the page; the keyboard must reach it then. The
    # caption stands outside, since it would be as narrow or as wide as the table inside.
    words = escape(caption)
    return (
        f'<figure class="book-table" id="{escape(name)}"><figcaption>{words}</figcaption>'
        f'<div tabindex="0" role="region" aria-label="{words}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
    )


def _is_number(value: Cell) -> bool:
    """Whether a cell is to stand with the numbers: one, an interval, a count such as 7 of 11."""
    if isinstance(value, str):
        return value[:1].isdecimal() or value[:1] in "+−"
    return not isinstance(value, bool)


def _text(value: Any, format_spec: str | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        default = "" if isinstance(value, int) else ".3g"
        return format(value, default if format_spec is None else format_spec).replace("-", "−")
    return escape(value)
