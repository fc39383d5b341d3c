"""The loaders against the sizes their authors published."""

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces.datasets import (
    MULAN_NAMES,
    MultilabelData,
    load_digit_pairs,
    load_goemotions,
    load_mulan,
    load_reuters_r90,
    registry,
)
from scispaces.datasets.text import reuters_documents

# Instances, labels, cardinality and distinct label sets of the table in Mulan's README; then the
# training rows of the standard split (CAL500 has none: ours) and the columns of the features,
# where the four nominal ones of flags with more than two values become 28 indicators.
MULAN_SIZES = {
    "bibtex": (7395, 159, 2.402, 2856, 4880, 1836),
    "cal500": (502, 174, 26.044, 502, 335, 68),
    "corel5k": (5000, 374, 3.522, 3175, 4500, 499),
    "emotions": (593, 6, 1.869, 27, 391, 72),
    "enron": (1702, 53, 3.378, 753, 1123, 1001),
    "flags": (194, 7, 3.392, 54, 129, 15 + 28),
    "scene": (2407, 6, 1.074, 15, 1211, 294),
    "yeast": (2417, 14, 4.237, 198, 1500, 103),
}


def check_form(data: MultilabelData) -> None:
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_y.dtype == data.test_y.dtype == np.bool_
    assert data.train_x.shape == (len(data.train_y), data.test_x.shape[1])
    assert data.test_y.shape == (len(data.test_x), len(data.labels))
    assert np.isfinite(data.train_x).all()
    assert np.isfinite(data.test_x).all()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(f"multilabel/mulan/{name}/")) for name in MULAN_NAMES]
)
def test_mulan_sets_have_the_published_sizes(name: str) -> None:
    data = load_mulan(name)
    check_form(data)
    instances, labels, cardinality, distinct, train_rows, features = MULAN_SIZES[name]
    targets = np.concatenate([data.train_y, data.test_y])
    assert targets.shape == (instances, labels)
    assert targets.sum(axis=1).mean() == pytest.approx(cardinality, abs=6e-4)
    assert len(np.unique(targets, axis=0)) == distinct
    assert data.train_x.shape == (train_rows, features)


@needs("multilabel/mulan/cal500/")
def test_the_split_of_cal500_is_always_the_same() -> None:
    np.testing.assert_array_equal(load_mulan("cal500").test_x, load_mulan("cal500").test_x)


def test_an_unknown_mulan_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of bibtex, .* Got 'birds'"):
        load_mulan("birds")


@needs("multilabel/reuters21578/")
def test_reuters_has_the_documents_of_the_modapte_split() -> None:
    splits = [split for split, _, _ in reuters_documents()]
    assert (splits.count("TRAIN"), splits.count("TEST")) == (9603, 3299)
    data = load_reuters_r90()
    check_form(data)
    assert (len(data.train_y), len(data.test_y), len(data.labels)) == (7770, 3019, 90)
    assert data.train_y.any(axis=0).all()
    assert data.test_y.any(axis=0).all()
    assert data.train_y.any(axis=1).all()
    # The largest category is known well: 2,877 training and 1,087 test documents.
    earn = data.labels.index("earn")
    assert (data.train_y[:, earn].sum(), data.test_y[:, earn].sum()) == (2877, 1087)


@needs("multilabel/reuters21578/")
def test_reuters_texts_carry_no_markup_or_control_characters() -> None:
    texts = [text for _, text, _ in reuters_documents()]
    assert not any("<TITLE>" in text or "&lt;" in text or "\x03" in text for text in texts)
    assert "BAHIA COCOA REVIEW" in texts[0]


@needs("multilabel/goemotions/")
def test_goemotions_has_the_published_sizes() -> None:
    data = load_goemotions()
    check_form(data)
    assert (len(data.train_y), len(data.test_y), len(data.labels)) == (43410 + 5426, 5427, 28)
    assert data.labels[-1] == "neutral"
    assert data.train_y.any(axis=1).all()


def test_digit_pairs_show_one_or_two_digits_and_share_no_image() -> None:
    data = load_digit_pairs()
    check_form(data)
    assert data.train_x.shape == (1500, 128)
    assert set(np.unique(data.train_y.sum(axis=1))) == {1, 2}
    train, test = (
        {image.tobytes() for image in part.reshape(-1, 64)} for part in (data.train_x, data.test_x)
    )
    assert not train & test
    np.testing.assert_array_equal(load_digit_pairs().test_x, data.test_x)
    assert not np.array_equal(load_digit_pairs(seed=1).test_x, data.test_x)


def test_the_registry_names_every_file_the_loaders_read() -> None:
    mulan = {file.split("/")[2] for file in registry() if file.startswith("multilabel/mulan/")}
    assert mulan == {*MULAN_NAMES, "README.md"}
    assert sum(file.endswith(".sgm") for file in registry()) == 22
