"""Checks of the entries of the register that belong to the chapter `sampling-optimisation`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from scispaces.optim import MLEGuidedSearch, gibbs_ball_step, gibbs_expectation, gibbs_weights

PARAMETERS = 124_439_808


@pytest.mark.discrepancy("sampling-optimisation-first-order-density")
def test_linear_loss_needs_a_region_and_each_gives_another_step():
    """The integral over a growing cube has no bound; ball, cube and normal steps differ."""
    gradient, alpha = np.array([1.0, 0.1]), 0.2

    def over(side):
        return float(np.prod(2 * alpha / gradient * np.sinh(side * gradient / alpha)))

    assert over(2) > 1e3 * over(1) / 10
    assert over(40) > 1e60
    ball = gibbs_ball_step(torch.from_numpy(gradient), 1.0, alpha).numpy()
    cube = np.array(
        [
            gibbs_ball_step(torch.tensor([g], dtype=torch.float64), 1.0, alpha).item()
            for g in gradient
        ]
    )
    normal = -gradient / alpha
    assert ball[1] / ball[0] == pytest.approx(0.1)
    assert cube[1] / cube[0] > 0.15  # on the way to signs
    assert np.linalg.norm(ball) < 1 < np.linalg.norm(normal)
    top, bottom = (
        integrate.quad(lambda s, k=k: s**k * math.exp(-s * 1.0 / alpha), -1, 1)[0] for k in (1, 0)
    )
    assert cube[0] == pytest.approx(top / bottom, rel=1e-9)


@pytest.mark.discrepancy("sampling-optimisation-bounded-loss")
def test_more_candidates_do_not_find_the_mean_of_a_bounded_loss():
    """Fifty times the candidates: the flat error stays, that with the proposal falls by seven."""
    spreads = {"flat": [], "proposal": []}
    for number in (100, 5_000):
        estimates = {"flat": [], "proposal": []}
        for seed in range(20):
            source = np.random.default_rng([seed, number])
            steps = source.normal(size=(number, 40))
            losses = torch.from_numpy((steps[:, 0] > 0).astype(float))
            squares = torch.from_numpy((steps**2).sum(1))
            for name, density in (("flat", -squares / 2), ("proposal", None)):
                mean, _ = gibbs_expectation(
                    torch.from_numpy(steps), losses, density, temperature=1.0
                )
                estimates[name].append(mean[1:].norm().item())  # directions without any signal
        for name, found in estimates.items():
            spreads[name].append(float(np.mean(found)))
    assert spreads["flat"][1] > 0.75 * spreads["flat"][0] > 1
    assert spreads["proposal"][1] == pytest.approx(spreads["proposal"][0] / 50**0.5, rel=0.15)


def code_density(squares, products, guide_square):
    """The mixture density with unit variances, not in logarithms."""
    return 0.5 * torch.exp(-0.5 * squares) + 0.5 * torch.exp(
        -0.5 * squares + products - 0.5 * guide_square
    )


def candidates(noise, size=400_000, number=8, seed=0):
    """Squares and products of candidates, half of them guided, drawn as the code draws them."""
    source = torch.Generator().manual_seed(seed)
    guide = torch.randn(size, generator=source, dtype=torch.float64)
    guide = guide / guide.norm()
    deviation = noise * guide.abs().mean()
    drawn = []
    for k in range(number):
        step = deviation * torch.randn(size, generator=source, dtype=torch.float64)
        step = step + guide * (k % 2 == 0)
        own = (step - guide * (k % 2 == 0)).square().sum() / (2 * deviation**2)
        drawn.append((step.square().sum(), (step * guide).sum(), own))
    return [torch.stack(column) for column in zip(*drawn, strict=True)]


@pytest.mark.discrepancy("sampling-optimisation-unit-variance")
@pytest.mark.parametrize(("noise", "factor"), [(0.1, 1.15), (1.0, 2.4)])
def test_unit_densities_hardly_differ_and_true_ones_by_hundreds(noise, factor):
    """Eight candidates in 400 000 dimensions: their assumed and their true densities."""
    squares, products, true = candidates(noise)
    assumed = code_density(squares, products, 1.0)
    assert (assumed.max() / assumed.min()).item() < factor
    # True log-densities scatter by sqrt(dimension / 2) = 447; of eight, the extremes by more.
    assert 300 < (true.max() - true.min()).item() < 3000
    assert gibbs_weights(torch.zeros(8), -true, temperature=1.0).max().item() > 0.99
    assert math.sqrt(PARAMETERS / 2) == pytest.approx(7888, abs=1)


@pytest.mark.discrepancy("sampling-optimisation-density-underflow")
def test_density_of_long_steps_is_zero_and_the_weights_are_no_numbers():
    """Squared lengths of 207 and 209 in single precision, and of noise 0.01 in GPT-2."""
    for square, lost in ((200.0, False), (209.0, True), (0.01**2 * PARAMETERS, True)):
        squares = torch.full((4,), square, dtype=torch.float32)
        logarithms = code_density(squares, torch.zeros(4), torch.tensor(1.0)).log()
        weights = (-logarithms).softmax(0)
        assert weights.isnan().all().item() == lost


def code_weights(current, distances, beta=1.0):
    """Weights of the candidates by logarithms of exponentials, in double precision."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(np.exp(-np.array(distances))) - np.log(np.exp(-current))
    clamped = torch.from_numpy(beta * logarithms).clamp(max=1e16)
    return clamped.softmax(0)


