"""Checks of flooding with momentum, with the signs of the gradient, and with Adam."""

import math

import mpmath
import numpy as np
import pytest
import torch
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import double, penalty_slope, quarter, slope, wavy
from tests.equations.support import high_precision

from scispaces.losses import flood


@pytest.mark.equation("flooding-momentum-step")
def test_torch_takes_the_printed_step():
    """Four steps of SGD with momentum on the library's loss, across the level and back."""
    rate, beta, level = 0.3, 0.6, 0.2
    theta = double(1.0).requires_grad_()
    optimiser = torch.optim.SGD([theta], lr=rate, momentum=beta)
    place, velocity, signs = 1.0, 0.0, []
    for _ in range(6):
        optimiser.zero_grad()
        loss = 2 * theta**2 / 2
        flood(loss, level).backward()
        optimiser.step()
        signs.append(1 if loss.item() > level else -1)
        place, velocity = formulas.flooding_momentum_step(
            place, velocity, rate, beta, signs[-1], 2 * place
        )
        assert theta.item() == pytest.approx(place, rel=1e-12)
    assert 0 < sum(sign < 0 for sign in signs) < 6


@pytest.mark.equation("flooding-shadow")
def test_shadow_of_a_path_with_momentum_moves_without_momentum():
    """Along a path of torch's SGD with momentum it moves by rate / (1 - beta) times s g."""
    rate, beta, level = 0.3, 0.6, 0.2
    theta = double(1.0).requires_grad_()
    optimiser = torch.optim.SGD([theta], lr=rate, momentum=beta)
    for step in range(6):
        place = theta.item()
        velocity = optimiser.state[theta]["momentum_buffer"].item() if step else 0.0
        before = formulas.flooding_shadow(place, velocity, rate, beta)
        optimiser.zero_grad()
        flood(theta**2, level).backward()
        signed = theta.grad.item()
        optimiser.step()
        velocity = optimiser.state[theta]["momentum_buffer"].item()
        after = formulas.flooding_shadow(theta.item(), velocity, rate, beta)
        assert after - before == pytest.approx(-rate / (1 - beta) * signed, rel=1e-9)


@pytest.mark.equation("flooding-momentum-pair")
@high_precision
def test_two_alternating_steps_with_momentum_as_a_matrix():
    """The printed polynomial vanishes at both eigenvalues of the product of the two steps."""
    for beta, r in (
        (mpmath.mpf("0.9"), mpmath.mpf("0.05")),
        (mpmath.mpf("0.4"), mpmath.mpf("0.3")),
    ):
        steps = [mpmath.matrix([[1 - s * r, -beta], [s * r, beta]]) for s in (1, -1)]
        for mu in mpmath.eig(steps[1] * steps[0])[0]:
            assert abs(formulas.flooding_momentum_pair(beta, r, mu)) < 1e-45


@pytest.mark.equation("flooding-momentum-drift")
@high_precision
def test_factor_of_an_alternating_pair_with_momentum():
    """The larger eigenvalue is the printed one up to the fourth power of r."""
    for beta in (mpmath.mpf(0), mpmath.mpf("0.5"), mpmath.mpf("0.9")):
        gaps = []
        for r in (mpmath.mpf("1e-4"), mpmath.mpf("1e-6")):
            half = (1 + beta**2 - r**2) / 2
            root = half + mpmath.sqrt(half**2 - beta**2)
            gaps.append(abs(root - formulas.flooding_momentum_drift(beta, r)) / r**3)
        assert gaps[1] < gaps[0] / 50 + 1e-20


