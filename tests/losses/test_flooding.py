"""Flooding: values, gradients, what is flooded, and the two-step picture behind it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scispaces.losses import flood, flood_rows

quietly = settings(deadline=None)  # the first call of a torch function is slow
losses = st.floats(0, 1e6)
levels = st.floats(0, 1e3)
rows = st.lists(losses, min_size=1, max_size=9)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def with_gradient(function, value, *arguments, **options):
    value = value.detach().clone().requires_grad_()
    flooded = function(value, *arguments, **options)
    flooded = getattr(flooded, "loss", flooded)
    return flooded.detach(), torch.autograd.grad(flooded.sum(), value)[0]


@quietly
@given(losses, levels)
def test_value_and_gradient_are_those_of_the_definition(loss, level):
    value, gradient = with_gradient(flood, double(loss), level)
    assert value.item() == pytest.approx(abs(loss - level) + level, rel=1e-15)
    assert gradient.item() == (loss > level) - (loss < level)
    assert value >= level


def test_at_the_level_the_gradient_is_zero():
    value, gradient = with_gradient(flood, double(0.25), 0.25)
    assert (value.item(), gradient.item()) == (0.25, 0)


def test_flooding_is_not_clamping():
    """Below the level max(L, b) has no gradient; flooding has that of -L."""
    below = double(0.1).requires_grad_()
    (clamped,) = torch.autograd.grad(below.clamp_min(0.3), below)
    _, flooded = with_gradient(flood, below, 0.3)
    assert (clamped.item(), flooded.item()) == (0, -1)


def test_level_zero_is_no_flooding():
    loss = double([0.0, 1e-300, 0.5, 1e300])
    value, gradient = with_gradient(flood, loss, 0.0)
    assert torch.equal(value, loss)
    assert gradient.tolist() == [0, 1, 1, 1]


def test_extremes():
    loss = torch.tensor([0.0, math.inf, math.nan])
    value, _ = with_gradient(flood, loss, 0.5)
    assert value[:2].tolist() == [1.0, math.inf]
    assert value[2].isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    loss = torch.tensor([0.1, 0.7], dtype=dtype)
    value, gradient = with_gradient(flood, loss, 0.3)
    assert value.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    assert gradient.dtype is dtype
    torch.testing.assert_close(value.double(), (loss.double() - 0.3).abs() + 0.3, rtol=1e-6, atol=0)


# Batch and rows


@quietly
@given(rows, levels)
def test_by_batch_is_at_most_by_row(values, level):
    """Jensen's inequality; equal when all rows lie on one side of the level."""
    batch, raw = flood_rows(double(values), level)
    row, same = flood_rows(double(values), level, by="row")
    assert raw == same
    assert batch <= row * (1 + 1e-12)
    if min(values) >= level or max(values) <= level:
        torch.testing.assert_close(batch, row, rtol=1e-12, atol=1e-9)


@quietly
@given(rows, levels)
def test_the_definition_of_both(values, level):
    mean = math.fsum(values) / len(values)
    batch = flood_rows(double(values), level).loss.item()
    assert batch == pytest.approx(abs(mean - level) + level, rel=1e-12)
    row = flood_rows(double(values), level, by="row").loss.item()
    expected = math.fsum(abs(each - level) + level for each in values) / len(values)
    assert row == pytest.approx(expected, rel=1e-12)


def test_scores_of_which_only_one_is_below_the_level():
    """By batch both examples descend, by row the first one ascends."""
    loss = double([0.2, 1.0])
    assert with_gradient(flood_rows, loss, 0.5)[1].tolist() == [0.5, 0.5]
    assert with_gradient(flood_rows, loss, 0.5, by="row")[1].tolist() == [-0.5, 0.5]


def test_reductions():
    loss = double([0.2, 1.0, 0.4])
    for by in ("batch", "row"):
        mean, total = (flood_rows(loss, 0.6, by=by, reduction=r) for r in ("mean", "sum"))
        torch.testing.assert_close(total.loss, 3 * mean.loss)
        torch.testing.assert_close(total.raw, loss.sum())
    none = flood_rows(loss, 0.6, by="row", reduction="none")
    torch.testing.assert_close(none.loss, flood(loss, 0.6))
    assert torch.equal(none.raw, loss)
    empty = flood_rows(torch.empty(0), 0.6, by="row", reduction="sum")
    assert (empty.loss, empty.raw) == (0, 0)


def test_raw_is_what_came_in_and_has_no_gradient():
    loss = double([0.2, 0.1]).requires_grad_()
    flooded, raw = flood_rows(loss, 0.5)
    assert raw.item() == pytest.approx(0.15)
    assert flooded.item() == pytest.approx(0.85)
    assert flooded.requires_grad
    assert not raw.requires_grad


@pytest.mark.parametrize("level", [-0.1, math.inf, math.nan])
def test_bad_levels(level):
    with pytest.raises(ValueError, match=r"`level` must be at least 0 and finite\. Got"):
        flood(torch.ones(2), level)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match=r"`loss` must be a floating-point tensor\. Got float\."):
        flood(0.5, 0.1)
    with pytest.raises(TypeError, match=r"`losses` must be a floating-point tensor\. Got dtype to"):
        flood_rows(torch.tensor([1]), 0.1)
    with pytest.raises(ValueError, match=r"`by` must be 'batch' or 'row'\. Got 'epoch'\."):
        flood_rows(torch.ones(2), 0.1, by="epoch")
    with pytest.raises(ValueError, match=r"`reduction` must be 'mean', 'sum' or 'none'\. Got 'x'"):
        flood_rows(torch.ones(2), 0.1, reduction="x")
    with pytest.raises(ValueError, match=r"must be 'mean' or 'sum' to flood by batch\. Got 'none'"):
        flood_rows(torch.ones(2), 0.1, reduction="none")
    with pytest.raises(ValueError, match=r"`losses` must hold at least one row\. Got shape \(0,\)"):
        flood_rows(torch.ones(0), 0.1, reduction="sum")


# What it does to a descent


def test_a_step_down_and_a_step_up_on_a_parabola():
    """With rate e on c x^2 / 2 the pair multiplies by 1 - e^2 c^2: gradient-penalty descent."""
    rate, curvature = 0.1, 3.0
    x = double(1.0)
    for sign in (1, -1):
        _, gradient = with_gradient(lambda x: curvature * x**2 / 2, x)
        x = x - sign * rate * gradient
    assert x.item() == pytest.approx(1 - rate**2 * curvature**2, rel=1e-15)


def test_a_flooded_descent_stays_at_the_level_and_moves_on():
    """On x^2 (1 + y^2) / 2 the raw loss hovers about b while |y| falls; plain descent stops."""

    def loss(point):
        return point[0] ** 2 * (1 + point[1] ** 2) / 2

    points, fractions = {}, []
    for level in (0.0, 0.05):
        point = double([0.7, 1.3])
        for _ in range(2000):
            fractions.append((loss(point) < level).item())
            _, gradient = with_gradient(lambda p, b=level: flood(loss(p), b), point)
            point = point - 0.05 * gradient
        points[level] = point
    assert abs(points[0.0][0]) < 1e-6
    assert points[0.0][1].item() == pytest.approx(1.172, abs=2e-3)
    assert abs(loss(points[0.05]).item() - 0.05) < 0.02
    assert points[0.05][1] < 1.1
    assert not any(fractions[:2000])
    assert sum(fractions[2000:]) / 2000 == pytest.approx(0.52, abs=0.03)
