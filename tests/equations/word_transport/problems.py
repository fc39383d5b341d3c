"""Small transport problems with their exact solutions, for the checks of this chapter."""

import functools

from tests.equations.word_transport.geometry import (
    draw_costs,
    draw_masses,
    floats,
    line,
    vertices,
)

from scispaces.transport import emd_plan

NEAR = 1e-11


class Problem:
    """Masses and costs as fractions, the library's solution, all corners of the set of plans."""

    def __init__(self, rows: int, columns: int, seed: int) -> None:
        self.p, self.q = draw_masses(rows, seed), draw_masses(columns, seed + 1000)
        self.cost = draw_costs(rows, columns, seed + 2000)
        self.solution = emd_plan(line(self.p), line(self.q), floats(self.cost))
        self.value = self.solution.value
        self.plan = self.solution.plan.tolist()
        self.u = self.solution.source_potentials.tolist()
        self.v = self.solution.sink_potentials.tolist()

    @functools.cached_property
    def corners(self):
        return vertices(self.p, self.q)

    @property
    def product(self):
        return [[a * b for b in self.q] for a in self.p]


@functools.cache
def problems():
    return [Problem(3, 2, 1), Problem(3, 3, 2), Problem(2, 4, 3), Problem(3, 3, 4)]


def optimum(p, q, cost):
    """The exact distance, a float."""
    return emd_plan(line(p), line(q), floats(cost)).value
