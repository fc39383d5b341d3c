"""The exact minimiser, and what the three smaller questions answer on few seeds."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from scispaces.studies import long_tail_newton, long_tail_probes
from scispaces.studies.long_tail_data import lay_out
from scispaces.studies.long_tail_networks import (
    DECAY,
    OPTIMISERS,
    SGD_RATE,
    Networks,
    balanced_error,
    train,
)
from scispaces.studies.long_tail_newton import newton_softmax


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(4, (60,), generator=generator)
    return x, targets, torch.tensor([0.0, -1.0, 0.5, -2.0], dtype=torch.float64)


@pytest.mark.parametrize("penalise_bias", [False, True])
def test_newton_ends_where_the_gradient_of_autograd_vanishes(penalise_bias: bool) -> None:
    x, targets, offset = problem()
    found = newton_softmax(x, targets, offset, 0.1, penalise_bias=penalise_bias)
    found.requires_grad_(True)
    loss = cross_entropy(x @ found[:-1] + found[-1] + offset, targets)
    penalised = found if penalise_bias else found[:-1]
    (loss + 0.05 * penalised.square().sum()).backward()
    assert found.grad is not None
    assert found.grad.abs().max() < 1e-8
    assert found[-1].sum().abs().item() < 1e-8


def test_a_free_bias_takes_up_the_offset_and_a_penalised_one_does_not() -> None:
    x, targets, offset = problem()
    for penalise_bias in (False, True):
        plain, shifted = (
            newton_softmax(x, targets, each, 0.1, penalise_bias=penalise_bias)
            for each in (torch.zeros_like(offset), offset)
        )
        moved = plain[-1] - shifted[-1]
        exact = torch.allclose(moved, offset - offset.mean(), atol=1e-7)
        assert exact != penalise_bias
        assert torch.allclose(plain[:-1], shifted[:-1], atol=1e-7) != penalise_bias


def test_no_convergence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_tail_newton, "NEWTON_STEPS", 1)
    with pytest.raises(ArithmeticError, match="must converge in 1 steps"):
        newton_softmax(*problem(), 0.1, penalise_bias=False)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training_together_is_training_alone_and_a_held_bias_stays(name: str) -> None:
    task = lay_out("digits-lt-10", [4, 6])
    runs = [(0, 4), (0, 4), (1, 6)]
    held = torch.tensor([False, True, False])
    together = Networks("mlp", 64, 10, [seed for _, seed in runs])
    together.parameters[-1] += 0.5
    assert list(train(together, task, runs, name, [0, 2, 5], held=held)) == [0, 2, 5]
    assert (together.parameters[-1][1] == 0.5).all()
    assert (together.parameters[-1][0] != 0.5).any()
    for at, run in enumerate(runs):
        alone = Networks("mlp", 64, 10, [run[1]])
        alone.parameters[-1] += 0.5
        for _ in train(alone, task, [run], name, [5], held=held[at : at + 1]):
            pass
        for ours, theirs in zip(together.parameters, alone.parameters, strict=True):
            torch.testing.assert_close(ours[at], theirs[0], rtol=1e-4, atol=1e-5)


def test_weight_decay_falls_on_the_bias_too() -> None:
    task = lay_out("digits-lt-10", [0])
    moved = []
    for name in ("sgd", "sgd_decay"):
        networks = Networks("linear", 64, 10, [0])
        networks.parameters[-1] += 1.0
        for _ in train(networks, task, [(0, 0)], name, [1]):
            pass
        moved.append(networks.parameters[-1].detach())
    torch.testing.assert_close(moved[0] - moved[1], torch.full((1, 1, 10), SGD_RATE * DECAY))


def test_balanced_error_is_the_mean_over_the_classes() -> None:
    scores = torch.eye(2)[torch.tensor([0, 0, 0, 0])]
    assert balanced_error(scores, torch.tensor([0, 0, 0, 1])) == 0.5


def test_post_hoc_and_loss_agree_exactly_only_where_theory_says() -> None:
    rows = long_tail_probes.agreement([0, 1], updates=100)
    by_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in {r["arm"] for r in rows}}
    assert set(by_arm) == {"converged", "penalised_bias", "stopped", "trained", "mlp"}
    for row in by_arm["converged"]:
        assert row["agreement"] == 1
        assert row["distance"] < 1e-5
        assert row["post_hoc_error"] == row["la_error"]
    for arm in set(by_arm) - {"converged"}:
        assert all(row["distance"] > 0.05 for row in by_arm[arm])
    assert any(row["agreement"] < 1 for row in by_arm["mlp"])
    json.dumps(rows, allow_nan=False)


def test_decay_unlearns_a_bias_that_starts_at_the_log_prior() -> None:
    rows = long_tail_probes.bias_initialisation([0, 1], checkpoints=(0, 200))
    slope = {
        (row["optimiser"], row["start"], row["updates"], row["seed"]): row["slope"] for row in rows
    }
    for optimiser in OPTIMISERS:
        for seed in (0, 1):
            assert slope[optimiser, "trained", 0, seed] == pytest.approx(1, abs=1e-5)
            assert slope[optimiser, "held", 200, seed] == pytest.approx(1, abs=1e-5)
            assert slope[optimiser, "zero", 0, seed] == 0
    for seed in (0, 1):
        assert slope["sgd_decay", "trained", 200, seed] < 0.6
        assert slope["sgd", "trained", 200, seed] > 0.8
    for row in rows:
        if row["start"] == "held":
            assert row["without_bias"] == row["minus_prior"]
    json.dumps(rows, allow_nan=False)


def test_norms_follow_the_prior_under_sgd_and_not_under_adam() -> None:
    rows = long_tail_probes.weight_norms([0, 1], models=["linear"])
    for row in rows:
        assert -1 <= row["rank_correlation"] <= 1
        assert len(row["norms"].split(";")) == 10
        assert (row["correlation"] > 0.8) == (row["optimiser"] == "sgd")
    json.dumps(rows, allow_nan=False)
