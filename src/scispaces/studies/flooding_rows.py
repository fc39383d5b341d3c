"""From the looks at trained networks to the rows of the study (chapter `flooding`)."""

from collections.abc import Sequence

import torch

from scispaces.studies.comparison import Row
from scispaces.studies.flooding_training import Look

CRITERIA = ("loss", "accuracy")


def short(value: float) -> float:
    """The number with four significant digits."""
    return float(f"{value:.4g}")


def _numbers(look: Look, seed: int, at: int) -> dict[str, float]:
    return {name: short(float(values[seed, at])) for name, values in look.values.items()}


def join_values(plain: list[Look], looks: list[Look]) -> list[Look]:
    """The looks of a method's values after the first, with those of plain training before them."""
    return [
        Look(
            first.epoch,
            {name: torch.cat([first.values[name], other.values[name]], 1) for name in first.values},
        )
        for first, other in zip(plain, looks, strict=True)
    ]


def choose(looks: Sequence[Look], seed: int, criterion: str) -> tuple[int, int]:
    """The look and the value of a seed that are best on the validation rows, the first of equals.

    Args:
        looks: those to choose from.
        seed: position of the seed.
        criterion: loss, or accuracy with the loss to decide between equals.
    """

    def worth(look: int, at: int) -> tuple[float, ...]:
        loss = -float(looks[look].values["held_loss"][seed, at])
        if criterion == "loss":
            return (loss,)
        return (float(looks[look].values["held_accuracy"][seed, at]), loss)

    tried = looks[0].values["held_loss"].shape[1]
    candidates = [(look, at) for look in range(len(looks)) for at in range(tried)]
    return max(candidates, key=lambda each: worth(*each))


def chosen_rows(
    name: str, looks: Sequence[Look], values: Sequence[float], seeds: Sequence[int]
) -> list[Row]:
    """One row for each seed, criterion, and epoch chosen or not."""
    rows = []
    for at, seed in enumerate(seeds):
        for suffix, candidates in (("", looks[-1:]), ("_stopped", looks)):
            for criterion in CRITERIA:
                look, value = choose(candidates, at, criterion)
                rows.append(
                    {
                        "part": "choice",
                        "loss": f"{name}{suffix}",
                        "chosen_by": criterion,
                        "seed": seed,
                        "value": values[value],
                        "epoch": candidates[look].epoch,
                        **_numbers(candidates[look], at, value),
                    }
                )
    return rows


def level_rows(
    name: str,
    looks: Sequence[Look],
    values: Sequence[float],
    seeds: Sequence[int],
    *,
    curves: bool,
) -> list[Row]:
    """One row for each seed and value after the last epoch, with curves over the looks or not."""

    def curve(measure: str, seed: int, at: int) -> str:
        return ";".join(f"{float(look.values[measure][seed, at]):.3g}" for look in looks)

    rows = []
    for at, seed in enumerate(seeds):
        for number, value in enumerate(values):
            row: Row = {"part": "level", "loss": name, "seed": seed, "value": value}
            row |= {"epoch": looks[-1].epoch, **_numbers(looks[-1], at, number)}
            if curves:
                row["epochs"] = ";".join(str(look.epoch) for look in looks)
                for measure in ("train_loss", "test_loss", "test_accuracy"):
                    row[f"{measure}_curve"] = curve(measure, at, number)
            rows.append(row)
    return rows
