"""How the cost of exact word transport grows with words and documents, and a task from end to end.

Parts of `benchmarks.word_transport`.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial

import numpy as np

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
    """Pairs of texts of more and more distinct words: exact, ours and POT's, and with a penalty.

    Words by Zipf's law, each one to three times.
    """
    table = texts.vector_table()
    rows: list[Row] = []
    for size in WORDS_OF_A_TEXT:
        rng = np.random.default_rng(size)
        count = max(5, min(200, 20_000 // size))
        sides = [
            texts.as_documents(table, [_text_of(size, rng) for _ in range(count)]) for _ in range(2)
        ]
        pairs = texts.as_pairs(*sides)
        few = pairs[: max(5, count // 20)]
        arms: dict[str, tuple[Arm, int]] = {
            "exact, ours": (lambda sides=sides: wmd_pairs(*sides, n_jobs=1), count),
            "exact, cdist + ot.emd2": (
                lambda pairs=pairs: transport_rivals.cdist_and_emd2(table, pairs),
                count,
            ),
            "costs alone, cdist": (
                lambda pairs=pairs: [
                    transport_rivals.cdist(table[a], table[b]) for a, _, b, _ in pairs
                ],
                count,
            ),
        }
        misses = {}
        exact = transport_rivals.cdist_and_emd2(table, few)
        for name in ("sinkhorn", "sinkhorn_log"):
            arm = partial(transport_rivals.penalised, table, few, name, PENALTY)
            arms[f"penalised, {name}"] = arm, len(few)
            misses[f"penalised, {name}"] = float(np.mean(np.array(arm()) / exact - 1))
        times = take_turns({name: arm for name, (arm, _) in arms.items()}, min(repeats, 3))
        for name, (_, problems) in arms.items():
            own, miss = {name: times[name]}, misses.get(name)
            rows += rows_of("words", f"{size} words", own, 1, problems, size=size, mean_miss=miss)
    return rows


def _text_of(size: int, rng: np.random.Generator) -> texts.Text:
    law = 1 / np.arange(30, texts.WORDS + 30)
    distinct = rng.choice(texts.WORDS, size, replace=False, p=law / law.sum())
    return np.repeat(distinct, rng.integers(1, 4, size))


def corpus_part(queries: int = 20) -> list[Row]:
    """Ten neighbours in a larger and larger corpus of texts with topics."""
    table = texts.vector_table(texts.WORDS, 300, 40)
    drawn = texts.random_texts(max(DOCUMENTS_OF_A_CORPUS), 21, 160, seed=5, topics=40)
    corpus = texts.as_documents(table, drawn)
    asked = texts.as_documents(table, texts.random_texts(queries, 21, 160, seed=6, topics=40))
    nearest_documents(asked[:1], corpus[:20], 10, n_jobs=1)
    rows: list[Row] = []
    for size in DOCUMENTS_OF_A_CORPUS:
        part = corpus[:size]
        arms: dict[str, Arm] = {
            "20 queries": lambda part=part: nearest_documents(asked, part, 10, n_jobs=1),
            "1 query": lambda part=part: nearest_documents(asked[:1], part, 10, n_jobs=1),
        }
        times = take_turns(arms, 2)
        found = nearest_documents(asked, part, 10, n_jobs=1)
        counts = {
            "solved": float(found.solved.mean()),
            "refuted": float(found.refuted.mean()),
        }
        for name, problems in (("20 queries", queries), ("1 query", 1)):
            own = {name: times[name]}
            rows += rows_of("corpus", f"{size} documents", own, 1, problems, size=size, **counts)
    return rows


def sentences_part(repeats: int) -> list[Row]:
    """STS-B, development and test: from raw text to the correlations of WMD and WRD."""
    needed = ("sts/stsbenchmark/", "wordvec/googlenews8k.demodata.rda")
    if not all(map(datasets.available, needed)):
        print("The STS benchmark or the word vectors are not here: no time for sentences.")
        return []
    rows: list[Row] = []
    for threads in (1, 2):
        for turn in range(repeats):
            for name, seconds in _sentences({"OMP_NUM_THREADS": str(threads)}).items():
                own = {name: [seconds]}
                rows += rows_of("sentences", "STS-B, dev and test", own, threads, 1, turn=turn)
    with tempfile.TemporaryDirectory() as empty:
        first = _sentences({"OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": empty})
    own = {"text to correlation": [first["text to correlation"]]}
    return rows + rows_of("sentences", "nothing compiled yet", own, 1, 1)


def _sentences(settings: dict[str, str]) -> dict[str, float]:
    """Seconds of the steps, in a fresh process with these environment variables."""
    command = [sys.executable, "-c", _SENTENCES]
    environment = {**os.environ, **settings}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds
