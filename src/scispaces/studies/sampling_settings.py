"""The settings that the methods of this study try."""

from collections.abc import Iterable, Mapping

import numpy as np

Settings = Mapping[str, float]


def grid(**values: tuple[float, ...]) -> list[dict[str, float]]:
    """Every combination of some settings.

    Example:
        >>> grid(rate=(0.1, 0.2), noise=(1.0,))
        [{'rate': 0.1, 'noise': 1.0}, {'rate': 0.2, 'noise': 1.0}]
    """
    combined: list[dict[str, float]] = [{}]
    for name, options in values.items():
        combined = [known | {name: option} for known in combined for option in options]
    return combined


def spread(lowest: float, highest: float, number: int) -> tuple[float, ...]:
    """So many values from the lowest to the highest, growing by equal factors, to three digits.

    Example:
        >>> spread(0.1, 1.0, 3)
        (0.1, 0.316, 1.0)
    """
    return tuple(float(f"{value:.3g}") for value in np.geomspace(lowest, highest, number))


def describe(settings: Settings) -> str:
    """Settings as a cell of a table.

    Example:
        >>> describe({"rate": 0.001, "noise": 1.0})
        'rate=0.001;noise=1'
    """
    return ";".join(f"{name}={value:g}" for name, value in settings.items())


def joined(values: Iterable[float]) -> str:
    """Numbers as a cell of a table.

    Example:
        >>> joined([0.25, 1 / 3])
        '0.25;0.3333'
    """
    return ";".join(f"{value:.4g}" for value in values)
