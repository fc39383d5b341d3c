"""A name gives arrays: registered files with checked hashes, and sets that need no download."""

from scispaces.datasets.arff import Relation, read_arff
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
from scispaces.datasets.text import load_goemotions, load_reuters_r90

__all__ = [
    "MULAN_NAMES",
    "DataUnavailableError",
    "Entry",
    "MultilabelData",
    "Relation",
    "available",
    "files_read",
    "load_digit_pairs",
    "load_goemotions",
    "load_mulan",
    "load_reuters_r90",
    "path",
    "read_arff",
    "registry",
]
