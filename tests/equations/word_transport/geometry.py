"""Vectors, masses and plans of the kind that the chapter's equations are fed."""

import itertools
import random
from fractions import Fraction

import mpmath
import numpy as np


def norm(vector):
    return mpmath.sqrt(sum(x * x for x in vector))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a, b):
    return dot(a, b) / (norm(a) * norm(b))


def unit(vector):
    length = norm(vector)
    return [x / length for x in vector]


def difference(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def draw_vectors(count, seed, dimensions=3):
    generator = random.Random(seed)
    return [[mpmath.mpf(generator.gauss(0.3, 1)) for _ in range(dimensions)] for _ in range(count)]


def draw_masses(count, seed):
    """Masses of sum 1, exactly."""
    generator = random.Random(seed)
    parts = [generator.randint(1, 9) for _ in range(count)]
    return [Fraction(part, sum(parts)) for part in parts]


def draw_costs(rows, columns, seed):
    generator = random.Random(seed)
    return [[Fraction(generator.randint(1, 40), 10) for _ in range(columns)] for _ in range(rows)]


def floats(table):
    return np.array([[float(x) for x in row] for row in table])


def line(values):
    return np.array([float(x) for x in values])


def distances(xs, ys):
    return [[norm(difference(x, y)) for y in ys] for x in xs]


def angles(xs, ys):
    """Costs 1 - cos."""
    return [[1 - cosine(x, y) for y in ys] for x in xs]


def rotated(vectors, angle):
    """Turned in the plane of the first two coordinates."""
    c, s = mpmath.cos(angle), mpmath.sin(angle)
    return [[c * v[0] - s * v[1], s * v[0] + c * v[1], *v[2:]] for v in vectors]


def vertices(p, q):
    """All basic plans of a small problem, exactly: the corners of the set of plans."""
    m, n = len(p), len(q)
    cells = list(itertools.product(range(m), range(n)))
    found = []
    for chosen in itertools.combinations(cells, m + n - 1):
        plan = _solve(chosen, list(p), list(q))
        if plan is not None and plan not in found:
            found.append(plan)
    return found


def _solve(chosen, p, q):
    """The plan on these cells, if they form a tree and no mass is negative."""
    left, plan = set(chosen), [[Fraction(0)] * len(q) for _ in p]
    while left:
        for i, j in sorted(left):
            if sum(a == i for a, _ in left) == 1:
                moved = p[i]
            elif sum(b == j for _, b in left) == 1:
                moved = q[j]
            else:
                continue
            plan[i][j], p[i], q[j] = moved, p[i] - moved, q[j] - moved
            left.remove((i, j))
            break
        else:
            return None
    balanced = not any(p) and not any(q)
    return plan if balanced and all(x >= 0 for row in plan for x in row) else None
