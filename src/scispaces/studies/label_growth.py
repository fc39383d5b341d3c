"""What happens when the label space grows and the task does not (chapter `zlpr`).

A fixed random network, the teacher, gives every row two of ten labels. To these come labels that
no row ever has, up to a hundred thousand. A small network learns the task with ZLPR (labels given
as indices), with binary cross-entropy, and with binary cross-entropy whose biases start at the
log-odds of a positive, the usual remedy for rare positives; all with the same optimiser, learning
rate, batches and first weights for every number of labels.
"""

import csv
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.profiler import ProfilerActivity, profile

from scispaces.losses import zlpr_loss_from_indices
from scispaces.studies.recorded import FOLDER, read_rows

FEATURES = 32
HIDDEN = 32
TEACHER_HIDDEN = 64
LEARNABLE = 10
POSITIVES = 2
TRAIN_ROWS, TEST_ROWS = 4096, 256
BATCH = 32
LEARNING_RATE = 0.01
UPDATES = 200
FULL_CLASS_COUNTS = (10, 100, 1_000, 10_000, 100_000)
FULL_SEEDS = (0, 1, 2)
RECORDED = "zlpr/growth.csv"
CURVE_AT = (1, 10, 20, 40, 60, 80, 100, 125, 150, 175, 200)

Loss = Callable[[Tensor, Tensor], Tensor]


def _bce(logits: Tensor, positives: Tensor) -> Tensor:
    targets = torch.zeros_like(logits).scatter_(1, positives, 1.0)
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)


ARMS: dict[str, Loss] = {"zlpr": zlpr_loss_from_indices, "bce": _bce, "bce_prior": _bce}


class Student(torch.nn.Module):
    """One hidden layer; all scores start at the same value."""

    def __init__(self, classes: int, start: float, generator: torch.Generator) -> None:
        super().__init__()
        weight = torch.randn(FEATURES, HIDDEN, generator=generator) * math.sqrt(2 / FEATURES)
        self.hidden = torch.nn.Parameter(weight)
        self.hidden_bias = torch.nn.Parameter(torch.zeros(HIDDEN))
        self.output = torch.nn.Parameter(torch.zeros(HIDDEN, classes))
        self.output_bias = torch.nn.Parameter(torch.full((classes,), start))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores `(rows, classes)`."""
        return (rows @ self.hidden + self.hidden_bias).relu() @ self.output + self.output_bias


def teacher_task(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows and the indices of their positives, for training and for the test."""
    inner = torch.randn(FEATURES, TEACHER_HIDDEN, generator=generator) / math.sqrt(FEATURES)
    outer = torch.randn(TEACHER_HIDDEN, LEARNABLE, generator=generator)
    rows = torch.randn(TRAIN_ROWS + TEST_ROWS, FEATURES, generator=generator)
    scores = (rows @ inner).relu() @ outer
    # Centred, so that no label is a positive of nearly every row.
    positives = (scores - scores.mean(0)).topk(POSITIVES, dim=1).indices
    return (*rows.split([TRAIN_ROWS, TEST_ROWS]), *positives.split([TRAIN_ROWS, TEST_ROWS]))


def gradient_mass(loss: Loss, logits: Tensor, positives: Tensor) -> tuple[float, float]:
    """Sum of the absolute gradient over the positives and over the negatives of a row.

    The losses are means over rows, so the sum over a batch is the mean of a row.
    """
    leaf = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, positives), leaf)
    size = gradient.abs()
    on_positives = size.gather(1, positives).sum().item()
    return on_positives, size.sum().item() - on_positives


def extra_memory(loss: Loss, logits: Tensor, positives: Tensor) -> float:
    """Peak of what value and gradient of a loss allocate, over the size of the logits."""
    # The profiler otherwise greets on the error stream.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    leaf = logits.detach().requires_grad_()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        loss(leaf, positives).backward()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = sorted((event for event in events if event["name"] == "[memory]"), key=_time)
    live = [event["args"]["Total Allocated"] for event in changes]
    before = live[0] - changes[0]["args"]["Bytes"]
    return (max(live) - before) / (logits.numel() * logits.element_size())


def _time(event: dict[str, Any]) -> float:
    return float(event["ts"])


