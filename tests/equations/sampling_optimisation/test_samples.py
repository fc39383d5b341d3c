"""Checks of weighted samples: bias, effective size, mixtures, pooled losses, Adam."""

import itertools

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from tests.equations.sampling_optimisation import formulas
from tests.equations.sampling_optimisation.quadrature import normal_mean, over
from tests.equations.support import (
    assert_agree,
    assert_rising,
    brief,
    draw,
    draw_unit,
    high_precision,
)

from scispaces.optim import MLEGuidedSearch, effective_sample_size, gibbs_weights

NEAR = 1e-12
PLACES = [mpf(-1), mpf("0.5"), mpf(2)]
MASSES = [mpf("0.3"), mpf("0.5"), mpf("0.2")]
RATIOS = [mpf("0.4"), mpf(1), mpf("2.5")]


@pytest.mark.equation("sampling-optimisation-weights")
@high_precision
def test_weights_of_five_candidates():
    """The odds of two weights are the printed ones, and `gibbs_weights` agrees."""
    losses, proposals, alpha = draw(5, seed=1), draw_unit(5, seed=2), mpf("0.7")
    weights = [
        formulas.sampling_optimisation_weights(losses, proposals, alpha, i) for i in range(5)
    ]
    assert_agree(sum(weights), 1)
    for i in range(4):
        odds = (losses[i + 1] - losses[i]) / alpha + mpmath.log(proposals[i + 1] / proposals[i])
        assert_agree(mpmath.log(weights[i] / weights[i + 1]), odds)
    ours = gibbs_weights(
        torch.tensor([float(x) for x in losses], dtype=torch.float64),
        torch.tensor([float(q) for q in proposals], dtype=torch.float64).log(),
        temperature=0.7,
    )
    for i in range(5):
        assert_agree(ours[i].item(), weights[i], NEAR)


def three_place_mean(function):
    return sum(m * function(x) for x, m in zip(PLACES, MASSES, strict=True))


def three_place_weight(place):
    return RATIOS[PLACES.index(place)]


TARGET = three_place_mean(lambda x: three_place_weight(x) * x) / three_place_mean(
    three_place_weight
)


def moments_of_the_estimate(n):
    """Exact mean and variance of the weighted mean of n draws from three places."""
    first, second = mpf(0), mpf(0)
    for a in range(n + 1):
        for b in range(n - a + 1):
            counts = (a, b, n - a - b)
            chance = mpf(mpmath.factorial(n))
            for count, mass in zip(counts, MASSES, strict=True):
                chance *= mass**count / mpmath.factorial(count)
            weights = [k * r for k, r in zip(counts, RATIOS, strict=True)]
            value = sum(w * x for w, x in zip(weights, PLACES, strict=True)) / sum(weights)
            first, second = first + chance * value, second + chance * value**2
    return first, second - first**2


with mpmath.workdps(30):
    MOMENTS = {n: moments_of_the_estimate(n) for n in (40, 80)}


@pytest.mark.equation("sampling-optimisation-bias")
@high_precision
def test_bias_of_the_weighted_mean():
    """All outcomes of forty and of eighty draws: n times the bias tends to the printed number."""
    printed = formulas.sampling_optimisation_bias(three_place_weight, TARGET, three_place_mean)
    scaled = [n * (MOMENTS[n][0] - TARGET) for n in (40, 80)]
    assert_agree(2 * scaled[1] - scaled[0], printed, 2e-3)
    assert abs(scaled[1] - printed) < 0.6 * abs(scaled[0] - printed)


@pytest.mark.equation("sampling-optimisation-variance")
@high_precision
def test_variance_of_the_weighted_mean():
    """The same outcomes: n times the variance tends to the printed number."""
    printed = formulas.sampling_optimisation_variance(three_place_weight, TARGET, three_place_mean)
    scaled = [n * MOMENTS[n][1] for n in (40, 80)]
    assert_agree(2 * scaled[1] - scaled[0], printed, 2e-3)
    assert abs(scaled[1] - printed) < 0.6 * abs(scaled[0] - printed)


@pytest.mark.equation("sampling-optimisation-effective-size")
@high_precision
def test_effective_size_of_equal_and_of_single_weights():
    """Equal weights count all, a single one counts one, and the library agrees in between."""
    assert_agree(formulas.sampling_optimisation_effective_size([mpf(3)] * 7), 7)
    assert_agree(formulas.sampling_optimisation_effective_size([mpf(0), mpf(2), mpf(0)]), 1)
    weights = draw_unit(6, seed=3)
    ours = effective_sample_size(torch.tensor([float(w) for w in weights], dtype=torch.float64))
    assert_agree(formulas.sampling_optimisation_effective_size(weights), ours.item(), NEAR)