def heavy_ball(rate, beta, eigenvalues, steps, level=0.05):
    """Flooding with momentum on an ellipse: means of |L - b| / |g|^2 and of the curvature."""
    eigenvalues = np.array(eigenvalues)
    x = np.array([0.2, 0.3])
    velocity = np.zeros(2)
    excursions, curvatures, signs, places = [], [], [], []
    for _ in range(steps):
        g = eigenvalues * x
        size = g @ g
        loss = (eigenvalues * x * x).sum() / 2
        sign = 1 if loss > level else -1
        excursions.append(abs(loss - level) / size)
        curvatures.append((eigenvalues * g * g).sum() / size)
        signs.append(sign)
        places.append(x)
        velocity = beta * velocity + sign * g
        x = x - rate * velocity
    rows = np.array(places), np.array(signs), np.array(excursions), np.array(curvatures)
    return tuple(row[steps // 5 :] for row in rows)


BALLS = {
    beta: heavy_ball(rate, beta, (2.0, 1.0), 12_000)
    for beta, rate in ((0.0, 0.02), (0.5, 0.01), (0.9, 0.002))
}
RATES = {0.0: 0.02, 0.5: 0.01, 0.9: 0.002}


@pytest.mark.equation("flooding-excursion-share")
def test_share_of_ascents_from_the_size_of_the_excursions():
    """With and without momentum the share is the printed one, on average over the path."""
    for beta, (_, signs, excursions, curvatures) in BALLS.items():
        measured = (signs < 0).mean()
        printed = formulas.flooding_excursion_share(curvatures.mean(), excursions.mean())
        assert abs(measured - printed) < 0.1 * (measured - 0.5) + 2 / len(signs), beta
        assert measured > 0.501


@pytest.mark.equation("flooding-excursion-drift")
def test_drift_from_the_size_of_the_excursions():
    """With and without momentum the name of the gradient line moves with the printed speed."""
    for beta, (places, _, excursions, _) in BALLS.items():
        names = np.log(np.abs(places[:, 0])) / 2 - np.log(np.abs(places[:, 1]))
        # The name oscillates with the loss; over thousands of steps that does not matter.
        measured = (names[-1] - names[0]) / (len(names) - 1)
        speed = formulas.flooding_excursion_drift(RATES[beta], beta, excursions.mean())
        assert measured == pytest.approx(-speed * (2 - 1), rel=0.03), beta


def tilted(p):
    """A landscape whose first slope changes sign within a step, whose second does not."""
    return p[0] ** 2 / 2 + p[0] * p[1] / 2 + p[1]


@pytest.mark.equation("flooding-sign-pair")
def test_two_steps_with_the_signs_of_the_gradient():
    """A coordinate whose sign stays comes back exactly; one whose sign flips moves by two rates."""
    rate = 0.25
    for start, flips in (([1.0, 0.5], False), ([-0.125, 0.5], True)):
        start = double(start)
        before = slope(tilted, start)
        there = start - rate * before.sign()
        after = slope(tilted, there)
        back = there + rate * after.sign()
        printed = formulas.flooding_sign_pair(start, rate, before, after)
        assert torch.equal(back, printed)
        assert torch.equal(back, start) != flips
        moved = (back - start) / rate
        assert moved.tolist() == ([-2.0 * before[0].sign().item(), 0.0] if flips else [0.0, 0.0])


@pytest.mark.equation("flooding-frozen-pair")
def test_two_steps_with_frozen_scales():
    """Steps divided by the size that each slope had at the start follow the one-norm's slope."""
    start = double([-0.7, -0.4])
    g = slope(wavy, start)
    assert sorted(g.sign().tolist()) == [-1, 1]
    one_norm = torch.func.grad(lambda q: slope(wavy, q).abs().sum())(start)
    errors = []
    for rate in (0.01, 0.005):
        there = start - rate * g / g.abs()
        back = there + rate * slope(wavy, there) / g.abs()
        errors.append(
            (formulas.flooding_frozen_pair(start, rate, g, one_norm) - back).norm().item()
        )
    assert quarter(errors) == pytest.approx(3, abs=0.1)
    assert (one_norm - penalty_slope(wavy, start) / 2).norm() > 0.1


@pytest.mark.equation("flooding-adam-step")
def test_adam_takes_short_steps_when_the_gradient_alternates():
    """After 20 000 steps with gradients of either sign in turn torch's Adam moves as printed."""
    for beta in (0.9, 0.5):
        theta = double([3.0, 0.01]).requires_grad_()
        size = double([3.0, 0.01])
        optimiser = torch.optim.Adam([theta], lr=0.1, betas=(beta, 0.999))
        for step in range(3000):
            before = theta.detach().clone()
            theta.grad = size * (-1) ** step
            optimiser.step()
        moved = (theta.detach() - before).abs().tolist()
        expected = formulas.flooding_adam_step(0.1, beta)
        assert moved == pytest.approx([expected, expected], rel=1e-3)
        assert math.isclose(expected, 0.1 * (1 - beta) / (1 + beta))
