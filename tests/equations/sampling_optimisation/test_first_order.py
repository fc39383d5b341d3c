"""Checks of the linear loss: the ball, the ratio of Bessel functions, clipping, other regions."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from tests.equations.sampling_optimisation import formulas
from tests.equations.sampling_optimisation.quadrature import over
from tests.equations.support import assert_agree, assert_rising, brief, high_precision

from scispaces.optim import bessel_ratio, clip_factor, gibbs_ball_step

NEAR = 1e-12
dimensions = st.integers(1, 400)
arguments = st.floats(1e-3, 1e3)


def exact_ratio(d, x):
    """The ratio by mpmath's own Bessel functions."""
    return mpmath.besseli(mpf(d) / 2 + 1, x) / mpmath.besseli(mpf(d) / 2, x)


def along(d, x, function):
    """Integral over the ball of radius one of a function of t = <step, g> / (radius |g|)."""
    slab = mpmath.pi ** (mpf(d - 1) / 2) / mpmath.gamma(mpf(d + 1) / 2)
    return slab * mpmath.quad(
        lambda t: function(t) * mpmath.exp(-x * t) * (1 - t * t) ** (mpf(d - 1) / 2), [-1, 0, 1]
    )


@pytest.mark.equation("sampling-optimisation-no-normaliser")
@mpmath.workdps(20)
def test_linear_loss_has_no_normaliser_on_the_whole_space():
    """The printed integral over a cube is the quadrature's, and grows without end."""
    gradient, alpha = [mpf("0.7"), mpf("-1.2")], mpf("0.5")
    values = []
    for side in (mpf(1), mpf(3), mpf(9)):
        line = over(-side, 0, side)
        expected = 1
        for g in gradient:
            expected *= line(lambda step, g=g: mpmath.exp(-g * step / alpha))
        values.append(formulas.sampling_optimisation_no_normaliser(gradient, alpha, side))
        assert_agree(values[-1] / expected, 1, NEAR)
    assert values[1] > 50 * values[0]
    assert values[2] > 50 * values[1]


@pytest.mark.equation("sampling-optimisation-ball-normaliser")
@mpmath.workdps(20)
def test_normaliser_on_the_ball():
    """The Bessel function equals the integral over slabs, the volume near x = 0."""
    for d in (1, 2, 3, 6):
        for x in (mpf("0.3"), mpf(4)):
            printed = formulas.sampling_optimisation_ball_normaliser(mpf("1.7"), mpf(d), x)
            assert_agree(printed, mpf("1.7") ** d * along(d, x, lambda t: 1), NEAR)
    near = formulas.sampling_optimisation_ball_normaliser(mpf(2), mpf(3), mpf(10) ** -9)
    assert_agree(near, 4 * mpmath.pi / 3 * 8, NEAR)


@pytest.mark.equation("sampling-optimisation-log-partition")
@mpmath.workdps(20)
def test_mean_is_the_slope_of_the_log_normaliser():
    """For three steps with masses, any gradient: minus alpha times the slope is the mean."""
    steps, masses, alpha = [mpf(-2), mpf(1), mpf(3)], [mpf("0.5"), mpf("0.3"), mpf("0.2")], mpf(2)

    def weights(g):
        return [m * mpmath.exp(-g * s / alpha) for s, m in zip(steps, masses, strict=True)]

    for g in (mpf("0.4"), mpf("-1.1")):
        slope = mpmath.diff(lambda g: mpmath.log(sum(weights(g))), g)
        mean = sum(w * s for w, s in zip(weights(g), steps, strict=True)) / sum(weights(g))
        assert_agree(formulas.sampling_optimisation_log_partition(alpha, slope), mean, NEAR)


@pytest.mark.equation("sampling-optimisation-ball-step")
@mpmath.workdps(20)
def test_step_on_the_ball():
    """The printed step has the length of the integral over slabs and points against g."""
    radius, alpha = mpf("0.8"), mpf("0.3")
    for gradient in ([mpf("0.9")], [mpf(1), mpf(-2)], [mpf("0.3"), mpf(0), mpf("-0.4"), mpf(1)]):
        d, norm = len(gradient), mpmath.norm(gradient)
        x = radius * norm / alpha
        mean = along(d, x, lambda t: t) / along(d, x, lambda t: 1)
        printed = formulas.sampling_optimisation_ball_step(gradient, radius, alpha)
        for entry, g in zip(printed, gradient, strict=True):
            assert_agree(entry, radius * mean * g / norm, NEAR)


