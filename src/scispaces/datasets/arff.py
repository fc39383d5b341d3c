"""A reader for ARFF, the text format of Weka and Mulan, with nominal attributes and sparse rows."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
FIELD = re.compile(rf"\s*({QUOTED}|[^,]*?)\s*(?:,|$)")
SPARSE_ITEM = re.compile(rf"(\d+)\s+({QUOTED}|[^,\s}}]+)")
NUMERIC = ("numeric", "real", "integer")

Domains = list[dict[str, int] | None]


@dataclass(frozen=True)
class Relation:
    """The table of one ARFF file.

    Attributes:
        names: the attributes, in the order of the columns.
        domains: for each attribute the values a nominal one may take, or None if it is numeric.
        values: float32 array `(rows, attributes)`; a nominal value is its position in the domain,
            a missing value is NaN.
    """

    names: tuple[str, ...]
    domains: tuple[tuple[str, ...] | None, ...]
    values: NDArray[np.float32]


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _fields(text: str) -> list[str]:
    """The parts of a comma-separated line, quotes taken off."""
    if "'" not in text and '"' not in text:
        return [part.strip() for part in text.split(",")]
    # The pattern matches the empty rest of the line once more at its end.
    return [_unquoted(part) for part in FIELD.findall(text)[: -1 if text[-1:] != "," else None]]


def _domain(kind: str, place: str) -> dict[str, int] | None:
    """The position of each nominal value, or None for a numeric attribute."""
    if kind.startswith("{") and kind.endswith("}"):
        return {value: at for at, value in enumerate(_fields(kind[1:-1]))}
    if kind.lower() in NUMERIC:
        return None
    raise ValueError(f"An attribute must be nominal or one of {NUMERIC}. Got {kind!r} at {place}.")


def _number(text: str, domain: dict[str, int] | None, place: str) -> float:
    if text == "?":
        return float("nan")
    try:
        return float(text) if domain is None else domain[text]
    except (KeyError, ValueError):
        expected = "a number" if domain is None else f"one of {sorted(domain)}"
        raise ValueError(f"A value must be {expected}. Got {text!r} at {place}.") from None


def _dense_row(line: str, domains: Domains, place: str) -> list[float]:
    fields = _fields(line)
    if len(fields) != len(domains):
        raise ValueError(f"A row must have {len(domains)} values. Got {len(fields)} at {place}.")
    return [_number(field, domain, place) for field, domain in zip(fields, domains, strict=True)]


def _sparse_row(line: str, domains: Domains, place: str) -> list[float]:
    inside = line[1:].removesuffix("}")
    if rest := SPARSE_ITEM.sub("", inside).strip(", \t"):
        raise ValueError(f"A sparse row must be {{position value, ...}}. Got {rest!r} at {place}.")
    row = [0.0] * len(domains)
    for position, value in SPARSE_ITEM.findall(inside):
        at = int(position)
        if at >= len(row):
            raise ValueError(f"A position must be below {len(row)}. Got {at} at {place}.")
        row[at] = _number(_unquoted(value), domains[at], place)
    return row


def read_arff(file: Path) -> Relation:
    """Read an ARFF file with numeric and nominal attributes, dense or sparse rows.

    In a sparse row `{2 1, 5 0.25}` every attribute not named is 0, which for a nominal attribute
    means the first value of its domain (so does Weka).

    Args:
        file: the place of the file, in UTF-8.

    Returns:
        The table, with nominal values as positions in their domain.

    Raises:
        ValueError: an attribute of another type, a row of the wrong length, a value outside its
            domain; the sentence names file and line.
    """
    names: list[str] = []
    domains: Domains = []
    rows: list[NDArray[np.float32]] = []
    in_data = False
    for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        line, place = raw.strip(), f"{file.name}, line {number}"
        if not line or line.startswith("%"):
            continue
        if in_data:
            read_row = _sparse_row if line.startswith("{") else _dense_row
            rows.append(np.array(read_row(line, domains, place), dtype=np.float32))
        elif match := ATTRIBUTE.match(line):
            names.append(_unquoted(match[1]))
            domains.append(_domain(match[2].strip(), place))
        else:
            in_data = line.lower() == "@data"
    table = np.stack(rows) if rows else np.zeros((0, len(names)), dtype=np.float32)
    ordered = tuple(None if domain is None else tuple(domain) for domain in domains)
    return Relation(tuple(names), ordered, table)
