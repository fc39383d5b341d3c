"""Single-label data: readers against published sizes, long tails against published counts."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces import datasets
from scispaces.datasets import ClassificationData, images
from scispaces.datasets.text import reuters_documents


def check_form(data: ClassificationData) -> None:
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_y.dtype == data.test_y.dtype == np.int64
    assert len(data.train_x) == len(data.train_y)
    assert len(data.test_x) == len(data.test_y)
    assert data.train_x.shape[1:] == data.test_x.shape[1:]
    for targets in (data.train_y, data.test_y):
        assert np.bincount(targets, minlength=len(data.classes)).min() > 0
        assert targets.max() == len(data.classes) - 1
    assert np.isfinite(data.train_x).all()
    assert 0 <= data.train_x.min() < data.train_x.max() <= 1


def idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def test_idx_gives_the_elements_in_the_order_of_the_axes() -> None:
    found = images.read_idx(idx((2, 1, 3), bytes(range(6))), "made")
    assert found.tolist() == [[[0, 1, 2]], [[3, 4, 5]]]
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "must begin with 00 00 08. Got '1f 8b 08' in made"),
        (idx((2,), bytes(8), kind=13), "must begin with 00 00 08"),
        (b"\x00\x00", "must begin with"),
        (idx((2, 2), b"")[:7], "must have a header of 12 bytes. Got 7 bytes in made"),
        (idx((2, 3), bytes(5)), r"shape \(2, 3\) must have 18 bytes. Got 17 in made"),
        (idx((2, 3), bytes(7)), "must have 18 bytes. Got 19"),
    ],
)
def test_a_file_that_is_not_idx_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        images.read_idx(content, "made")


def test_images_and_labels_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx((1, 28, 28), bytes(784))))
    (tmp_path / "a-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx((2,), bytes(2))))
    monkeypatch.setattr(images, "path", lambda file: tmp_path / file.removeprefix("folder/"))
    with pytest.raises(ValueError, match=r"as many as there are labels. Got .* \(2,\)"):
        images._idx_part("folder", "a")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(f"{name}/")) for name in ("mnist", "fashion-mnist")]
)
def test_the_registered_idx_files_have_the_published_sizes(name: str) -> None:
    data = {"mnist": datasets.load_mnist, "fashion-mnist": datasets.load_fashion_mnist}[name]()
    check_form(data)
    assert (data.train_x.shape, data.test_x.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    counts = np.bincount(data.train_y)
    # The published counts of the digits 0 and 5; Fashion-MNIST is balanced.
    assert (counts[0], counts[5]) == ((5923, 5421) if name == "mnist" else (6000, 6000))


@needs("cifar10-jpeg/cifar10_jpeg_")
def test_cifar_from_jpeg_has_the_published_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, targets = images._jpeg_part("test")
    assert pictures.shape == (10_000, 32, 32, 3)
    assert pictures.dtype == np.uint8
    assert np.bincount(targets).tolist() == [1000] * 10
    # Ships are bluer than frogs: classes and channels are in the published order.
    ship, frog = (pictures[targets == images.OBJECTS.index(name)] for name in ("ship", "frog"))
    assert ship[..., 2].mean() > ship[..., 0].mean()
    assert frog[..., 2].mean() < frog[..., 0].mean()


def test_digits_have_a_balanced_test_and_share_no_row() -> None:
    data = datasets.load_digits()
    check_form(data)
    assert np.bincount(data.test_y).tolist() == [54] * 10
    assert np.bincount(data.train_y).min() == 120
    assert len(data.train_y) + len(data.test_y) == 1797


@needs("multilabel/reuters21578/")
def test_r52_has_the_published_documents_and_one_more() -> None:
    data = datasets.load_reuters_r52()
    check_form(data)
    assert len(data.classes) == 52
    assert (len(data.train_y), len(data.test_y)) == (6532, 2568 + 1)
    # The published file of the eight largest classes has 75 test documents of trade.
    trade = data.classes.index("trade")
    assert (data.train_y == trade).sum() == 251
    assert (data.test_y == trade).sum() == 75 + 1
    assert np.bincount(data.train_y).max() == 2840


@needs("docs/r8/")
@needs("multilabel/reuters21578/")
def test_the_document_that_the_published_file_lacks() -> None:
    published = datasets.path("docs/r8/test.txt").read_text(encoding="utf-8")
    (missing,) = (
        text
        for split, text, topics in reuters_documents()
        if split == "TEST" and topics == {"trade"} and "ISRAEL MINISTER SEES INCREASED" in text
    )
    assert "Gad\nYaacobi" in missing
    assert "yaacobi" not in published


@needs("multilabel/goemotions/")
def test_goemotions_with_one_label() -> None:
    data = datasets.load_goemotions_single()
    check_form(data)
    assert (len(data.train_y), len(data.test_y), len(data.classes)) == (40_856, 4590, 28)
    counts = np.bincount(data.train_y)
    assert data.classes[counts.argmax()] == "neutral"
    assert data.classes[counts.argmin()] == "grief"
    assert (counts.max(), counts.min()) == (14_415, 45)


@pytest.mark.parametrize(
    ("largest", "ratio", "counts", "total"),
    [
        (5000, 100, (5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50), 12_406),
        (6000, 100, (6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60), 14_886),
    ],
)
def test_long_tails_have_the_published_counts(
    largest: int, ratio: float, counts: tuple[int, ...], total: int
) -> None:
    assert datasets.long_tail_counts(largest, ratio, 10) == counts
    assert sum(counts) == total


def test_the_long_tail_of_a_hundred_classes_has_the_published_total() -> None:
    counts = datasets.long_tail_counts(500, 100, 100)
    assert (sum(counts), counts[0], counts[-1]) == (10_847, 500, 5)


def test_the_step_profile_has_two_sizes() -> None:
    assert datasets.long_tail_counts(5000, 100, 10, "step") == (5000,) * 5 + (50,) * 5
    assert datasets.long_tail_counts(10, 5, 3, "step") == (10, 10, 2)
    assert datasets.long_tail_counts(7, 1, 4) == (7,) * 4


@pytest.mark.parametrize("largest", [30, 500, 1000, 5400])
@pytest.mark.parametrize("ratio", [3, 10, 30])
def test_the_last_class_is_rounded_down_and_not_below(largest: int, ratio: int) -> None:
    assert datasets.long_tail_counts(largest, ratio, 10)[-1] == largest // ratio


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0.5, 3), "`ratio` must be at least 1. Got 0.5"),
        ((10, 2, 1), "`classes` must be at least 2. Got 1"),
        ((10, 11, 3), "`largest` must be at least `ratio`. Got 10 and 11"),
        ((10, 2, 3, "linear"), "`profile` must be exponential or step. Got 'linear'"),
    ],
)
def test_impossible_tails_are_refused(arguments: tuple[int, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.long_tail_counts(*arguments)


def test_rows_of_a_long_tail_are_drawn_by_the_seed() -> None:
    targets = np.repeat(np.arange(3), 50)[np.random.default_rng(0).permutation(150)]
    rows = datasets.long_tail_rows(targets, (40, 20, 1), seed=3)
    assert np.bincount(targets[rows]).tolist() == [40, 20, 1]
    assert len(np.unique(rows)) == 61
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, datasets.long_tail_rows(targets, (40, 20, 1), seed=3))
    assert set(rows) != set(datasets.long_tail_rows(targets, (40, 20, 1), seed=4))
    with pytest.raises(ValueError, match="Got 51 for class 1, which has 50"):
        datasets.long_tail_rows(targets, (40, 51, 1), seed=3)


def test_shuffled_classes_are_a_renaming() -> None:
    targets = np.array([0, 1, 2, 3, 3, 0])
    renamed = datasets.shuffled_classes(targets, 4, seed=5)
    assert renamed[0] == renamed[5]
    assert renamed[3] == renamed[4]
    assert sorted(set(renamed)) == [0, 1, 2, 3]
    seeds = {tuple(datasets.shuffled_classes(targets, 4, seed=seed)) for seed in range(30)}
    assert len(seeds) > 10
