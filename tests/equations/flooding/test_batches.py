"""Checks of what is flooded: the mean of all data, of a batch, of a row; sums; regularisers."""

import itertools

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import double
from tests.equations.support import draw_unit

from scispaces.losses import flood, flood_rows

LEVEL = 0.3
DRAWN = [float(value) for value in draw_unit(12, seed=7)]


@pytest.mark.equation("flooding-jensen")
def test_full_batch_mini_batch_and_row():
    """The library gives the three printed values, and they rise."""
    batches = [DRAWN[:4], DRAWN[4:8], DRAWN[8:]]
    rows = double(DRAWN)
    full, batch, row = formulas.flooding_jensen(batches, LEVEL)
    assert flood_rows(rows, LEVEL).loss.item() == pytest.approx(full, rel=1e-12)
    means = [flood_rows(double(part), LEVEL).loss for part in batches]
    assert sum(means).item() / 3 == pytest.approx(batch, rel=1e-12)
    assert flood_rows(rows, LEVEL, by="row").loss.item() == pytest.approx(row, rel=1e-12)
    assert full < batch < row


@pytest.mark.equation("flooding-jensen")
def test_the_three_are_equal_when_all_lie_on_one_side():
    """With every row above the level nothing is reversed."""
    batches = [[0.55, 0.9], [0.7, 0.8]]
    values = formulas.flooding_jensen(batches, LEVEL)
    assert values == pytest.approx([0.7375] * 3, rel=1e-12)


@pytest.mark.equation("flooding-batch-value")
def test_flooded_batches_of_exponential_losses():
    """Quadrature over the gamma distribution of a mean of n losses, with the level at the mean."""
    for size in (1, 3, 8):
        law = stats.gamma(size, scale=0.3 / size)
        grid = np.linspace(0, law.isf(1e-14), 400_001)
        expected = np.trapezoid((abs(grid - 0.3) + 0.3) * law.pdf(grid), grid)
        printed = float(formulas.flooding_batch_value(mpmath.mpf("0.3"), size))
        assert printed == pytest.approx(expected, rel=1e-6)


@pytest.mark.equation("flooding-batch-balance")
def test_derivative_of_the_mean_over_batches():
    """The printed sum is the derivative of the mean flooded loss; one batch is on the level."""
    chances = double([0.2, 0.3, 0.4, 0.1])
    theta = double(0.5).requires_grad_()
    slopes = double([1.0, -0.6, 2.0, 5.0])
    losses = double([0.1, 0.9, 0.6, LEVEL]) + (theta - 0.5) * slopes
    mean = (chances * flood(losses, LEVEL)).sum()
    (expected,) = torch.autograd.grad(mean, theta)
    printed = formulas.flooding_batch_balance(
        chances.tolist(), losses.tolist(), slopes.tolist(), LEVEL
    )
    assert printed == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.equation("flooding-batch-variance")
def test_variance_of_the_loss_of_a_batch():
    """Over all batches of a size, drawn without replacement, it is the printed one; 0 for all."""
    rows = DRAWN[:7]
    for size in (1, 3, 7):
        means = [sum(batch) / size for batch in itertools.combinations(rows, size)]
        printed = formulas.flooding_batch_variance(np.var(rows), len(rows), size)
        assert printed == pytest.approx(np.var(means), rel=1e-9, abs=1e-15)


@pytest.mark.equation("flooding-batch-normal")
def test_mean_distance_of_a_normal_batch_loss_from_the_level():
    """Quadrature over a normal law, with its mean above, on and below the level."""
    for gap in (0.3, 0.0, -0.1):
        law = stats.norm(gap, 0.2)
        grid = np.linspace(gap - 2, gap + 2, 400_001)
        expected = np.trapezoid(abs(grid) * law.pdf(grid), grid)
        printed = float(formulas.flooding_batch_normal(mpmath.mpf(gap), mpmath.mpf("0.2")))
        assert printed == pytest.approx(expected, rel=1e-8)


@pytest.mark.equation("flooding-batch-spread")
def test_mean_distance_with_the_mean_on_the_level():
    """One million normal losses around the level, and the same at another spread."""
    drawn = np.abs(np.random.default_rng(3).normal(size=1_000_000))
    for spread in (0.2, 0.05):
        printed = float(formulas.flooding_batch_spread(mpmath.mpf(spread)))
        assert printed == pytest.approx(spread * drawn.mean(), rel=2e-3)


@pytest.mark.equation("flooding-sum")
def test_flooding_a_sum_is_flooding_the_mean_at_a_lower_level():
    """Both sides agree with the library's flooded sum, above and below the level."""
    for level in (1.0, 6.0, 9.0):
        left, right = formulas.flooding_sum(DRAWN, level)
        expected = flood(double(DRAWN).sum(), level).item()
        assert left == pytest.approx(expected, rel=1e-12)
        assert right == pytest.approx(expected, rel=1e-12)


@pytest.mark.equation("flooding-total")
def test_flooding_data_loss_and_regulariser_together():
    """Where the flooded total is least, on a fine grid, the data loss has the printed value."""
    grid = torch.linspace(0.3, 0.9, 600_001, dtype=torch.float64)
    data, penalty = (grid - 1) ** 2 / 2, 0.1 * grid**2 / 2
    total = flood(data + penalty, 0.06)
    place = int(total.argmin())
    assert total[place].item() == pytest.approx(0.06, abs=1e-6)
    printed = formulas.flooding_total(0.06, penalty[place].item())
    assert data[place].item() == pytest.approx(printed, abs=1e-6)
    alone = flood(data, 0.06) + penalty
    assert data[int(alone.argmin())].item() == pytest.approx(0.06, abs=1e-6)
