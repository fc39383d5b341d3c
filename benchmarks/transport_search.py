"""Searches for nearest documents, ours and others'. A part of `benchmarks.word_transport`."""

from typing import Any

import numpy as np

from benchmarks import transport_rivals
from benchmarks import transport_texts as texts
from benchmarks.turns import Arm, Row, rows_of, take_turns, timed
from scispaces.transport import Documents, nearest_documents, rwmd, wmd_pairs
from scispaces.transport._costs import EUCLIDEAN
from scispaces.transport._relaxed import relax, side_of

# Latent dimensions of the vectors, and topics of the texts. Without topics no text is much nearer
# than the others, and fewer can be excluded by a bound.
CORPORA = {
    "topics, 300 dimensions": (300, 40),
    "topics, 30 dimensions": (30, 40),
    "no topics, 12 dimensions": (12, 0),
}
K = 10
CHECKED = 10  # queries that are compared with brute force


def searches_part(
    kind: str,
    queries: int,
    documents: int,
    *,
    sample: int = 300,
    turns: int = 3,
    relax_python: str | None = None,
) -> list[Row]:
    """Ten neighbours of each query; the slow rivals from a sample of the pairs or queries.

    Texts of about 20 to 150 words. The rows of ours tell how many distances were solved to the
    end and how many stopped, a query, how tight the bounds are, how far apart the tenth distance
    and the median one, and how far ours is from brute force, its own and POT's.
    """
    latent, topics = CORPORA[kind]
    table = texts.vector_table(texts.WORDS, latent, topics)
    corpus, asked = (
        texts.as_documents(table, texts.random_texts(count, 21, 160, len(table), seed, topics))
        for seed, count in ((5, documents), (6, queries))
    )
    checked = min(CHECKED, queries)
    full_sides = (
        asked[np.repeat(np.arange(checked), documents)],
        corpus[np.tile(np.arange(documents), checked)],
    )
    rng = np.random.default_rng(7)
    some = rng.integers(queries, size=sample), rng.integers(documents, size=sample)
    pairs = texts.as_pairs(asked[some[0]], corpus[some[1]])
    arms: dict[str, tuple[Arm, int, int]] = {
        "ours, 1 thread": (
            lambda: nearest_documents(asked, corpus, K, n_jobs=1),
            1,
            queries * documents,
        ),
        "ours, 2 threads": (
            lambda: nearest_documents(asked, corpus, K, n_jobs=2),
            2,
            queries * documents,
        ),
        "brute force, ours": (
            lambda: wmd_pairs(*full_sides, n_jobs=1).values,
            1,
            checked * documents,
        ),
        "brute force, cdist + ot.emd2": (
            lambda: transport_rivals.cdist_and_emd2(table, pairs),
            1,
            sample,
        ),
    }
    nearest_documents(asked[:1], corpus[:20], K, n_jobs=1)  # loads what is compiled
    rows, results = [], {}
    for turn in range(turns):
        for name, (arm, threads, problems) in arms.items():
            seconds, results[name] = timed(arm, threads)
            own = {name: [seconds]}
            rows += rows_of("neighbours", kind, own, threads, problems, turn=turn)
    found = results["ours, 1 thread"]
    full = results["brute force, ours"].reshape(checked, documents)
    sorted_full = np.sort(full, axis=1)
    theirs = wmd_pairs(asked[some[0]], corpus[some[1]], n_jobs=1).values
    measures = {
        "solved": float(found.solved.mean()),
        "refuted": float(found.refuted.mean()),
        "tightness": float((rwmd(asked[:checked], corpus) / full).mean()),
        "spread": float((sorted_full[:, K - 1] / np.median(full, axis=1)).mean()),
        "search_miss": float(np.abs(found.distances[:checked] / sorted_full[:, :K] - 1).max()),
        "rival_miss": float(np.abs(theirs / results["brute force, cdist + ot.emd2"] - 1).max()),
    }
    rows = [row | measures if row["arm"] == "ours, 1 thread" else row for row in rows]
    if relax_python:
        rows += _relax_rows(relax_python, kind, table, corpus, asked, found)
    return rows


def _relax_rows(
    interpreter: str, kind: str, table: Any, corpus: Documents, asked: Documents, found: Any
) -> list[Row]:
    """wmd-relax on the first three queries, to the end and with its defaults."""
    rows: list[Row] = []
    for line in transport_rivals.relax_neighbours(interpreter, table, corpus, asked[:3]):
        right = float(np.isin(line["neighbours"], found.indices[line["query"]]).mean())
        own = {f"wmd-relax {line['versions']['wmd']}, {line['setting']}": [line["seconds"]]}
        more = {"turn": line["query"], "right_neighbours": right}
        rows += rows_of("neighbours", kind, own, 1, len(corpus), **more)
    return rows


def bounds_part(repeats: int) -> list[Row]:
    """Both bounds of 2,000 documents, documents and query of 85 words, and the product before."""
    table = texts.vector_table()
    rng = np.random.default_rng(8)
    drawn = [rng.choice(len(table), 85, replace=False) for _ in range(2001)]
    documents = texts.as_documents(table, drawn)
    query = side_of(documents[:1], EUCLIDEAN, query=True)
    corpus = side_of(documents[1:], EUCLIDEAN, query=False)
    factors = query.factors[query.local].T
    product = corpus.factors @ factors
    every, bounds = np.arange(2000), np.empty((2, 2000))
    arms: dict[str, Arm] = {
        "product of the vectors": lambda: corpus.factors @ factors,
        "both RWMD bounds": lambda: relax(product, query.masses, corpus, every, bounds),
    }
    return rows_of("bounds", "85 words", take_turns(arms, 5 * repeats), 1, 2000)
