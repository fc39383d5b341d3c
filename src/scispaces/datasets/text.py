"""Multi-label text: Reuters-21578 (ModApte, 90 topics) and GoEmotions, as TF-IDF features."""

import html
import re

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from scispaces.datasets.multilabel import MultilabelData
from scispaces.datasets.store import path

REUTERS_FILES = 22
TERMS = 1000

DOCUMENT = re.compile(r"<REUTERS(.*?)>(.*?)</REUTERS>", re.DOTALL)
ATTRIBUTE = re.compile(r'(\w+)="(.*?)"')
TOPICS = re.compile(r"<TOPICS>(.*?)</TOPICS>", re.DOTALL)
TOPIC = re.compile(r"<D>(.*?)</D>")
TEXT = re.compile(r"<TEXT.*?>(.*?)</TEXT>", re.DOTALL)
MARKUP = re.compile(r"<.*?>", re.DOTALL)
CONTROL = re.compile(r"&#\d+;|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _with_features(
    name: str,
    train: list[tuple[str, set[str]]],
    test: list[tuple[str, set[str]]],
    labels: tuple[str, ...],
    vectorizer: TfidfVectorizer,
) -> MultilabelData:
    """Texts and label names as arrays, the vectorizer fitted on the training texts alone."""

    def targets(rows: list[tuple[str, set[str]]]) -> np.ndarray:
        return np.array([[label in present for label in labels] for _, present in rows])

    train_x = vectorizer.fit_transform([text for text, _ in train]).toarray()
    test_x = vectorizer.transform([text for text, _ in test]).toarray()
    return MultilabelData(name, train_x, targets(train), test_x, targets(test), labels)


def reuters_documents() -> list[tuple[str, str, set[str]]]:
    """The documents of the ModApte split: (split, text, topics), split being TRAIN or TEST.

    ModApte keeps the documents whose attribute TOPICS is YES and whose LEWISSPLIT is TRAIN or
    TEST; the attribute says that an indexer looked at the document, not that it has a topic, so
    some of these have none. A text is the content of TEXT without its markup: title and body, or
    what stands there unmarked where a document has no body.
    """
    documents = []
    for number in range(REUTERS_FILES):
        file = path(f"multilabel/reuters21578/reut2-{number:03d}.sgm")
        for header, content in DOCUMENT.findall(file.read_text(encoding="latin-1")):
            attributes = dict(ATTRIBUTE.findall(header))
            split = attributes["LEWISSPLIT"]
            if attributes["TOPICS"] != "YES" or split not in ("TRAIN", "TEST"):
                continue
            topics_element, text_element = TOPICS.search(content), TEXT.search(content)
            topics = set(TOPIC.findall(topics_element[1])) if topics_element else set()
            text = MARKUP.sub(" ", text_element[1]) if text_element else ""
            documents.append((split, html.unescape(CONTROL.sub(" ", text)), topics))
    return documents


def load_reuters_r90() -> MultilabelData:
    """Reuters-21578, ModApte split, the 90 topics with a document in both parts.

    Documents without any of the 90 topics are left out, which gives the usual 7,770 training and
    3,019 test documents. The features are TF-IDF weights (sublinear term frequency, English stop
    words removed, rows of length 1) of the 1,000 terms most frequent in the training text: few
    enough to train eight losses with many seeds on a laptop.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] D. D. Lewis, "Reuters-21578, Distribution 1.0", README, section VIII.B (1997).
        [2] F. Debole, F. Sebastiani, "An analysis of the relative hardness of Reuters-21578
        subsets", JASIST 56 (2005), 584-596.
    """
    documents = reuters_documents()
    topics = {
        split: set().union(*(found for part, _, found in documents if part == split))
        for split in ("TRAIN", "TEST")
    }
    labels = tuple(sorted(topics["TRAIN"] & topics["TEST"]))
    kept = [document for document in documents if document[2] & set(labels)]
    train, test = (
        [(text, found) for part, text, found in kept if part == split]
        for split in ("TRAIN", "TEST")
    )
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, stop_words="english", max_features=TERMS, dtype=np.float32
    )
    return _with_features("reuters-r90", train, test, labels, vectorizer)


def load_goemotions() -> MultilabelData:
    """GoEmotions: Reddit comments with 27 emotions and neutral, in the published split.

    Training and development part of the release are joined for training, 48,836 comments against
    5,427 in the test. The features are TF-IDF weights (sublinear term frequency, rows of length
    1) of the 1,000 words and word pairs most frequent in the training text.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] D. Demszky et al., "GoEmotions: A dataset of fine-grained emotions", ACL (2020).
    """
    folder = "multilabel/goemotions"
    labels = tuple(path(f"{folder}/labels.txt").read_text(encoding="utf-8").split())

    def read(part: str) -> list[tuple[str, set[str]]]:
        rows = path(f"{folder}/{part}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        fields = [row.split("\t") for row in rows]
        return [(text, {labels[int(at)] for at in ids.split(",")}) for text, ids, _ in fields]

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), max_features=TERMS, dtype=np.float32
    )
    return _with_features(
        "goemotions", read("train") + read("dev"), read("test"), labels, vectorizer
    )
