"""A name gives arrays: registered files with checked hashes, and sets that need no download."""

from scispaces.datasets.arff import Relation, read_arff
from scispaces.datasets.classification import ClassificationData
from scispaces.datasets.documents import (
    LabelledDocuments,
    load_film_reviews,
    load_manual,
    load_ohsumed,
    load_r8,
    load_stop_words,
    load_twenty_newsgroups,
    load_twitter,
    manual_corpus,
)
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
from scispaces.datasets.language import LanguageData, load_language, parallel_streams
from scispaces.datasets.long_tail import long_tail_counts, long_tail_rows, shuffled_classes
from scispaces.datasets.multilabel import (
    MULAN_NAMES,
    MultilabelData,
    load_digit_pairs,
    load_mulan,
)
from scispaces.datasets.sentences import (
    STS_YEARS,
    SentencePairs,
    load_sts,
    load_sts_benchmark,
    words_of,
)
from scispaces.datasets.sequences import (
    SequenceData,
    SequencePairs,
    load_cmudict,
    load_multi30k,
    make_spelling_rules,
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
from scispaces.datasets.word_vectors import (
    WordVectors,
    load_glove_8k,
    load_google_news_8k,
    load_wikipedia_counts,
    vectors_by_counting,
)

__all__ = [
    "IMBALANCED_NAMES",
    "MULAN_NAMES",
    "STS_YEARS",
    "BinaryData",
    "ClassificationData",
    "DataUnavailableError",
    "Entry",
    "LabelledDocuments",
    "LanguageData",
    "MultilabelData",
    "Relation",
    "SentencePairs",
    "SequenceData",
    "SequencePairs",
    "WordVectors",
    "available",
    "files_read",
    "impose_ratio",
    "load_breast_cancer_rows",
    "load_cifar10_jpeg",
    "load_cmudict",
    "load_digit_against_rest",
    "load_digit_pairs",
    "load_digits",
    "load_fashion_against_rest",
    "load_fashion_mnist",
    "load_film_reviews",
    "load_glove_8k",
    "load_goemotions",
    "load_goemotions_single",
    "load_google_news_8k",
    "load_imbalanced",
    "load_language",
    "load_manual",
    "load_mnist",
    "load_mulan",
    "load_multi30k",
    "load_ohsumed",
    "load_r8",
    "load_reuters_r52",
    "load_reuters_r90",
    "load_stop_words",
    "load_sts",
    "load_sts_benchmark",
    "load_twenty_newsgroups",
    "load_twitter",
    "load_wikipedia_counts",
    "long_tail_counts",
    "long_tail_rows",
    "make_spelling_rules",
    "manual_corpus",
    "parallel_streams",
    "path",
    "possible_ratios",
    "read_arff",
    "registry",
    "shuffled_classes",
    "vectors_by_counting",
    "words_of",
]
