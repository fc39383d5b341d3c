"""Reuters-21578 and GoEmotions as TF-IDF features: many labels per text, or the texts with one."""

import html
import re
from collections import Counter

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from scispaces.datasets.classification import ClassificationData
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


def _single_label(data: MultilabelData) -> ClassificationData:
    """The same data where every row has exactly one label."""
    return ClassificationData(
        data.name,
        data.train_x,
        data.train_y.argmax(axis=1),
        data.test_x,
        data.test_y.argmax(axis=1),
        data.labels,
    )


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
    return _with_features("reuters-r90", train, test, labels, _news_terms())


def load_reuters_r52() -> ClassificationData:
    """Reuters-21578, the documents with exactly one topic: 52 classes, a natural long tail.

    From the ModApte split come the documents with one topic whose topic has such a document in
    both parts: 6,532 training documents, from 2,840 in the largest class to one in the smallest,
    and 2,569 test documents. The published count is 9,100 documents, of them 2,568 in the test;
    the file published with it lacks one test document of the class trade (NEWID 19918 of the
    distribution), for a reason that is not documented. The features are those of
    `load_reuters_r90`, fitted on these training texts.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] A. Cardoso-Cachopo, "Improving methods for single-label text categorization", PhD
        thesis, Instituto Superior Técnico (2007).
    """
    single = [document for document in reuters_documents() if len(document[2]) == 1]
    in_split = {
        split: Counter(topic for part, _, topics in single for topic in topics if part == split)
        for split in ("TRAIN", "TEST")
    }
    classes = tuple(sorted(in_split["TRAIN"].keys() & in_split["TEST"].keys()))
    kept = [document for document in single if document[2] <= set(classes)]
    train, test = (
        [(text, topics) for part, text, topics in kept if part == split]
        for split in ("TRAIN", "TEST")
    )
    return _single_label(_with_features("reuters-r52", train, test, classes, _news_terms()))


def _news_terms() -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True, stop_words="english", max_features=TERMS, dtype=np.float32
    )


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
    return _goemotions("goemotions", most_labels=28)


def load_goemotions_single() -> ClassificationData:
    """GoEmotions, the comments with exactly one label: 28 classes, a natural long tail.

    Of the 48,836 comments of training and development part 40,856 have one label, from 14,415
    times neutral to 45 times grief; of the 5,427 of the test 4,590. Features as in
    `load_goemotions`, fitted on these comments.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.
    """
    return _single_label(_goemotions("goemotions-single", most_labels=1))


def _goemotions(name: str, most_labels: int) -> MultilabelData:
    folder = "multilabel/goemotions"
    labels = tuple(path(f"{folder}/labels.txt").read_text(encoding="utf-8").split())

    def read(part: str) -> list[tuple[str, set[str]]]:
        rows = path(f"{folder}/{part}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        fields = [row.split("\t") for row in rows]
        comments = [(text, {labels[int(at)] for at in ids.split(",")}) for text, ids, _ in fields]
        return [(text, found) for text, found in comments if len(found) <= most_labels]

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), max_features=TERMS, dtype=np.float32
    )
    return _with_features(name, read("train") + read("dev"), read("test"), labels, vectorizer)
