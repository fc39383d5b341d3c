"""Checks of the entries of data/discrepancies.yml that belong to `weight-scale-shift`."""

import math

import numpy as np
import pytest
import torch
from scipy.special import lambertw
from torch import nn
from torch.nn.functional import conv2d, cross_entropy, gelu, silu, softplus

from scispaces.optim import (
    balance_weight_scale_,
    shift_weight_scale_,
    weight_scale_penalty,
)


def chain(activation=nn.ReLU, *, bias=True, seed=0):
    """Three layers in double precision."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(5, 6, bias=bias),
        activation(),
        nn.Linear(6, 7, bias=bias),
        activation(),
        nn.Linear(7, 3, bias=bias),
    ).double()


INPUTS = torch.randn(40, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
FACTORS = (4.0, 0.5, 0.5)


@torch.no_grad()
def by_the_printed_rule(model):
    """Each bias times the factor of its own layer."""
    for layer, factor in zip(model[::2], FACTORS, strict=True):
        for parameter in layer.parameters():
            parameter.mul_(factor)


@pytest.mark.discrepancy("weight-scale-shift-bias-rule")
def test_printed_rule_changes_a_network_with_biases_and_none_without():
    """By the printed rule the scores move, by the cumulative one they do not."""
    for bias in (True, False):
        printed, cumulative = chain(bias=bias), chain(bias=bias)
        before = printed(INPUTS)
        by_the_printed_rule(printed)
        shift_weight_scale_(cumulative, FACTORS)
        torch.testing.assert_close(cumulative(INPUTS), before)
        assert ((printed(INPUTS) - before).abs().max() > 0.05) == bias


@pytest.mark.discrepancy("weight-scale-shift-balance-typo")
def test_sum_in_place_of_the_product_is_no_shift():
    """Factors towards the root of the sum do not have product one, those of the product do."""
    norms = np.array([2.0, 4.0, 27.0])
    assert np.prod(norms.prod() ** (1 / 3) / norms) == pytest.approx(1)
    assert np.prod(norms.sum() ** (1 / 3) / norms) < 0.2


@pytest.mark.discrepancy("weight-scale-shift-smooth-activations")
def test_smooth_activations_miss_homogeneity_by_the_stated_amounts():
    """Largest deviations on a fine grid, for c = 2 and for c = 1000, where the bounds are sharp."""
    x = torch.linspace(-30, 30, 240_001, dtype=torch.float64)

    def deviation(phi, c):
        return (phi(c * x) - c * phi(x)).abs().max().item()

    assert deviation(softplus, 2.0) == pytest.approx(math.log(2), rel=1e-6)
    assert deviation(silu, 1000.0) / 1000 == pytest.approx(0.278, abs=1e-3)
    assert deviation(gelu, 1000.0) / 1000 == pytest.approx(0.170, abs=1e-3)
    for phi in (softplus, silu, gelu):
        assert deviation(phi, 2.0) > 0.2
    assert deviation(torch.relu, 2.0) == 0


def adam_share(strength, noise, weight=1.0, steps=800):
    """Mean step of Adam on a weight that is put back, over the learning rate."""
    parameter = torch.tensor([weight], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam(
        [parameter], lr=1.0, betas=(0.99, 0.99), eps=1e-12, weight_decay=strength
    )
    moves = []
    for step in range(steps):
        parameter.grad = torch.tensor([noise * (-1) ** step], dtype=torch.float64)
        optimiser.step()
        moves.append(parameter.item() - weight)
        parameter.data.fill_(weight)
    return float(np.mean(moves[steps // 2 :]))


@pytest.mark.discrepancy("weight-scale-shift-adam-sign")
def test_strength_cancels_or_the_weight_counts():
    """Without a loss the strength has no effect; with one the step is in proportion to both."""
    alone = [adam_share(strength, 0.0) for strength in (0.01, 1.0)]
    assert alone == pytest.approx([-1.0, -1.0], rel=1e-6)
    one, twice, stronger = (
        adam_share(0.01, 1.0),
        adam_share(0.01, 1.0, weight=2.0),
        adam_share(0.02, 1.0),
    )
    assert one == pytest.approx(-0.01, rel=0.02)
    assert twice / one == pytest.approx(2, rel=0.02)
    assert stronger / one == pytest.approx(2, rel=0.02)
    assert adam_share(0.01, 4.0) / one == pytest.approx(0.25, rel=0.02)


@pytest.mark.discrepancy("weight-scale-shift-half")
def test_factor_of_decay_with_and_without_the_half():
    """Autograd of the penalty, one step of gradient descent."""
    rate, strength = 0.1, 0.3
    for half, factor in ((0.5, 1 - rate * strength), (1.0, 1 - 2 * rate * strength)):
        weight = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(half * strength * weight.square().sum(), weight)
        torch.testing.assert_close((weight - rate * gradient), factor * weight)


@pytest.mark.discrepancy("weight-scale-shift-goal")
def test_training_with_l2_ends_balanced_and_at_rest_for_the_log_norm():
    """From an unbalanced start; without activations, so that rest is exact."""
    labels = torch.randint(3, (40,), generator=torch.Generator().manual_seed(2))
    labels[:30] = INPUTS[:30, :3].argmax(1)
    model = chain(nn.Identity, bias=False)
    shift_weight_scale_(model, (10.0, 0.1, 1.0))
    weights, strength = list(model.parameters()), 0.02
    optimiser = torch.optim.LBFGS(
        weights,
        max_iter=500,
        tolerance_grad=1e-10,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimiser.zero_grad()
        value = cross_entropy(model(INPUTS), labels)
        value = value + strength / 2 * sum(w.square().sum() for w in weights)
        value.backward()
        return value

    optimiser.step(closure)
    squares = [w.square().sum().item() for w in weights]
    assert squares == pytest.approx([squares[0]] * 3, rel=1e-5)
    assert squares[0] > 0.1
    # A shift away from here costs L2, and balancing brings it back.
    shift_weight_scale_(model, (2.0, 0.5, 1.0))
    assert sum(w.square().sum().item() for w in weights) > 1.5 * sum(squares)
    balance_weight_scale_(model)
    assert sum(w.square().sum().item() for w in weights) == pytest.approx(sum(squares), rel=1e-5)
    total = cross_entropy(model(INPUTS), labels)
    total = total + weight_scale_penalty(weights, log_norm=strength * squares[0])
    for gradient in torch.autograd.grad(total, weights):
        assert gradient.abs().max() < 1e-6


@pytest.mark.discrepancy("weight-scale-shift-no-minimum")
def test_total_falls_below_any_number_and_strong_penalties_leave_no_rest():
    """Scaled to nothing the total is far below its start; the pull stays below the bound."""
    labels = torch.arange(40) % 3
    model = chain(bias=False)
    weights = list(model.parameters())

    def total(t):
        with torch.no_grad():
            moved = [t * w for w in weights]
            hidden = ((INPUTS @ moved[0].T).relu() @ moved[1].T).relu() @ moved[2].T
            penalty = sum(w.norm().log() for w in moved)
            return (cross_entropy(hidden, labels) + 0.01 * penalty).item()

    assert total(1e-300) < total(1.0) - 10
    bound = float(lambertw(2 / math.e).real)
    pulls = []
    for scale in np.geomspace(0.01, 100, 60):
        scores = scale * torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
        p = scores.softmax(1)
        pulls.append((scores[0, 0] - (p * scores).sum()).item())
    assert bound - 0.01 < max(pulls) <= bound
    assert float(lambertw(9 / math.e).real) == pytest.approx(1.101, abs=1e-3)


@pytest.mark.discrepancy("weight-scale-shift-gradient-invariant")
def test_value_is_invariant_and_gradient_is_not():
    """After a shift by four the gradient of the log-norm is a quarter."""
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    other = torch.ones(2, 2, dtype=torch.float64)
    found = []
    for factor in (1.0, 4.0):
        leaf = (factor * weight).requires_grad_()
        value = weight_scale_penalty([leaf, other / factor], log_norm=1.0)
        found.append((value.item(), torch.autograd.grad(value, leaf)[0]))
    assert found[0][0] == pytest.approx(found[1][0])
    torch.testing.assert_close(found[1][1], found[0][1] / 4)


@pytest.mark.discrepancy("weight-scale-shift-neurons")
def test_rescaled_neurons_change_the_log_norm_and_not_the_function():
    """One hidden neuron takes a factor; the scores stay, the penalty does not."""
    model = chain()
    before = model(INPUTS)
    penalty = weight_scale_penalty(model.parameters(), log_norm=1.0).item()
    with torch.no_grad():
        model[0].weight[2] *= 5
        model[0].bias[2] *= 5
        model[2].weight[:, 2] /= 5
    torch.testing.assert_close(model(INPUTS), before)
    assert abs(weight_scale_penalty(model.parameters(), log_norm=1.0).item() - penalty) > 0.05


@pytest.mark.discrepancy("weight-scale-shift-convolution-norm")
def test_three_constant_kernels_exceed_the_product_of_their_norms():
    """A constant image, wrapped around its edges, is lengthened 27 times as much."""
    kernel = torch.full((1, 1, 3, 3), 1 / 3, dtype=torch.float64)
    assert kernel.norm().item() == pytest.approx(1)
    image = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    moved = image
    for _ in range(3):
        moved = conv2d(nn.functional.pad(moved, (1, 1, 1, 1), mode="circular"), kernel).relu()
    assert (moved.norm() / image.norm()).item() == pytest.approx(27)


@pytest.mark.discrepancy("weight-scale-shift-two-norms")
def test_two_norms_differ_and_so_do_the_gradients_of_their_logarithms():
    """For the identity by the root of the rank; the gradient of the spectral one has rank one."""
    identity = torch.eye(4, dtype=torch.float64)
    ratio = identity.norm() / torch.linalg.matrix_norm(identity, 2)
    assert ratio.item() == pytest.approx(2)
    weight = torch.randn(4, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    ranks = []
    for norm in (lambda w: w.norm(), lambda w: torch.linalg.matrix_norm(w, 2)):
        leaf = weight.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(norm(leaf).log(), leaf)
        ranks.append(int(torch.linalg.matrix_rank(gradient, rtol=1e-8)))
    assert ranks == [4, 1]
