"""Exact word transport, ours and others', in one run.

    python -m benchmarks.word_transport --parts pairs solver neighbours --json times.json

The arms take turns, so that a busy moment of the machine hits all of them alike; medians of the
ratios within a turn are printed. One thread is timed by the processor time it used, several by
the clock. The texts are drawn at random: words by Zipf's law, vectors in float32 near a space of
fewer dimensions, a third of the pairs with words in common.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ot

from benchmarks import transport_rivals as rivals
from scispaces.transport import (
    Documents,
    documents_from_tokens,
    emd_batch,
    nearest_documents,
    rwmd,
    wmd_pairs,
    wrd_pairs,
)
from scispaces.transport._costs import EUCLIDEAN
from scispaces.transport._relaxed import relax, side_of

Arm = Callable[[], Any]
DIMENSIONS = 300


def vector_table(words: int, latent: int = 30, topics: int = 0) -> np.ndarray:
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
    count: int, shortest: int, longest: int, words: int, seed: int = 1, topics: int = 0
) -> list[np.ndarray]:
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


def _by_zipf(rng: np.random.Generator, words: int, size: int) -> np.ndarray:
    law = 1 / np.arange(30, words + 30)
    return rng.choice(words, size, p=law / law.sum())


def sentence_pairs(count: int, words: int = 20_000) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pairs of texts of 5 to 25 tokens, a third of them sharing up to half of their words."""
    first = random_texts(count, 5, 25, words, seed=2)
    second = random_texts(count, 5, 25, words, seed=3)
    rng = np.random.default_rng(4)
    for a, b in zip(first, second, strict=True):
        if rng.random() < 1 / 3:
            shared = rng.integers(1, min(len(a), len(b)) // 2 + 1)
            b[:shared] = a[:shared]
    return first, second


def take_turns(arms: dict[str, Arm], repeats: int, threads: int = 1) -> dict[str, list[float]]:
    """Seconds of every arm in every turn, after one turn to warm up."""
    clock = time.process_time if threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(repeats + 1):
        for name, arm in arms.items():
            start = clock()
            arm()
            if turn:
                times[name].append(clock() - start)
    return times


def ratio(times: dict[str, list[float]], ours: str, rival: str) -> float:
    """How many times faster than the rival ours is: the median of the turns."""
    return statistics.median(b / a for a, b in zip(times[ours], times[rival], strict=True))


def _as_bags(table: np.ndarray, texts: list[np.ndarray]) -> Documents:
    names = {str(row): row for row in range(len(table))}
    return documents_from_tokens([[str(row) for row in rows] for rows in texts], names, table)


def _as_pairs(first: Documents, second: Documents) -> list[rivals.Pair]:
    sides = []
    for side in (first, second):
        cuts = side.starts[1:-1]
        masses = [w / w.sum() for w in np.split(side.weights, cuts)]
        sides.append(zip(np.split(side.words, cuts), masses, strict=True))
    return [(a, p, b, q) for (a, p), (b, q) in zip(*sides, strict=True)]


def pair_arms(count: int = 2000, threads: int = 1, gensim: bool = False) -> dict[str, Arm]:
    """Sentence pairs from ids, and from tokens."""
    table = vector_table(20_000)
    texts = sentence_pairs(count)
    first, second = (_as_bags(table, side) for side in texts)
    pairs = _as_pairs(first, second)
    names = {str(row): row for row in range(len(table))}
    tokens = [[[str(row) for row in rows] for rows in side] for side in texts]

    def from_tokens() -> Any:
        sides = [documents_from_tokens(side, names, table) for side in tokens]
        return wmd_pairs(*sides, n_jobs=threads)

    arms: dict[str, Arm] = {
        "WMD, ours": lambda: wmd_pairs(first, second, n_jobs=threads),
        "WRD, ours": lambda: wrd_pairs(first, second, n_jobs=threads),
        "WMD from tokens, ours": from_tokens,
        "WMD, cdist + ot.emd2": lambda: rivals.cdist_and_emd2(table, pairs),
        "WMD, product + emd_c": lambda: rivals.product_and_private_door(table, pairs),
        "WRD, product + ot.emd2": lambda: rivals.product_and_emd2(table, pairs),
    }
    if gensim:
        from gensim.models import KeyedVectors

        model = KeyedVectors(DIMENSIONS)
        model.add_vectors(list(names), table)
        both = list(zip(*tokens, strict=True))
        arms["WMD from tokens, gensim"] = lambda: [
            model.wmdistance(a, b, norm=False) for a, b in both
        ]
    return arms


def solver_arms(size: int, count: int) -> dict[str, Arm]:
    """The solver alone, for costs that are given: `count` pairs of texts of `size` words."""
    rng = np.random.default_rng(size)
    table = vector_table(20_000).astype(np.float64)
    problems = []
    for _ in range(count):
        a, b = (rng.choice(len(table), size, replace=False) for _ in range(2))
        masses = [rng.integers(1, 3, size).astype(np.float64) for _ in range(2)]
        cost = rivals.cdist(table[a], table[b])
        problems.append((masses[0] / masses[0].sum(), masses[1] / masses[1].sum(), cost))
    p, q, cost = (list(parts) for parts in zip(*problems, strict=True))
    return {
        "ours": lambda: emd_batch(p, q, cost, n_jobs=1),
        "emd_c": lambda: rivals.private_door(problems),
    }


def neighbours(
    queries: int, documents: int, latent: int, topics: int, threads: int, sample: int
) -> dict[str, float]:
    """Ten neighbours of each query; POT's brute force from a sample of its pairs.

    Texts of about 20 to 150 words; without topics, or with few latent dimensions, no text is
    much nearer than the others, and pruning is hard.
    """
    table = vector_table(20_000, latent, topics)
    texts = (
        random_texts(count, 21, 160, len(table), seed, topics)
        for seed, count in ((5, documents), (6, queries))
    )
    corpus, asked = (_as_bags(table, part) for part in texts)
    nearest_documents(asked[:1], corpus[:20], 10, n_jobs=threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    found = nearest_documents(asked, corpus, 10, n_jobs=threads)
    seconds = clock() - start
    rng = np.random.default_rng(7)
    chosen = rng.integers(queries, size=sample), rng.integers(documents, size=sample)
    pairs = _as_pairs(asked[chosen[0]], corpus[chosen[1]])
    start = time.process_time()
    rivals.cdist_and_emd2(table, pairs)
    rival = (time.process_time() - start) / sample * queries * documents
    bounds = rwmd(asked[:1], corpus)
    exact = wmd_pairs(asked[np.zeros(sample, int)], corpus[:sample]).values
    return {
        "seconds": seconds,
        "threads": threads,
        "brute force by POT, seconds on one thread": rival,
        "ratio": rival / seconds,
        "spared": found.spared,
        "solved per query": float(found.solved.mean()),
        "refuted per query": float(found.refuted.mean()),
        "RWMD / WMD": float((bounds[0, :sample] / exact).mean()),
    }


def relaxed_bounds_time(repeats: int) -> float:
    """Microseconds a document for both bounds, documents and query of 85 words, product given."""
    table = vector_table(20_000)
    rng = np.random.default_rng(8)
    texts = [rng.choice(20_000, 85, replace=False) for _ in range(2001)]
    documents = _as_bags(table, texts)
    query = side_of(documents[:1], EUCLIDEAN, query=True)
    corpus = side_of(documents[1:], EUCLIDEAN, query=False)
    product = corpus.factors @ query.factors[query.local].T
    every, bounds = np.arange(2000), np.empty((2, 2000))
    arm: dict[str, Arm] = {
        "bounds": lambda: relax(product, query.masses, corpus, every, bounds),
    }
    return 1e6 * statistics.median(take_turns(arm, 5 * repeats)["bounds"]) / 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ["pairs", "solver", "neighbours", "bounds"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--corpora", nargs="+", default=["300x40", "30x40", "12x0"])
    parser.add_argument("--gensim", action="store_true", help="also gensim, if it is installed")
    parser.add_argument("--json", metavar="PATH", help="write the numbers there too")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if "pairs" in options.parts:
        times = take_turns(pair_arms(2000, options.threads, options.gensim), options.repeats)
        result["2,000 pairs of 5 to 25 tokens"] = {
            name: {
                "milliseconds": 1e3 * statistics.median(values),
                "times WMD, ours": ratio(times, "WMD, ours", name),
                "times WRD, ours": ratio(times, "WRD, ours", name),
            }
            for name, values in times.items()
        }
    if "solver" in options.parts:
        for size, count in ((15, 2000), (85, 100), (200, 20), (1000, 1)):
            times = take_turns(solver_arms(size, count), options.repeats)
            result[f"solver, {size} words"] = {
                "ours, microseconds": 1e6 * statistics.median(times["ours"]) / count,
                "emd_c, microseconds": 1e6 * statistics.median(times["emd_c"]) / count,
                "ratio": ratio(times, "ours", "emd_c"),
            }
    if "neighbours" in options.parts:
        for corpus in options.corpora:
            latent, topics = map(int, corpus.split("x"))
            name = f"10 neighbours, {options.queries} x {options.documents}, "
            name += f"{latent} latent dimensions, {topics} topics"
            sizes = (options.queries, options.documents, latent, topics)
            result[name] = neighbours(*sizes, options.threads, 100)
    if "bounds" in options.parts:
        result["both RWMD bounds of 2,000 documents"] = {
            "microseconds a document": relaxed_bounds_time(options.repeats)
        }
    for name, rows in result.items():
        print(f"\n{name}")
        for key, row in rows.items():
            values = row.items() if isinstance(row, dict) else [("", row)]
            print(f"  {key:62}" + "".join(f"{value:12.3f} {label}" for label, value in values))
    if options.json:
        versions = {name: importlib.metadata.version(name) for name in ("numba", "numpy", "scipy")}
        machine = {"processor": platform.processor(), "cores": os.cpu_count()}
        settings = {"threads": options.threads, "POT": ot.__version__, **versions}
        with open(options.json, "w") as file:
            json.dump({"machine": machine, "settings": settings, "table": result}, file, indent=1)


if __name__ == "__main__":
    main()
