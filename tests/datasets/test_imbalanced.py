"""The tasks with one rare class against the sizes their authors published."""

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces.datasets import (
    IMBALANCED_NAMES,
    BinaryData,
    impose_ratio,
    load_breast_cancer_rows,
    load_digit_against_rest,
    load_fashion_against_rest,
    load_imbalanced,
    possible_ratios,
    registry,
)
from scispaces.datasets.imbalanced import FASHION_ROWS, TERMS, sms_messages, split_rows

# Rows, positives and columns. The first two as the descriptions beside the files give them, for
# abalone the classes 18 and 9 of its table; of German credit's thirteen categorical columns 54
# values occur; a message of SMS Spam stays once, 5,171 of 5,574.
SIZES = {
    "abalone": (689 + 42, 42, 7 + 3),
    "german": (1000, 300, 7 + 54),
    "mammography": (11183, 260, 6),
    "pima": (768, 268, 8),
    "sms-spam": (5171, 653, TERMS),
}
FILES = {
    "abalone": "abalone.csv",
    "german": "german.csv",
    "mammography": "mammography.csv",
    "pima": "pima-indians-diabetes.csv",
    "sms-spam": "sms-spam/sms.tsv",
}


def of_set(name: str) -> pytest.MarkDecorator:
    return needs(f"imbalanced/{FILES[name]}")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=of_set(name)) for name in IMBALANCED_NAMES]
)
def test_registered_sets_have_the_published_sizes(name: str) -> None:
    data = load_imbalanced(name)
    rows, positives, columns = SIZES[name]
    features = data.features(np.arange(rows // 2))
    assert data.positives.dtype == np.bool_
    assert (len(data.positives), data.positives.sum()) == (rows, positives)
    assert features.dtype == np.float32
    assert features.shape == (rows, columns)
    assert np.isfinite(features).all() == (name != "pima")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of abalone, .* Got 'ecoli2'"):
        load_imbalanced("ecoli2")


def test_the_registry_holds_every_file_the_loaders_read() -> None:
    assert {f"imbalanced/{file}" for file in FILES.values()} <= set(registry())


@of_set("pima")
def test_measurements_of_zero_are_missing_ones() -> None:
    data = load_imbalanced("pima")
    assert data.x is not None
    # Known counts of zeros: glucose, blood pressure, skin fold, insulin, body mass index.
    assert np.isnan(data.x).sum(0).tolist() == [0, 5, 35, 227, 374, 11, 0, 0]
    assert (data.x[:, 0] == 0).sum() == 111


@of_set("german")
def test_categories_become_one_column_for_each_value() -> None:
    data = load_imbalanced("german")
    assert data.x is not None
    # The first four columns are the status of the account: exactly one of them is set.
    np.testing.assert_array_equal(data.x[:, :4].sum(1), 1)
    # Then the duration in months, 4 to 72.
    assert (data.x[:, 4].min(), data.x[:, 4].max()) == (4, 72)


@of_set("sms-spam")
def test_messages_are_cut_at_the_tab_alone_and_kept_once() -> None:
    messages = sms_messages()
    labels = [label for label, _ in messages]
    assert (len(messages), labels.count("spam"), labels.count("ham")) == (5574, 747, 4827)
    # A quotation mark opens no cell: the longest message would otherwise hold many lines.
    assert max(len(text) for _, text in messages) == 910
    texts = load_imbalanced("sms-spam").texts
    assert len(set(texts)) == len(texts)


@of_set("sms-spam")
def test_words_are_chosen_and_weighed_by_the_training_rows_alone() -> None:
    data = load_imbalanced("sms-spam")
    training = np.arange(0, 5171, 2)
    other = BinaryData(
        data.name,
        data.positives,
        texts=tuple("zebra " * 9 if row % 2 else text for row, text in enumerate(data.texts)),
    )
    ours, theirs = data.features(training), other.features(training)
    np.testing.assert_array_equal(ours[training], theirs[training])
    assert not theirs[1::2].any()


def test_bundled_sets_have_their_known_counts() -> None:
    breast = load_breast_cancer_rows()
    assert (len(breast.positives), breast.positives.sum()) == (569, 212)
    digits = [load_digit_against_rest(digit).positives.sum() for digit in range(10)]
    assert digits == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@needs("fashion-mnist/")
def test_a_kind_of_clothes_is_averaged_over_cells() -> None:
    shirts = load_fashion_against_rest(6)
    assert shirts.x is not None
    assert shirts.x.shape == (FASHION_ROWS, 49)
    assert 1900 < shirts.positives.sum() < 2100
    assert possible_ratios(shirts.positives, (5, 20, 100, 500)) == [20, 100, 500]


def test_a_ratio_is_imposed_by_leaving_out_positives_alone() -> None:
    positives = load_digit_against_rest(8).positives
    rows = impose_ratio(positives, 20, seed=3)
    kept = positives[rows]
    assert (~kept).sum() == (~positives).sum()
    assert (~kept).sum() / kept.sum() == pytest.approx(20, rel=0.02)
    assert len(np.unique(rows)) == len(rows)
    np.testing.assert_array_equal(rows, impose_ratio(positives, 20, seed=3))
    assert not np.array_equal(rows, impose_ratio(positives, 20, seed=4))


@pytest.mark.parametrize(("ratio", "left"), [(5, 325), (500, 3)])
def test_a_ratio_the_rows_do_not_allow_is_refused(ratio: int, left: int) -> None:
    positives = load_digit_against_rest(8).positives
    with pytest.raises(ValueError, match=rf"`ratio` must leave .* Got {ratio}, .* {left}\."):
        impose_ratio(positives, ratio, seed=0)


def test_every_part_has_its_share_of_the_positives() -> None:
    positives = np.arange(300) % 10 == 0
    rows = np.arange(0, 300, 2)
    parts = split_rows(positives, rows, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), rows)
    assert [len(part) for part in parts] == [75, 37, 38]
    assert [positives[part].sum() for part in parts] == [15, 7, 8]
    assert not np.array_equal(parts[0], split_rows(positives, rows, seed=2)[0])
