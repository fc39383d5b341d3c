"""Random texts and word vectors for the benchmarks of transport.

Words by Zipf's law, vectors in float32 near a space of fewer dimensions. The `latent` dimensions
and the topics decide how much nearer some texts are than others, and so how well pruning works.
"""

import numpy as np
from numpy.typing import NDArray

from scispaces.transport import Documents, documents_from_tokens

DIMENSIONS = 300
WORDS = 20_000

Text = NDArray[np.int64]  # rows of words, with repetitions
Pair = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]


def vector_table(words: int = WORDS, latent: int = 30, topics: int = 0) -> NDArray[np.float32]:
    """Word vectors of about unit length, most of it in a space of `latent` dimensions.

    With topics, the second half of the words are divided among them, each near its topic's place.
    """
    rng = np.random.default_rng(0)
    inner = rng.standard_normal((words, latent))
    if topics:
        places = rng.standard_normal((topics, latent))
        inner[words // 2 :] += places[np.arange(words // 2, words) % topics]
    table = inner @ rng.standard_normal((latent, DIMENSIONS))
    table += 0.3 * np.sqrt(latent) * rng.standard_normal(table.shape)
    return (table / np.sqrt(latent * DIMENSIONS)).astype(np.float32)


def random_texts(
    count: int, shortest: int, longest: int, words: int = WORDS, seed: int = 1, topics: int = 0
) -> list[Text]:
    """Rows of words by Zipf's law, its head of stop words cut off.

    With topics, each text has one, and half of its words from it.
    """
    rng = np.random.default_rng(seed)
    texts = []
    for size in rng.integers(shortest, longest + 1, count):
        on_topic = rng.integers(size // 3, 2 * size // 3 + 1) if topics else 0
        general = _by_zipf(rng, words // 2 if topics else words, size - on_topic)
        topic = rng.integers(topics) if topics else 0
        special = _by_zipf(rng, words // 2 // max(topics, 1), on_topic) * max(topics, 1) + topic
        first = words // 2 - words // 2 % max(topics, 1)
        texts.append(np.concatenate([general, first + special]))
    return texts


def _by_zipf(rng: np.random.Generator, words: int, size: int) -> Text:
    law = 1 / np.arange(30, words + 30)
    return rng.choice(words, size, p=law / law.sum())


def sentence_pairs(count: int, words: int = WORDS) -> tuple[list[Text], list[Text]]:
    """Pairs of texts of 5 to 25 tokens, a third of them sharing up to half of their words."""
    first = random_texts(count, 5, 25, words, seed=2)
    second = random_texts(count, 5, 25, words, seed=3)
    rng = np.random.default_rng(4)
    for a, b in zip(first, second, strict=True):
        if rng.random() < 1 / 3:
            shared = rng.integers(1, min(len(a), len(b)) // 2 + 1)
            b[:shared] = a[:shared]
    return first, second


def as_tokens(texts: list[Text]) -> list[list[str]]:
    """Texts of words instead of rows."""
    return [[str(row) for row in rows] for rows in texts]


def as_documents(table: NDArray[np.float32], texts: list[Text]) -> Documents:
    """Bags of the texts' words over the table."""
    names = {str(row): row for row in range(len(table))}
    return documents_from_tokens(as_tokens(texts), names, table)


def as_pairs(first: Documents, second: Documents) -> list[Pair]:
    """What the rivals take: rows and masses of either side of every pair."""
    sides = []
    for side in (first, second):
        cuts = side.starts[1:-1]
        masses = [w / w.sum() for w in np.split(side.weights, cuts)]
        sides.append(zip(np.split(side.words, cuts), masses, strict=True))
    return [(a, p, b, q) for (a, p), (b, q) in zip(*sides, strict=True)]
