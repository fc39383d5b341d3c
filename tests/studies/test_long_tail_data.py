"""Long tails laid out for several seeds: ranks, splits, weights."""

import numpy as np
import pytest
import torch
from tests.datasets.files import needs

from scispaces.datasets import ClassificationData, load_digits
from scispaces.studies import long_tail_data
from scispaces.studies.long_tail_data import (
    class_average_weights,
    features,
    lay_out,
    split_rows,
)

SEEDS = (0, 5, 9)


def made(train: list[int], test: list[int]) -> ClassificationData:
    """A natural tail of four classes."""
    x = np.ones((len(train), 2), dtype=np.float32)
    return ClassificationData(
        "made",
        x,
        np.array(train),
        np.ones((len(test), 2), dtype=np.float32),
        np.array(test),
        tuple("abcd"),
    )


@pytest.mark.parametrize(
    ("name", "total", "smallest"), [("digits-lt-10", 486, 12), ("digits-lt-100", 294, 1)]
)
def test_classes_are_ranked_and_the_tail_is_as_long_as_promised(
    name: str, total: int, smallest: int
) -> None:
    task = lay_out(name, SEEDS)
    for at in range(len(SEEDS)):
        rows = np.concatenate([task.train[at], task.held_out[at]])
        assert len(np.unique(rows)) == len(rows) == total
        counts = torch.bincount(task.y[at, torch.from_numpy(rows)])
        assert (counts[0], counts[-1]) == (120, smallest)
        assert (counts.diff() <= 0).all()
        training = torch.bincount(task.y[at, torch.from_numpy(task.train[at])])
        torch.testing.assert_close(training.float(), task.counts)


def test_a_seed_decides_which_class_is_rare_and_test_classes_follow() -> None:
    data, task = load_digits(), lay_out("digits-lt-100", SEEDS)
    heads = set()
    for at in range(len(SEEDS)):
        names = {
            (int(new), int(old))
            for new, old in zip(task.y[at].tolist(), data.train_y.tolist(), strict=True)
        }
        assert len(names) == 10
        assert names == {
            (int(new), int(old))
            for new, old in zip(task.test_y[at].tolist(), data.test_y.tolist(), strict=True)
        }
        heads.add(dict(names)[0])
    assert len(heads) > 1


def test_a_seed_is_laid_out_the_same_whatever_seeds_are_beside_it() -> None:
    together, alone = lay_out("digits-lt-10", SEEDS), lay_out("digits-lt-10", [5])
    np.testing.assert_array_equal(together.train[1], alone.train[0])
    np.testing.assert_array_equal(together.held_out[1], alone.held_out[0])
    assert torch.equal(together.y[1], alone.y[0])


def test_split_takes_a_share_of_every_class_that_can_spare_a_row() -> None:
    targets = np.array([0] * 100 + [1] * 10 + [2] * 2 + [3])
    rows = np.arange(len(targets))
    train, held_out = split_rows(rows, targets, seed=3)
    assert np.bincount(targets[held_out], minlength=4).tolist() == [20, 2, 1, 0]
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), rows)
    assert not np.array_equal(held_out, split_rows(rows, targets, seed=4)[1])
    many = np.zeros(100_000, dtype=np.int64)
    assert len(split_rows(np.arange(len(many)), many, seed=0)[1]) == 3000


def test_natural_weights_bring_the_training_frequencies_to_a_balanced_test() -> None:
    task = lay_out("digits-lt-100", SEEDS)
    totals = torch.zeros(len(SEEDS), 10).scatter_add_(1, task.test_y, task.natural)
    torch.testing.assert_close(totals, task.prior.expand(3, -1))


def test_a_natural_tail_is_ranked_by_frequency_and_keeps_its_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = made([2] * 20 + [0] * 10 + [3] * 10 + [1] * 2, [2, 2, 0, 3, 1])
    source = long_tail_data.Source(lambda: data)
    monkeypatch.setitem(long_tail_data.SOURCES, "made", source)
    monkeypatch.setattr(long_tail_data, "load", lambda _: data)
    task = lay_out("made", [0, 1])
    assert task.test_y.tolist() == [[0, 0, 1, 2, 3]] * 2
    assert task.counts.tolist() == [16, 8, 8, 1]
    assert torch.equal(task.natural, torch.full((2, 5), 0.2))
    assert not np.array_equal(task.train[0], task.train[1])


def test_features_are_scaled_without_their_labels() -> None:
    data = load_digits()
    train, test = features(data, standardised=False)
    assert train.abs().sum(1).mean().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(train == 0, torch.from_numpy(data.train_x).flatten(1) == 0)
    assert test.shape == (540, 64)
    train, _ = features(data, standardised=True)
    assert train.mean().item() == pytest.approx(0, abs=1e-5)
    assert train.std().item() == pytest.approx(1, abs=1e-3)


def test_class_average_weights_average_over_the_classes_present() -> None:
    targets = torch.tensor([[0, 0, 0, 1], [2, 2, 1, 0]])
    weights = class_average_weights(targets, 4)
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    torch.testing.assert_close(weights[0], torch.tensor([1 / 6, 1 / 6, 1 / 6, 1 / 2]))


@pytest.mark.parametrize(
    ("name", "prefix", "counts", "total"),
    [
        pytest.param(name, prefix, counts, total, marks=needs(prefix), id=name)
        for name, prefix, counts, total in (
            ("fashion-mnist-lt-100", "fashion-mnist/", (6000, 60), 14_886),
            ("mnist-lt-10", "mnist/", (5400, 540), 22_066),
        )
    ],
)
def test_registered_images_make_the_tails_of_the_study(
    name: str, prefix: str, counts: tuple[int, int], total: int
) -> None:
    task = lay_out(name, [3])
    rows = np.concatenate([task.train[0], task.held_out[0]])
    assert len(rows) == total
    own = torch.bincount(task.y[0, torch.from_numpy(rows)])
    assert (own[0], own[-1]) == counts
