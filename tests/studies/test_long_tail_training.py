"""Stacked training against plain training, equal budgets, and what validation may see."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, cross_entropy

from scispaces.studies import long_tail_training
from scispaces.studies.long_tail_convolutions import StackedConvolutions
from scispaces.studies.long_tail_data import LongTail, class_average_weights, lay_out
from scispaces.studies.long_tail_methods import DECISIONS, TRAINED, StackedLosses
from scispaces.studies.long_tail_metrics import class_errors
from scispaces.studies.long_tail_training import (
    configurations,
    describe,
    output_norms,
    scores_on_test,
    start,
    train,
    validation_error,
)
from scispaces.studies.multilabel_tuning import Budget

SEEDS = (3, 8)
BUDGET = Budget(configurations=6, updates=6, passes=0, checkpoints=2, batch=16)


@pytest.fixture(scope="module")
def task() -> LongTail:
    return lay_out("digits-lt-10", SEEDS)


@pytest.fixture(scope="module", params=["linear", "mlp"])
def trained(request: pytest.FixtureRequest, task: LongTail) -> tuple[Any, ...]:
    return request.param, *train(task, request.param, SEEDS, BUDGET)


def images(rows: int) -> Tensor:
    return torch.rand(2, rows, 784, generator=torch.Generator().manual_seed(1))


def convolutions(rate: float = 0.01) -> StackedConvolutions:
    models = StackedConvolutions.begin(
        10, learning_rates=torch.tensor([rate, 2 * rate]), seeds=SEEDS
    )
    generator = torch.Generator().manual_seed(2)
    for part in models.parameters[-2:]:
        part += torch.randn(part.shape, generator=generator)
    return models


@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_every_method_has_the_same_number_of_configurations(model: Any) -> None:
    plan = configurations(model, 6)
    names = [entry.trained for entry in plan]
    assert {names.count(name) for name in TRAINED} == {6}
    for name, method in TRAINED.items():
        tried = {entry.parameter for entry in plan if entry.trained == name}
        assert tried == set(method.parameters or (None,))
    lowest, highest = long_tail_training.RATES[model]
    assert min(entry.rate for entry in plan) == pytest.approx(lowest)
    assert max(entry.rate for entry in plan) == pytest.approx(highest)


def test_a_model_trained_with_others_equals_one_trained_alone(task: LongTail) -> None:
    exact = replace(task, x=task.x.double(), test_x=task.test_x.double())
    plan = configurations("linear", 6)
    rates = torch.tensor([entry.rate for entry in plan], dtype=torch.float64)
    steps = torch.randint(480, (5, 2, 16), generator=torch.Generator().manual_seed(0))

    def trained_scores(chosen: list[int]) -> Tensor:
        models = start("linear", exact, rates[chosen], SEEDS)
        models.parameters = [part.double() for part in models.parameters]
        losses = StackedLosses(
            [(plan[at].trained, plan[at].parameter) for at in chosen], task.counts.double()
        )
        optimiser = models.optimiser()
        for rows in steps:
            optimiser.zero_grad()
            targets = torch.stack([task.y[seed, rows[seed]] for seed in range(2)])
            losses(models.scores(exact.x[rows]), targets).backward()
            optimiser.step()
        return models.scores(exact.test_x.unsqueeze(0))

    together = trained_scores(list(range(len(plan))))
    for at in (0, 13, 25, 45, 53):
        torch.testing.assert_close(
            together[:, at], trained_scores([at])[:, 0], rtol=1e-6, atol=1e-6
        )


def test_scores_of_stacked_convolutions_are_those_of_plain_layers() -> None:
    models, rows = convolutions(), images(3)
    found = models.scores(rows)
    for seed in range(2):
        for number in range(2):
            rate = models.rates[seed, number].item()
            inner = models.parameters[0][seed, 0, number]
            bias, outer, outer_bias, weight, last = (
                part[seed, number] for part in models.parameters[1:]
            )
            hidden = conv2d(rows[seed].view(-1, 1, 28, 28), rate * inner, rate * bias, 2, 2).relu()
            hidden = conv2d(hidden, rate * outer, rate * outer_bias, 2, 1).relu()
            expected = hidden.flatten(1) @ (rate * weight) + rate * last
            torch.testing.assert_close(found[seed, number], expected)


def test_convolutions_of_one_seed_start_alike_and_seeds_differ() -> None:
    models = StackedConvolutions.begin(10, learning_rates=torch.tensor([0.01, 0.5]), seeds=SEEDS)
    first = models.parameters[0].squeeze(1) * models.rates[..., None, None]
    torch.testing.assert_close(first[0, 0], first[0, 1])
    assert not torch.allclose(first[0, 0], first[1, 0])
    assert (models.scores(images(2)) == 0).all()


def test_a_convolution_kept_gives_the_scores_of_its_model() -> None:
    models, rows = convolutions(), images(4)
    kept = models.one_per_seed()
    kept.take(models, seed=0, configuration=1)
    kept.take(models, seed=1, configuration=0)
    torch.testing.assert_close(kept.scores(rows)[0, 0], models.scores(rows)[0, 1])
    torch.testing.assert_close(kept.scores(rows)[1, 0], models.scores(rows)[1, 0])


def test_a_step_of_convolutions_moves_weights_by_their_rate() -> None:
    models, rows = convolutions(rate=0.01), images(8)
    optimiser = models.optimiser()
    before = [(part * 1.0).detach() for part in models.parameters]
    targets = torch.randint(10, (2, 8), generator=torch.Generator().manual_seed(0))
    scores = models.scores(rows)
    cross_entropy(scores.flatten(0, 2), targets.unsqueeze(1).expand(-1, 2, -1).flatten()).backward()
    optimiser.step()
    for part, old in zip(models.parameters, before, strict=True):
        assert ((part - old).abs() < 1 + 1e-3).all()
    moved = ((models.parameters[-1] - before[-1]).abs() * models.rates).flatten(1, 3).mean(0)
    torch.testing.assert_close(moved, torch.tensor([0.01] * 10 + [0.02] * 10), rtol=1e-3, atol=0)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_output_norms_are_those_of_the_scaled_weights(task: LongTail, model: Any) -> None:
    models = start(model, task, torch.tensor([0.5, 2.0]), SEEDS)
    generator = torch.Generator().manual_seed(0)
    weight = models.parameters[-2]
    weight += torch.randn(weight.shape, generator=generator)
    found = output_norms(models)
    assert found.shape == (2, 2, 1, 10)
    one = weight[1, :, 0] if model == "linear" else weight[1, 0]
    torch.testing.assert_close(found[1, 0, 0], 0.5 * one.norm(dim=0))


def test_validation_error_is_the_mean_class_error_and_doubt_breaks_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 40, 4, generator=generator)
    targets = torch.randint(4, (2, 40), generator=generator)
    weights = class_average_weights(targets, 4)
    found = validation_error(scores, targets, weights)
    for number in range(3):
        expected = class_errors(scores[:, number], targets, 4).mean(1)
        assert (expected <= found[:, number]).all()
        assert (found[:, number] <= expected + 1e-3).all()
    surer = validation_error(2 * scores, targets, weights)
    assert (surer != found).all()


def test_the_choice_is_the_best_seen_and_described(trained: tuple[Any, ...]) -> None:
    _, plan, kept = trained
    assert set(kept) == set(DECISIONS)
    for name, entry in kept.items():
        assert set(entry.choice) == {0, 1}
        assert (entry.error < 1.001).all()
        for choice in entry.choice.values():
            assert plan[choice[0]].trained == DECISIONS[name].trained
            parameter, rate, updates = describe(plan, choice, DECISIONS[name]).split(";")
            assert float(rate) == pytest.approx(plan[choice[0]].rate, rel=1e-2)
            assert int(updates) <= BUDGET.updates
            assert bool(parameter) == (
                DECISIONS[name].change != "none" or bool(TRAINED[name].parameters)
            )
    # More to choose from cannot be worse where it is chosen.
    assert (kept["post_hoc_tuned"].error <= kept["post_hoc"].error).all()
    assert (kept["weight_norm_tuned"].error <= kept["erm"].error).all()


def test_kept_errors_are_those_of_the_kept_models(task: LongTail, trained: tuple[Any, ...]) -> None:
    _, _, kept = trained
    rows = torch.from_numpy(task.held_out)
    validation = task.y.gather(1, rows)
    weights = class_average_weights(validation, 10)
    for name, entry in kept.items():
        scores = entry.models.scores(task.x[rows])
        changed = torch.stack(
            [
                DECISIONS[name].scores(
                    scores[at], entry.choice[at][2], task.counts, output_norms(entry.models)[at]
                )
                for at in range(2)
            ]
        )
        found = validation_error(changed, validation, weights)[:, 0]
        torch.testing.assert_close(found, entry.error, rtol=1e-4, atol=1e-6)


def test_test_rows_decide_nothing(task: LongTail, trained: tuple[Any, ...]) -> None:
    model, _, kept = trained
    turned = replace(task, test_y=9 - task.test_y, test_x=-task.test_x)
    _, again = train(turned, model, SEEDS, BUDGET)
    assert {name: entry.choice for name, entry in kept.items()} == {
        name: entry.choice for name, entry in again.items()
    }


def test_test_scores_are_changed_by_the_chosen_value(
    task: LongTail, trained: tuple[Any, ...]
) -> None:
    _, _, kept = trained
    raw, changed = scores_on_test(kept["post_hoc"], DECISIONS["post_hoc"], task)
    torch.testing.assert_close(
        changed - changed[..., :1], raw - raw[..., :1] - (task.prior / task.prior[0]).log()
    )
    raw, changed = scores_on_test(kept["erm"], DECISIONS["erm"], task)
    assert torch.equal(raw, changed)
