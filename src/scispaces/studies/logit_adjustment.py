"""Logit adjustment against its rivals where some classes are rare (chapter `logit-adjustment`).

`compare` trains; `recorded_rows` reads the outcome of the full profile. Both give rows that
`scispaces.studies.ranks` turns into ranks and paired intervals. Data, methods, metrics and training
are in the modules `long_tail_…`; the paper's synthetic task is in `two_gaussians`.

Every method is a way to train and a way to decide (`DECISIONS` in `long_tail_methods`):

- erm: plain cross-entropy;
- post_hoc, post_hoc_tuned: the scores of erm minus tau log prior, tau 1 or tuned;
- weight_norm, weight_norm_tuned: the scores of erm over a power of the norm of the class's weights;
- weighted: cross-entropy weighted by inverse class frequency;
- la, la_tuned: logit-adjusted cross-entropy, tau 1 (also called balanced softmax) or tuned;
- la_weighted: both at once, tau 1 and inverse frequency;
- ldam, equalised: the margin losses, scale or power tuned;
- focal, class_balanced_focal: focal loss, its gamma tuned; weighted by effective numbers, beta
  tuned with gamma 1.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scispaces.studies import long_tail_resnet
from scispaces.studies.comparison import Row, compare_cells, data_set_and_model
from scispaces.studies.long_tail_data import LongTail, lay_out, load
from scispaces.studies.long_tail_methods import DECISIONS, TAUS
from scispaces.studies.long_tail_metrics import (
    calibration_error,
    class_errors,
    log_loss,
    thirds,
)
from scispaces.studies.long_tail_training import (
    Configuration,
    Kept,
    Model,
    describe,
    scores_on_test,
    train,
)
from scispaces.studies.multilabel_tuning import Budget
from scispaces.studies.recorded import read_rows

LOSSES = tuple(DECISIONS)
MADE_TAILS = ("fashion-mnist-lt-100", "fashion-mnist-lt-10", "mnist-lt-100", "mnist-lt-10")
NATURAL_TAILS = ("goemotions-single", "reuters-r52")
DIGITS = ("digits-lt-100", "digits-lt-10")
SEEDS = {"linear": tuple(range(10)), "mlp": tuple(range(10)), "cnn": tuple(range(5))}
# Whether more is better.
METRICS = {
    "balanced_error": False,
    "accuracy": True,
    "head_error": False,
    "middle_error": False,
    "tail_error": False,
    "ece": False,
    "nll": False,
    "ece_natural": False,
    "nll_natural": False,
    "ece_balanced": False,
    "nll_balanced": False,
}
QUICK = Budget(configurations=6, updates=150, passes=0, checkpoints=5, batch=64)
FULL = Budget(configurations=6, updates=400, passes=0, checkpoints=7, batch=64)
FULL_CNN = Budget(configurations=6, updates=240, passes=0, checkpoints=4, batch=64)
BUDGETS = {
    ("quick", "linear"): QUICK,
    ("quick", "mlp"): QUICK,
    ("full", "linear"): FULL,
    ("full", "mlp"): FULL,
    ("full", "cnn"): FULL_CNN,
}


def _errors(errors: Tensor) -> dict[str, float | str]:
    """Errors of the classes, in thirds and as a list."""
    names = ("head_error", "middle_error", "tail_error")
    parts = {
        name: float(errors[part].mean())
        for name, part in zip(names, thirds(len(errors)), strict=True)
    }
    return parts | {"errors": ";".join(f"{error:.3g}" for error in errors.tolist())}


def measure(
    task: LongTail, plan: list[Configuration], kept: dict[str, Kept], seeds: Iterable[int]
) -> list[Row]:
    """What the chosen models of every method are worth on the test rows.

    Returns:
        One row per method and seed, without data_set and model.
    """
    counts, classes = task.counts, len(task.counts)
    outcomes = {name: scores_on_test(kept[name], DECISIONS[name], task) for name in DECISIONS}
    reference = outcomes["la"][1].argmax(-1)
    members = torch.nn.functional.one_hot(task.test_y, classes).sum(1)
    balanced = 1 / (members.gather(1, task.test_y) * classes)
    rows = []
    for name, decision in DECISIONS.items():
        raw, scores = outcomes[name]
        offsets = torch.stack(
            [
                decision.to_natural(plan[number].parameter, value, counts)
                for number, _, value in (kept[name].choice[at] for at in range(len(scores)))
            ]
        )
        natural = scores + offsets.unsqueeze(1)
        versions = {
            "": (scores, task.natural),
            "_natural": (natural, task.natural),
            "_balanced": (natural - counts.log(), balanced),
        }
        columns = {}
        for suffix, (version, weights) in versions.items():
            columns[f"ece{suffix}"] = calibration_error(version, task.test_y, weights)
            columns[f"nll{suffix}"] = log_loss(version, task.test_y, weights)
        right = (scores.argmax(-1) == task.test_y).float()
        columns["accuracy"] = (right * task.natural).sum(1)
        same = (scores.argmax(-1) == reference).float()
        columns["agreement_with_la"] = (same * balanced).sum(1)
        errors = class_errors(scores, task.test_y, classes)
        columns["balanced_error"] = errors.mean(1)
        for at, seed in enumerate(seeds):
            row: Row = {"loss": name, "seed": seed, **dict.fromkeys(METRICS)}
            row |= {column: float(values[at]) for column, values in columns.items()}
            row |= _errors(errors[at])
            row["chosen"] = describe(plan, kept[name].choice[at], decision)
            if name == "post_hoc_tuned":
                row["tau_curve"] = _tau_curve(raw[at], task.test_y[at], counts)
            rows.append(row)
    return rows


def _tau_curve(scores: Tensor, targets: Tensor, counts: Tensor) -> str:
    """Test balanced error for every tau of `TAUS`, of one model, as a list."""
    moved = scores - torch.tensor(TAUS)[:, None, None].to(scores) * counts.log()
    errors = class_errors(moved, targets.expand(len(TAUS), -1), len(counts)).mean(1)
    return ";".join(f"{error:.4g}" for error in errors.tolist())


def run(
    data_set: str,
    model: Model,
    seeds: Iterable[int] | None = None,
    profile: str = "quick",
    *,
    device: str = "cpu",
) -> list[Row]:
    """Train every method on one data set.

    Args:
        data_set: a key of `long_tail_data.SOURCES`.
        model: linear, mlp (one hidden layer of 32 units) or cnn (two convolutions, images only).
        seeds: each decides which class is how frequent (in the made tails), the rows, the split,
            the first weights and the batches; those of `SEEDS` if left out.
        profile: quick or full, the budget of the tuning.
        device: where to compute.

    Returns:
        One row per method (`loss`, a name of `LOSSES`) and seed:

        - balanced_error; accuracy (classes as frequent as in training); head_error, middle_error,
          tail_error: mean class error of the most frequent, the middle and the rarest third;
          errors: all class errors from the most to the least frequent class, joined by ";";
        - ece, nll: of the softmax of the deciding scores as they are, classes as frequent as in
          training; ece_natural, nll_natural: after adding the method's own offset to the natural
          prior (none is known for ldam, equalised, focal and weight_norm); ece_balanced,
          nll_balanced: after that minus log prior, all classes equally frequent;
        - agreement_with_la: share of test rows, classes equally frequent, decided as by la;
        - chosen: parameter or tau;learning rate;updates;
        - tau_curve (post_hoc_tuned only): test balanced error of the chosen model for every tau of
          `long_tail_methods.TAUS`.
    """
    chosen = list(SEEDS[model] if seeds is None else seeds)
    task = lay_out(data_set, chosen, standardised=model == "cnn", device=device)
    plan, kept = train(task, model, chosen, BUDGETS[profile, model])
    head = {"data_set": data_set, "model": model}
    return [head | row for row in measure(task, plan, kept, chosen)]


def compare(
    data_sets: Iterable[str],
    model: Model = "linear",
    seeds: Iterable[int] | None = None,
    profile: str = "quick",
    *,
    device: str = "cpu",
    store: Path | None = None,
    progress: bool = False,
) -> list[Row]:
    """Train every method on each of the data sets.

    Args:
        data_sets: keys of `long_tail_data.SOURCES`.
        model: linear, mlp or cnn.
        seeds: of the repetitions; those of `SEEDS` if left out.
        profile: quick or full, the budget of the tuning.
        device: where to compute.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Returns:
        The rows of `run` for every data set.
    """
    names, chosen = list(data_sets), list(SEEDS[model] if seeds is None else seeds)
    cells = [
        {"data_set": name, "model": model, "seeds": chosen, "profile": profile, "device": device}
        for name in names
    ]
    return compare_cells(run, cells, names, load, store=store, progress=progress)


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs, each a data set and a model.

    The full profile ends with ResNet-32 on CIFAR-10 where there is a GPU.

    Example:
        >>> blocks("quick")
        ['digits-lt-100-linear', 'digits-lt-10-linear', 'digits-lt-100-mlp', 'digits-lt-10-mlp']
    """
    if profile == "quick":
        return [f"{data_set}-{model}" for model in ("linear", "mlp") for data_set in DIGITS]
    networks = [f"{data_set}-cnn" for data_set in MADE_TAILS if data_set.endswith("-100")]
    others = [
        f"{data_set}-{model}"
        for model in ("mlp", "linear")
        for data_set in (*MADE_TAILS, *NATURAL_TAILS, *DIGITS)
    ]
    on_gpu = [long_tail_resnet.BLOCK] if torch.cuda.is_available() else []
    return [*networks, *others, *on_gpu]


def run_block(block: str, profile: str, **options: Any) -> list[Row]:
    """Train every method on the data set and model of a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        **options: device, store and progress as in `compare`.

    Raises:
        ValueError: there is no such block in the profile.
    """
    data_set, name = data_set_and_model(block, blocks(profile))
    if block == long_tail_resnet.BLOCK:
        return long_tail_resnet.compare(**options)
    model: Model = "cnn" if name == "cnn" else "mlp" if name == "mlp" else "linear"
    return compare([data_set], model, profile=profile, **options)


def recorded_rows() -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return read_rows("logit-adjustment/trials.csv")
