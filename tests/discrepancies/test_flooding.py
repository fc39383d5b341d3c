"""Checks of the entries of the register that belong to the chapter `flooding`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import math

import numpy as np
import pytest
import torch

from scispaces.losses import flood, flood_rows


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def flips(size, share, *, sliced):
    """How many labels change when an index into a permutation is a slice, and when it is not."""
    permutation = np.random.default_rng(0).permutation(size)
    labels = np.ones(size)
    chosen = permutation[: int(size * share)] if sliced else permutation[int(size * share)]
    labels[chosen] *= -1
    return int((labels < 0).sum())


@pytest.mark.discrepancy("flooding-single-flip")
def test_an_index_flips_one_label_where_a_slice_flips_a_share():
    """At every rate the index changes one label; the slice changes the share."""
    for share in (0.01, 0.1, 0.4):
        assert flips(100, share, sliced=False) == 1
        assert flips(100, share, sliced=True) == round(100 * share)


@pytest.mark.discrepancy("flooding-noised-test")
def test_accuracy_on_flipped_labels_is_compressed():
    """With two classes and a share p flipped it is a (1 - 2p) + p: the best is 1 - p, not 1."""
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 2, 200_000)
    noised = np.where(generator.random(200_000) < 0.1, 1 - truth, truth)
    seen, clean = {}, {}
    for wrong in (0.0, 0.05, 0.2):
        answers = np.where(generator.random(200_000) < wrong, 1 - truth, truth)
        seen[wrong] = (answers == noised).mean()
        clean[wrong] = (answers == truth).mean()
        assert seen[wrong] == pytest.approx(clean[wrong] * (1 - 0.2) + 0.1, abs=4e-3)
    assert seen[0.0] == pytest.approx(0.9, abs=3e-3)
    shown, real = seen[0.05] - seen[0.2], clean[0.05] - clean[0.2]
    assert shown == pytest.approx(0.8 * real, abs=6e-3)


@pytest.mark.discrepancy("flooding-count")
def test_comparing_the_flooded_with_the_raw_loss_counts_rounding():
    """Of float32 losses from 0.78 to 1 half change when 0.27 is subtracted and added again."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(40_000, generator=generator, dtype=torch.float64)
    losses = (0.78 + 0.219 * drawn).float()
    flooded = (losses - 0.27).abs() + 0.27
    assert (flooded != losses).float().mean().item() == pytest.approx(0.5, abs=0.02)
    near = (0.2701 * (1 + 0.99 * drawn)).float()
    assert torch.equal((near - 0.27).abs() + 0.27, near)  # exact between b and 2 b


@pytest.mark.discrepancy("flooding-minimum-in-documentation")
def test_the_documented_minimum_stops_training_where_it_should_descend():
    """min(b, L) has no gradient above the level and descends below it, the reverse of its aim."""
    for value, wanted in ((0.9, 1.0), (0.1, -1.0)):
        loss = double(value).requires_grad_()
        (documented,) = torch.autograd.grad(torch.minimum(loss, double(0.3)), loss)
        (implemented,) = torch.autograd.grad((loss - 0.3).abs() + 0.3, loss)
        (ours,) = torch.autograd.grad(flood(loss, 0.3), loss)
        assert implemented == ours == wanted
        assert documented == (0.0 if value > 0.3 else 1.0)


@pytest.mark.discrepancy("flooding-scaled-level")
def test_a_level_compared_with_the_scaled_loss_is_another_level():
    """With a factor of 0.4 the level 0.1 holds the loss itself at 0.25."""
    theta = double(1.0).requires_grad_()
    optimiser = torch.optim.SGD([theta], lr=1e-3)
    for _ in range(4000):
        optimiser.zero_grad()
        flood(0.4 * theta**2, 0.1).backward()
        optimiser.step()
    assert theta.item() ** 2 == pytest.approx(0.25, abs=2e-3)
    for loss in (0.1, 0.3, 0.7):
        scaled = flood(double(0.4 * loss), 0.1).item()
        assert scaled == pytest.approx(0.4 * flood(double(loss), 0.25).item(), rel=1e-12)


