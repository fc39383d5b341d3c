"""The outcomes of long runs that the repository of the book keeps under ``data/recorded``."""

import csv
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "data" / "recorded"


def read_rows(file: str) -> list[dict[str, Any]]:
    """The rows of a recorded table, numbers as numbers and empty cells as None.

    Args:
        file: its path under ``data/recorded``.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry the records.
    """
    place = FOLDER / file
    if not place.is_file():
        raise FileNotFoundError(
            f"The recorded table {file} belongs to the book's repository, not to the installed "
            f"package: {place} does not exist."
        )
    with place.open(encoding="utf-8", newline="") as lines:
        return [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(lines)]


def _value(cell: str) -> int | float | str | None:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None
