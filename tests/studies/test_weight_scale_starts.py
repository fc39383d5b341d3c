"""Training from shifted first weights, and shifts under different activations."""

import pytest
import torch

from scispaces.optim import shift_weight_scale_
from scispaces.studies.weight_scale_activations import (
    ACTIVATIONS,
    RULES,
    BiasedNetworks,
    activation_changes,
)
from scispaces.studies.weight_scale_data import lay_out
from scispaces.studies.weight_scale_networks import Architecture, squared_norms
from scispaces.studies.weight_scale_starts import balanced, excess, shifted_start, shifted_starts


def test_all_starts_are_the_same_function() -> None:
    architecture = Architecture("mlp", 8, width=8)
    plain = shifted_start(architecture, [0, 1], 1.0)
    x = torch.rand(2, 6, 64, generator=torch.Generator().manual_seed(0))
    expected = architecture.scores(plain, x)
    for scale in (2.0, 8.0):
        moved = shifted_start(architecture, [0, 1], scale)
        torch.testing.assert_close(architecture.scores(moved, x), expected)
        assert (excess(moved) > excess(plain)).all()
    level = balanced(architecture, plain)
    torch.testing.assert_close(architecture.scores(level, x), expected)
    torch.testing.assert_close(excess(level), torch.ones(2).double())
    squares = squared_norms(level)
    torch.testing.assert_close(squares, squares[:, :1].expand_as(squares))


def test_starts_are_trained_with_the_kept_and_with_a_new_rate() -> None:
    names, scales, seeds = ("none_sgd", "l2_sgd"), (1.0, 4.0), (0, 1)
    rows = shifted_starts(names, scales, seeds, updates=12, rate_values=3)
    assert [(r["loss"], r["start"], r["protocol"], r["seed"]) for r in rows] == [
        (name, start, protocol, seed)
        for name in names
        for start in (1.0, 4.0, 0.0)
        for protocol in ("kept", "retuned")
        for seed in seeds
    ]
    by_cell = {(r["loss"], r["start"], r["protocol"], r["seed"]): r for r in rows}
    for name in names:
        rate = by_cell[name, 1.0, "retuned", 0]["rate"]
        for row in rows:
            assert row["loss"] != name or row["protocol"] != "kept" or row["rate"] == rate
            assert (row["strength"] > 0) == (row["loss"] == "l2_sgd")
    for row in rows:
        assert row["excess_start"] == pytest.approx(1) or row["start"] > 0
        assert row["excess_end"] is None or row["excess_end"] >= 1


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_the_cumulative_rule_is_that_of_the_library(activation: str) -> None:
    factors = (2.0, 0.25, 4.0, 0.5)
    networks = BiasedNetworks.start(activation, [0], 64, biased=True)
    linears = []
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        linear = torch.nn.Linear(*weight.shape[1:], dtype=torch.float64)
        linear.weight = torch.nn.Parameter(weight[0].T.clone())
        linear.bias = torch.nn.Parameter(bias[0, 0].clone())
        linears.append(linear)
    shift_weight_scale_(torch.nn.Sequential(*linears), factors)
    moved = networks.shifted(factors, "cumulative")
    for linear, weight, bias in zip(linears, moved.weights, moved.biases, strict=True):
        torch.testing.assert_close(linear.weight.detach(), weight[0].T)
        torch.testing.assert_close(linear.bias.detach(), bias[0, 0])


def test_only_homogeneous_activations_and_the_right_rule_keep_the_scores() -> None:
    rows = activation_changes(seeds=(0,), scales=(2.0,), updates=30)
    assert len(rows) == len(ACTIVATIONS) * 2 * len(RULES)
    for row in rows:
        kept = row["activation"] in ("relu", "leaky_relu") and row["rule"] != "naive"
        if kept:
            assert row["change"] < 1e-12
            assert row["decisions"] == 0
            assert row["accuracy"] == row["shifted_accuracy"]
        else:
            assert row["change"] > 0.01
    trained = [row["accuracy"] for row in rows if row["state"] == "trained"]
    start = [row["accuracy"] for row in rows if row["state"] == "start"]
    assert min(trained) > max(start)


def test_networks_of_a_seed_are_the_same_whatever_seeds_are_beside_it() -> None:
    task = lay_out("digits", "mlp", [3, 4]).double()
    together = BiasedNetworks.start("gelu", [3, 4], 64, biased=True).scores(task.test.x)
    alone = BiasedNetworks.start("gelu", [4], 64, biased=True).scores(task.test.x[1:])
    torch.testing.assert_close(together[1:], alone)
