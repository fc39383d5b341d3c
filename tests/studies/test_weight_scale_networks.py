"""Stacked bias-free networks against plain torch."""

import pytest
import torch
from torch.nn.functional import conv2d

from scispaces.optim import balance_weight_scale_, shift_weight_scale_
from scispaces.studies.weight_scale_measures import balanced_squares
from scispaces.studies.weight_scale_networks import CHANNELS, Architecture, squared_norms

SHAPES = [("mlp", 8), ("mlp", 14), ("cnn", 8), ("cnn", 14)]


def images(architecture: Architecture, networks: int, rows: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(networks, rows, architecture.side**2, generator=generator)


@pytest.mark.parametrize(("model", "side"), SHAPES)
def test_a_stacked_network_is_the_chain_of_torch_layers(model: str, side: int) -> None:
    architecture = Architecture(model, side, width=16)
    weights = architecture.start([0, 3])
    x = images(architecture, 2, 5)
    scores = architecture.scores(weights, x)
    assert scores.shape == (2, 5, 10)
    for network in range(2):
        chain = architecture.chain(weights, network)
        torch.testing.assert_close(chain(x[network]), scores[network])
        assert sum(each.numel() for each in chain.parameters()) == sum(
            weight[network].numel() for weight in weights
        )


@pytest.mark.parametrize(("model", "side"), SHAPES)
def test_scale_passes_between_the_layers(model: str, side: int) -> None:
    architecture = Architecture(model, side, width=16)
    weights = architecture.start([1], dtype=torch.float64)
    x = images(architecture, 1, 5).double()
    factors = [2.0, 0.25, 4.0, 0.5] if model == "mlp" else [4.0, 0.125, 2.0]
    moved = [weight * factor for weight, factor in zip(weights, factors, strict=True)]
    before = architecture.scores(weights, x)
    torch.testing.assert_close(architecture.scores(moved, x), before)
    chain = architecture.chain(weights, 0)
    shift_weight_scale_(chain, factors)
    torch.testing.assert_close(chain(x[0]), before[0])
    assert not torch.allclose(squared_norms(moved), squared_norms(weights))


@pytest.mark.parametrize(("model", "side"), SHAPES)
def test_balanced_squares_are_the_geometric_mean(model: str, side: int) -> None:
    architecture = Architecture(model, side, width=16)
    weights = architecture.start([0, 1])
    squares = squared_norms(weights).double()
    expected = squares.shape[1] * squares.log().mean(1).exp()
    torch.testing.assert_close(balanced_squares(architecture, weights), expected)
    assert (expected < squares.sum(1)).all()
    chain = architecture.chain(weights, 0)
    balance_weight_scale_(chain)
    norms = [float(each.detach().norm()) for each in chain.parameters()]
    assert max(norms) == pytest.approx(min(norms), rel=1e-5)


@pytest.mark.parametrize("side", [8, 14])
def test_operator_norms_of_convolutions_are_those_of_their_matrices(side: int) -> None:
    architecture = Architecture("cnn", side)
    weights = architecture.start([0, 1])
    found = architecture.operator_norms(weights)
    for layer, inputs in enumerate((1, CHANNELS[0])):
        points = architecture.sides[layer]
        basis = torch.eye(inputs * points**2).view(-1, inputs, points, points)
        for network in range(2):
            kernel = weights[layer][network]
            stride = architecture.strides[layer]
            matrix = conv2d(basis, kernel, stride=stride, padding=1).flatten(1)
            exact = float(torch.linalg.matrix_norm(matrix, ord=2))
            assert float(found[network, layer]) == pytest.approx(exact, rel=5e-3)
            assert float(found[network, layer]) <= exact * (1 + 1e-5)


def test_the_norm_of_a_kernel_does_not_bound_its_convolution() -> None:
    """Pixels meet the kernel in several places, so the map can be larger than its weights."""
    architecture = Architecture("cnn", 8)
    weights = architecture.start([0])
    kernel_norm = float(weights[0][0].norm())
    assert float(architecture.operator_norms(weights)[0, 0]) > 1.1 * kernel_norm


def test_first_weights_depend_on_the_seed_alone() -> None:
    architecture = Architecture("mlp", 8, width=16)
    together = architecture.start([4, 7], copies=3)
    alone = architecture.start([7])
    for several, one in zip(together, alone, strict=True):
        assert several.shape[0] == 6
        for copy in (3, 4, 5):
            assert torch.equal(several[copy], one[0])
        assert not torch.equal(several[0], several[3])
