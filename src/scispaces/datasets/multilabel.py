"""Multi-label data sets as arrays: the sets of the Mulan project, and pairs of bundled digits."""

import xml.etree.ElementTree
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from scispaces.datasets.arff import Relation, read_arff
from scispaces.datasets.store import path

LABELS_TAG = "{http://mulan.sourceforge.net/labels}label"
MULAN_FILES = {
    "bibtex": ("bibtex-train", "bibtex-test", "bibtex"),
    "cal500": ("cal500", None, "cal500"),
    "corel5k": ("Corel5k-train-sparse", "Corel5k-test-sparse", "Corel5k"),
    "emotions": ("emotions-train", "emotions-test", "emotions"),
    "enron": ("enron-train", "enron-test", "enron"),
    "flags": ("flags-train", "flags-test", "flags"),
    "scene": ("scene-train", "scene-test", "scene"),
    "yeast": ("yeast-train", "yeast-test", "yeast"),
}
MULAN_NAMES = tuple(sorted(MULAN_FILES))
CAL500_TRAIN_ROWS = 335
CAL500_SPLIT_SEED = 0


@dataclass(frozen=True)
class MultilabelData:
    """A multi-label task with its train/test split.

    Attributes:
        name: the name of the data set.
        train_x, test_x: float32 features `(rows, features)`, neither centred nor scaled.
        train_y, test_y: bool labels `(rows, labels)`.
        labels: the names of the labels, in the order of the columns.
    """

    name: str
    train_x: NDArray[np.float32]
    train_y: NDArray[np.bool_]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.bool_]
    labels: tuple[str, ...]


def _features(relation: Relation, columns: list[int]) -> NDArray[np.float32]:
    """Numeric and two-valued columns as they are, other nominal columns one-hot."""
    parts = []
    for column in columns:
        domain, values = relation.domains[column], relation.values[:, column, None]
        if domain is None or len(domain) <= 2:
            parts.append(values)
        else:
            parts.append((values == np.arange(len(domain))).astype(np.float32))
    return np.concatenate(parts, axis=1)


def load_mulan(name: str) -> MultilabelData:
    """One of the multi-label data sets distributed with Mulan, in its standard split.

    CAL500 comes without a split; here a permutation with seed 0 gives 335 of its 502 songs to
    training and 167 to the test.

    Args:
        name: bibtex, cal500, corel5k, emotions, enron, flags, scene or yeast.

    Returns:
        The data; nominal features with more than two values are one-hot.

    Raises:
        ValueError: the name is none of these.
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] G. Tsoumakas, E. Spyromitros-Xioufis, J. Vilcek, I. Vlahavas, "Mulan: A Java library
        for multi-label learning", Journal of Machine Learning Research 12 (2011), 2411-2414.
    """
    if name not in MULAN_FILES:
        raise ValueError(f"`name` must be one of {', '.join(MULAN_NAMES)}. Got {name!r}.")
    train_file, test_file, labels_file = MULAN_FILES[name]
    folder = f"multilabel/mulan/{name}"
    tree = xml.etree.ElementTree.parse(path(f"{folder}/{labels_file}.xml"))
    labels = tuple(element.attrib["name"] for element in tree.iter(LABELS_TAG))

    def read(stem: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        relation = read_arff(path(f"{folder}/{stem}.arff"))
        label_columns = [relation.names.index(label) for label in labels]
        feature_columns = sorted(set(range(len(relation.names))) - set(label_columns))
        return _features(relation, feature_columns), relation.values[:, label_columns] == 1

    train_x, train_y = read(train_file)
    if test_file is not None:
        test_x, test_y = read(test_file)
    else:
        order = np.random.default_rng(CAL500_SPLIT_SEED).permutation(len(train_x))
        train, test = np.split(order, [CAL500_TRAIN_ROWS])
        train_x, test_x, train_y, test_y = (
            train_x[train],
            train_x[test],
            train_y[train],
            train_y[test],
        )
    return MultilabelData(name, train_x, train_y, test_x, test_y, labels)


def load_digit_pairs(
    train_rows: int = 1500, test_rows: int = 1000, seed: int = 0
) -> MultilabelData:
    """Pairs of handwritten digits side by side; the labels are the digits to be seen.

    Needs no download: the 1,797 images of 8 × 8 pixels come with scikit-learn. Two thirds of the
    images serve the training pairs, the rest the test pairs, so no image is in both. Two equal
    digits give one label, two different ones give two.

    Args:
        train_rows: number of training pairs.
        test_rows: number of test pairs.
        seed: of the division of the images and of the pairing.

    Returns:
        The data, 128 features in [0, 1] and 10 labels.

    Example:
        >>> data = load_digit_pairs(train_rows=4, test_rows=2)
        >>> data.train_x.shape, data.test_y.shape
        ((4, 128), (2, 10))
    """
    images, digits = load_digits(return_X_y=True)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    cut = 2 * len(images) // 3

    def pairs(pool: NDArray[np.int_], rows: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        chosen = generator.choice(pool, size=(rows, 2))
        features = (images[chosen].reshape(rows, -1) / 16).astype(np.float32)
        return features, (digits[chosen][:, :, None] == np.arange(10)).any(axis=1)

    train_x, train_y = pairs(order[:cut], train_rows)
    test_x, test_y = pairs(order[cut:], test_rows)
    labels = tuple(str(digit) for digit in range(10))
    return MultilabelData("digit-pairs", train_x, train_y, test_x, test_y, labels)