def flooded_fit(level_of, steps=4000):
    """Where flooded descent on a data loss (x - 1)^2 / 2 with a second term x^2 / 20 settles."""
    x = double(0.0).requires_grad_()
    optimiser = torch.optim.SGD([x], lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        level_of((x - 1) ** 2 / 2, x**2 / 20).backward()
        optimiser.step()
    return ((x - 1) ** 2 / 2).item()


@pytest.mark.discrepancy("flooding-sum-of-losses")
def test_one_level_for_a_sum_of_losses_may_never_be_reached():
    """The same level holds the data loss if only that is flooded, and does nothing to the sum."""
    alone = flooded_fit(lambda data, other: flood(data, 0.02) + other)
    together = flooded_fit(lambda data, other: flood(data + other, 0.02))
    plain = flooded_fit(lambda data, other: data + other)
    assert alone == pytest.approx(0.02, abs=3e-3)
    assert together == pytest.approx(plain, rel=1e-9)
    assert plain < 0.005


@pytest.mark.discrepancy("flooding-level-from-validation")
def test_a_level_above_the_risk_makes_the_estimate_worse():
    """For an unbiased estimate the gain is positive below the risk and negative above it."""
    estimates = np.random.default_rng(2).gamma(4, 0.3 / 4, size=400_000)
    plain = ((estimates - 0.3) ** 2).mean()
    gains = {
        factor: plain - ((abs(estimates - factor * 0.3) + factor * 0.3 - 0.3) ** 2).mean()
        for factor in (0.5, 0.8, 1.5, 2.0)
    }
    assert min(gains[0.5], gains[0.8]) > 1e-4
    assert max(gains[1.5], gains[2.0]) < -1e-2


@pytest.mark.discrepancy("flooding-active-below")
def test_a_flooded_loss_does_not_come_to_rest_below_the_level():
    """Descent that plainly ends at 0.042 is held at 0.08 by the level 0.08: below it, it acts."""
    ends, logged = {}, []
    for level in (0.0, 0.08):
        x = double(1.0).requires_grad_()
        optimiser = torch.optim.SGD([x], lr=0.05)
        for step in range(2000):
            optimiser.zero_grad()
            loss = 0.042 + x**2 / 2
            flooded = flood(loss, level)
            flooded.backward()
            optimiser.step()
            if level and step > 1000:
                logged.append((loss.item(), flooded.item()))
        ends[level] = (0.042 + x**2 / 2).item()
    assert ends[0.0] == pytest.approx(0.042, abs=1e-9)
    assert np.mean(logged, axis=0)[0] == pytest.approx(0.08, abs=2e-3)
    assert min(flooded for _, flooded in logged) >= 0.08  # 0.042 cannot be a flooded loss


@pytest.mark.discrepancy("flooding-example-level")
def test_flooding_each_example_reverses_one_that_the_batch_would_not():
    """Losses 0.2 and 1.0 at level 0.5: by batch both descend, by example the first ascends."""
    losses = double([0.2, 1.0]).requires_grad_()
    (batch,) = torch.autograd.grad(flood_rows(losses, 0.5).loss, losses)
    (row,) = torch.autograd.grad(flood_rows(losses, 0.5, by="row").loss, losses)
    assert batch.tolist() == [0.5, 0.5]
    assert row.tolist() == [-0.5, 0.5]


@pytest.mark.discrepancy("flooding-level-zero")
def test_level_zero_reverses_a_negative_loss():
    """The negative log-density of a sharp Gaussian is negative: at level 0 its spread grows."""
    log_spread = double(math.log(0.1)).requires_grad_()
    loss = log_spread + 0.5 * math.log(2 * math.pi) + 0.5 * (0.01 / log_spread.exp()) ** 2
    assert loss.item() < 0
    (plain,) = torch.autograd.grad(loss, log_spread, retain_graph=True)
    (flooded,) = torch.autograd.grad(flood(loss, 0.0), log_spread)
    assert flooded == -plain
    assert plain.item() > 0.9


@pytest.mark.discrepancy("flooding-gradient-penalty")
def test_flooding_ends_on_its_level_and_a_descent_on_the_penalty_does_not():
    """In the valley x^2 (1 + y^2) / 2 alternating pairs go to a zero gradient, flooding stays."""

    def gradient(x, y):
        return x * (1 + y * y), x * x * y

    rate, level = 0.05, 0.05
    paths = {"flooded": [0.7, 1.3], "pairs": [0.7, 1.3]}
    for step in range(20_000):
        for name, place in paths.items():
            a, b = gradient(*place)
            up = place[0] ** 2 * (1 + place[1] ** 2) / 2 < level
            sign = (-1 if up else 1) if name == "flooded" else (-1) ** step
            place[0] -= sign * rate * a
            place[1] -= sign * rate * b
    ends = {name: x * x * (1 + y * y) / 2 for name, (x, y) in paths.items()}
    assert ends["flooded"] == pytest.approx(level, abs=0.01)
    assert ends["pairs"] < 1e-6
    assert paths["flooded"][1] < 0.1  # the drift along the level goes on
    assert paths["pairs"][1] > 0.5  # the pairs have come to rest on the way
