"""Synthetic tasks and flipped labels against their definitions."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from scispaces.studies import flooding_data as data


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("classes", "rate"), [(2, 0.0), (2, 0.1), (10, 0.2), (3, 0.055)])
def test_a_rate_of_flips_is_a_rate(classes: int, rate: float) -> None:
    labels = torch.randint(0, classes, (1000,), generator=generator(1))
    before = labels.clone()
    flipped = data.flip(labels, classes, rate, generator())
    assert int((flipped != labels).sum()) == round(rate * 1000)
    assert torch.equal(labels, before)
    assert flipped.min() >= 0
    assert flipped.max() < classes


def test_a_flip_goes_to_every_other_class_alike() -> None:
    labels = torch.zeros(9000, dtype=torch.long)
    counts = torch.bincount(data.flip(labels, 10, 0.999, generator()), minlength=10)
    assert counts[0] == 9
    # Four standard deviations of a count with mean 999.
    assert (counts[1:] - 999).abs().max() < 4 * math.sqrt(999)


@pytest.mark.parametrize(("classes", "rate"), [(2, 0.1), (10, 0.2)])
def test_the_noise_floor_is_the_loss_of_the_model_that_knows_the_noise(
    classes: int, rate: float
) -> None:
    clean = torch.randint(0, classes, (500,), generator=generator(2))
    noisy = data.flip(clean, classes, rate, generator(3))
    probabilities = torch.full((500, classes), rate / (classes - 1), dtype=torch.float64)
    probabilities.scatter_(1, clean.unsqueeze(1), 1 - rate)
    loss = cross_entropy(probabilities.log(), noisy)
    assert float(loss) == pytest.approx(data.noise_floor(rate, classes), rel=1e-12)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"`rate` must be at least 0 and below 1\. Got"):
        data.noise_floor(rate, 2)


def test_the_gaussians_have_unit_variance_and_means_one_apart() -> None:
    x, y = data.gaussians(20_000, generator())
    assert x.shape == (10, 20_000)
    assert int(y.sum()) == 10_000
    for label in (0, 1):
        own = x[:, y == label]
        assert own.mean(1) == pytest.approx([label] * 10, abs=0.04)
        assert torch.cov(own).numpy() == pytest.approx(torch.eye(10).numpy(), abs=0.06)


def test_the_sinusoid_is_uniform_in_its_disc() -> None:
    x, y = data.sinusoid(20_000, generator())
    radius = x.norm(dim=0)
    assert radius.max() <= 2
    for share in (0.25, 0.5, 0.75):
        inside = (radius < 2 * math.sqrt(share)).float().mean()
        assert float(inside) == pytest.approx(share, abs=0.015)
    for at in range(200):
        first, second = x[:, at].tolist()
        assert int(y[at]) == int(1.5 * first + math.sin(1.5 * second) > 0)


def test_the_spiral_scatters_by_a_standard_normal_about_its_arms() -> None:
    rows = 20_000
    x, y = data.spiral(rows, generator())
    angles = torch.linspace(0, 4 * math.pi, rows // 2)
    for label, shift in ((1, 0.0), (0, math.pi)):
        own = x[:, y == label]
        arm = (angles + shift) * torch.stack([angles.cos(), angles.sin()])
        assert own.shape == arm.shape
        assert (own - arm).mean(1) == pytest.approx([0, 0], abs=0.04)
        assert (own - arm).std(1) == pytest.approx([1, 1], abs=0.03)


@pytest.mark.parametrize("data_set", ["gaussians", "sinusoid", "spiral", "digits"])
def test_a_seed_has_the_same_rows_whatever_seeds_are_beside_it(data_set: str) -> None:
    alone = data.lay_out(data_set, 0.1, [7])
    together = data.lay_out(data_set, 0.1, [3, 7])
    for name in ("x", "y", "clean_y", "held_x", "held_y", "test_x", "test_y", "test_noisy_y"):
        one, other = getattr(alone, name)[0], getattr(together, name)
        assert torch.equal(one, other[1])
        # The true labels of two of the tasks are the same for every seed, their flips are not.
        if name not in ("clean_y", "test_y"):
            assert not torch.equal(one, other[0])


@pytest.mark.parametrize("data_set", ["sinusoid", "digits"])
def test_labels_are_flipped_for_training_and_choosing_and_true_for_judging(data_set: str) -> None:
    noisy, clean = (data.lay_out(data_set, rate, [0, 1]) for rate in (0.2, 0.0))
    assert torch.equal(noisy.clean_y, clean.y)
    assert torch.equal(noisy.test_y, clean.test_y)
    for name in ("y", "held_y"):
        wrong = getattr(noisy, name) != getattr(clean, name)
        assert (wrong.sum(1) == round(0.2 * wrong.shape[1])).all()
    wrong = noisy.test_noisy_y != noisy.test_y
    assert (wrong.sum(1) == round(0.2 * wrong.shape[1])).all()


def test_digits_are_standardised_and_no_validation_row_is_a_training_row() -> None:
    task = data.lay_out("digits", 0.0, [0])
    assert float(task.x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(task.x.std()) == pytest.approx(1, abs=1e-5)
    assert task.classes == 10
    rows = torch.cat([task.x, task.held_x], 2)[0].T
    # scikit-learn's digits hold no picture twice.
    assert len(torch.unique(rows, dim=0)) == 1200


def test_large_images_are_halved_by_means() -> None:
    images = torch.arange(28.0 * 28).reshape(1, 28, 28)
    columns = data._columns(images)
    assert columns.shape == (196, 1)
    assert float(columns[0, 0]) == images[0, :2, :2].mean()
    assert data._columns(torch.ones(3, 8, 8)).shape == (64, 3)


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`data_set` must be one of gaussians, .* Got 'moons'"):
        data.lay_out("moons", 0.1, [0])
    assert data.load("spiral") is None
