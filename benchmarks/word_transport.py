"""Exact word transport, ours and others', in one run.

    python -m benchmarks.word_transport --parts pairs solver --repeats 5
    python -m benchmarks.word_transport --store --relax relax/bin/python

The arms take turns, so that a busy moment of the machine hits all of them alike. One thread is
timed by the processor time it used, two by the clock; rivals have one thread, as they come. Every
turn is a row; `--store` keeps the rows in `data/recorded/word-transport/timings.csv`, from which
the chapter computes its ratios. gensim and geomloss take part where they are installed, and
wmd-relax where `--relax` names the interpreter that has it (see `wmd_relax.py`).
"""

import argparse
import importlib.metadata
import statistics
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks import transport_growth, transport_rivals
from benchmarks import transport_texts as texts
from benchmarks.turns import Arm, Row, rows_of, take_turns, timed
from scispaces.evidence import find_root
from scispaces.evidence.store import process_provenance, store_table
from scispaces.transport import (
    documents_from_tokens,
    emd_batch,
    nearest_documents,
    rwmd,
    sinkhorn,
    wmd_pairs,
    wrd_pairs,
)
from scispaces.transport._costs import EUCLIDEAN
from scispaces.transport._relaxed import relax, side_of

RIVALS = ("POT", "scipy", "numpy", "gensim", "geomloss")
CORPORA = {"tight": (300, 40), "middle": (30, 40), "loose": (12, 0)}  # latent dimensions, topics
CHAPTER = "word-transport"


def pair_arms(count: int = 2000, threads: int = 1) -> dict[str, Arm]:
    """Sentence pairs from ids, and from tokens."""
    table = texts.vector_table()
    sides = texts.sentence_pairs(count)
    first, second = (texts.as_documents(table, side) for side in sides)
    pairs = texts.as_pairs(first, second)
    names = {str(row): row for row in range(len(table))}
    tokens = [texts.as_tokens(side) for side in sides]

    def from_tokens() -> Any:
        documents = [documents_from_tokens(side, names, table) for side in tokens]
        return wmd_pairs(*documents, n_jobs=threads)

    rivals = transport_rivals
    arms: dict[str, Arm] = {
        "WMD, ours": lambda: wmd_pairs(first, second, n_jobs=threads),
        "WRD, ours": lambda: wrd_pairs(first, second, n_jobs=threads),
        "WMD from tokens, ours": from_tokens,
        "WMD, cdist + ot.emd2": lambda: rivals.cdist_and_emd2(table, pairs),
        "WMD, product + emd_c": lambda: rivals.product_and_private_door(table, pairs),
        "WRD, product + ot.emd2": lambda: rivals.product_and_emd2(table, pairs),
    }
    if find_spec("gensim"):
        from gensim.models import KeyedVectors

        model = KeyedVectors(texts.DIMENSIONS)
        model.add_vectors(list(names), table)
        both = list(zip(*tokens, strict=True))
        arms["WMD from tokens, gensim"] = lambda: [
            model.wmdistance(a, b, norm=False) for a, b in both
        ]
    return arms


def pairs_part(repeats: int) -> list[Row]:
    """2,000 pairs of sentences, on one thread and on two."""
    return [
        row
        for threads in (1, 2)
        for row in rows_of(
            "pairs",
            "2,000 pairs of 5 to 25 tokens",
            take_turns(pair_arms(2000, threads), repeats, threads),
            threads,
            2000,
        )
    ]


