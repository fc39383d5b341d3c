"""A name gives arrays: registered files with checked hashes, and sets that need no download."""

from scispaces.datasets.arff import Relation, read_arff
from scispaces.datasets.classification import ClassificationData
from scispaces.datasets.images import (
    load_cifar10_jpeg,
    load_digits,
    load_fashion_mnist,
    load_mnist,
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
    "MULAN_NAMES",
    "ClassificationData",
    "DataUnavailableError",
    "Entry",
    "MultilabelData",
    "Relation",
    "available",
    "files_read",
    "load_cifar10_jpeg",
    "load_digit_pairs",
    "load_digits",
    "load_fashion_mnist",
    "load_goemotions",
    "load_goemotions_single",
    "load_mnist",
    "load_mulan",
    "load_reuters_r52",
    "load_reuters_r90",
    "long_tail_counts",
    "long_tail_rows",
    "path",
    "read_arff",
    "registry",
    "shuffled_classes",
]