def share_of_draws(target, sigma):
    """One over the mean squared ratio of densities, by quadrature under a normal proposal."""

    def ratio(step):
        return target(step) / mpmath.npdf(step, 0, sigma)

    return 1 / normal_mean(sigma, 2, 5)(lambda step: ratio(step) ** 2)


@pytest.mark.equation("sampling-optimisation-size-limit")
@high_precision
def test_share_of_the_draws_that_count():
    """Counts as expected for three places: the printed share times n is the effective size."""
    printed = formulas.sampling_optimisation_size_limit(three_place_weight, three_place_mean)
    weights = [
        r for r, m in zip(RATIOS, MASSES, strict=True) for _ in range(int(mpmath.nint(10 * m)))
    ]
    assert_agree(printed, sum(weights) ** 2 / sum(w * w for w in weights) / 10, NEAR)


@pytest.mark.equation("sampling-optimisation-displaced")
@mpmath.workdps(20)
def test_share_for_a_displaced_target():
    """Quadrature for two distances and widths; in many dimensions squared distances add."""
    for distance, s in ((mpf("0.7"), mpf(1)), (mpf("1.5"), mpf("1.2"))):
        share = share_of_draws(lambda x, d=distance, s=s: mpmath.npdf(x, d, s), s)
        assert_agree(formulas.sampling_optimisation_displaced(distance, s), share, 1e-9)


@pytest.mark.equation("sampling-optimisation-too-wide")
@mpmath.workdps(20)
def test_share_for_a_target_of_another_width():
    """Quadrature in one dimension, its square in two; narrower and slightly wider targets."""
    for tau, sigma in ((mpf("0.6"), mpf("0.9")), (mpf("1.2"), mpf("1.1"))):
        share = share_of_draws(lambda x, t=tau: mpmath.npdf(x, 0, t), sigma)
        assert_agree(formulas.sampling_optimisation_too_wide(tau, sigma, 1), share, 1e-8)
        assert_agree(formulas.sampling_optimisation_too_wide(tau, sigma, 2), share**2, 1e-8)


@pytest.mark.equation("sampling-optimisation-bounded-size")
@brief
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@high_precision
def test_effective_size_for_losses_in_a_range(losses):
    """No losses in the range go below the bound; the right share of extremes reaches it."""
    alpha, spread = mpf("0.4"), mpf("1.3")
    weights = [mpmath.exp(-spread * mpf(x) / alpha) for x in losses]
    size = sum(weights) ** 2 / sum(w * w for w in weights)
    bound = formulas.sampling_optimisation_bounded_size(len(losses), spread, alpha)
    assert_rising(bound, size)
    # One part of high weight to four of weight a quarter: n = 5, ratio 4 = exp(spread / alpha).
    alpha = spread / mpmath.log(4)
    assert_agree(
        formulas.sampling_optimisation_bounded_size(5, spread, alpha), mpf(4) / (1 + mpf(1) / 4)
    )


@pytest.mark.equation("sampling-optimisation-reach")
@mpmath.workdps(20)
def test_longest_mean_step():
    """Halves of two levels stay below the bound; the best function of all steps reaches it."""
    spread, sigma = mpf("0.8"), mpf("0.7")
    for alpha in (mpf("0.2"), mpf(1), mpf(5)):
        bound = formulas.sampling_optimisation_reach(spread, alpha, sigma)
        for cut in (mpf(-1), mpf(0), mpf("0.6")):
            below = mpmath.ncdf(cut / sigma)
            low = mpmath.exp(-spread / alpha)
            mean = sigma * mpmath.npdf(cut / sigma) * (1 - low) / (low * below + 1 - below)
            assert_rising(mean, bound)
        # The bound is sigma times the largest standard deviation of normalised weights.
        share = 1 / (1 + low) * low
        weights = [1 / low**0.5 * low, 1 / low**0.5]
        centre = (1 - share) * weights[0] + share * weights[1]
        spread_of_weights = (1 - share) * weights[0] ** 2 + share * weights[1] ** 2 - centre**2
        assert_agree(bound, sigma * mpmath.sqrt(spread_of_weights) / centre, NEAR)


