"""Random transport problems of every kind that has ever been trouble, for several tests."""

import numpy as np

KINDS = ("random", "counts", "uniform", "integer costs", "zeros", "equal", "large", "tiny")


def random_problem(kind, rng, largest=12):
    """Masses p (m,), q (n,) of sum 1, costs (m, n)."""
    m, n = rng.integers(1, largest + 1, 2)
    p, q, cost = rng.random(m) + 1e-3, rng.random(n) + 1e-3, rng.random((m, n))
    if kind == "counts":
        p, q = rng.integers(1, 4, m).astype(float), rng.integers(1, 4, n).astype(float)
    elif kind == "uniform":
        p, q = np.ones(m), np.ones(n)
    elif kind == "integer costs":
        p, q, cost = np.ones(m), np.ones(n), rng.integers(0, 3, (m, n)).astype(float)
    elif kind == "zeros":
        p, q = rng.integers(0, 3, m).astype(float), rng.integers(0, 3, n).astype(float)
        p[rng.integers(m)] = q[rng.integers(n)] = 1
    elif kind == "equal":
        places = rng.standard_normal((m, 3))
        cost = np.linalg.norm(places[:, None] - places, axis=-1)
        q = p.copy()
    elif kind == "large":
        cost *= 1e6
    elif kind == "tiny":
        cost *= 1e-6
    return p / p.sum(), q / q.sum(), cost


def linear_programme(p, q, cost):
    """The least cost by HiGHS, an independent method."""
    from scipy.optimize import linprog

    m, n = cost.shape
    rows = np.kron(np.eye(m), np.ones(n))
    columns = np.kron(np.ones(m), np.eye(n))
    # One equation follows from the others; with it, rounding makes the programme infeasible.
    solution = linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns])[:-1], b_eq=np.concatenate([p, q])[:-1]
    )
    assert solution.success
    return solution.fun


def random_texts(rng, count, words=(5, 25), dimensions=20, vocabulary=400, dtype=np.float32):
    """A table of vectors, and for each of `count` documents its rows, a few of them repeated."""
    table = rng.standard_normal((vocabulary, 6)) @ rng.standard_normal((6, dimensions))
    table += 0.3 * rng.standard_normal(table.shape)
    likely = 1 / np.arange(3, vocabulary + 3)
    likely /= likely.sum()
    lengths = rng.integers(words[0], words[1] + 1, count)
    return table.astype(dtype), [rng.choice(vocabulary, k, p=likely) for k in lengths]