def entropic_part(repeats: int, count: int = 200) -> list[Row]:
    """Batched approximations of the same distances: what they cost and what they miss."""
    table = texts.vector_table()
    first, second = (texts.as_documents(table, side) for side in texts.sentence_pairs(count))
    exact = wmd_pairs(first, second, n_jobs=1).values
    batch = transport_rivals.padded(table, texts.as_pairs(first, second))
    rivals = transport_rivals
    arms: dict[str, Arm] = {
        "exact, ours": lambda: wmd_pairs(first, second, n_jobs=1).values,
        **{
            f"Sinkhorn {reg}, ours": lambda reg=reg: (
                sinkhorn(batch.p, batch.q, batch.cost, reg, tolerance=1e-3).cost
            )
            for reg in (0.05, 0.02)
        },
        "ot.batch.solve_batch, 0.05": lambda: rivals.pot_batch(batch, 0.05),
        "ot.batch.solve_batch, as it comes": lambda: rivals.pot_batch(batch, None),
    }
    if find_spec("geomloss"):
        for blur in (0.05, 0.01):
            arms[f"geomloss, blur {blur}"] = lambda blur=blur: rivals.geomloss_value(batch, blur)
    misses = {name: np.abs(arm() / exact - 1) for name, arm in arms.items()}
    rows = rows_of("entropic", f"{count} pairs", take_turns(arms, repeats), 1, count)
    for row in rows:
        miss = misses[row["arm"]]
        row |= {"mean_miss": float(miss.mean()), "largest_miss": float(miss.max())}
    return rows


def solver_arms(size: int, count: int) -> dict[str, Arm]:
    """The solver alone, for costs that are given: `count` pairs of texts of `size` words."""
    rng = np.random.default_rng(size)
    table = texts.vector_table().astype(np.float64)
    problems = []
    for _ in range(count):
        a, b = (rng.choice(len(table), size, replace=False) for _ in range(2))
        masses = [rng.integers(1, 3, size).astype(np.float64) for _ in range(2)]
        cost = transport_rivals.cdist(table[a], table[b])
        problems.append((masses[0] / masses[0].sum(), masses[1] / masses[1].sum(), cost))
    p, q, cost = (list(parts) for parts in zip(*problems, strict=True))
    return {
        "ours": lambda: emd_batch(p, q, cost, n_jobs=1),
        "emd_c": lambda: transport_rivals.private_door(problems),
    }


def solver_part(repeats: int) -> list[Row]:
    """The compiled solvers beside each other, by the number of words."""
    return [
        row
        for size, count in ((15, 2000), (85, 100), (200, 20), (1000, 2))
        for row in rows_of(
            "solver",
            f"{size} words",
            take_turns(solver_arms(size, count), repeats),
            1,
            count,
            size=size,
        )
    ]


