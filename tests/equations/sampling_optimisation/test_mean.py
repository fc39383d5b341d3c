"""Checks of the density, its mean, where it exists, and its cold and hot limits."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from tests.equations.sampling_optimisation import formulas
from tests.equations.sampling_optimisation.quadrature import over
from tests.equations.support import assert_agree, assert_rising, brief, draw_unit, high_precision

NEAR = 1e-12
LINE = over(-8, -3, -1, 0, 1, 3, 8)


def tilted(place):
    """Two wells, the left one deeper."""
    return place**4 / 10 - place**2 + 3 * place / 10


def test_losses_of_the_checks_have_no_hidden_flat_place():
    """The tilted loss has the two minima that the checks below assume."""
    roots = [complex(root).real for root in np.roots([0.4, 0, -2, 0.3])]
    assert sorted(round(root, 2) for root in roots) == [-2.31, 0.15, 2.16]


@pytest.mark.equation("sampling-optimisation-density")
@mpmath.workdps(20)
def test_density_integrates_to_one_and_falls_with_the_loss():
    """Total mass one, the printed odds of two steps, and the normaliser by its own integral."""
    theta, alpha = mpf("1.5"), mpf("0.7")

    def density(step):
        return formulas.sampling_optimisation_density(tilted, theta, step, alpha, line)[0]

    line = over(-8, -4, -2, 0, 2, 5)
    grid = np.linspace(-8, 5, 401)
    values = np.array([float(density(mpf(step))) for step in grid[::40]])
    losses = np.array([float(tilted(theta + step)) for step in grid[::40]])
    np.testing.assert_allclose(
        np.log(values) - np.log(values[5]), -(losses - losses[5]) / 0.7, rtol=1e-9
    )
    normaliser = formulas.sampling_optimisation_density(tilted, theta, mpf(0), alpha, line)[1]
    by_sum = np.exp(-(tilted(1.5 + grid) - tilted(1.5)) / 0.7)
    assert_agree(normaliser, float(by_sum.sum() * (grid[1] - grid[0])), 1e-9)
    assert_agree(density(mpf(0)) * normaliser, 1, NEAR)


@pytest.mark.equation("sampling-optimisation-update")
@mpmath.workdps(20)
def test_update_of_a_known_density():
    """The printed integral is the mean of a gamma density on the half-line."""
    mean = formulas.sampling_optimisation_update(
        lambda step: step**2 * mpmath.exp(-step) / 2, over(0, 2, 5, 20, 80)
    )
    assert_agree(mean, 3, NEAR)


@pytest.mark.equation("sampling-optimisation-one-step")
@mpmath.workdps(20)
def test_every_start_arrives_at_the_same_place():
    """Start plus the mean step under the density of the step is the printed mean, wherever."""
    alpha = mpf("0.5")
    expected = formulas.sampling_optimisation_one_step(tilted, alpha, LINE)
    for theta in (mpf("-2"), mpf("0.3"), mpf("1.5")):
        line = over(*(place - theta for place in (-8, -3, -1, 0, 1, 3, 8)))
        weights = line(lambda step, at=theta: mpmath.exp(-(tilted(at + step) - tilted(at)) / alpha))
        top = line(
            lambda step, at=theta: step * mpmath.exp(-(tilted(at + step) - tilted(at)) / alpha)
        )
        assert_agree(theta + top / weights, expected, NEAR)


@pytest.mark.equation("sampling-optimisation-tails")
@mpmath.workdps(20)
def test_normaliser_of_a_loss_that_grows_like_a_logarithm():
    """The gamma functions equal the radial integral, and the integral grows on at the edge."""
    for d, growth, alpha in ((1, mpf(3), mpf("0.8")), (3, mpf(4), mpf("0.9")), (2, mpf(5), mpf(1))):
        sphere = 2 * mpmath.pi ** (mpf(d) / 2) / mpmath.gamma(mpf(d) / 2)

        def radial(r, d=d, growth=growth, alpha=alpha):
            return r ** (d - 1) * (1 + r**2) ** (-growth / (2 * alpha))

        total = sphere * mpmath.quad(radial, [0, 1, 10, mpmath.inf])
        assert_agree(formulas.sampling_optimisation_tails(growth, alpha, mpf(d)), total, 1e-10)
    # At growth = alpha * d each factor of ten adds the same: the integral has no end.
    pieces = [mpmath.quad(lambda r: 1 / mpmath.sqrt(1 + r**2), [a, 10 * a]) for a in (1e3, 1e4)]
    assert_agree(pieces[0], pieces[1], 1e-6)
    assert pieces[0] > 2


@pytest.mark.equation("sampling-optimisation-bounded")
@mpmath.workdps(20)
def test_bounded_loss_has_no_normaliser():
    """The integral over a ball is at least the bound, equal for a constant, and the bound grows."""
    alpha = mpf("0.3")
    for radius in (1, 5, 20):
        for loss in (lambda place: mpmath.sin(place) ** 2, lambda place: mpf(1)):
            integral = mpmath.quad(
                lambda step, loss=loss: mpmath.exp(-loss(step) / alpha),
                mpmath.linspace(-radius, radius, 2 * radius + 1),
            )
            bound = formulas.sampling_optimisation_bounded(1, alpha, mpf(radius), 1, 2)
            assert_rising(bound, integral)
        assert_agree(bound, integral, NEAR)  # of the constant loss
    cube = formulas.sampling_optimisation_bounded(1, alpha, mpf(2), 3, 4 * mpmath.pi / 3)
    assert_agree(cube, mpmath.exp(-1 / alpha) * 32 * mpmath.pi / 3, NEAR)


@pytest.mark.equation("sampling-optimisation-reference")
@high_precision
def test_mean_against_a_reference_of_three_steps():
    """The printed quotient is the mean of the re-weighted probabilities."""
    steps, masses = [mpf(-1), mpf(2), mpf("0.5")], [mpf("0.2"), mpf("0.5"), mpf("0.3")]
    theta, alpha = mpf("0.4"), mpf("0.6")
    weights = [
        m * mpmath.exp(-tilted(theta + s) / alpha) for s, m in zip(steps, masses, strict=True)
    ]
    shares = [w / sum(weights) for w in weights]
    expected = sum(share * s for share, s in zip(shares, steps, strict=True))

    def mean(function):
        return sum(m * function(s) for s, m in zip(steps, masses, strict=True))

    assert_agree(formulas.sampling_optimisation_reference(tilted, theta, alpha, mean), expected)


@pytest.mark.equation("sampling-optimisation-variational")
@brief
@given(st.integers(0, 10**6))
@high_precision
def test_gibbs_density_minimises_cost_plus_divergence(seed):
    """No trial density is below the left side, and the Gibbs density reaches it."""
    loss, alpha = [3 * x for x in draw_unit(4, seed)], mpf("0.7")
    raw, other = draw_unit(4, seed + 1), draw_unit(4, seed + 2)
    reference = [x / sum(raw) for x in raw]
    trial = [x / sum(other) for x in other]
    left, right = formulas.sampling_optimisation_variational(loss, alpha, reference, trial)
    assert_rising(left, right)
    weights = [m * mpmath.exp(-x / alpha) for m, x in zip(reference, loss, strict=True)]
    gibbs = [w / sum(weights) for w in weights]
    assert_agree(*formulas.sampling_optimisation_variational(loss, alpha, reference, gibbs))
    assert_agree(left, -alpha * mpmath.log(sum(weights)))


@pytest.mark.equation("sampling-optimisation-concentration")
@mpmath.workdps(20)
def test_distance_from_the_global_minimiser():
    """The bound holds for falling temperatures, comes down to the radius, and is this number."""
    place = mpmath.findroot(lambda x: 4 * x**3 / 10 - 2 * x + mpf(3) / 10, -2.3)
    least = tilted(place)
    radius, start = mpf("0.5"), mpf("0.5")
    gap = min(tilted(place + radius), tilted(place - radius), tilted(mpf("2.157"))) - least
    inner = mpf("0.2")
    assert max(tilted(place + inner), tilted(place - inner)) <= least + gap / 2

    def outside(x):
        return abs(x - place) * mpmath.exp(-(tilted(x) - least) / start)

    moment = mpmath.quad(outside, [-9, -4, place - radius]) + mpmath.quad(
        outside, [place + radius, 0, 1, 2, 3, 9]
    )
    bounds = []
    for alpha in (mpf("0.5"), mpf("0.2"), mpf("0.1"), mpf("0.02")):
        top, bottom = (
            LINE(lambda x, k=k, a=alpha: x**k * mpmath.exp(-(tilted(x) - least) / a))
            for k in (1, 0)
        )
        bounds.append(
            formulas.sampling_optimisation_concentration(
                radius, gap, alpha, start, moment, 2 * inner
            )
        )
        assert_rising(abs(top / bottom - place), bounds[-1])
    assert bounds == sorted(bounds, reverse=True)
    assert_agree(bounds[-1], radius, 1e-3)
    excess = (bounds[0] - radius) / (moment / (2 * inner))
    assert_agree(excess, mpmath.exp(gap / (2 * start)), NEAR)  # at alpha = start
    assert_agree((bounds[1] - radius) / (bounds[0] - radius), mpmath.exp(-gap * mpf("1.5")), NEAR)


def narrow_and_wide(place):
    """A narrow well at -1, a tenth deeper, and a wide one at 1; smooth where they meet."""
    u, v = (place + 1) ** 2, (place - 1) ** 2
    left, right = 20 * u + 30 * u**2, v + v**2 / 2 + mpf("0.1")
    return -mpmath.log(mpmath.exp(-40 * left) + mpmath.exp(-40 * right)) / 40


@pytest.mark.equation("sampling-optimisation-wells")
@mpmath.workdps(20)
def test_share_of_a_well_is_depth_times_width():
    """Quadrature over the left well approaches the printed share with the temperature."""
    errors = []
    for alpha in (mpf("0.02"), mpf("0.01")):
        shares = [
            mpmath.quad(lambda x, a=alpha: mpmath.exp(-narrow_and_wide(x) / a), places)
            for places in ([-3, -1.3, -1, -0.7], [-0.7, 0, 1, 2, 5])
        ]
        printed = formulas.sampling_optimisation_wells(
            [mpf(0), mpf("0.1")], [mpf(40), mpf(2)], alpha, 0
        )
        errors.append(abs(shares[1] / shares[0] / ((1 - printed) / printed) - 1))
    assert errors[0] < 2e-2
    assert errors[0] / 3 < errors[1] < errors[0] / 1.5
    assert_agree(formulas.sampling_optimisation_wells([0, 0], [4, 1], 1, 0), mpf(1) / 3, NEAR)


@pytest.mark.equation("sampling-optimisation-crossover")
@high_precision
def test_temperature_at_which_wide_beats_deep():
    """At the printed temperature depth over temperature offsets half the log of the widths."""
    deep, wide = (mpf("-0.3"), mpf(40)), (mpf("0.5"), mpf(3))
    alpha = formulas.sampling_optimisation_crossover(deep, wide)
    logarithms = [-depth / alpha - mpmath.log(curve) / 2 for depth, curve in (deep, wide)]
    assert_agree(*logarithms)
    assert alpha > 0


@pytest.mark.equation("sampling-optimisation-plateau")
@mpmath.workdps(20)
def test_mean_of_a_plateau_is_its_centroid():
    """A loss with two flat bottoms of lengths one and three, at a low temperature."""

    def inside(place):
        return mpf(-2 <= place <= -1 or 1 <= place <= 4)

    def loss(place):
        return 1 - inside(place)

    line = over(-6, -2, -1, 1, 4, 6)
    centroid = formulas.sampling_optimisation_plateau(inside, line)
    assert_agree(centroid, mpf(-3) / 8 + mpf(15) / 8, NEAR)
    cold = [line(lambda x, k=k: x**k * mpmath.exp(-loss(x) / mpf("0.02"))) for k in (1, 0)]
    assert_agree(cold[0] / cold[1], centroid, 1e-15)
    assert loss(centroid) == 0
    assert loss(mpf(0)) == 1


@pytest.mark.equation("sampling-optimisation-hot")
@high_precision
def test_hot_update_is_minus_the_covariance():
    """Temperature times update approaches the printed number, for a reference off centre."""
    steps, masses = [mpf(-1), mpf(2), mpf("0.5")], [mpf("0.2"), mpf("0.5"), mpf("0.3")]
    theta = mpf("0.4")

    def mean(function):
        return sum(m * function(s) for s, m in zip(steps, masses, strict=True))

    printed = formulas.sampling_optimisation_hot(tilted, theta, mean)
    for alpha in (mpf(10) ** 3, mpf(10) ** 6):
        top, bottom = (
            mean(lambda s, k=k, a=alpha: s**k * mpmath.exp(-tilted(theta + s) / a)) for k in (1, 0)
        )
        error = alpha * (top / bottom - mean(lambda s: s)) - printed
        assert abs(error) < 20 / alpha
