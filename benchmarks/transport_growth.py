"""How the cost of exact word transport grows with words and documents, and a task from end to end.

Parts of `benchmarks.word_transport`.
"""

import json
import os
import subprocess
import sys

import numpy as np
import ot

from benchmarks import transport_rivals
from benchmarks import transport_texts as texts
from benchmarks.turns import Arm, Row, rows_of, take_turns
from scispaces import datasets
from scispaces.transport import nearest_documents, wmd_pairs

WORDS_OF_A_TEXT = (10, 20, 50, 100, 200, 500, 1000)
DOCUMENTS_OF_A_CORPUS = (1_000, 3_000, 10_000, 30_000, 100_000)
PENALTY = 0.05  # of the mean cost

# Run in a fresh process: what a user waits for after his imports.
_SENTENCES = """
import json, time
from scipy.stats import pearsonr
from scispaces import datasets
from scispaces.transport import documents_from_tokens, wmd_pairs, wrd_pairs

start = time.perf_counter()
table = datasets.load_google_news_8k()
read = time.perf_counter()
for part in ("dev", "test"):
    pairs = datasets.load_sts_benchmark(part)
    sides = [
        documents_from_tokens(side, table.rows, table.vectors, empty="keep")
        for side in (pairs.first, pairs.second)
    ]
    for distance in (wmd_pairs, wrd_pairs):
        values = distance(*sides).values
        known = values == values
        pearsonr(-values[known], pairs.scores[known])
end = time.perf_counter()
print(json.dumps({"table": read - start, "text to correlation": end - read}))
"""


def words_part(repeats: int) -> list[Row]:
    """Pairs of texts of more and more words: exact, ours and POT's, and with a penalty."""
    table = texts.vector_table()
    rows: list[Row] = []
    for size in WORDS_OF_A_TEXT:
        count = max(1, min(200, 20_000 // size))
        rng = np.random.default_rng(size)
        drawn = [
            [rng.choice(len(table), size, replace=False) for _ in range(count)] for _ in range(2)
        ]
        first, second = (texts.as_documents(table, side) for side in drawn)
        pairs = texts.as_pairs(first, second)

        def penalised(some: list[texts.Pair]) -> list[float]:
            values = []
            for a, p, b, q in some:
                cost = transport_rivals.cdist(table[a], table[b])
                plan = ot.bregman.sinkhorn_log(p, q, cost, PENALTY * cost.mean(), stopThr=1e-4)
                values.append(float((plan * cost).sum()))
            return values

        few = pairs[: max(1, count // 20)]
        exact = wmd_pairs(first, second, n_jobs=1).values
        arms: dict[str, tuple[Arm, int]] = {
            "exact, ours": (lambda a=first, b=second: wmd_pairs(a, b, n_jobs=1), count),
            "exact, cdist + ot.emd2": (
                lambda pairs=pairs: transport_rivals.cdist_and_emd2(table, pairs),
                count,
            ),
            "penalised, ot.bregman.sinkhorn_log": (lambda few=few: penalised(few), len(few)),
        }
        times = take_turns({name: arm for name, (arm, _) in arms.items()}, min(repeats, 3))
        misses = np.array(penalised(few)) / exact[: len(few)] - 1
        for name, (_, problems) in arms.items():
            own = {name: times[name]}
            miss = float(misses.mean()) if name.startswith("penalised") else None
            rows += rows_of("words", f"{size} words", own, 1, problems, size=size, mean_miss=miss)
    return rows


def corpus_part(queries: int = 20) -> list[Row]:
    """Ten neighbours in a larger and larger corpus, the one in which the bounds are tight."""
    table = texts.vector_table(texts.WORDS, 300, 40)
    drawn = texts.random_texts(max(DOCUMENTS_OF_A_CORPUS), 21, 160, seed=5, topics=40)
    corpus = texts.as_documents(table, drawn)
    asked = texts.as_documents(table, texts.random_texts(queries, 21, 160, seed=6, topics=40))
    nearest_documents(asked[:1], corpus[:20], 10, n_jobs=1)
    rows: list[Row] = []
    for size in DOCUMENTS_OF_A_CORPUS:
        own = corpus[:size]
        arms: dict[str, Arm] = {
            "20 queries": lambda own=own: nearest_documents(asked, own, 10, n_jobs=1),
            "1 query": lambda own=own: nearest_documents(asked[:1], own, 10, n_jobs=1),
        }
        times = take_turns(arms, 1)
        found = nearest_documents(asked, own, 10, n_jobs=1)
        counts = {
            "solved": float(found.solved.mean()),
            "refuted": float(found.refuted.mean()),
        }
        for name, problems in (("20 queries", queries), ("1 query", 1)):
            one = {name: times[name]}
            rows += rows_of("corpus", f"{size} documents", one, 1, problems, size=size, **counts)
    return rows


def sentences_part(repeats: int) -> list[Row]:
    """STS-B, development and test: from raw text to the correlations of WMD and WRD."""
    needed = ("sts/stsbenchmark/", "wordvec/googlenews8k.demodata.rda")
    if not all(map(datasets.available, needed)):
        print("The STS benchmark or the word vectors are not here: no time for sentences.")
        return []
    rows: list[Row] = []
    for threads in (1, 2):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        for turn in range(repeats):
            command = [sys.executable, "-c", _SENTENCES]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            for name, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                [row] = rows_of("sentences", "STS-B, dev and test", {name: [seconds]}, threads, 1)
                rows.append({**row, "turn": turn})
    return rows
