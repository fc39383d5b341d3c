"""Balancing hidden units one by one."""

from itertools import pairwise

import pytest
import torch

from scispaces.studies.weight_scale_networks import Architecture, squared_norms
from scispaces.studies.weight_scale_neurons import balance_neurons, neuron_shares


def test_balanced_units_have_equal_norms_on_both_sides_and_the_same_function() -> None:
    architecture = Architecture("mlp", 8, width=8)
    weights = architecture.start([0, 1], dtype=torch.float64)
    x = torch.rand(2, 6, 64, generator=torch.Generator().manual_seed(0)).double()
    moved = balance_neurons(weights)
    torch.testing.assert_close(architecture.scores(moved, x), architecture.scores(weights, x))
    for before, after in pairwise(moved):
        torch.testing.assert_close(before.square().sum(1), after.square().sum(2))
    squares = squared_norms(moved)
    torch.testing.assert_close(squares, squares[:, :1].expand_as(squares))


def test_no_rescaling_of_units_has_smaller_squares() -> None:
    weights = Architecture("mlp", 8, width=8).start([0], dtype=torch.float64)
    least = float(squared_norms(balance_neurons(weights)).sum())
    generator = torch.Generator().manual_seed(1)
    best = balance_neurons(weights)
    for _ in range(20):
        tried = [weight.clone() for weight in best]
        for before, after in pairwise(tried):
            factor = torch.exp(0.1 * torch.randn(8, generator=generator).double())
            before.mul_(factor)
            after.div_(factor.unsqueeze(1))
        assert float(squared_norms(tried).sum()) > least


def test_units_without_weights_on_one_side_stay() -> None:
    weights = Architecture("mlp", 8, width=8).start([0], dtype=torch.float64)
    weights[0][:, :, 2] = 0
    moved = balance_neurons(weights)
    assert all(bool(each.isfinite().all()) for each in moved)
    assert float(moved[0][:, :, 2].abs().sum()) == 0


def test_shares_are_ordered() -> None:
    rows = neuron_shares({"none_sgd": (0.0, 0.05), "l2_sgd": (0.01, 0.05)}, (0, 1), updates=10)
    assert [(row["loss"], row["moment"], row["seed"]) for row in rows] == [
        (loss, moment, seed)
        for loss in ("none_sgd", "l2_sgd")
        for moment in ("start", "end")
        for seed in (0, 1)
    ]
    for row in rows:
        assert row["neuron_squares"] < row["balanced_squares"] < row["squares"]
    assert rows[0]["squares"] == pytest.approx(rows[4]["squares"])
    assert rows[2]["squares"] > rows[6]["squares"]
