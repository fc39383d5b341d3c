"""Forward and backward time and extra memory of the losses for imbalanced classes, in one run.

    python -m benchmarks.imbalance_revisited --shapes 256x1000 64x50000 --threads 1

Ours against what is mostly written instead: focal against torchvision's formula and against
BCEWithLogits, the losses of a softmax against torch's cross-entropy and the formulas as printed.
How time and memory are taken is told in `benchmarks/zlpr.py`.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import rivals
from benchmarks.zlpr import Call, table
from scispaces import losses

GROUPS = {  # the first of each group is what the others are compared with
    "yes or no": ["focal", "BCEWithLogits", "focal, torchvision", "Dice", "Dice, published"],
    "one of many": [
        "logit-adjusted",
        "cross-entropy of shifted logits",
        "cross-entropy",
        "softmax focal",
        "softmax focal, published",
        "margins",
        "margins by rows",
        "margins by pairs",
    ],
}
MOST_PAIRS = 10**8  # entries of (rows, classes, classes) that still fit
MOST_MARGINS = 10**8  # entries of (classes, classes)


def arms(rows: int, classes: int) -> tuple[Tensor, dict[str, Call]]:
    """Logits, and every contestant that fits into memory as a function of them."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(rows, classes, generator=generator) - 3
    flags = torch.rand(rows, classes, generator=generator) < 3 / classes
    numbers = flags.float()
    target = torch.randint(classes, (rows,), generator=generator)
    prior = losses.class_prior_from_counts(1000 / torch.arange(1, classes + 1))
    log_prior = prior.log()
    calls: dict[str, Call] = {
        "focal": lambda x: losses.focal_loss(x, flags),
        "BCEWithLogits": lambda x: rivals.binary_cross_entropy(x, numbers),
        "focal, torchvision": lambda x: rivals.torchvision_focal(x, numbers),
        "Dice": lambda x: losses.dice_loss(x, flags),
        "Dice, published": lambda x: rivals.published_dice(x, numbers),
        "logit-adjusted": lambda x: losses.logit_adjusted_cross_entropy(x, target, prior),
        "cross-entropy of shifted logits": lambda x: rivals.adjusted_cross_entropy(
            x, target, log_prior
        ),
        "cross-entropy": lambda x: F.cross_entropy(x, target),
        "softmax focal": lambda x: losses.softmax_focal_loss(x, target),
        "softmax focal, published": lambda x: rivals.published_softmax_focal(x, target),
    }
    if classes**2 <= MOST_MARGINS:
        margins = losses.logit_adjustment_margins(prior)
        calls["margins"] = lambda x: losses.pairwise_margin_cross_entropy(
            x, target, margins=margins
        )
        calls["margins by rows"] = lambda x: rivals.margins_by_rows(x, target, margins)
        if rows * classes**2 <= MOST_PAIRS:
            calls["margins by pairs"] = lambda x: rivals.margins_by_pairs(x, target, margins)
    return logits, calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--shapes", nargs="+", default=["32x100", "256x1000", "64x50000"], metavar="ROWSxCLASSES"
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for shape, measured in table(options.shapes, options.repeats, arms).items():
        print(f"\n{shape}, {options.threads} thread(s)")
        for title, names in GROUPS.items():
            ours = measured[names[0]]["microseconds"]
            print(f"{title:34}{'µs':>12}{'× first':>9}{'memory':>9}")
            for name in names:
                if name not in measured:
                    continue
                row = measured[name]
                ratio = row["microseconds"] / ours
                print(f"  {name:32}{row['microseconds']:12,.0f}{ratio:9.2f}{row['memory']:9.2f}")


if __name__ == "__main__":
    main()
