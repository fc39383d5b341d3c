"""Attacks where the best one is known, and where naive ones stand still."""

import pytest
import torch
from torch import Tensor

from scispaces.studies.weight_scale_attacks import (
    fast_gradient,
    margins,
    projected_gradient,
    share_right,
)
from scispaces.studies.weight_scale_data import lay_out
from scispaces.studies.weight_scale_methods import METHODS
from scispaces.studies.weight_scale_training import train

GENERATOR = torch.Generator().manual_seed(0)
DIRECTIONS = torch.randn(6, 2, generator=GENERATOR, dtype=torch.float64)
GAP = DIRECTIONS[:, 0] - DIRECTIONS[:, 1]


def linear(x: Tensor) -> Tensor:
    return x @ DIRECTIONS


@pytest.fixture
def grey() -> Tensor:
    """Inputs so far from black and white that no attack is cut."""
    generator = torch.Generator().manual_seed(1)
    return 0.5 + 0.1 * (torch.rand(9, 6, generator=generator, dtype=torch.float64) - 0.5)


def test_attacks_on_two_linear_scores_are_the_best_ones(grey: Tensor) -> None:
    y = torch.zeros(9, dtype=torch.int64)
    before, radius = margins(linear(grey), y), 0.2
    most = before - radius * GAP.abs().sum()
    torch.testing.assert_close(fast_gradient(linear, grey, y, radius), most)
    for steps in (1, 10):
        found = projected_gradient(linear, grey, y, radius, "linf", steps=steps)
        torch.testing.assert_close(found, most)
    shortest = before - radius * GAP.norm()
    found = projected_gradient(linear, grey, y, radius, "l2", steps=10, restarts=3)
    torch.testing.assert_close(found, shortest)


def test_attacks_stay_among_images() -> None:
    seen: list[Tensor] = []

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return linear(x)

    generator = torch.Generator().manual_seed(2)
    x = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1])
    for norm in ("linf", "l2"):
        projected_gradient(watched, x, y, 0.3, norm, steps=4, restarts=2)
    fast_gradient(watched, x, y, 0.3)
    for moved in seen:
        assert float(moved.amin()) >= 0
        assert float(moved.amax()) <= 1
        assert float((moved - x).norm(dim=-1).amax()) <= 0.3 * 6**0.5 + 1e-12
    assert max(float((moved - x).abs().amax()) for moved in seen) == pytest.approx(0.3)


def test_large_scores_hide_the_gradient_of_cross_entropy_but_not_that_of_the_margin() -> None:
    task = lay_out("digits", "mlp", [0], width=16)
    weights = train(task, METHODS["none_adam"], [0.0], 0.003, 150)
    few = task.test.first(60)

    def scaled(factor: float) -> tuple[Tensor, Tensor, Tensor]:
        def scores(x: Tensor) -> Tensor:
            return factor * task.architecture.scores(weights, x)

        fast = fast_gradient(scores, few.x, few.y, 0.1)
        naive = fast_gradient(scores, few.x, few.y, 0.1, objective="cross_entropy")
        slow = projected_gradient(scores, few.x, few.y, 0.05, "l2", steps=5)
        return tuple(share_right(each)[0] for each in (fast, naive, slow))

    # Powers of two leave the digits of every number as they are.
    small, large = scaled(1.0), scaled(2.0**10)
    assert small[0] == large[0]
    assert small[2] == large[2]
    assert large[1] > small[1] + 0.2
    assert small[0] < 0.8


def test_more_steps_and_restarts_find_no_less(grey: Tensor) -> None:
    task = lay_out("digits", "mlp", [1], width=16)
    weights = train(task, METHODS["none_sgd"], [0.0], 0.05, 100)
    few = task.test.first(60)

    def scores(x: Tensor) -> Tensor:
        return task.architecture.scores(weights, x)

    one = projected_gradient(scores, few.x, few.y, 0.1, "linf", steps=10)
    more = projected_gradient(scores, few.x, few.y, 0.1, "linf", steps=10, restarts=3)
    assert (more <= one).all()
    assert (one <= margins(scores(few.x), few.y)).all()
    assert (more < one).any()


def test_a_tie_is_no_right_answer() -> None:
    margin = margins(torch.tensor([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), torch.tensor([0, 0]))
    assert margin.tolist() == [0, 1]
    assert float(share_right(margin)) == 0.5
