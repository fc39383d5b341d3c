"""Comparing several losses over several data sets: average ranks, tests and intervals.

The functions take rows as the `run` of a study gives them: dictionaries with data_set, model, loss,
seed and metrics. A block is one data set with one model; within it the losses are ranked by their
mean over the seeds. A loss without a value of the metric takes no part. Whether a larger value of a
metric is the better one is in the METRICS of its study.

References:
    [1] J. Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of
    Machine Learning Research 7 (2006), 1-30.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Row = dict[str, Any]
Block = tuple[str, str]


def means(rows: Sequence[Row], metric: str) -> dict[Block, dict[str, float]]:
    """Mean over the seeds, for each (data set, model) and loss that has the metric."""
    values: dict[Block, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row[metric] is not None:
            values[row["data_set"], row["model"]][row["loss"]].append(row[metric])
    return {
        block: {loss: float(np.mean(numbers)) for loss, numbers in losses.items()}
        for block, losses in values.items()
    }


def _rank_table(rows: Sequence[Row], metric: str) -> tuple[list[str], NDArray[np.float64]]:
    """The losses, and their ranks `(blocks, losses)`, 1 for the smallest mean, ties averaged."""
    by_block = means(rows, metric)
    losses = list(next(iter(by_block.values()), {}))
    for block, values in by_block.items():
        if set(values) != set(losses):
            raise ValueError(
                f"`rows` must have the same losses in every block. Got {sorted(values)} in "
                f"{block} and {sorted(losses)} before."
            )
    table = np.array([[values[loss] for loss in losses] for values in by_block.values()])
    return losses, stats.rankdata(table, axis=1)


def average_ranks(rows: Sequence[Row], metric: str, *, larger_is_better: bool) -> dict[str, float]:
    """Rank of each loss, 1 for the best, averaged over the blocks.

    Args:
        rows: of the losses compared.
        metric: the key of the values.
        larger_is_better: whether the best loss is the one with the largest mean.

    Example:
        >>> rows = [
        ...     {"data_set": data, "model": "linear", "loss": loss, "seed": 0, "coverage": value}
        ...     for data in "ab" for loss, value in (("zlpr", 0.2), ("bce", 0.3))
        ... ]
        >>> average_ranks(rows, "coverage", larger_is_better=False)
        {'zlpr': 1.0, 'bce': 2.0}
    """
    losses, ranks = _rank_table(rows, metric)
    if larger_is_better:
        ranks = len(losses) + 1 - ranks
    return dict(zip(losses, ranks.mean(axis=0).tolist(), strict=True))


def friedman(rows: Sequence[Row], metric: str) -> dict[str, float]:
    """Friedman's test that all losses rank alike, and its sharper form by Iman and Davenport.

    Both are the same whichever end of the ranking is the better one.

    Returns:
        losses, blocks; chi_square with its p_value; F of Iman and Davenport with its p_value.

    Raises:
        ValueError: fewer than three losses or two blocks.
    """
    _, ranks = _rank_table(rows, metric)
    blocks, losses = ranks.shape
    if blocks < 2 or losses < 3:
        raise ValueError(
            f"`rows` must hold two blocks and three losses at least. Got {blocks} and {losses}."
        )
    test = stats.friedmanchisquare(*ranks.T)
    chi_square = float(test.statistic)
    room = blocks * (losses - 1) - chi_square
    # All blocks in full agreement leave no room: the statistic is infinite.
    ratio = (blocks - 1) * chi_square / room if room > 1e-9 else float("inf")
    return {
        "losses": losses,
        "blocks": blocks,
        "chi_square": chi_square,
        "p_value": float(test.pvalue),
        "iman_davenport": ratio,
        "iman_davenport_p_value": float(stats.f.sf(ratio, losses - 1, (losses - 1) * (blocks - 1))),
    }


def nemenyi_critical_difference(n_losses: int, n_data_sets: int, alpha: float = 0.05) -> float:
    """How far two average ranks must be apart to differ significantly.

    $q_alpha sqrt(k (k + 1) / (6 N))$ for k losses and N data sets, with the quantile q of the
    studentised range divided by sqrt(2).

    Example:
        >>> round(nemenyi_critical_difference(4, 14), 2)
        1.25
    """
    quantile = stats.studentized_range.ppf(1 - alpha, n_losses, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_losses * (n_losses + 1) / (6 * n_data_sets)))


def paired_differences(
    rows: Sequence[Row], metric: str, loss: str, *, rival: str, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """Loss minus rival with the same seed, for each data set and model, with a t-interval.

    Seeds share the split, the first weights and the batches, so they are paired. The interval
    speaks of what a seed decides in the study, and of nothing else.

    Args:
        rows: at least two seeds of each.
        metric: the key of the values.
        loss, rival: the losses compared.
        confidence: of the interval.

    Returns:
        One entry per block: data_set, model, mean, low, high, n.

    Raises:
        ValueError: a block lacks one of the losses or a second common seed.
    """
    values: dict[Block, dict[str, dict[int, float]]] = defaultdict(lambda: {loss: {}, rival: {}})
    for row in rows:
        if row["loss"] in (loss, rival) and row[metric] is not None:
            values[row["data_set"], row["model"]][row["loss"]][row["seed"]] = row[metric]
    entries = []
    for (data_set, model), found in values.items():
        common = sorted(found[loss].keys() & found[rival].keys())
        if len(common) < 2:
            raise ValueError(
                f"`rows` must have two seeds of {loss} and {rival} with {metric} in each block. "
                f"Got {len(common)} in {data_set}, {model}."
            )
        differences = np.array([found[loss][seed] - found[rival][seed] for seed in common])
        mean = float(differences.mean())
        reach = float(stats.t.ppf((1 + confidence) / 2, len(common) - 1) * stats.sem(differences))
        entries.append(
            {
                "data_set": data_set,
                "model": model,
                "mean": mean,
                "low": mean - reach,
                "high": mean + reach,
                "n": len(common),
            }
        )
    return entries


def wilcoxon(
    rows: Sequence[Row], metric: str, loss: str, *, rival: str, larger_is_better: bool
) -> dict[str, float]:
    """Wilcoxon's signed-rank test of loss against rival over the blocks.

    Args:
        rows: of both losses in every block.
        metric: the key of the values.
        loss, rival: the losses compared.
        larger_is_better: whether a positive difference is a win.

    Returns:
        median difference (loss minus rival), wins and losses in the metric's own direction,
        blocks, and the two-sided p_value.
    """
    differences = np.array(
        [values[loss] - values[rival] for values in means(rows, metric).values()]
    )
    better = differences if larger_is_better else -differences
    return {
        "median_difference": float(np.median(differences)),
        "wins": int((better > 0).sum()),
        "losses": int((better < 0).sum()),
        "blocks": len(differences),
        "p_value": float(stats.wilcoxon(differences).pvalue),
    }
