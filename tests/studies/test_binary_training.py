"""Stacked training on yes-or-no tasks against plain training, and the rules of tuning."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scispaces.datasets import BinaryData, load_digit_against_rest
from scispaces.studies.binary_losses import COMPARED, MODIFIED
from scispaces.studies.binary_metrics import balanced_error, f1
from scispaces.studies.binary_training import (
    LINEAR_RATES,
    NETWORK_RATES,
    Task,
    fit,
    judge,
    lay_out,
    pairs,
    prepare,
    train,
)
from scispaces.studies.multilabel_tuning import Budget
from scispaces.studies.stacked_models import StackedModels

BUDGET = Budget(configurations=8, updates=10, passes=0, checkpoints=2, batch=32)
SEEDS = (3, 8)


@pytest.fixture(scope="module")
def data() -> BinaryData:
    whole = load_digit_against_rest(8)
    assert whole.x is not None
    return BinaryData("few", whole.positives[:400], whole.x[:400])


def exact_task(data: BinaryData, seeds: tuple[int, ...]) -> Task:
    """The task in double precision: Adam divides gradients by their size, noise included."""
    task = lay_out(data, None, seeds, BUDGET, "cpu")
    parts = {name: getattr(task, name).double() for name in ("x", "validation_x", "test_x")}
    return replace(task, **parts, imbalance=task.imbalance.double())


def start(
    task: Task, seeds: tuple[int, ...], rates: list[float], hidden: int | None
) -> StackedModels:
    models = StackedModels.start(
        task.x.shape[-1],
        1,
        hidden=hidden,
        learning_rates=torch.tensor(rates, dtype=torch.float64),
        seeds=seeds,
        feature_norm=0.1,
    )
    return StackedModels(models.rates, [part.double() for part in models.parameters])


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize("name", COMPARED)
def test_models_trained_together_equal_models_trained_alone(
    data: BinaryData, name: str, hidden: int | None
) -> None:
    loss, tried = COMPARED[name], pairs(COMPARED[name], hidden, BUDGET.configurations)
    together_task = exact_task(data, SEEDS)
    together = start(together_task, SEEDS, [rate for _, rate in tried], hidden)
    fit(together, together_task, loss, [parameter for parameter, _ in tried], 1)
    for at, seed in enumerate(SEEDS):
        task = exact_task(data, (seed,))
        for configuration in (0, 3, 7):
            parameter, rate = tried[configuration]
            alone = start(task, (seed,), [rate], hidden)
            fit(alone, task, loss, [parameter], 1)
            torch.testing.assert_close(
                together.scores(together_task.test_x)[at, configuration],
                alone.scores(task.test_x)[0, 0],
                rtol=1e-6,
                atol=1e-6,
            )


def test_every_loss_is_tuned_as_much_as_any_other() -> None:
    for hidden, (lowest, highest) in ((None, LINEAR_RATES), (16, NETWORK_RATES)):
        for loss in COMPARED.values():
            tried = pairs(loss, hidden, 16)
            assert len(set(tried)) == len(tried) == 16
            rates = [rate for _, rate in tried]
            assert (min(rates), max(rates)) == (lowest, highest)
            parameters = [parameter for parameter, _ in tried]
            assert parameters == sorted(parameters, key=parameters.index)
            assert loss.usual in parameters


def test_weights_margins_and_plain_cross_entropy_are_not_among_the_modified_losses() -> None:
    assert set(COMPARED) - set(MODIFIED) == {"bce", "weighted_bce", "logit_adjusted"}


def test_a_margin_is_plain_cross_entropy_with_the_score_moved(data: BinaryData) -> None:
    task = exact_task(data, SEEDS)
    scores = torch.linspace(-3, 3, 2 * 1 * 40 * 1).double().reshape(2, 1, 40, 1)
    truth = (torch.arange(80) % 7 == 0).double().reshape(2, 1, 40, 1)
    shifted = COMPARED["bce"].function(scores - task.imbalance.log(), truth, "", task.imbalance)
    margin = COMPARED["logit_adjusted"].function(scores, truth, 1.0, task.imbalance)
    torch.testing.assert_close(margin, shifted)


def test_layout_gives_every_seed_rows_of_its_own(data: BinaryData) -> None:
    task = lay_out(data, None, SEEDS, BUDGET, "cpu")
    whole = torch.cat([task.y, task.validation_y, task.test_y], dim=1)
    assert whole.shape == (2, 400)
    assert whole.sum(1).tolist() == [int(data.positives.sum())] * 2
    assert task.y.sum(1).tolist() == [round(int(data.positives.sum()) / 2)] * 2
    assert not torch.equal(task.test_x[0], task.test_x[1])
    ratio = (~task.y).sum(1) / task.y.sum(1)
    torch.testing.assert_close(task.imbalance.flatten(), ratio)
    alone = lay_out(data, None, SEEDS[1:], BUDGET, "cpu")
    torch.testing.assert_close(task.test_x[1], alone.test_x[0])


def test_an_imposed_ratio_holds_in_every_part() -> None:
    task = lay_out(load_digit_against_rest(8), 20, SEEDS, BUDGET, "cpu")
    for part in (task.y, task.validation_y, task.test_y):
        ratio = (~part).sum(1) / part.sum(1)
        torch.testing.assert_close(ratio, torch.full((2,), 20.0), rtol=0.05, atol=0)


def test_columns_are_standardised_by_the_training_rows_and_gaps_become_the_mean() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(5, 3, size=(50, 3)).astype(np.float32)
    x[:, 2] = 7
    training = np.arange(30)
    x[3, 0] = np.nan
    found = prepare(BinaryData("made", np.arange(50) < 9, x), training)
    np.testing.assert_allclose(found[training].mean(0), 0, atol=1e-6)
    assert np.abs(found[training]).sum(1).mean() == pytest.approx(1, abs=1e-6)
    assert found[3, 0] == 0
    assert not found[:, 2].any()
    moved = x.copy()
    moved[40:] += 100
    np.testing.assert_array_equal(
        prepare(BinaryData("made", np.arange(50) < 9, moved), training)[:30], found[:30]
    )


def test_judge_agrees_with_counting_one_model_at_a_time() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(2, 3, 60, generator=generator)
    positives = torch.rand(2, 60, generator=generator) < 0.3
    judged = judge(scores, positives)
    bonus = 1e-3 * judged["average_precision"][0] / 1.001
    for how in ("own", "tuned"):
        value, threshold = judged[f"f1_{how}"]
        again = f1(scores, positives.unsqueeze(1), threshold)
        torch.testing.assert_close(value, again + bonus)
        value, threshold = judged[f"balanced_error_{how}"]
        again = 1 - balanced_error(scores, positives.unsqueeze(1), threshold)
        torch.testing.assert_close(value, again + bonus)
    assert (judged["f1_tuned"][0] >= judged["f1_own"][0]).all()
    assert (judged["f1_own"][1] == 0).all()


def test_a_diverged_model_is_never_chosen() -> None:
    scores = torch.randn(1, 2, 20, generator=torch.Generator().manual_seed(0))
    scores[0, 1, 4] = torch.nan
    for value, _ in judge(scores, torch.arange(20)[None] < 5).values():
        assert value[0, 1] == -1
        assert value[0, 0] > 0


def test_test_labels_decide_nothing(data: BinaryData) -> None:
    task = lay_out(data, None, SEEDS, BUDGET, "cpu")
    turned = replace(task, test_y=~task.test_y)
    ours, theirs = (
        train(each, COMPARED["bce"], hidden=None, seeds=SEEDS, budget=BUDGET)
        for each in (task, turned)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one["average_precision"] != other["average_precision"]
        chosen = [name for name in one if name.startswith(("chosen_", "validation_"))]
        assert len(chosen) == 16
        assert [one[name] for name in chosen] == [other[name] for name in chosen]