@pytest.mark.equation("sampling-optimisation-ball-step")
def test_library_step_equals_the_printed_one():
    """`gibbs_ball_step` agrees for two gradients, radii and temperatures."""
    for radius, alpha in ((0.5, 0.1), (2.0, 7.0)):
        for gradient in ([0.3, -2.0, 1.0], [5.0]):
            ours = gibbs_ball_step(torch.tensor(gradient, dtype=torch.float64), radius, alpha)
            printed = formulas.sampling_optimisation_ball_step(
                [mpf(g) for g in gradient], mpf(radius), mpf(alpha)
            )
            for a, b in zip(ours.tolist(), printed, strict=True):
                assert_agree(a, b, NEAR)


@pytest.mark.equation("sampling-optimisation-langevin")
@mpmath.workdps(20)
def test_interval_has_the_function_of_langevin():
    """The mean over an interval by quadrature, and the library's step, in one dimension."""
    radius, alpha = mpf("1.5"), mpf("0.6")
    for g in (mpf("-1.3"), mpf("0.4")):
        top, bottom = (
            over(-radius, 0, radius)(lambda s, k=k, g=g: s**k * mpmath.exp(-g * s / alpha))
            for k in (1, 0)
        )
        printed = formulas.sampling_optimisation_langevin(g, radius, alpha)
        assert_agree(printed, top / bottom, NEAR)
        ours = gibbs_ball_step(torch.tensor([float(g)], dtype=torch.float64), 1.5, 0.6)
        assert_agree(printed, ours.item(), NEAR)


@pytest.mark.equation("sampling-optimisation-recursion")
@high_precision
def test_two_dimensions_more_give_the_ratio():
    """The recursion with the Bessel functions themselves."""
    for d, x in ((1, mpf("0.2")), (4, mpf(7)), (25, mpf(60))):
        printed = formulas.sampling_optimisation_recursion(d, x, exact_ratio(d + 2, x))
        assert_agree(printed, exact_ratio(d, x))


@pytest.mark.equation("sampling-optimisation-spread")
@mpmath.workdps(20)
def test_slope_of_the_ratio_is_the_variance_along_the_gradient():
    """Three ways to one number: printed, differentiated, and integrated over slabs."""
    for d, x in ((1, mpf("0.7")), (3, mpf(5)), (8, mpf(2))):
        printed = formulas.sampling_optimisation_spread(d, x, exact_ratio(d, x))
        total, first, second = (along(d, x, lambda t, k=k: t**k) for k in range(3))
        assert_agree(printed, second / total - (first / total) ** 2, NEAR)
        assert_agree(printed, mpmath.diff(lambda x, d=d: exact_ratio(d, x), x), 1e-10)
        assert printed > 0


@pytest.mark.equation("sampling-optimisation-across")
@mpmath.workdps(20)
def test_variance_across_the_gradient():
    """A direction across shares what the ball leaves beside t with the other ones across."""
    radius = mpf("1.4")
    for d, x in ((2, mpf("0.7")), (3, mpf(5)), (8, mpf(2))):
        total = along(d, x, lambda t: 1)
        across = along(d, x, lambda t, d=d: (1 - t * t) / (d + 1)) / total
        printed = formulas.sampling_optimisation_across(x, exact_ratio(d, x), radius)
        assert_agree(printed, radius**2 * across, NEAR)


@pytest.mark.equation("sampling-optimisation-bounds")
@brief
@given(dimensions, arguments)
@high_precision
def test_ratio_lies_between_two_square_roots(d, x):
    """The bounds hold for random dimensions and arguments; each is the other one step down."""
    x = mpf(x)
    low, ratio, high = formulas.sampling_optimisation_bounds(mpf(d), x, exact_ratio(d, x))
    assert low < ratio < high
    # The upper is where the variance would vanish; the lower the recursion of the next upper.
    assert_agree(1 - high**2 - (d + 1) * high / x, 0, 1e-35)
    above = formulas.sampling_optimisation_bounds(mpf(d + 2), x, 0)[2]
    assert_agree(low, x / (d + 2 + x * above), 1e-35)


@pytest.mark.equation("sampling-optimisation-hot-limit")
@brief
@given(dimensions, arguments)
@high_precision
def test_ratio_near_zero(d, x):
    """The bounds hold everywhere, and near zero the lower one is right to the third power."""
    x = mpf(x)
    low, ratio, high = formulas.sampling_optimisation_hot_limit(d, x, exact_ratio(d, x))
    assert low < ratio < high
    x = mpf(10) ** -4
    low, ratio, high = formulas.sampling_optimisation_hot_limit(d, x, exact_ratio(d, x))
    assert (ratio - low) / ratio < x**4
    assert_agree((high - ratio) / ratio / x**2, 1 / mpf((d + 2) * (d + 4)), 1e-7)