@pytest.mark.equation("sampling-optimisation-mixture")
@high_precision
def test_mixture_has_mass_one_and_the_mean_of_its_share():
    """Sums over a grid of three places of two densities."""
    plain, guided = MASSES, [mpf("0.1"), mpf("0.2"), mpf("0.7")]
    mixed = [
        formulas.sampling_optimisation_mixture(a, b, mpf("0.25"))
        for a, b in zip(plain, guided, strict=True)
    ]
    assert_agree(sum(mixed), 1)
    means = [
        sum(m * x for m, x in zip(masses, PLACES, strict=True)) for masses in (plain, guided, mixed)
    ]
    assert_agree(means[2], means[0] + mpf("0.25") * (means[1] - means[0]))


def search(seed=0, share=0.5, loss=lambda theta: theta.square().sum()):
    """A search of a quadratic loss, and the parameters it starts from."""
    theta = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    optimiser = MLEGuidedSearch(
        [theta],
        candidates=6,
        noise=0.4,
        noise_scale="absolute",
        guide_rate=0.3,
        guided_share=share,
        reference="proposal",
        generator=torch.Generator().manual_seed(seed),
    )
    loss(theta).backward()
    return optimiser, theta


@pytest.mark.equation("sampling-optimisation-split")
def test_step_is_a_share_of_the_gradient_and_weighted_noise():
    """The step of `MLEGuidedSearch` entry by entry, with the noise found by subtraction."""
    optimiser, theta = search()
    seen = []

    def closure():
        seen.append(theta.detach().clone())
        return theta.square().sum()

    start = theta.detach().clone()
    found = optimiser.search(closure)
    noises = [
        place - start + 0.3 * theta.grad * bool(guided)
        for place, guided in zip(seen, found.guided, strict=True)
    ]
    for entry in range(3):
        printed = formulas.sampling_optimisation_split(
            found.weights.tolist(),
            [noise[entry].item() for noise in noises],
            found.guided.tolist(),
            0.3,
            theta.grad[entry].item(),
        )
        assert_agree(found.steps[0][entry].item(), printed, NEAR)
    assert 0 < found.guided.sum() < 6


@pytest.mark.equation("sampling-optimisation-noise")
def test_squared_length_of_weighted_noise():
    """All signs of noise of that deviation, in two dimensions, for fixed weights."""
    weights, s = [mpf("0.5"), mpf("0.2"), mpf("0.3")], mpf("0.7")
    lengths = []
    for signs in itertools.product((-1, 1), repeat=6):
        sums = [
            sum(w * s * sign for w, sign in zip(weights, signs[k::2], strict=True)) for k in (0, 1)
        ]
        lengths.append(sums[0] ** 2 + sums[1] ** 2)
    mean = sum(lengths) / len(lengths)
    assert_agree(formulas.sampling_optimisation_noise(weights, s, 2), mean, NEAR)


@pytest.mark.equation("sampling-optimisation-stratified")
@high_precision
def test_fixed_shares_vary_less_by_the_spread_of_the_means():
    """All outcomes of two draws, one from each component or both from the mixture."""
    shares = [mpf("0.5"), mpf("0.5")]
    components = [
        [(mpf(1), mpf("0.4")), (mpf(3), mpf("0.6"))],
        [(mpf(-2), mpf("0.7")), (mpf(0), mpf("0.3"))],
    ]
    means = [sum(x * p for x, p in component) for component in components]
    mixture = [
        (x, p * share) for share, part in zip(shares, components, strict=True) for x, p in part
    ]

    def variance(first, second):
        pairs = [((a + b) / 2, p * q) for a, p in first for b, q in second]
        mean = sum(v * p for v, p in pairs)
        return sum(v * v * p for v, p in pairs) - mean**2

    gap = variance(mixture, mixture) - variance(*components)
    assert_agree(formulas.sampling_optimisation_stratified(shares, means, 2), gap)
    # Shares of a quarter and three quarters, four draws: the variance of one draw splits.
    shares = [mpf("0.25"), mpf("0.75")]
    overall = sum(s * m for s, m in zip(shares, means, strict=True))
    between = sum(s * m * m for s, m in zip(shares, means, strict=True)) - overall**2
    assert_agree(formulas.sampling_optimisation_stratified(shares, means, 4), between / 4)


@pytest.mark.equation("sampling-optimisation-unit-weights")
@mpmath.workdps(20)
def test_weights_by_another_density_aim_elsewhere():
    """Averages with the assumed density in the weights are those of the printed factor."""
    s, alpha = mpf("0.5"), mpf("0.8")

    def loss(step):
        return (step - 1) ** 2

    line = over(-10, -3, 0, 1, 3, 10)

    def mean(factor):
        def weight(step):
            return mpmath.exp(-loss(step) / alpha) * factor(step)

        return line(lambda x: x * weight(x)) / line(weight)

    sampled = normal_mean(s)
    tops = [
        sampled(lambda x, k=k: x**k * mpmath.exp(-loss(x) / alpha) / mpmath.npdf(x, 0, 1))
        for k in (1, 0)
    ]
    printed = mean(
        lambda x: formulas.sampling_optimisation_unit_weights(
            mpmath.npdf(x, 0, s), mpmath.npdf(x, 0, 1)
        )
    )
    assert_agree(printed, tops[0] / tops[1], 1e-9)


