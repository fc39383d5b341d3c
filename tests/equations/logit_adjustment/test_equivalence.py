"""Checks that training with the adjusted loss is training without it from another bias."""

import functools

import mpmath
import pytest
import torch
from tests.equations.logit_adjustment import formulas
from tests.equations.support import assert_agree, high_precision
from torch.nn.functional import cross_entropy

PRIOR = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
TAU = 1.5


def _data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(PRIOR, 120, replacement=True, generator=generator)
    noise = torch.randn(120, 2, generator=generator, dtype=torch.float64)
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.5], [-0.5, 1.0]], dtype=torch.float64)
    return centres[labels] + noise, labels


@functools.cache
def _fitted(adjusted):
    """Weights and centred biases of a linear model at the minimum, by a second-order method."""
    features, labels = _data()
    weight = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias],
        max_iter=100,
        tolerance_grad=1e-9,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def step():
        optimiser.zero_grad()
        logits = features @ weight.T + bias
        value = cross_entropy(logits + adjusted * TAU * PRIOR.log(), labels)
        value.backward()
        return value

    optimiser.step(step)
    return weight.detach() - weight.detach().mean(0), bias.detach() - bias.detach().mean()


@pytest.mark.equation("logit-adjustment-bias-shift")
def test_minima_of_the_two_losses_differ_by_a_bias():
    """Two fitted linear models have the same weights; their biases differ as printed."""
    plain_weight, plain_bias = _fitted(False)
    weight, bias = _fitted(True)
    assert (weight - plain_weight).abs().max().item() < 1e-5
    predicted = torch.tensor(
        [
            float(formulas.logit_adjustment_bias_shift(b, mpmath.mpf(p), TAU))
            for b, p in zip(plain_bias.tolist(), PRIOR.tolist(), strict=True)
        ],
        dtype=torch.float64,
    )
    assert (predicted - predicted.mean() - bias).abs().max().item() < 1e-5


@functools.cache
def _path(adjusted):
    """Scores of a small network after each of fifteen steps of Adam with momentum and noise."""
    features, labels = _data()
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(3)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    ).double()
    torch.random.set_rng_state(torch_state)
    if not adjusted:
        with torch.no_grad():
            network[2].bias += TAU * PRIOR.log()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.05)
    scores = []
    for step in range(15):
        batch = slice(8 * step, 8 * step + 8)
        optimiser.zero_grad()
        logits = network(features[batch])
        cross_entropy(logits + adjusted * TAU * PRIOR.log(), labels[batch]).backward()
        optimiser.step()
        scores.append(network(features).detach())
    return scores


@pytest.mark.equation("logit-adjustment-same-path")
def test_every_step_of_a_network_is_the_same_up_to_the_bias():
    """Fifteen steps of Adam: adjusted scores plus tau log pi equal the plain ones at each step."""
    for adjusted, plain in zip(_path(True), _path(False), strict=True):
        for row, other in zip(adjusted[:3].tolist(), plain[:3].tolist(), strict=True):
            for score, expected, prior in zip(row, other, PRIOR.tolist(), strict=True):
                value = formulas.logit_adjustment_same_path(score, mpmath.mpf(prior), TAU)
                assert_agree(value, expected, 1e-9)
    first, last = _path(True)[0], _path(True)[-1]
    assert (first - last).abs().max().item() > 0.1


@pytest.mark.equation("logit-adjustment-separable")
@high_precision
def test_shift_of_a_decision_point_shrinks_with_the_slope():
    """The point where a line of given slope, less its adjustment, is zero moves as printed."""
    ratio, tau = mpmath.mpf(20), mpmath.mpf("1.3")
    moved = []
    for slope in (mpmath.mpf("0.5"), mpmath.mpf(4), mpmath.mpf(40)):
        # Score difference rare less frequent: slope * x; post hoc adds tau log(frequent/rare).
        point = mpmath.findroot(lambda x, s=slope: s * x + tau * mpmath.log(ratio), 0)
        moved.append(-point)
        assert_agree(formulas.logit_adjustment_separable(tau, ratio, slope), -point, 1e-30)
    assert moved[0] > moved[1] > moved[2]