@pytest.mark.equation("sampling-optimisation-cold-limit")
@high_precision
def test_ratio_far_out():
    """The error of the printed terms falls with the third power of the argument."""
    for d in (1, 2, 5, 30):
        errors = [
            abs(formulas.sampling_optimisation_cold_limit(d, x) - exact_ratio(d, x)) * x**3
            for x in (mpf(10) ** 5, mpf(10) ** 6)
        ]
        assert errors[0] < d**3
        assert abs(errors[1] - errors[0]) < d**4 * mpf(10) ** -4
    # For d = 1 and x beyond rounding the third term is all that is left of Langevin's function.
    x = mpf(50)
    assert_agree(formulas.sampling_optimisation_cold_limit(1, x), exact_ratio(1, x), 1e-40)


@pytest.mark.equation("sampling-optimisation-soft-hard")
@brief
@given(dimensions, arguments)
@high_precision
def test_step_lies_between_soft_and_hard_clipping(d, x):
    """The order holds for random dimensions; the outer terms are the clipping chapter's own."""
    x, threshold = mpf(x), mpf("0.7")
    norm = x / (d + 2) * threshold
    soft, ratio, hard = formulas.sampling_optimisation_soft_hard(norm, threshold, exact_ratio(d, x))
    assert soft < ratio < hard
    for printed, form in ((soft, "soft"), (hard, "hard")):
        factor = clip_factor(torch.tensor(float(norm), dtype=torch.float64), 0.7, form=form)
        assert_agree(printed, norm / threshold * factor.item(), NEAR)


@pytest.mark.equation("sampling-optimisation-soft-gap")
@brief
@given(dimensions, arguments)
@high_precision
def test_step_over_the_soft_step(d, x):
    """The bound holds for random dimensions, and is nearly reached in ten thousand of them."""
    x, threshold = mpf(x), mpf("0.7")
    norm = x / (d + 2) * threshold
    terms = formulas.sampling_optimisation_soft_gap(d, norm, threshold, exact_ratio(d, x))
    assert terms[0] < terms[1] < terms[2]


@pytest.mark.equation("sampling-optimisation-soft-gap")
@high_precision
def test_largest_step_over_the_soft_step():
    """The two parts of the bound are the maxima of the two parts of the upper root's quotient."""
    for d in (1, 4, 30):
        c = mpf(d + 1) / 2
        first = max((2 + s) / (1 + mpmath.sqrt(1 + s**2)) for s in (mpf(4) / 3, mpf(1), mpf(2)))
        second = 1 / (2 * c)
        bound = formulas.sampling_optimisation_soft_gap(mpf(d), 1, 1, 1)[2]
        assert_agree(bound, first + second)
    d = 10**4
    x = torch.tensor([2 * (d + 2) / 3], dtype=torch.float64)
    ratio = mpf(bessel_ratio(d / 2, x).item())
    low, middle, high = formulas.sampling_optimisation_soft_gap(d, mpf(2) / 3, 1, ratio)
    assert low == 1
    assert 0 < high - middle < 1e-3


@pytest.mark.equation("sampling-optimisation-large-dimension")
@brief
@given(dimensions, arguments)
@high_precision
def test_square_root_is_right_to_one_part_in_the_dimension(d, x):
    """The order holds for random dimensions, and near zero the last sign is almost equality."""
    threshold = mpf("0.7")
    for argument in (mpf(x), mpf(10) ** -8):
        norm = 2 * argument / (d + 1) * threshold
        terms = formulas.sampling_optimisation_large_dimension(
            mpf(d), norm, threshold, exact_ratio(d, argument)
        )
        assert terms[0] < terms[1] < terms[2]
    assert_agree(terms[1] / terms[2], 1, 1e-12)


@pytest.mark.equation("sampling-optimisation-limit-form")
@brief
@given(arguments)
@high_precision
def test_limit_form_is_within_a_quarter_of_soft_clipping(s):
    """The order holds, with equality on the right at four thirds and on the left at both ends."""
    assert_rising(*formulas.sampling_optimisation_limit_form(mpf(s), mpf("0.7")))
    _, middle, high = formulas.sampling_optimisation_limit_form(mpf(4) / 3 * 7, mpf(7))
    assert_agree(middle, high)
    assert_agree(middle, mpf(1) / 2)
    for place in (mpf(10) ** -30, mpf(10) ** 30):
        low, middle, _ = formulas.sampling_optimisation_limit_form(place, mpf(1))
        assert_agree(low / middle, 1, 1e-25)
    kink = formulas.sampling_optimisation_limit_form(mpf(2), mpf(1))[1]
    assert_agree(kink, (mpmath.sqrt(5) - 1) / 2)