def _quality(logits: Tensor, positives: Tensor) -> tuple[float, float]:
    """Micro-F1 of the scores above 0, and the share of positives among the highest scores."""
    predicted = int((logits > 0).sum())
    hits = int((logits.gather(1, positives) > 0).sum())
    best = logits.topk(POSITIVES, dim=1).indices
    found = (best.unsqueeze(2) == positives.unsqueeze(1)).any(2).float().mean().item()
    return 2 * hits / (predicted + positives.numel()), found


def train(arm: str, classes: int, seed: int, updates: int = UPDATES) -> dict[str, Any]:
    """Train one student.

    Args:
        arm: a key of `ARMS`.
        classes: number of labels, ten of which occur.
        seed: of teacher, data, first weights and batches.
        updates: steps of Adam.

    Returns:
        arm, classes, positive_mass and negative_mass (gradient per row before the first step),
        curve (update, micro_f1 at threshold 0, recall of the two highest scores), micro_f1 and
        recall at the end, milliseconds of a step (median) and extra_memory (of the loss, in
        sizes of the logits). All but the milliseconds are the same in every run.
    """
    if classes < LEARNABLE:
        raise ValueError(f"`classes` must be at least {LEARNABLE}. Got {classes}.")
    loss = ARMS[arm]
    generator = torch.Generator().manual_seed(seed)
    rows, test_rows, positives, test_positives = teacher_task(generator)
    odds = POSITIVES / (classes - POSITIVES)
    student = Student(classes, math.log(odds) if arm == "bce_prior" else 0.0, generator)
    optimiser = torch.optim.Adam(student.parameters(), lr=LEARNING_RATE, fused=True)

    with torch.no_grad():
        first = student(rows[:BATCH])
    on_positives, on_negatives = gradient_mass(loss, first, positives[:BATCH])
    seconds, curve = [], []
    for update in range(1, updates + 1):
        chosen = torch.randint(TRAIN_ROWS, (BATCH,), generator=generator)
        started = time.perf_counter()
        optimiser.zero_grad()
        loss(student(rows[chosen]), positives[chosen]).backward()
        optimiser.step()
        seconds.append(time.perf_counter() - started)
        if update in CURVE_AT or update == updates:
            with torch.no_grad():
                f1, recall = _quality(student(test_rows), test_positives)
            curve.append({"update": update, "micro_f1": f1, "recall": recall})
    return {
        "arm": arm,
        "classes": classes,
        "seed": seed,
        "positive_mass": on_positives,
        "negative_mass": on_negatives,
        "curve": curve,
        "micro_f1": curve[-1]["micro_f1"],
        "recall": curve[-1]["recall"],
        "milliseconds": 1000 * median(seconds),
        "extra_memory": extra_memory(loss, first, positives[:BATCH]),
    }


def run(
    class_counts: Iterable[int],
    seed: int,
    updates: int = UPDATES,
    arms: Sequence[str] = tuple(ARMS),
) -> list[dict[str, Any]]:
    """Train every arm for every number of labels.

    Args:
        class_counts: numbers of labels, each at least 10.
        seed: of everything random.
        updates: steps of Adam.
        arms: keys of `ARMS`.

    Returns:
        The results of `train`, one per number of labels and arm.

    Example:
        >>> rows = run([10, 1000], seed=0, updates=1)
        >>> [round(row["negative_mass"], 2) for row in rows if row["arm"] == "zlpr"]
        [0.89, 1.0]
        >>> [round(row["negative_mass"], 2) for row in rows if row["arm"] == "bce"]
        [4.0, 499.0]
    """
    return [train(arm, classes, seed, updates) for classes in class_counts for arm in arms]


def curve_rows(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results as a table, one row per point of a curve."""
    return [
        {**{name: value for name, value in result.items() if name != "curve"}, **point}
        for result in results
        for point in result["curve"]
    ]


def recorded_rows() -> list[dict[str, Any]]:
    """The curves of `FULL_CLASS_COUNTS` and `FULL_SEEDS`, as recorded in the book's repository.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return read_rows(RECORDED)


def record() -> None:
    """Run the full experiment, some minutes, and store its curves in the book's repository."""
    rows = curve_rows(row for seed in FULL_SEEDS for row in run(FULL_CLASS_COUNTS, seed))
    place = FOLDER / RECORDED
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    name: f"{value:.6g}" if isinstance(value, float) else value
                    for name, value in row.items()
                }
            )


if __name__ == "__main__":
    record()
