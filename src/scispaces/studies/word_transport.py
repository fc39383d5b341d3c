"""Distances between texts by transport of words, on tasks (chapter `word-transport`).

Two questions. Does a distance of sentences agree with people? (`similarity`, on the STS tasks.) And
does a distance of documents put those of one class together? (`classify`, by nearest neighbours.)
Methods are in `word_similarity.METHODS` and `word_neighbours.METHODS`; every method of a task sees
the same words and the same vectors. One task, the manual of SciPy with vectors counted in it,
needs no download.
"""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

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
from scispaces.datasets.sentences import (
    STS_YEARS,
    SentencePairs,
    load_sts,
    load_sts_benchmark,
)
from scispaces.datasets.word_vectors import (
    WordVectors,
    load_glove_8k,
    load_google_news_8k,
    load_wikipedia_counts,
    vectors_by_counting,
)
from scispaces.studies import word_neighbours, word_similarity
from scispaces.studies.comparison import Row, compare_cells, require_block
from scispaces.studies.recorded import read_rows

COUNTED_DIMENSIONS = 60
SEEDS = (0, 1, 2, 3, 4)
QUICK_RESAMPLES = 200


@cache
def counted_vectors() -> WordVectors:
    """Vectors from the manual itself: no class is used, but the text of test documents is."""
    return vectors_by_counting(manual_corpus(), dimensions=COUNTED_DIMENSIONS)


TABLES: dict[str, Callable[[], WordVectors]] = {
    "google-news-8k": load_google_news_8k,
    "glove-8k": load_glove_8k,
    "counted": counted_vectors,
}
# Documents and, for (quick, full), how many train and test. Tweets keep their stop words, as in
# the WMD paper; the manual keeps them too, being short. Of Ohsumed, which is small, four fifths of
# the training part are drawn, so that seeds differ in it. Of 20 Newsgroups the WMD paper removes
# words that occur fewer than five times and, to save time, keeps for WMD the 500 most common of a
# message. Here neither is done: the table leaves out rare words, and only 0.4 % of the messages
# have more than 500 of its words, so that every distance can see the same.
SOURCES: dict[str, Callable[[], LabelledDocuments]] = {
    "manual": load_manual,
    "twitter": load_twitter,
    "r8": load_r8,
    "film-reviews": load_film_reviews,
    "ohsumed": load_ohsumed,
    "twenty-newsgroups": load_twenty_newsgroups,
}
SIZES = {
    ("manual", "quick"): (400, 120),
    ("manual", "full"): (850, 365),
    ("twitter", "full"): (2120, 909),
    ("r8", "full"): (1200, 400),
    ("film-reviews", "full"): (2000, 700),
    ("ohsumed", "full"): (1000, 1000),
    ("twenty-newsgroups", "full"): (5000, 800),
}
WITHOUT_STOP_WORDS = ("r8", "film-reviews", "ohsumed", "twenty-newsgroups")


def tasks(name: str) -> list[SentencePairs]:
    """The sentence pairs of a task: sts-b-dev, sts-b-test or sts-2012 to sts-2016."""
    if name.startswith("sts-b-"):
        return [load_sts_benchmark(name.removeprefix("sts-b-"))]
    return load_sts(int(name.removeprefix("sts-")))


def similarity(task: str, vectors: str = "google-news-8k", profile: str = "quick") -> list[Row]:
    """Correlations of every method of `word_similarity.METHODS` with the scores of people.

    Args:
        task: as in `tasks`.
        vectors: a key of `TABLES`.
        profile: quick or full; full draws more bootstrap samples.

    Returns:
        The rows of `word_similarity.correlations` for every data set of the task.
    """
    resamples = QUICK_RESAMPLES if profile == "quick" else word_similarity.RESAMPLES
    table, counts, stops = TABLES[vectors](), load_wikipedia_counts(), load_stop_words()
    return [
        row
        for pairs in tasks(task)
        for row in word_similarity.correlations(pairs, table, counts, stops, resamples=resamples)
    ]


def classify(
    data_set: str, vectors: str = "counted", seed: int = 0, profile: str = "quick"
) -> list[Row]:
    """Error of nearest-neighbour classification for every distance of `word_neighbours.METHODS`.

    Args:
        data_set: a key of `SOURCES`.
        vectors: a key of `TABLES`.
        seed: of the rows drawn for training and test.
        profile: quick or full.

    Returns:
        The rows of `word_neighbours.errors`.
    """
    train, test = SIZES[data_set, profile]
    stops = load_stop_words() if data_set in WITHOUT_STOP_WORDS else frozenset()
    return word_neighbours.errors(
        SOURCES[data_set](), TABLES[vectors](), seed, train=train, test=test, stop_words=stops
    )


def compare(
    seeds: Iterable[int] = SEEDS, *, store: Path | None = None, progress: bool = False
) -> list[Row]:
    """Classify the manual with every distance, once for each seed, small enough for a minute.

    Args:
        seeds: of the splits.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.
    """
    trials = [{"data_set": "manual", "seed": seed} for seed in seeds]
    return compare_cells(classify, trials, ["manual"], _read, store=store, progress=progress)


def blocks(profile: str) -> list[str]:
    """The parts of a profile that can run as separate jobs: a set of texts, a table, a seed.

    Example:
        >>> blocks("quick")
        ['manual-counted-0', 'manual-counted-1', 'manual-counted-2', 'manual-counted-3', \
'manual-counted-4']
    """
    return list(_trials(profile))


def run_block(
    block: str, profile: str, *, store: Path | None = None, progress: bool = False
) -> list[Row]:
    """Run a block.

    Args:
        block: one of `blocks(profile)`.
        profile: quick or full.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.

    Raises:
        ValueError: there is no such block in the profile.
    """
    trials = _trials(profile)
    require_block(block, trials)
    function, own = trials[block]
    names = [trial[key] for trial in own for key in ("data_set", "task", "vectors") if key in trial]
    return compare_cells(function, own, names, _read, store=store, progress=progress)


def _trials(profile: str) -> dict[str, tuple[Callable[..., list[Row]], list[Row]]]:
    """What every block of a profile runs."""
    found: dict[str, tuple[Callable[..., list[Row]], list[Row]]] = {}
    registered = ("twenty-newsgroups", "r8", "twitter", "ohsumed", "film-reviews")
    sets = [(name, "google-news-8k") for name in registered if (name, profile) in SIZES]
    sets.append(("manual", "counted"))
    for name, vectors in sets:
        for seed in SEEDS:
            trial = {"data_set": name, "vectors": vectors, "seed": seed, "profile": profile}
            found[f"{name}-{vectors}-{seed}"] = classify, [trial]
    wanted = ["sts-b-dev", "sts-b-test", *(f"sts-{year}" for year in STS_YEARS)]
    for vectors in ("google-news-8k", "glove-8k") if profile == "full" else ():
        trials = [{"task": task, "vectors": vectors, "profile": profile} for task in wanted]
        found[f"sts-{vectors}"] = similarity, trials
    return found


def _read(name: str) -> object:
    """Read a table of vectors, a set of documents, or the pairs of a task with their helpers."""
    if name in TABLES:
        return TABLES[name]()
    if name in SOURCES:
        return SOURCES[name](), load_stop_words() if name in WITHOUT_STOP_WORDS else None
    return tasks(name), load_wikipedia_counts(), load_stop_words()


def recorded_rows() -> list[Row]:
    """The rows of the full profile, as recorded in the repository of the book.

    Raises:
        FileNotFoundError: this is an installed package, which does not carry them.
    """
    return read_rows("word-transport/trials.csv")
