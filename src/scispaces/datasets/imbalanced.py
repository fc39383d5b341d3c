"""Yes-or-no tasks in which one class is rare: registered files and sets bundled with scikit-learn.

None of them comes with a split; `split_rows` makes one for each seed.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer

from scispaces.datasets.images import load_fashion_mnist
from scispaces.datasets.store import path

Rows = NDArray[np.intp]

# Glucose, blood pressure, skin fold, insulin and body mass index: nobody alive measures 0.
PIMA_MEASURED = (1, 2, 3, 4, 5)
ABALONE_POSITIVE, ABALONE_NEGATIVE = "18", "9"
TERMS = 300
FASHION_ROWS = 20_000
FASHION_CELL = 4
IMBALANCED_NAMES = ("abalone", "german", "mammography", "pima", "sms-spam")
# A ratio is possible when each of three parts keeps two positives.
FEWEST_POSITIVES = 8


@dataclass(frozen=True)
class BinaryData:
    """A task with one yes-or-no question, not yet split.

    Attributes:
        name: the name of the data set.
        positives: which rows are of the rare class, bool `(rows,)`.
        x: float32 features `(rows, columns)`, neither centred nor scaled, NaN where a value is
            missing; None for texts.
        texts: one for each row, or none.
    """

    name: str
    positives: NDArray[np.bool_]
    x: NDArray[np.float32] | None = None
    texts: tuple[str, ...] = ()

    def features(self, training: Rows) -> NDArray[np.float32]:
        """The features of all rows, `(rows, columns)`.

        Texts become TF-IDF weights of their 300 most frequent words, in which only the training
        rows have a say: about the choice of the words and about their weights.

        Args:
            training: the rows to learn from.
        """
        if self.x is not None:
            return self.x
        vectorizer = TfidfVectorizer(max_features=TERMS, sublinear_tf=True, dtype=np.float32)
        vectorizer.fit([self.texts[row] for row in training])
        return vectorizer.transform(self.texts).toarray()


def _table(name: str) -> list[list[str]]:
    """The lines of a file without header, quotes of either kind removed."""
    with path(f"imbalanced/{name}.csv").open(encoding="utf-8", newline="") as lines:
        return [[cell.strip("'") for cell in line] for line in csv.reader(lines) if line]


def _one_hot(cells: Sequence[str]) -> NDArray[np.float32]:
    """An indicator column for each value that occurs, in the order of their names."""
    return (np.array(cells)[:, None] == np.unique(cells)).astype(np.float32)


def _columns(rows: list[list[str]], categorical: Sequence[int]) -> NDArray[np.float32]:
    """Numbers as they are, categories one-hot."""
    return np.concatenate(
        [
            _one_hot(cells) if at in categorical else np.array(cells, np.float32)[:, None]
            for at, cells in enumerate(zip(*rows, strict=True))
        ],
        axis=1,
    )


def load_imbalanced(name: str) -> BinaryData:
    """One of the registered imbalanced data sets.

    * abalone: 42 shells with 18 rings against 689 with 9, the task "abalone9-18" of the KEEL
      repository [1]; sex is one-hot.
    * german: 300 bad credits against 700 good ones; thirteen categorical columns one-hot.
    * mammography: 260 calcifications in 11,183 spots; 3,334 rows repeat another one and stay.
    * pima: 268 with diabetes against 500 without; a measurement of 0 is a missing one, here NaN.
    * sms-spam: 747 spam messages of 5,574. A message sent more than once is kept once, so that
      none is in the training and in the test rows: 653 of 5,171.

    Args:
        name: one of `IMBALANCED_NAMES`.

    Raises:
        ValueError: the name is none of these.
        DataUnavailableError: the file is not here and cannot be downloaded.

    References:
        [1] J. Alcalá-Fdez et al., "KEEL data-mining software tool: data set repository,
        integration of algorithms and experimental analysis framework", Journal of Multiple-Valued
        Logic and Soft Computing 17 (2011), 255-287.
    """
    if name not in IMBALANCED_NAMES:
        raise ValueError(f"`name` must be one of {', '.join(IMBALANCED_NAMES)}. Got {name!r}.")
    if name == "sms-spam":
        messages = dict.fromkeys(sms_messages())
        texts = tuple(text for _, text in messages)
        return BinaryData(name, np.array([label == "spam" for label, _ in messages]), texts=texts)
    rows = _table("pima-indians-diabetes" if name == "pima" else name)
    if name == "abalone":
        rows = [row for row in rows if row[-1] in (ABALONE_POSITIVE, ABALONE_NEGATIVE)]
    categorical = [at for at, cell in enumerate(rows[0][:-1]) if cell[0].isalpha()]
    x = _columns([row[:-1] for row in rows], categorical)
    if name == "pima":
        measured = x[:, PIMA_MEASURED]
        x[:, PIMA_MEASURED] = np.where(measured == 0, np.nan, measured)
    positive = {"abalone": ABALONE_POSITIVE, "german": "2", "mammography": "1", "pima": "1"}[name]
    return BinaryData(name, np.array([row[-1] == positive for row in rows]), x)


def sms_messages() -> list[tuple[str, str]]:
    """The messages of the SMS Spam Collection: (ham or spam, text), repeated ones included.

    A quotation mark in a message is just that and opens no quoted cell.
    """
    content = path("imbalanced/sms-spam/sms.tsv").read_text(encoding="utf-8")
    messages = []
    for line in content.splitlines():
        label, _, text = line.partition("\t")
        messages.append((label, text))
    return messages


def load_breast_cancer_rows() -> BinaryData:
    """The breast cancer data of scikit-learn: 212 malignant tumours against 357 benign ones.

    Example:
        >>> data = load_breast_cancer_rows()
        >>> data.x.shape, int(data.positives.sum())
        ((569, 30), 212)
    """
    x, benign = load_breast_cancer(return_X_y=True)
    return BinaryData("breast-cancer", benign == 0, x.astype(np.float32))


def load_digit_against_rest(digit: int) -> BinaryData:
    """The images of one handwritten digit of scikit-learn against those of the nine others.

    Args:
        digit: 0 to 9.

    Example:
        >>> data = load_digit_against_rest(8)
        >>> data.x.shape, int(data.positives.sum())
        ((1797, 64), 174)
    """
    x, digits = load_digits(return_X_y=True)
    return BinaryData(f"digits-{digit}", digits == digit, x.astype(np.float32))


def load_fashion_against_rest(clothes: int) -> BinaryData:
    """One kind of clothes of Fashion-MNIST against the nine others, coarse and small.

    The first 20,000 training images, each cell of 4 × 4 pixels averaged: 49 features.

    Args:
        clothes: the class, 0 to 9; 6 is the shirt, the one most often confused.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.
    """
    data = load_fashion_mnist()
    images = data.train_x[:FASHION_ROWS]
    cells = images.shape[1] // FASHION_CELL
    coarse = images.reshape(len(images), cells, FASHION_CELL, cells, FASHION_CELL).mean((2, 4))
    x, positives = coarse.reshape(len(images), -1), data.train_y[:FASHION_ROWS] == clothes
    return BinaryData(f"fashion-{clothes}", positives, x)


def possible_ratios(positives: NDArray[np.bool_], wanted: Sequence[int]) -> list[int]:
    """Which ratios 1 : r can be imposed by leaving out positives.

    There must be more positives than the ratio keeps, and it must keep eight, so that the training,
    validation and test rows have two each. Breast cancer allows 1 : 5 and 1 : 20 of the four ratios
    below, a digit 1 : 20 and 1 : 100.

    Args:
        positives: bool `(rows,)`.
        wanted: the negatives for each positive.

    Example:
        >>> possible_ratios(load_breast_cancer_rows().positives, (5, 20, 100, 500))
        [5, 20]
        >>> possible_ratios(load_digit_against_rest(8).positives, (5, 20, 100, 500))
        [20, 100]
    """
    number = int(positives.sum())
    kept = {ratio: _kept(positives, ratio) for ratio in wanted}
    return [ratio for ratio in wanted if FEWEST_POSITIVES <= kept[ratio] <= number]


def _kept(positives: NDArray[np.bool_], ratio: int) -> int:
    return round(int((~positives).sum()) / ratio)


def impose_ratio(positives: NDArray[np.bool_], ratio: int, seed: int) -> Rows:
    """All negative rows, and as many randomly chosen positive ones as a ratio 1 : r keeps.

    Args:
        positives: bool `(rows,)`.
        ratio: r, the negatives for each positive.
        seed: of the choice.

    Returns:
        The rows kept, in their order.

    Raises:
        ValueError: there are too few positives, or too few would remain.

    Example:
        >>> positives = load_digit_against_rest(8).positives
        >>> int(positives[impose_ratio(positives, 100, seed=0)].sum())
        16
    """
    if not possible_ratios(positives, [ratio]):
        raise ValueError(
            f"`ratio` must leave {FEWEST_POSITIVES} positives at least and "
            f"{int(positives.sum())} at most. Got {ratio}, which leaves "
            f"{_kept(positives, ratio)}."
        )
    chosen = np.random.default_rng([seed, ratio]).choice(
        np.flatnonzero(positives), _kept(positives, ratio), replace=False
    )
    return np.sort(np.concatenate([np.flatnonzero(~positives), chosen]))


def split_rows(
    positives: NDArray[np.bool_], rows: Rows, seed: int, shares: tuple[float, float] = (0.5, 0.25)
) -> tuple[Rows, Rows, Rows]:
    """Divide rows into training, validation and test, each with its share of the positives.

    Args:
        positives: bool, of all rows of the data set.
        rows: the rows to divide.
        seed: of the division.
        shares: of training and validation; the test has the rest.

    Example:
        >>> positives = np.arange(16) < 4
        >>> parts = split_rows(positives, np.arange(16), seed=0)
        >>> [(len(part), int(positives[part].sum())) for part in parts]
        [(8, 2), (4, 1), (4, 1)]
    """
    generator = np.random.default_rng([seed, 2])
    parts: list[list[Rows]] = [[], [], []]
    for wanted in (True, False):
        order = generator.permutation(rows[positives[rows] == wanted])
        cuts = np.round(np.cumsum(shares) * len(order)).astype(int)
        for part, piece in zip(parts, np.split(order, cuts), strict=True):
            part.append(piece)
    training, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return training, validation, test