def neighbours(
    kind: str, queries: int, documents: int, sample: int, relax_python: str | None = None
) -> list[Row]:
    """Ten neighbours of each query; the slow rivals from a sample of the pairs or queries.

    Texts of about 20 to 150 words; in the loose corpus no text is much nearer than the others.
    """
    latent, topics = CORPORA[kind]
    table = texts.vector_table(texts.WORDS, latent, topics)
    corpus, asked = (
        texts.as_documents(table, texts.random_texts(count, 21, 160, len(table), seed, topics))
        for seed, count in ((5, documents), (6, queries))
    )
    nearest_documents(asked[:1], corpus[:20], 10, n_jobs=1)
    rng = np.random.default_rng(7)
    some = rng.integers(queries, size=sample), rng.integers(documents, size=sample)
    pairs = texts.as_pairs(asked[some[0]], corpus[some[1]])
    checked = max(1, sample // 10)
    repeated = asked[np.repeat(np.arange(checked), documents)]
    every = corpus[np.tile(np.arange(documents), checked)]
    arms: dict[str, tuple[Arm, int, int]] = {
        **{
            f"ours, {threads} thread{'s' if threads > 1 else ''}": (
                lambda threads=threads: nearest_documents(asked, corpus, 10, n_jobs=threads),
                threads,
                queries * documents,
            )
            for threads in (1, 2)
        },
        "brute force, ours": (
            lambda: wmd_pairs(repeated, every, n_jobs=1).values,
            1,
            checked * documents,
        ),
        "brute force, cdist + ot.emd2": (
            lambda: transport_rivals.cdist_and_emd2(table, pairs),
            1,
            sample,
        ),
    }
    rows, results = [], {}
    for name, (arm, threads, problems) in arms.items():
        seconds, results[name] = timed(arm, threads)
        rows += rows_of("neighbours", kind, {name: [seconds]}, threads, problems)
    found = results["ours, 1 thread"]
    full = results["brute force, ours"].reshape(checked, documents)
    nearest = np.sort(full, axis=1)[:, :10]
    rows[0] |= {
        "solved": float(found.solved.mean()),
        "refuted": float(found.refuted.mean()),
        "tightness": float((rwmd(asked[:checked], corpus) / full).mean()),
        "largest_miss": float(np.abs(found.distances[:checked] / nearest - 1).max()),
    }
    if relax_python:
        rows += _relax_rows(relax_python, kind, table, corpus, asked, found)
    return rows


def _relax_rows(
    interpreter: str, kind: str, table: Any, corpus: Any, asked: Any, found: Any
) -> list[Row]:
    """wmd-relax on the first three queries, to the end and with its defaults."""
    rows = []
    for line in transport_rivals.relax_neighbours(interpreter, table, corpus, asked[:3]):
        right = np.isin(line["neighbours"], found.indices[line["query"]]).mean()
        times = {f"wmd-relax, {line['setting']}": [line["seconds"]]}
        [row] = rows_of("neighbours", kind, times, 1, len(corpus))
        rows.append({**row, "turn": line["query"], "right_neighbours": float(right)})
    return rows


def bounds_part(repeats: int) -> list[Row]:
    """Both bounds of 2,000 documents, documents and query of 85 words, the product given."""
    table = texts.vector_table()
    rng = np.random.default_rng(8)
    drawn = [rng.choice(len(table), 85, replace=False) for _ in range(2001)]
    documents = texts.as_documents(table, drawn)
    query = side_of(documents[:1], EUCLIDEAN, query=True)
    corpus = side_of(documents[1:], EUCLIDEAN, query=False)
    product = corpus.factors @ query.factors[query.local].T
    every, bounds = np.arange(2000), np.empty((2, 2000))
    arms: dict[str, Arm] = {
        "both RWMD bounds": lambda: relax(product, query.masses, corpus, every, bounds)
    }
    return rows_of("bounds", "85 words", take_turns(arms, 5 * repeats), 1, 2000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
        "pairs": lambda o: pairs_part(o.repeats),
        "entropic": lambda o: entropic_part(min(o.repeats, 3)),
        "solver": lambda o: solver_part(o.repeats),
        "neighbours": lambda o: [
            row
            for kind in CORPORA
            for row in neighbours(kind, o.queries, o.documents, 100, o.relax)
        ],
        "bounds": lambda o: bounds_part(o.repeats),
        "words": lambda o: transport_growth.words_part(o.repeats),
        "corpus": lambda o: transport_growth.corpus_part(),
        "sentences": lambda o: transport_growth.sentences_part(o.repeats),
    }
    parser.add_argument("--parts", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--relax", metavar="PYTHON", help="an interpreter that has wmd-relax")
    parser.add_argument("--store", action="store_true", help="keep the rows in data/recorded")
    options = parser.parse_args()
    rows: list[Row] = []
    for part in options.parts:
        measured = parts[part](options)
        _print(measured)
        rows += measured
    if options.store:
        origin = process_provenance(find_root())
        installed = {name: importlib.metadata.version(name) for name in RIVALS if find_spec(name)}
        origin["packages"] |= installed | ({"wmd": "1.3.2"} if options.relax else {})
        store_table(find_root(), CHAPTER, "timings", rows, origin)


def _print(rows: list[Row]) -> None:
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        key = row["part"], row["setting"], row["threads"], row["arm"]
        groups.setdefault(key, []).append(row["seconds"] / row["problems"])
    for (part, setting, threads, arm), values in groups.items():
        microseconds = 1e6 * statistics.median(values)
        times = f"{microseconds:14,.2f} µs a problem, {threads} thread(s)"
        print(f"{part:11}{setting:32}{arm:36}{times}", flush=True)


if __name__ == "__main__":
    main()
