"""Neighbours by wmd-relax, for another interpreter: `PYTHON wmd_relax.py ARRAYS.npz`.

The package (`wmd` 1.3.2) needs numpy 1, so it runs in an environment of its own:

    python -m venv relax && relax/bin/pip install "numpy<2" setuptools wheel scipy
    relax/bin/pip install --no-build-isolation wmd==1.3.2

`ARRAYS.npz` holds the table and the bags of the corpus and of the queries. Printed is a JSON line
for each query and setting: the seconds of processor time, the neighbours, and the versions.
"""

import json
import sys
import time
from importlib.metadata import version

import numpy
from wmd import WMD

K = 10


def main(file: str) -> None:
    arrays = numpy.load(file)
    table = arrays["table"]

    def bags(side: str) -> list:
        cuts = arrays[f"{side}_starts"][1:-1]
        words = numpy.split(arrays[f"{side}_words"], cuts)
        weights = numpy.split(arrays[f"{side}_weights"], cuts)
        return [
            (rows, (w / w.sum()).astype(numpy.float32))
            for rows, w in zip(words, weights, strict=True)
        ]

    corpus = {number: (str(number), *bag) for number, bag in enumerate(bags("corpus"))}
    model = WMD(table, corpus, vocabulary_min=1, verbosity=50)
    model.cache_centroids()
    for number, bag in enumerate(bags("queries")):
        for setting, stops in (
            ("run to the end", {"early_stop": 1, "skipped_stop": 2}),
            ("its defaults", {}),
        ):
            start = time.process_time()
            found = model.nearest_neighbors(bag, k=K, **stops)
            seconds = time.process_time() - start
            neighbours = [int(index) for index, _ in found]
            line = {
                "setting": setting,
                "query": number,
                "seconds": seconds,
                "neighbours": neighbours,
                "versions": {"wmd": version("wmd"), "numpy": numpy.__version__},
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
