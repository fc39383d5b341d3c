"""A name gives arrays: registered files with checked hashes, and sets that need no download."""

from scispaces.datasets.arff import Relation, read_arff
from scispaces.datasets.classification import ClassificationData
from scispaces.datasets.images import (
    load_cifar10_jpeg,
    load_digits,
    load_fashion_mnist,
    load_mnist,
)
from scispaces.datasets.imbalanced import (
    IMBALANCED_NAMES,
    BinaryData,
    impose_ratio,
    load_breast_cancer_rows,
    load_digit_against_rest,
    load_fashion_against_rest,
    load_imbalanced,
    possible_ratios,
)
from scispaces.datasets.long_tail import long_tail_counts, long_tail_rows, shuffled_classes
from scispaces.datasets.multilabel import (
    MULAN_NAMES,
    MultilabelData,
    load_digit_pairs,
    load_mulan,
)
from scispaces.datasets.store import (
    DataUnavailableError,
    Entry,
    available,
    files_read,
    path,
    registry,
)
from scispaces.datasets.text import (
    load_goemotions,
    load_goemotions_single,
    load_reuters_r52,
    load_reuters_r90,
)

__all__ = [
    "IMBALANCED_NAMES",
    "MULAN_NAMES",
    "BinaryData",
    "ClassificationData",
    "DataUnavailableError",
    "Entry",
    "MultilabelData",
    "Relation",
    "available",
    "files_read",
    "impose_ratio",
    "load_breast_cancer_rows",
    "load_cifar10_jpeg",
    "load_digit_against_rest",
    "load_digit_pairs",
    "load_digits",
    "load_fashion_against_rest",
    "load_fashion_mnist",
    "load_goemotions",
    "load_goemotions_single",
    "load_imbalanced",
    "load_mnist",
    "load_mulan",
    "load_reuters_r52",
    "load_reuters_r90",
    "long_tail_counts",
    "long_tail_rows",
    "path",
    "possible_ratios",
    "read_arff",
    "registry",
    "shuffled_classes",
]
