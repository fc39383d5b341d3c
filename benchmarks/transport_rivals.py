"""Other people's ways to the same distances, in the few lines that users write.

Each takes a table of vectors and pairs of (rows, masses, rows, masses) and returns distances; the
batched and entropic ones take `PaddedPairs` and return approximations.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ot
import ot.batch
import torch
from numpy.typing import NDArray
from ot.lp.emd_wrap import emd_c
from scipy.spatial.distance import cdist

from benchmarks.transport_texts import Pair
from scispaces.transport import Documents


def cdist_and_emd2(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """What the documentation of POT suggests."""
    return [ot.emd2(p, q, cdist(table[a], table[b])) for a, p, b, q in pairs]


def product_and_emd2(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """Word rotator's distance with a product of matrices and POT's public door."""
    distances = []
    for a, p, b, q in pairs:
        x, y = table[a], table[b]
        lengths = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
        cost = 1 - (x / lengths[0][:, None]) @ (y / lengths[1][:, None]).T
        p, q = p * lengths[0], q * lengths[1]
        distances.append(ot.emd2(p / p.sum(), q / q.sum(), cost.astype(np.float64)))
    return distances


def product_and_private_door(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """The fastest assembly: a product of matrices, and POT's compiled solver without checks.

    In float32 its cost of identical words is up to a thousandth of a length, not 0.
    """
    distances = []
    for a, p, b, q in pairs:
        x, y = table[a], table[b]
        squares = x @ y.T
        squares *= -2
        squares += np.einsum("ij,ij->i", x, x)[:, None]
        squares += np.einsum("ij,ij->i", y, y)
        np.maximum(squares, 0, out=squares)
        cost = np.sqrt(squares, out=squares).astype(np.float64)
        distances.append(emd_c(p, q, cost, 1_000_000, 1)[1])
    return distances


def private_door(costs: list[tuple[NDArray[np.float64], ...]]) -> list[float]:
    """POT's compiled solver alone, for masses and costs that are given."""
    return [emd_c(p, q, cost, 1_000_000, 1)[1] for p, q, cost in costs]


class PaddedPairs(NamedTuple):
    """Pairs as one batch: the shorter texts are filled up with words of no mass."""

    p: NDArray[np.float64]  # (pairs, m)
    q: NDArray[np.float64]  # (pairs, n)
    cost: NDArray[np.float64]  # (pairs, m, n)
    x: NDArray[np.float32]  # (pairs, m, dimensions)
    y: NDArray[np.float32]  # (pairs, n, dimensions)


def padded(table: NDArray[np.float32], pairs: list[Pair]) -> PaddedPairs:
    """What batched solvers take: all pairs filled up to the longest."""
    m, n = (max(len(pair[side]) for pair in pairs) for side in (0, 2))
    count, dimensions = len(pairs), table.shape[1]
    batch = PaddedPairs(
        np.zeros((count, m)),
        np.zeros((count, n)),
        np.zeros((count, m, n)),
        np.zeros((count, m, dimensions), np.float32),
        np.zeros((count, n, dimensions), np.float32),
    )
    for k, (a, p, b, q) in enumerate(pairs):
        batch.p[k, : len(a)], batch.q[k, : len(b)] = p, q
        batch.x[k, : len(a)], batch.y[k, : len(b)] = table[a], table[b]
        batch.cost[k, : len(a), : len(b)] = cdist(table[a], table[b])
    return batch


def pot_batch(batch: PaddedPairs, reg: float | None, **settings: Any) -> NDArray[np.float64]:
    """POT's batched solver: Sinkhorn with a penalty `reg`, or as it comes, which has none.

    A mass of exactly 0 makes the latter not a number, so all get a little.
    """
    p, q = (side + 1e-12 for side in (batch.p, batch.q))
    p, q = (side / side.sum(1, keepdims=True) for side in (p, q))
    solution = ot.batch.solve_batch(batch.cost, reg=reg, a=p, b=q, **settings)
    values: NDArray[np.float64] = solution.value_linear
    return values


def penalised(
    table: NDArray[np.float32], pairs: list[Pair], method: str, penalty: float
) -> list[float]:
    """Cost of POT's penalised plan, one pair at a time; the penalty is in mean costs.

    `sinkhorn` multiplies by exponentials taken once, POT's default; `sinkhorn_log` takes them
    in every step.
    """
    values = []
    for a, p, b, q in pairs:
        cost = cdist(table[a], table[b])
        plan = ot.sinkhorn(p, q, cost, penalty * cost.mean(), method=method, stopThr=1e-4)
        values.append(float((plan * cost).sum()))
    return values


def geomloss_value(batch: PaddedPairs, blur: float) -> NDArray[np.float64]:
    """geomloss, on points in float32, not debiased: the value with penalty, not a plan's cost."""
    from geomloss import SamplesLoss

    loss = SamplesLoss("sinkhorn", p=1, blur=blur, debias=False, backend="tensorized")
    p, q = (torch.tensor(side, dtype=torch.float32) for side in (batch.p, batch.q))
    values: NDArray[np.float64] = loss(p, torch.tensor(batch.x), q, torch.tensor(batch.y)).numpy()
    return values


def relax_neighbours(
    interpreter: str, table: NDArray[np.float32], corpus: Documents, queries: Documents
) -> list[dict[str, Any]]:
    """wmd-relax in the environment that `wmd_relax.py` describes: a line for each query."""
    arrays = {"table": table}
    for name, side in (("corpus", corpus), ("queries", queries)):
        arrays |= {f"{name}_{part}": getattr(side, part) for part in ("starts", "words", "weights")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrays.npz"
        np.savez(file, **arrays)
        script = Path(__file__).with_name("wmd_relax.py")
        command = [interpreter, str(script), str(file)]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=one_thread)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
