"""How much of what a modified loss gains can be had by weights, or by moving the threshold?

The question is fixed here, before any number is seen. Rows are those of
`scispaces.studies.imbalance_revisited`; a metric is either a decision, `f1` or `balanced_error`,
judged at a threshold, or one of the others, which no threshold touches. Everything is compared
with plain binary cross-entropy, tuned with the same budget, deciding at its own threshold, score 0.

For one data set, one model and one seed the gain of a remedy is its test value less that of plain
cross-entropy with the same seed, the sign turned where less is better, so that a gain is always
good. The remedies:

* `modified`: among the eight modified losses the one with the best validation value by the
  metric's own criterion (of equals the first in the list), at its own threshold. It has eight
  times the tuning of the others, which favours it: what the simple remedies reach of its gain is
  a cautious figure.
* `weights`: cross-entropy with positives weighing more, the weight tuned, at its own threshold.
* `margin`: cross-entropy with the log odds added to the score while training, the share tuned.
* `threshold`: plain cross-entropy, its threshold moved to where the validation rows are best.
* `weights or threshold`: of these two the one with the better validation value.
* `modified and threshold`, `weights and threshold`: both with their thresholds moved too.

The gain on a data set is the mean over the seeds, with a t-interval over the seeds: each has its
own training, validation and test rows, so the interval includes the choice of the test rows. (The
splits share rows, hence it is somewhat too narrow.) Over data sets, a gain is first averaged over
models and over tasks of the same origin, which are no independent witnesses (two ratios of the
same digits), and the t-interval is over the origins.

The answer is `share`: the mean gain of a remedy over the mean gain of `modified`, with a
percentile interval from resampled origins, but None where the gain of `modified` is not clearly
positive, for there is nothing to have a share of; and `shortfall`: the gain of `modified` less that
of the remedy, whose interval says whether anything is left that only a modified loss has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scispaces.studies.binary_losses import MODIFIED

Row = dict[str, Any]
Block = tuple[str, str]

# Metric to criterion: how a model is chosen on the validation rows.
CRITERIA = {
    "average_precision": "average_precision",
    "roc_auc": "roc_auc",
    "brier": "brier",
    "calibration_error": "brier",
    "brier_recalibrated": "brier_recalibrated",
    "calibration_error_recalibrated": "brier_recalibrated",
}
DECISIONS = ("f1", "balanced_error")
MORE_IS_BETTER = ("f1", "average_precision", "roc_auc")
RESAMPLES = 10_000

# Each remedy: the losses it chooses among, each with how its threshold is found.
Choice = tuple[tuple[str, str], ...]


def _remedies(metric: str) -> dict[str, Choice]:
    def of(how: str, *losses: str) -> Choice:
        return tuple((loss, how) for loss in losses)

    if metric not in DECISIONS:
        return {
            "modified": of("", *MODIFIED),
            "weights": of("", "weighted_bce"),
            "margin": of("", "logit_adjusted"),
        }
    return {
        "modified": of("_own", *MODIFIED),
        "weights": of("_own", "weighted_bce"),
        "margin": of("_own", "logit_adjusted"),
        "threshold": of("_tuned", "bce"),
        "weights or threshold": of("_own", "weighted_bce") + of("_tuned", "bce"),
        "modified and threshold": of("_tuned", *MODIFIED),
        "weights and threshold": of("_tuned", "weighted_bce"),
    }


def _seed_gains(rows: Sequence[Row], metric: str) -> dict[Block, dict[str, NDArray[np.float64]]]:
    """For each block and remedy the gains of the seeds, in the order of the seeds."""
    table: dict[Block, dict[int, dict[str, Row]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        table[row["data_set"], row["model"]][row["seed"]][row["loss"]] = row
    sign = 1 if metric in MORE_IS_BETTER else -1
    gains: dict[Block, dict[str, NDArray[np.float64]]] = {}
    for block, seeds in table.items():
        gains[block] = {}
        for remedy, choice in _remedies(metric).items():
            values = []
            for seed in sorted(seeds):
                of_loss = seeds[seed]
                plain = of_loss["bce"][f"{metric}_own" if metric in DECISIONS else metric]
                values.append(sign * (_value(of_loss, metric, choice) - plain))
            gains[block][remedy] = np.array(values)
    return gains


def _value(of_loss: Mapping[str, Row], metric: str, choice: Choice) -> float:
    """The test value of what has the best validation value among the choice."""

    def validation(candidate: tuple[str, str]) -> float:
        loss, how = candidate
        criterion = metric + how if metric in DECISIONS else CRITERIA[metric]
        return of_loss[loss][f"validation_{criterion}"]

    loss, how = max(choice, key=validation)
    return of_loss[loss][metric + how]


def chosen_losses(rows: Sequence[Row], metric: str) -> dict[str, int]:
    """How often each modified loss is the one that validation chooses, over blocks and seeds.

    Args:
        rows: of the comparison.
        metric: f1, balanced_error, or a metric without threshold.
    """
    table: dict[tuple[str, str, int], dict[str, float]] = defaultdict(dict)
    criterion = f"{metric}_own" if metric in DECISIONS else CRITERIA[metric]
    for row in rows:
        if row["loss"] in MODIFIED:
            place = row["data_set"], row["model"], row["seed"]
            table[place][row["loss"]] = row[f"validation_{criterion}"]
    counts = dict.fromkeys(MODIFIED, 0)
    for values in table.values():
        counts[max(values, key=lambda loss: values[loss])] += 1
    return counts


def gains(rows: Sequence[Row], metric: str, confidence: float = 0.95) -> list[Row]:
    """Gains over plain cross-entropy on each data set, with a paired t-interval over the seeds.

    Args:
        rows: of the comparison, with two seeds at least.
        metric: f1, balanced_error, or a metric without threshold.
        confidence: of the intervals.

    Returns:
        One entry for each block and remedy: data_set, model, remedy, mean, low, high, n.
    """
    entries = []
    for (data_set, model), remedies in _seed_gains(rows, metric).items():
        for remedy, values in remedies.items():
            entries.append(
                {
                    "data_set": data_set,
                    "model": model,
                    "remedy": remedy,
                    **_interval(values, confidence),
                }
            )
    return entries


def answer(rows: Sequence[Row], metric: str, confidence: float = 0.95) -> list[Row]:
    """The gain of each remedy over all data sets, and how much of the modified losses' it reaches.

    Args:
        rows: of the comparison, on two origins at least.
        metric: f1, balanced_error, or a metric without threshold.
        confidence: of the intervals.

    Returns:
        One entry per remedy: remedy; mean, low, high of its gain and n, the number of origins;
        share, share_low, share_high, all three None if the interval of the modified losses' gain
        reaches 0; shortfall, shortfall_low, shortfall_high.
    """
    by_origin: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (data_set, _), remedies in _seed_gains(rows, metric).items():
        for remedy, values in remedies.items():
            by_origin[remedy][origin(data_set)].append(float(values.mean()))
    means = {
        remedy: np.array([np.mean(values) for values in origins.values()])
        for remedy, origins in by_origin.items()
    }
    size = len(means["modified"])
    resampled = np.random.default_rng(0).integers(size, size=(RESAMPLES, size))
    reference = means["modified"][resampled].mean(1)
    is_gain = _interval(means["modified"], confidence)["low"] > 0
    entries = []
    for remedy, values in means.items():
        left = _interval(means["modified"] - values, confidence)
        share: list[float | None] = [None, None, None]
        if is_gain:
            ratios = values[resampled].mean(1) / reference
            tails = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
            share = [float(values.mean() / means["modified"].mean()), *tails.tolist()]
        entries.append(
            {
                "remedy": remedy,
                **_interval(values, confidence),
                "share": share[0],
                "share_low": share[1],
                "share_high": share[2],
                "shortfall": left["mean"],
                "shortfall_low": left["low"],
                "shortfall_high": left["high"],
            }
        )
    return entries


def origin(data_set: str) -> str:
    """The data from which a task was made.

    Example:
        >>> origin("digits-8-1-100"), origin("breast-cancer-1-5"), origin("sms-spam")
        ('digits', 'breast-cancer', 'sms-spam')
    """
    base = data_set.rpartition("-1-")[0] or data_set
    return base.rstrip("0123456789").rstrip("-")


def _interval(values: NDArray[np.float64], confidence: float) -> dict[str, Any]:
    mean = float(values.mean())
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values))
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "n": len(values)}