@pytest.mark.equation("sampling-optimisation-unit-bound")
@brief
@given(st.floats(0, 2), st.floats(0, 1.5), st.floats(-3.2, 3.2), st.floats(-3.2, 3.2))
@high_precision
def test_unit_densities_of_candidates_are_alike(distance, reach, angle, other):
    """Two candidates within reach of their centres, in the plane, and the worst pair."""
    distance, reach = mpf(distance), mpf(reach)

    def density(x, y):
        own, far = x * x + y * y, (x - distance) ** 2 + y * y
        return (mpmath.exp(-own / 2) + mpmath.exp(-far / 2)) / 2

    bound = formulas.sampling_optimisation_unit_bound(distance, reach)
    first = density(reach * mpmath.cos(angle), reach * mpmath.sin(angle))
    second = density(distance + reach * mpmath.cos(other), reach * mpmath.sin(other))
    assert_rising(max(first / second, second / first), bound)
    worst = density(distance / 2, 0) / density(-reach, 0)
    assert_agree(bound, worst)


@pytest.mark.equation("sampling-optimisation-pooled")
@high_precision
def test_pooled_weights_are_the_geometric_mean():
    """The weights of the mean loss, from logarithms, for two examples and three candidates."""
    losses, alpha = [draw(3, seed=5), draw(3, seed=6)], mpf("0.6")
    pooled = [mpmath.exp(-(a + b) / 2 / alpha) for a, b in zip(*losses, strict=True)]
    for i in range(3):
        printed = formulas.sampling_optimisation_pooled(losses, alpha, i)
        assert_agree(printed, pooled[i] / sum(pooled))


@pytest.mark.equation("sampling-optimisation-each")
@high_precision
def test_weights_of_each_example_averaged():
    """The same losses, and the example of the text, where the two ways choose differently."""
    losses, alpha = [draw(3, seed=5), draw(3, seed=6)], mpf("0.6")
    for i in range(3):
        odds = [1 / sum(mpmath.exp((row[i] - each) / alpha) for each in row) for row in losses]
        printed = formulas.sampling_optimisation_each(losses, alpha, i)
        assert_agree(printed, (odds[0] + odds[1]) / 2)
    # Three examples slightly prefer the first candidate, one strongly the second.
    rows = [[mpf(0), mpf(1)]] * 3 + [[mpf(4), mpf(0)]]
    cold = mpf("0.1")
    assert formulas.sampling_optimisation_each(rows, cold, 0) > 0.7
    assert formulas.sampling_optimisation_pooled(rows, cold, 0) < 0.1


@pytest.mark.equation("sampling-optimisation-batch")
@mpmath.workdps(20)
def test_mean_weight_over_batches():
    """Quadrature over normal batch means: the logarithm of the mean weight is the printed loss."""
    mean, variance, alpha = mpf("1.3"), mpf("0.8"), mpf("0.4")
    for batch in (1, 4):
        s = mpmath.sqrt(variance / batch)
        average = normal_mean(s, -4)(lambda x: mpmath.exp(-(mean + x) / alpha))
        printed = formulas.sampling_optimisation_batch(mean, variance, batch, alpha)
        assert_agree(-alpha * mpmath.log(average), printed, 1e-9)


@pytest.mark.equation("sampling-optimisation-adam")
def test_first_step_of_adam():
    """torch's Adam from zero, for gradients of any size; without the constant only signs count."""
    for gradient in (-3.0, 1e-3, 2e-8):
        theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([theta], lr=0.1, eps=1e-8)
        theta.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        printed = formulas.sampling_optimisation_adam(gradient, 0.1, 1e-8)
        assert abs(theta.item() - printed) < 1e-9


@pytest.mark.equation("sampling-optimisation-adam-noise")
@high_precision
def test_running_mean_of_independent_noise():
    """The squares of the weights of a running mean, summed one by one, for two memories."""
    for memory, terms in ((mpf("0.9"), 1500), (mpf("0.3"), 200)):
        weights = [(1 - memory) * memory**k for k in range(terms)]
        assert_agree(sum(weights), 1)
        printed = formulas.sampling_optimisation_adam_noise(mpf("1.7"), memory)
        assert_agree(printed, mpf("1.7") * sum(w**2 for w in weights))
