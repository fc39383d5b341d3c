"""Exact word transport, ours and others', in one run.

    python -m benchmarks.word_transport --parts pairs solver --repeats 5
    python -m benchmarks.word_transport --store --relax relax/bin/python

The arms take turns, so that a busy moment of the machine hits all of them alike. One thread is
timed by the processor time it used, two by the clock; rivals have one thread, and so have BLAS
and torch; wmd-relax and the sentences run in processes of their own. Every
turn is a row; `--store` keeps the rows in `data/recorded/word-transport/timings.csv`, from which
the chapter computes its ratios. gensim and geomloss take part where they are installed, and
wmd-relax where `--relax` names the interpreter that has it (see `wmd_relax.py`).
"""

import argparse
import statistics
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks import transport_growth, transport_rivals, transport_search
from benchmarks import transport_texts as texts
from benchmarks.turns import Arm, Row, rows_of, take_turns
from scispaces.evidence import find_root
from scispaces.evidence.store import process_provenance, store_table
from scispaces.transport import (
    documents_from_tokens,
    emd_batch,
    sinkhorn,
    wmd_pairs,
    wrd_pairs,
)

RIVALS = ("gensim", "geomloss")
TOLERANCE = 1e-3  # of the sums of a penalised plan
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
    """Batched approximations of sentence distances: what they cost and what they miss.

    The costs are given to all but ours and geomloss, which take them from vectors. Iterations end
    when the sums are right to a thousandth; geomloss has no such setting.
    """
    table = texts.vector_table()
    first, second = (texts.as_documents(table, side) for side in texts.sentence_pairs(count))
    pairs = texts.as_pairs(first, second)
    exact = np.array(transport_rivals.cdist_and_emd2(table, pairs))
    batch = transport_rivals.padded(table, pairs)
    rivals = transport_rivals
    arms: dict[str, Arm] = {
        "exact, ours": lambda: wmd_pairs(first, second, n_jobs=1).values,
        "solve_batch, as it comes": lambda: rivals.pot_batch(batch, None),
    }
    for reg in (0.05, 0.02):
        arms[f"Sinkhorn, ours, {reg}"] = lambda reg=reg: (
            sinkhorn(batch.p, batch.q, batch.cost, reg, tolerance=TOLERANCE).cost
        )
        for method in ("log_sinkhorn", "sinkhorn"):
            arms[f"solve_batch, {method}, {reg}"] = lambda reg=reg, method=method: rivals.pot_batch(
                batch, reg, method=method, tol=TOLERANCE
            )
        if find_spec("geomloss"):
            arms[f"geomloss, {reg}"] = lambda reg=reg: rivals.geomloss_value(batch, reg)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
        "pairs": lambda o: pairs_part(o.repeats),
        "entropic": lambda o: entropic_part(min(o.repeats, 3)),
        "solver": lambda o: solver_part(o.repeats),
        "neighbours": lambda o: [
            row
            for kind in transport_search.CORPORA
            for row in transport_search.searches_part(
                kind, o.queries, o.documents, relax_python=o.relax
            )
        ],
        "bounds": lambda o: transport_search.bounds_part(o.repeats),
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
    origin = process_provenance(find_root())
    origin["packages"] |= {name: version(name) for name in RIVALS if find_spec(name)}
    origin["threads of BLAS and torch"] = 1
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for part in options.parts:
            measured = parts[part](options)
            _print(measured)
            rows += measured
    if options.store:
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
