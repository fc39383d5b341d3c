"""Stacked training against plain training, and the rules of splitting and tuning."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scispaces.datasets import MultilabelData, load_digit_pairs
from scispaces.studies.multilabel_losses import COMPARED
from scispaces.studies.multilabel_metrics import count
from scispaces.studies.multilabel_training import (
    Task,
    batches,
    fit,
    lay_out,
    prepare,
    split_rows,
    train,
)
from scispaces.studies.multilabel_tuning import Budget, judge
from scispaces.studies.stacked_models import EPSILON, StackedModels

BUDGET = Budget(configurations=6, updates=12, passes=0, checkpoints=3, batch=16)
SEEDS = (3, 8)


@pytest.fixture(scope="module")
def data() -> MultilabelData:
    return load_digit_pairs(train_rows=120, test_rows=60)


def exact_task(data: MultilabelData, seeds: tuple[int, ...]) -> Task:
    """The task in double precision: Adam divides gradients by their size, noise included."""
    task = lay_out(data, seeds, BUDGET, "cpu")
    return replace(task, x=task.x.double(), test_x=task.test_x.double())


def start(
    task: Task, seeds: tuple[int, ...], rates: list[float], hidden: int | None
) -> StackedModels:
    models = StackedModels.start(
        task.x.shape[1],
        task.y.shape[1],
        hidden=hidden,
        learning_rates=torch.tensor(rates, dtype=torch.float64),
        seeds=seeds,
        feature_norm=0.1,
    )
    return StackedModels(models.rates, [part.double() for part in models.parameters])


@pytest.mark.parametrize("hidden", [None, 5])
@pytest.mark.parametrize("name", COMPARED)
def test_models_trained_together_equal_models_trained_alone(
    data: MultilabelData, name: str, hidden: int | None
) -> None:
    loss = COMPARED[name]
    pairs = BUDGET.pairs(loss, hidden)
    together_task = exact_task(data, SEEDS)
    together = start(together_task, SEEDS, [rate for _, rate in pairs], hidden)
    fit(together, together_task, loss, [parameter for parameter, _ in pairs], 1)
    test_rows = together_task.test_x.unsqueeze(0)
    for at, seed in enumerate(SEEDS):
        task = exact_task(data, (seed,))
        for configuration, (parameter, rate) in enumerate(pairs):
            alone = start(task, (seed,), [rate], hidden)
            fit(alone, task, loss, [parameter], 1)
            torch.testing.assert_close(
                together.scores(test_rows)[at, configuration],
                alone.scores(test_rows)[0, 0],
                rtol=1e-6,
                atol=1e-6,
            )


@pytest.mark.parametrize("hidden", [None, 5])
def test_a_stacked_model_is_a_plain_model_trained_with_adam(
    data: MultilabelData, hidden: int | None
) -> None:
    rate, task = 0.3, exact_task(data, (3,))
    stacked = start(task, (3,), [rate], hidden)
    weights = [(part * rate).detach()[0] for part in stacked.parameters]
    weights[0] = weights[0][:, 0]
    weights[1:] = [part[0] for part in weights[1:]]

    def scores(rows: Tensor) -> Tensor:
        inner = rows @ weights[0] + weights[1]
        return inner if hidden is None else inner.relu() @ weights[2] / hidden + weights[3]

    fit(stacked, task, COMPARED["bce"], [""], 1)
    for part in weights:
        part.requires_grad_(True)
    optimiser = torch.optim.Adam(weights, lr=rate, eps=EPSILON / rate)
    for rows in task.steps[:, 0]:
        optimiser.zero_grad()
        targets = task.y[rows].double()
        loss = binary_cross_entropy_with_logits(scores(task.x[rows]), targets, reduction="sum")
        (loss / len(rows)).backward()
        optimiser.step()
    found = stacked.scores(task.test_x.unsqueeze(0))[0, 0]
    torch.testing.assert_close(found, scores(task.test_x), rtol=1e-6, atol=1e-6)
    assert found.abs().max() > 0.5


def test_every_loss_has_the_same_number_of_configurations() -> None:
    for hidden in (None, 64):
        sizes = {name: len(BUDGET.pairs(loss, hidden)) for name, loss in COMPARED.items()}
        assert set(sizes.values()) == {BUDGET.configurations}


def test_every_usual_parameter_is_among_those_tried() -> None:
    assert all(loss.usual in (loss.parameters or ("",)) for loss in COMPARED.values())


def test_split_leaves_no_row_out_and_uses_none_twice() -> None:
    training, held_out = split_rows(120, seed=4)
    assert len(held_out) == 24
    np.testing.assert_array_equal(np.sort(np.concatenate([training, held_out])), np.arange(120))
    assert not np.array_equal(held_out, split_rows(120, seed=5)[1])
    assert len(split_rows(50_000, seed=4)[1]) == 1000


def test_batches_go_through_all_rows_before_any_comes_again() -> None:
    rows = np.arange(100, 148)
    order = batches(rows, BUDGET, seed=1)
    assert order.shape == (12, 16)
    for shuffle in order.reshape(4, 48):
        np.testing.assert_array_equal(np.sort(shuffle), rows)
    enough = replace(BUDGET, passes=9)
    assert len(batches(rows, enough, seed=1)) == 27
    assert batches(rows[:5], BUDGET, seed=1).shape == (12, 5)


def test_features_are_standardised_by_the_training_rows(data: MultilabelData) -> None:
    dense = replace(data, train_x=data.train_x + 3, test_x=data.test_x + 3)
    train_x, test_x = prepare(dense)
    assert train_x.abs().sum(1).mean().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(train_x.mean(0), torch.zeros(128), atol=1e-6, rtol=0)
    varying = dense.train_x.std(0) > 0
    spread = train_x.std(0)[torch.from_numpy(varying)]
    torch.testing.assert_close(spread, spread[:1].expand_as(spread))
    shifted = replace(dense, test_x=dense.test_x + 1)
    assert torch.equal(prepare(shifted)[0], train_x)
    assert not torch.equal(prepare(shifted)[1], test_x)


def test_features_that_are_mostly_zero_keep_their_zeros(data: MultilabelData) -> None:
    sparse = replace(data, train_x=data.train_x * (data.train_x > 0.9))
    assert torch.equal(prepare(sparse)[0] == 0, torch.from_numpy(sparse.train_x == 0))


def test_test_labels_decide_nothing(data: MultilabelData) -> None:
    turned = replace(data, test_y=~data.test_y)
    ours, theirs = (
        train(each, COMPARED["zlpr"], hidden=None, seeds=SEEDS, budget=BUDGET)
        for each in (data, turned)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one["average_precision"] != other["average_precision"]
        chosen = [name for name in one if name.startswith("chosen_")]
        assert len(chosen) == 8
        assert [one[name] for name in chosen] == [other[name] for name in chosen]


def test_judge_agrees_with_counting_one_model_at_a_time() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(2, 3, 50, 4, generator=generator)
    positives = torch.rand(2, 50, 4, generator=generator) < 0.4
    usual = torch.tensor([False, True, True])
    judged = judge(scores, positives, has_threshold=True, usual=usual)
    for criterion, (value, thresholds) in judged.items():
        assert value.shape == (2, 3)
        for seed, configuration in np.ndindex(2, 3):
            if criterion == "average_precision":
                continue
            if criterion.endswith("untuned") and not usual[configuration]:
                assert value[seed, configuration] == -1
                continue
            counts = count(
                scores[seed, configuration], positives[seed], thresholds[seed, configuration]
            )
            f1 = counts.micro_f1() if criterion.startswith("micro") else counts.macro_f1()
            torch.testing.assert_close(value[seed, configuration], f1)
    assert (judged["macro_f1_label_tuned"][0] >= judged["macro_f1_tuned"][0]).all()
    without = judge(scores, positives, has_threshold=False, usual=usual)
    assert set(judged) - set(without) == {
        f"{average}_f1_{how}" for average in ("micro", "macro") for how in ("own", "untuned")
    }