@pytest.mark.equation("sampling-optimisation-kink")
@high_precision
def test_soft_step_is_no_mean():
    """One-sided second differences of the soft step at zero; that of a mean is continuous."""
    threshold, h = mpf("0.7"), mpf(10) ** -15

    def soft(t):
        return threshold * t / (abs(t) + threshold)

    sides = [
        (soft(2 * h * sign) - 2 * soft(h * sign) + soft(mpf(0))) / h**2
        for sign in (mpf(1), mpf(-1))
    ]
    for side, printed in zip(sides, formulas.sampling_optimisation_kink(threshold), strict=True):
        assert_agree(side, printed, NEAR)

    def ball(t):
        return exact_ratio(3, t)

    assert abs(ball(2 * h) - 2 * ball(h)) / h**2 < 1e-12


@pytest.mark.equation("sampling-optimisation-clipping-references")
@mpmath.workdps(20)
def test_references_whose_cold_mean_is_clipped():
    """Slopes balance the gradient at the clipped lengths, and a cold mean is nearly there."""
    radius, threshold = mpf("0.8"), mpf("0.5")

    def exponents(length):
        return formulas.sampling_optimisation_clipping_references(length, radius, threshold)

    assert exponents(mpf(0)) == (0, 0)
    for norm in (mpf("0.1"), mpf("0.4"), mpf(2)):
        lengths = (radius * min(norm / threshold, 1), radius * norm / (norm + threshold))
        for form, length in enumerate(lengths):
            at = min(length, radius * (1 - mpf(10) ** -9))
            slope = mpmath.diff(lambda y, form=form: exponents(y)[form], at, direction=-1)
            if length < radius:
                assert_agree(slope, norm, 1e-8)
            else:
                assert slope < norm  # on the edge the gradient still pushes outwards
    # On a line, the mean at a low temperature; for the soft form the density is zero at the ends.
    g, alpha = mpf("0.4"), mpf("2e-4")
    for form, length in enumerate((radius * g / threshold, radius * g / (g + threshold))):

        def density(s, form=form, length=length):
            shift = exponents(length)[form] - g * length
            return mpmath.exp(-(g * s + exponents(abs(s))[form] - shift) / alpha)

        spread = over(*(-length + x / 20 for x in (-2, -1, 0, 1, 2)))
        mean = spread(lambda s, density=density: s * density(s)) / spread(density)
        assert_agree(mean, -length, 2e-3)


@pytest.mark.equation("sampling-optimisation-box")
@mpmath.workdps(20)
def test_step_on_the_cube_goes_entry_by_entry():
    """The mean over a square by quadrature along each axis; cold, it is the sign."""
    gradient, radius, alpha = [mpf("-1.3"), mpf("0.4")], mpf("1.5"), mpf("0.6")
    for g, printed in zip(
        gradient, formulas.sampling_optimisation_box(gradient, radius, alpha), strict=True
    ):
        top, bottom = (
            over(-radius, 0, radius)(lambda s, k=k, g=g: s**k * mpmath.exp(-g * s / alpha))
            for k in (1, 0)
        )
        assert_agree(printed, top / bottom, NEAR)
    cold = formulas.sampling_optimisation_box(gradient, radius, mpf(10) ** -15)
    assert_agree(cold[0], radius, 1e-12)
    assert_agree(cold[1], -radius, 1e-12)


@pytest.mark.equation("sampling-optimisation-gaussian-linear")
@mpmath.workdps(20)
def test_step_against_a_normal_reference_is_gradient_descent():
    """The mean by quadrature is minus sigma^2 / alpha times the gradient at two temperatures."""
    sigma = mpf("0.8")
    for alpha in (mpf("0.5"), mpf(3)):
        for g in (mpf("-1.1"), mpf("0.3")):
            top, bottom = (
                over(-20, -3, 0, 3, 20)(
                    lambda s, k=k, g=g, a=alpha: (
                        s**k * mpmath.exp(-g * s / a) * mpmath.npdf(s, 0, sigma)
                    )
                )
                for k in (1, 0)
            )
            printed = formulas.sampling_optimisation_gaussian_linear([g, 2 * g], sigma, alpha)
            assert_agree(printed[0], top / bottom, NEAR)
            assert_agree(printed[1], 2 * top / bottom, NEAR)
