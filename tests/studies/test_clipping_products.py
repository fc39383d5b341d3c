"""The races on products: gradients, counts against torch, and how the best setting is found."""

import math

import numpy as np
import pytest
import torch

from scispaces.studies.clipping_products import (
    METHODS,
    NETWORKS,
    SETTINGS,
    count_all,
    factors,
    fewest_steps,
    one_setting_for_all,
    race,
    settings,
)
from scispaces.studies.clipping_races import count_in_torch


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_agree_with_torch(name: str) -> None:
    network = NETWORKS[name]
    weights = np.random.default_rng(1).standard_normal((5, len(network.direction)))
    weights[0, 0] = 0.0
    for row, value, gradient in zip(
        weights, network.value(weights), network.gradient(weights), strict=True
    ):
        point = torch.tensor(row, requires_grad=True)
        loss = network.loss(point)
        assert loss.item() == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(
            torch.autograd.grad(loss, point)[0].numpy(), gradient, rtol=1e-11, atol=1e-13
        )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", ["gd", "hard", "soft"])
def test_the_optimizer_of_the_library_needs_as_many_steps(name: str, method: str) -> None:
    """Up to 100 steps: a setting that bounces for longer arrives by chance, if at all."""
    network, limit = NETWORKS[name], 100
    chosen = settings(method)[::3]
    own = count_all(network, method, chosen, 1.0, 1e-2, limit)
    assert any(each is not None for each in own)
    start = torch.tensor(network.direction)
    form = "soft" if method == "soft" else "hard"
    for (step, threshold), steps in zip(chosen, own, strict=True):
        found = count_in_torch(
            network.loss, start, 1e-2, limit, lr=step, threshold=threshold, form=form
        )
        assert found == steps


def test_every_method_has_as_many_settings() -> None:
    for method in METHODS:
        assert len(set(settings(method))) == SETTINGS


def test_factors_of_normalised_steps_give_them_their_length() -> None:
    sizes, lengths = np.array([0.5, 20.0]), np.array([0.1, 3.0])
    none = np.full(2, math.inf)
    np.testing.assert_allclose(factors("normalised", sizes, lengths, none, 9) * sizes, lengths)
    falling = factors("normalised_falling", sizes, lengths, none, 9) * sizes
    np.testing.assert_allclose(falling, lengths / 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_neither_network_is_smooth_relative_to_its_gradient(name: str) -> None:
    """Where the fit is perfect the gradient is 0 and curvature grows with the imbalance."""
    network = NETWORKS[name]
    largest = []
    for imbalance in (1.0, 10.0, 100.0):
        if name == "product":
            point = torch.tensor([imbalance, 1 / imbalance, 1.0, 1.0], dtype=torch.float64)
        else:
            target = torch.tensor(
                [[1.0, 0.3, 0.0], [-0.2, 0.8, 0.1], [0.0, 0.4, -0.6]], dtype=torch.float64
            )
            parts = imbalance * torch.eye(3, dtype=torch.float64), target / imbalance
            point = torch.stack(parts).reshape(-1)
        slope = network.gradient(point.numpy()[None])
        assert np.abs(slope).max() < 1e-12 * imbalance
        hessian = torch.autograd.functional.hessian(network.loss, point)
        largest.append(torch.linalg.matrix_norm(hessian, 2).item())
    assert largest[1] > 20 * largest[0]
    assert largest[2] > 90 * largest[1]


def test_rows_and_the_choice_of_a_setting() -> None:
    rows = race("product", (1.0, 2.0), 1e-3, 200)
    assert len(rows) == 2 * (len(METHODS) * SETTINGS + 1)
    for method in METHODS:
        table = np.array(
            [
                [
                    next(
                        row["steps"] if row["steps"] is not None else math.inf
                        for row in rows
                        if (row["method"], row["setting"], row["scale"]) == (method, at, scale)
                    )
                    for scale in (1.0, 2.0)
                ]
                for at in range(SETTINGS)
            ]
        )
        for column, scale in enumerate((1.0, 2.0)):
            best = fewest_steps(rows, method, scale)
            assert best is not None
            assert best["steps"] == table[:, column].min()
        together = one_setting_for_all(rows, method)
        if together is None:
            assert table.max(axis=1).min() == math.inf
        else:
            assert [row["scale"] for row in together] == [1.0, 2.0]
            assert max(row["steps"] for row in together) == table.max(axis=1).min()
    assert one_setting_for_all(rows, "hard") is not None
    armijo = [row for row in rows if row["method"] == "armijo"]
    assert all(row["evaluations"] > row["steps"] > 0 for row in armijo)
    assert fewest_steps([], "gd", 1.0) is None
    assert one_setting_for_all([rows[0] | {"steps": None}], "gd") is None
