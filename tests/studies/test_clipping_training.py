"""Tasks, trainings and probes of the comparison of clipping, on small models."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from scispaces.studies.clipping_tasks import Config, LanguageConfig, VisionConfig, make_task
from scispaces.studies.clipping_training import (
    METHODS,
    TINY,
    Method,
    Schedule,
    Setting,
    choose,
    probe,
    train,
)

SMALL = LanguageConfig(
    embedding=4, hidden=6, streams=4, window=5, probe_streams=3, evaluation_tokens=256
)
PICTURES = VisionConfig(train_rows=60, validation_rows=40, channels=(2, 3), batch=16, probe_rows=20)
CONFIGS: tuple[Config, ...] = (SMALL, replace(SMALL, level="words", most_tokens=30), PICTURES)


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


@pytest.mark.parametrize("config", CONFIGS, ids=["characters", "words", "images"])
def test_a_task_follows_from_its_seed(config: Config) -> None:
    first, again, other = (make_task(config, seed) for seed in (3, 3, 4))
    assert torch.equal(flat(first.parameters), flat(again.parameters))
    assert not torch.equal(flat(first.parameters), flat(other.parameters))
    for _ in range(20):
        assert next(first.losses)().item() == next(again.losses)().item()
    assert first.probe().item() == first.probe().item() == again.probe().item()
    assert first.judge("test") == again.judge("test")
    assert first.judge("test") != first.judge("validation")


@pytest.mark.parametrize("level", ["words", "characters"])
def test_an_untrained_model_knows_nothing(level: str) -> None:
    config = replace(SMALL, level=level)
    task = make_task(config, 0)
    tokens = task.parameters[0].shape[0]
    assert task.probe().item() == pytest.approx(math.log(tokens), rel=0.1)
    assert config.model == f"lstm1-{level}"


def test_the_state_is_carried_from_batch_to_batch_and_its_gradient_is_not() -> None:
    task, fresh = make_task(SMALL, 0), make_task(SMALL, 0)
    next(fresh.losses)  # the same second batch, but read without the first
    first, second = next(task.losses), next(task.losses)
    second_batch = next(fresh.losses)
    first()
    carried, bare = second(), second_batch()
    assert carried.item() != bare.item()
    torch.autograd.grad(carried, task.parameters)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_lstm_can_be_differentiated_twice(layers: int) -> None:
    """Against central differences of the gradient, in the fused form that training uses."""
    task = make_task(replace(SMALL, layers=layers), 1)
    generator = torch.Generator().manual_seed(0)
    step = [torch.randn(p.shape, generator=generator) for p in task.parameters]
    length = math.sqrt(sum(float(s.square().sum()) for s in step))
    step = [part / length for part in step]
    found = probe(task.probe, task.parameters, step, 3, 0)
    reach, gradients = 0.02, []
    for sign in (1, -1):
        with torch.no_grad():
            for parameter, part in zip(task.parameters, step, strict=True):
                parameter.add_(part, alpha=sign * reach)
        gradients.append(flat(list(torch.autograd.grad(task.probe(), task.parameters))))
        with torch.no_grad():
            for parameter, part in zip(task.parameters, step, strict=True):
                parameter.add_(part, alpha=-sign * reach)
    product = (gradients[0] - gradients[1]) / (2 * reach)
    assert found["along_step"] == pytest.approx(product.norm().item(), rel=0.02)
    assert found["curvature"] == pytest.approx(float(product @ flat(step)), rel=0.05, abs=2e-4)


def test_a_probe_measures_what_it_says() -> None:
    """On a loss whose Hessian is known at every point."""
    theta = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        return theta[0] ** 4 - 3 * theta[1] ** 2

    row = probe(loss, [theta], [torch.tensor([-0.5, 0.5], dtype=torch.float64)], 50, 0)
    assert row["probe_loss"] == pytest.approx(-11)
    assert row["gradient_norm"] == pytest.approx(math.hypot(4, 12))
    assert row["step_length"] == pytest.approx(math.sqrt(0.5))
    # The Hessian is diag(12, -6) at the start; the middle of the step is (0.75, 2.25).
    assert row["hessian"] == pytest.approx(12)
    assert row["along_step"] == pytest.approx(math.hypot(12, 6) / math.sqrt(2))
    assert row["curvature"] == pytest.approx((12 - 6) / 2)
    change = math.hypot(4 * (1 - 0.75**3), 6 * 0.25)
    assert row["difference"] == pytest.approx(change / math.hypot(0.25, 0.25))
    assert theta.grad is None


SETTINGS = {
    "none": Setting("none", 0.5),
    "hard": Setting("hard", 0.5, 0.2),
    "soft": Setting("soft", 0.5, 0.2),
    "normalised": Setting("normalised", 0.1),
}


@pytest.mark.parametrize("method", METHODS)
def test_steps_have_the_lengths_of_their_method(method: Method) -> None:
    setting = SETTINGS[method]
    _, probes = train(SMALL, setting, Schedule(6, 2, probes=6, iterations=1), 0)
    assert [row["update"] for row in probes] == list(range(6))
    for row in probes:
        norm = row["batch_norm"]
        length = {
            "none": 0.5 * norm,
            "hard": 0.5 * min(norm, 0.2),
            "soft": 0.5 * norm * 0.2 / (0.2 + norm),
            "normalised": 0.1,
        }[method]
        assert row["step_length"] == pytest.approx(length, rel=1e-4)
        assert row["batch_norm"] > TINY


@pytest.mark.parametrize("config", CONFIGS, ids=["characters", "words", "images"])
def test_probing_does_not_change_the_training(config: Config) -> None:
    schedule = Schedule(12, 4, probes=0)
    bare, none = train(config, SETTINGS["hard"], schedule, 5)
    probed, rows = train(config, SETTINGS["hard"], replace(schedule, probes=4, iterations=2), 5)
    assert bare == probed
    assert none == []
    assert [row["update"] for row in rows] == [0, 3, 7, 11]
    assert all(row["hessian"] > 0 and row["difference"] > 0 for row in rows)


def test_a_run_is_plain_training_with_the_clipping_of_torch() -> None:
    """Up to the 1e-6 that torch adds to the norm."""
    row, _ = train(SMALL, SETTINGS["hard"], Schedule(20, 5), 2)
    task = make_task(SMALL, 2)
    plain = torch.optim.SGD(task.parameters, lr=0.5)
    losses, clipped = [], 0
    for _ in range(20):
        plain.zero_grad()
        loss = next(task.losses)()
        loss.backward()
        clipped += int(torch.nn.utils.clip_grad_norm_(task.parameters, 0.2) > 0.2)
        plain.step()
        losses.append(loss.item())
    assert row["train_loss"] == pytest.approx(sum(losses[16:]) / 4, rel=1e-5)
    assert row["test_loss"] == pytest.approx(task.judge("test")[0], rel=1e-5)
    assert row["clipped"] == pytest.approx(clipped / 20)
    curve = [float(number) for number in row["train_curve"].split(";")]
    assert curve == pytest.approx([sum(losses[i : i + 4]) / 4 for i in range(0, 20, 4)], rel=1e-4)
    validation = [float(number) for number in row["validation_curve"].split(";")]
    assert len(validation) == 5
    assert validation[-1] == pytest.approx(row["validation_loss"], rel=1e-4)


def test_a_run_that_diverges_says_so() -> None:
    row, probes = train(SMALL, Setting("none", 1e6), Schedule(20, 5, probes=20, iterations=1), 0)
    assert row["diverged"] == 1
    assert row["updates"] < 20
    assert row["test_loss"] is None
    assert len(probes) <= row["updates"]


def test_the_chosen_setting_has_the_lowest_validation_loss() -> None:
    settings = [Setting("none", step) for step in (1e-4, 2.0, 1e6)]
    schedule = Schedule(40, 2)
    chosen, tried = choose(SMALL, settings, schedule, [0, 1])
    assert chosen.step == 2.0
    assert [row["step"] for row in tried] == [1e-4, 2.0, 1e6]
    assert tried[2]["validation_loss"] is None
    for row, setting in zip(tried[:2], settings, strict=False):
        runs = [train(SMALL, setting, schedule, seed)[0]["validation_loss"] for seed in (0, 1)]
        assert row["validation_loss"] == pytest.approx(sum(runs) / 2)
    assert tried[1]["validation_loss"] < tried[0]["validation_loss"]
    with pytest.raises(RuntimeError, match=r"Every setting of none diverged"):
        choose(SMALL, settings[2:], schedule, [0])