@pytest.mark.discrepancy("sampling-optimisation-log-exp")
def test_losses_beyond_745_stop_counting_or_break():
    """Right below the limit, all alike with the current loss above, no numbers with all above."""
    right = gibbs_weights(torch.tensor([701.0, 700.0], dtype=torch.float64), temperature=1.0)
    torch.testing.assert_close(code_weights(702.0, [701.0, 700.0]), right)
    assert code_weights(746.0, [701.0, 700.0]).tolist() == [0.5, 0.5]
    assert code_weights(745.0, [701.0, 700.0])[1].item() > 0.7
    assert code_weights(800.0, [801.0, 700.0]).isnan().all()
    by_library = gibbs_weights(torch.tensor([801.0, 800.0], dtype=torch.float64), temperature=1.0)
    torch.testing.assert_close(by_library, right)


@pytest.mark.discrepancy("sampling-optimisation-one-component")
def test_weights_of_one_component_need_its_own_density():
    """An unguided candidate towards the guide has less than a fifth of its relative weight."""
    guide, places = 2.0, np.array([0.0, 2.0])
    plain = np.exp(-(places**2) / 2)
    mixture = (plain + np.exp(-((places - guide) ** 2) / 2)) / 2
    right = gibbs_weights(torch.zeros(2), torch.from_numpy(np.log(plain)), temperature=1.0)
    assumed = gibbs_weights(torch.zeros(2), torch.from_numpy(np.log(mixture)), temperature=1.0)
    lost = (assumed[1] / assumed[0]) / (right[1] / right[0])
    assert lost.item() < 0.2
    # The library's density with no share of guided candidates is the plain one.
    theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    theta.grad = torch.tensor([-guide], dtype=torch.float64)
    search = MLEGuidedSearch([theta], noise_scale="absolute", guided_share=0, candidates=2)
    seen = []
    found = search.search(lambda: seen.append(theta.item()) or 0.0)
    assert found.log_proposal.diff().item() == pytest.approx(
        (seen[0] ** 2 - seen[1] ** 2) / 2, rel=1e-9
    )


@pytest.mark.discrepancy("sampling-optimisation-stratified")
def test_fixed_shares_vary_less():
    """Variance of the mean of four draws, from the mixture and two from each component."""
    source = np.random.default_rng(0)
    noise = source.normal(size=(100_000, 4))
    drawn = source.integers(2, size=(100_000, 4))
    fixed = np.array([0, 1, 0, 1])
    variances = [(noise + 3 * choice).mean(1).var() for choice in (drawn, fixed)]
    assert variances[0] - variances[1] == pytest.approx(3**2 / 4 / 4, rel=0.03)


@pytest.mark.discrepancy("sampling-optimisation-half-mixture")
def test_without_the_unguided_half_there_is_no_veto():
    """A guide that raises the task loss: the mixture stays, the guided half alone follows it."""

    def moved(share):
        theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        theta.grad = torch.tensor([-5.0], dtype=torch.float64)  # the surrogate wants +5
        search = MLEGuidedSearch(
            [theta],
            candidates=64,
            temperature=0.05,
            noise=0.1,
            noise_scale="absolute",
            guided_share=share,
            reference="proposal",
            generator=torch.Generator().manual_seed(1),
        )
        search.step(lambda: float(theta.abs() > 1))
        return theta.item(), float(search.last.weights[search.last.guided].sum())

    assert abs(moved(0.5)[0]) < 0.1
    assert moved(0.5)[1] < 1e-6
    assert moved(1.0)[0] == pytest.approx(5, abs=0.1)
    assert moved(1.0)[1] == pytest.approx(1)


@pytest.mark.discrepancy("sampling-optimisation-length-lost")
def test_adamw_forgets_the_length_and_moves_noise_as_far_as_signal():
    """The same means a thousand times larger; and entries of sizes 1e-4 and 1 in one step."""
    ends = []
    for scale in (1.0, 1000.0):
        source = torch.Generator().manual_seed(3)
        theta = torch.zeros(20, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.AdamW([theta], lr=1e-3)
        for _ in range(30):
            theta.grad = scale * torch.randn(20, generator=source, dtype=torch.float64)
            optimiser.step()
        ends.append(theta.detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-10)
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.AdamW([theta], lr=1e-3)
    theta.grad = torch.tensor([1.0, 1e-4], dtype=torch.float64)
    optimiser.step()
    assert (theta[1] / theta[0]).item() == pytest.approx(1, abs=1e-3)
