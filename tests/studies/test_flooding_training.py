"""Stacked networks and their training against torch's own modules, one by one."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from scispaces.losses import flood_rows
from scispaces.studies.flooding_data import NoisyTask, lay_out
from scispaces.studies.flooding_methods import METHODS
from scispaces.studies.flooding_networks import StackedNetworks
from scispaces.studies.flooding_training import (
    Schedule,
    batches,
    row_losses,
    squared_gradient_norm,
    train,
)

SIZES = (2, 5, 4, 2)
FAST = Schedule((8, 8), normalised=True, epochs=30, batch=100, rate=1e-2, looks=3)


@pytest.fixture(scope="module")
def task() -> NoisyTask:
    return lay_out("sinusoid", 0.1, [0, 1])


def module_of(networks: StackedNetworks, number: int) -> nn.Sequential:
    """One of the networks as torch writes it."""
    layers: list[nn.Module] = []
    pairs = list(zip(networks.parameters[::2], networks.parameters[1::2], strict=True))
    for at, (weight, bias) in enumerate(pairs):
        last = at == len(pairs) - 1
        linear = nn.Linear(weight.shape[2], weight.shape[1], bias=last or not networks.normalised)
        linear.weight.data = weight[number].detach().clone()
        own_bias = bias[number, :, 0].detach().clone()
        layers.append(linear)
        if last or not networks.normalised:
            linear.bias.data = own_bias
        else:
            norm = nn.BatchNorm1d(weight.shape[1], momentum=1.0)
            norm.bias.data = own_bias
            layers.append(norm)
        if not last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_stack_is_the_modules_it_stands_for(task: NoisyTask, normalised: bool) -> None:
    networks = StackedNetworks(SIZES, [3, 4], 2, normalised=normalised)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in networks.parameters:
            part.add_(torch.randn(part.shape, generator=generator) / 5)
    scores = networks.scores(task.x)
    statistics = networks.statistics(task.x)
    assert (statistics is None) == (not normalised)
    judged = networks.scores(task.test_x, statistics)
    for seed in (0, 1):
        for copy in (0, 1):
            module = module_of(networks, 2 * seed + copy).train()
            torch.testing.assert_close(scores[seed, copy], module(task.x[seed].T).T)
            if normalised:
                # torch keeps the unbiased variance for later, we keep the one it normalised with.
                n = task.x.shape[2]
                for layer in module:
                    if isinstance(layer, nn.BatchNorm1d):
                        layer.running_var *= (n - 1) / n
            torch.testing.assert_close(judged[seed, copy], module.eval()(task.test_x[seed].T).T)


def test_networks_of_a_seed_start_alike_and_of_two_seeds_do_not() -> None:
    networks = StackedNetworks((64, 32, 10), [0, 1], 3, normalised=False)
    for part in networks.parameters:
        copies = part.unflatten(0, (2, 3))
        assert (copies == copies[:, :1]).all()
    first, second = (weight.detach() for weight in networks.weights)
    assert not torch.equal(first[0], first[3])
    assert float(first.std()) == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert float(second.std()) == pytest.approx((1 / 32) ** 0.5, rel=0.15)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "plain"])
def test_the_first_value_of_every_method_is_plain_training(task: NoisyTask, name: str) -> None:
    method = METHODS[name]
    assert method.synthetic[0] == method.real[0] == 0
    assert len(set(method.synthetic)) == len(set(method.real)) == 8
    plain = train(task, METHODS["plain"], [0.0], [0, 1], FAST)[-1]
    same = train(task, method, [0.0, method.synthetic[-1]], [0, 1], FAST)[-1]
    for measure, values in plain.values.items():
        torch.testing.assert_close(same.values[measure][:, :1], values, rtol=1e-3, atol=2e-3)
    assert (same.values["train_loss"][:, 1] > plain.values["train_loss"][:, 0]).all()


def test_a_network_does_not_notice_its_neighbours(task: NoisyTask) -> None:
    together = train(task, METHODS["flood"], [0.0, 0.2, 0.4], [0, 1], FAST)[-1]
    parts = {name: value[1:] for name, value in vars(task).items() if name != "classes"}
    alone = train(NoisyTask(**parts, classes=2), METHODS["flood"], [0.2], [1], FAST)[-1]
    for measure, values in alone.values.items():
        torch.testing.assert_close(
            together.values[measure][1, 1], values[0, 0], rtol=1e-3, atol=2e-3
        )


@pytest.mark.parametrize("name", ["flood", "flood_rows"])
def test_the_objective_is_the_flooded_loss_of_the_library(name: str) -> None:
    losses = torch.rand(2, 3, 7, generator=torch.Generator().manual_seed(0))
    levels = (0.0, 0.3, 0.6)
    found = METHODS[name].objective(losses, levels)
    for seed in range(2):
        for at, level in enumerate(levels):
            by = "batch" if name == "flood" else "row"
            expected = flood_rows(losses[seed, at], level, by=by).loss
            assert float(found[seed, at]) == pytest.approx(float(expected), rel=1e-6)


def test_clamp_has_no_gradient_below_the_level_and_flood_the_opposite_one() -> None:
    for name, below in (("clamp", 0.0), ("flood", -1.0)):
        losses = torch.full((1, 2, 4), 0.5, requires_grad=True)
        METHODS[name].objective(losses, (0.2, 0.8)).sum().backward()
        assert losses.grad is not None
        assert losses.grad.sum(-1).tolist() == [[1.0, below]]


def test_flooding_keeps_the_training_loss_at_the_level(task: NoisyTask) -> None:
    schedule = replace(FAST, hidden=(64, 64), epochs=150)
    looks = train(task, METHODS["flood"], [0.0, 0.2], [0, 1], schedule)
    final = looks[-1].values["train_loss"]
    assert (final[:, 0] < 0.1).all()
    assert final[:, 1] == pytest.approx([0.2, 0.2], abs=0.05)


def test_the_squared_gradient_norm_and_its_own_gradient_are_right(task: NoisyTask) -> None:
    networks = StackedNetworks(SIZES, [3, 4], 2, normalised=False)
    networks.parameters = [
        part.detach().double().requires_grad_(True) for part in networks.parameters
    ]
    x = task.x.double()

    def squares() -> torch.Tensor:
        losses = row_losses(networks.scores(x), task.y).mean(-1)
        return squared_gradient_norm(losses, networks)

    module = module_of(networks, 3)
    nn.functional.cross_entropy(module(x[1].T), task.y[1]).backward()
    by_torch = sum(float(part.grad.square().sum()) for part in module.parameters())
    assert squares()[1, 1].item() == pytest.approx(by_torch, rel=1e-10)
    slopes = torch.autograd.grad(squares().sum(), networks.parameters)
    weight = networks.weights[1]
    step = 1e-6
    ends = []
    for change in (step, -step):
        with torch.no_grad():
            weight[2, 1, 1] += change
        ends.append(squares()[1, 0].item())
        with torch.no_grad():
            weight[2, 1, 1] -= change
    numeric = (ends[0] - ends[1]) / (2 * step)
    assert float(slopes[2][2, 1, 1]) == pytest.approx(numeric, rel=1e-4, abs=1e-8)


def test_decay_shrinks_weights_and_not_biases(
    task: NoisyTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[StackedNetworks] = []
    original = StackedNetworks.__init__

    def remember(self: StackedNetworks, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        trained.append(self)

    monkeypatch.setattr(StackedNetworks, "__init__", remember)
    train(task, METHODS["decay"], [0.0, 100.0], [0, 1], FAST)
    for weight in trained[0].weights:
        sizes = weight.detach().flatten(1).norm(dim=1).unflatten(0, (2, 2))
        assert (sizes[:, 1] < sizes[:, 0]).all()
    # A hundred times the rate of 0.01 leaves nothing but the last step of Adam.
    assert trained[0].weights[0].detach().unflatten(0, (2, 2))[:, 1].abs().max() < 0.011
    assert trained[0].parameters[1].detach().unflatten(0, (2, 2))[:, 1].abs().max() > 0.011


@pytest.mark.parametrize("batch", [25, 30, 100, 200])
def test_an_epoch_visits_every_row_once_as_far_as_batches_are_full(
    task: NoisyTask, batch: int
) -> None:
    marked = replace(task, y=torch.arange(100).expand(2, -1))
    schedule = Schedule((), normalised=False, epochs=2, batch=batch)
    seen = list(batches(marked, schedule, [0, 1]))
    per_epoch = 100 // min(batch, 100)
    assert [epoch for epoch, _, _ in seen] == [1] * per_epoch + [2] * per_epoch
    for epoch in (1, 2):
        for seed in (0, 1):
            rows = torch.cat([y[seed] for at, _, y in seen if at == epoch])
            assert len(rows.unique()) == len(rows) == per_epoch * min(batch, 100)
    for _, x, y in seen:
        assert torch.equal(x[1], task.x[1][:, y[1]])


def test_looks_are_at_the_epochs_announced(task: NoisyTask) -> None:
    schedule = replace(FAST, epochs=40, looks=4)
    looks = train(task, METHODS["plain"], [0.0], [0, 1], schedule)
    assert [look.epoch for look in looks] == schedule.epochs_looked_at() == [1, 3, 12, 40]
    losses = [float(look.values["train_loss"].mean()) for look in looks]
    assert losses == sorted(losses, reverse=True)
