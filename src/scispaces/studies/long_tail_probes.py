"""Three smaller questions about logit adjustment, on the bundled digits by default.

`agreement`: do post-hoc adjustment and the adjusted loss decide alike? `bias_initialisation`: what
becomes of a bias that starts at the log prior? `weight_norms`: do the norms of the last layer
follow the prior, as weight normalisation assumes?
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from scispaces.studies.long_tail_data import LongTail, lay_out
from scispaces.studies.long_tail_networks import (
    OPTIMISERS,
    Model,
    Networks,
    Optimiser,
    balanced_error,
    pixel_features,
    train,
)
from scispaces.studies.long_tail_newton import newton_softmax

Row = dict[str, Any]

SEEDS = tuple(range(5))
PENALTY = 1e-2
STARTS = ("trained", "held", "zero")


def agreement(
    seeds: Iterable[int] = SEEDS, *, data_set: str = "digits-lt-10", updates: int = 200
) -> list[Row]:
    """Compare post-hoc adjustment of cross-entropy with the adjusted loss, tau 1, same seeds.

    Adding log prior to the scores of one gives the loss of the other, so in a linear model with a
    free bias both have the same minimum, up to that shift of the bias. The arms leave these
    conditions one after another: `converged` (weights penalised, bias free, minimised exactly),
    `penalised_bias` (the penalty falls on the bias too), `stopped` (linear, a tenth of the updates
    of Adam), `trained` (linear, all of them), `mlp` (one hidden layer, all of them).

    Args:
        seeds: each a long tail, first weights and batches.
        data_set: a key of `long_tail_data.SOURCES`; a balanced test is assumed.
        updates: steps of Adam.

    Returns:
        One row per arm and seed: arm, seed, agreement (share of test rows decided alike), distance
        (largest difference between the two scores of a class, each row centred), post_hoc_error
        and la_error (balanced errors).
    """
    chosen = list(seeds)
    task = lay_out(data_set, chosen)
    x, test_x = pixel_features(task)
    log_prior = task.prior.log()
    rows = []
    for arm, penalise_bias in (("converged", False), ("penalised_bias", True)):
        for place, seed in enumerate(chosen):
            own = torch.from_numpy(task.train[place])
            fitted = [
                newton_softmax(
                    x[own].double(),
                    task.y[place, own],
                    offset.double(),
                    PENALTY,
                    penalise_bias=penalise_bias,
                )
                for offset in (torch.zeros_like(log_prior), log_prior)
            ]
            erm, la = (test_x.double() @ part[:-1] + part[-1] for part in fitted)
            rows.append(_compared(arm, seed, erm, la, task, place))
    arms: tuple[tuple[str, Model, int], ...] = (
        ("stopped", "linear", max(1, updates // 10)),
        ("trained", "linear", updates),
        ("mlp", "mlp", updates),
    )
    runs = [(place, seed) for place, seed in enumerate(chosen) for _ in range(2)]
    offsets = torch.stack([torch.zeros_like(log_prior), log_prior]).repeat(len(chosen), 1)
    for arm, model, length in arms:
        networks = Networks(model, x.shape[1], len(log_prior), [seed for _, seed in runs])
        for _ in train(networks, task, runs, "adam", [length], offsets=offsets):
            scores = _test_scores(networks, test_x)
        rows += [
            _compared(arm, seed, scores[2 * place], scores[2 * place + 1], task, place)
            for place, seed in enumerate(chosen)
        ]
    return rows


@torch.no_grad()
def _test_scores(networks: Networks, test_x: Tensor) -> Tensor:
    return networks.scores(test_x.expand(len(networks.parameters[0]), -1, -1))


def _compared(arm: str, seed: int, erm: Tensor, la: Tensor, task: LongTail, place: int) -> Row:
    adjusted, targets = erm - task.prior.log().to(erm), task.test_y[place]
    centred = [part - part.mean(-1, keepdim=True) for part in (adjusted, la)]
    return {
        "arm": arm,
        "seed": seed,
        "agreement": float((adjusted.argmax(-1) == la.argmax(-1)).double().mean()),
        "distance": float((centred[0] - centred[1]).abs().max()),
        "post_hoc_error": balanced_error(adjusted, targets),
        "la_error": balanced_error(la, targets),
    }


def bias_initialisation(
    seeds: Iterable[int] = SEEDS,
    *,
    data_set: str = "digits-lt-10",
    model: Model = "mlp",
    checkpoints: Sequence[int] = (0, 30, 100, 300, 600),
) -> list[Row]:
    """Follow an output bias that starts at the log prior, trained or held, or starts at 0.

    Args:
        seeds: each a long tail, first weights and batches.
        data_set: a key of `long_tail_data.SOURCES`; a balanced test is assumed.
        model: linear or mlp.
        checkpoints: rising numbers of updates at which to look.

    Returns:
        One row per optimiser (one of `long_tail_networks.OPTIMISERS`; sgd_decay decays weights and
        biases), start (one of `STARTS`), seed and number of updates: slope, the least-squares
        slope of the bias on the log prior, 1 where it starts there or is held there; and the
        balanced error of three decisions: as_trained (largest score), without_bias (largest score
        less its learnt bias), minus_prior (largest score less log prior, post-hoc adjustment).
    """
    chosen = list(seeds)
    task = lay_out(data_set, chosen)
    _, test_x = pixel_features(task)
    log_prior = task.prior.log()
    centred = log_prior - log_prior.mean()
    runs = [(place, seed) for place, seed in enumerate(chosen) for _ in STARTS]
    start = torch.tensor([name != "zero" for name in STARTS]).float().repeat(len(chosen))
    held = torch.tensor([name == "held" for name in STARTS]).repeat(len(chosen))
    rows = []
    for optimiser in OPTIMISERS:
        networks = Networks(model, test_x.shape[1], len(log_prior), [seed for _, seed in runs])
        networks.parameters[-1] += start[:, None, None] * log_prior
        for updates in train(networks, task, runs, optimiser, checkpoints, held=held):
            bias, scores = networks.parameters[-1].detach(), _test_scores(networks, test_x)
            decisions = {
                "as_trained": scores,
                "without_bias": scores - bias,
                "minus_prior": scores - log_prior,
            }
            slopes = (bias[:, 0] @ centred) / centred.square().sum()
            rows += [
                {
                    "optimiser": optimiser,
                    "start": STARTS[run % len(STARTS)],
                    "seed": seed,
                    "updates": updates,
                    "slope": float(slopes[run]),
                }
                | {
                    name: balanced_error(part[run], task.test_y[place])
                    for name, part in decisions.items()
                }
                for run, (place, seed) in enumerate(runs)
            ]
    return rows


def weight_norms(
    seeds: Iterable[int] = SEEDS,
    *,
    data_set: str = "digits-lt-100",
    updates: int = 500,
    models: Sequence[Model] = ("linear", "mlp"),
) -> list[Row]:
    """Correlate the norms of the last layer's weights with the log prior after plain training.

    Args:
        seeds: each a long tail, first weights and batches.
        data_set: a key of `long_tail_data.SOURCES`; a balanced test is assumed.
        updates: steps of each optimiser.
        models: linear, mlp or both.

    Returns:
        One row per model, optimiser (adam, sgd) and seed: correlation (Pearson) and
        rank_correlation (Spearman) of norm and log prior over the classes, norms (from the most to
        the least frequent class, joined by ";"), balanced_error of the model as it is, and
        normalised_error after division of the scores by the norms.
    """
    chosen = list(seeds)
    task = lay_out(data_set, chosen)
    _, test_x = pixel_features(task)
    log_prior = task.prior.log().double().numpy()
    runs = list(enumerate(chosen))
    optimisers: tuple[Optimiser, ...] = ("adam", "sgd")
    rows = []
    for model, optimiser in ((model, optimiser) for model in models for optimiser in optimisers):
        networks = Networks(model, test_x.shape[1], len(log_prior), chosen)
        for _ in train(networks, task, runs, optimiser, [updates]):
            scores = _test_scores(networks, test_x)
        for place, seed in runs:
            norms = networks.parameters[-2].detach()[place].norm(dim=0)
            numbers = norms.double().numpy()
            rows.append(
                {
                    "model": model,
                    "optimiser": optimiser,
                    "seed": seed,
                    "correlation": float(np.corrcoef(numbers, log_prior)[0, 1]),
                    "rank_correlation": float(spearmanr(numbers, log_prior).statistic),
                    "norms": ";".join(f"{norm:.4g}" for norm in numbers.tolist()),
                    "balanced_error": balanced_error(scores[place], task.test_y[place]),
                    "normalised_error": balanced_error(scores[place] / norms, task.test_y[place]),
                }
            )
    return rows
