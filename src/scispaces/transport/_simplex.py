"""A network simplex for one dense transport problem.

The basis is a tree over the sources 0 … m-1 and the sinks m … m+n-1 whose arcs run from sources
to sinks. `parent` and `flow` give every node its parent and what its arc to it carries. A node's
potential is chosen so that an arc of the tree costs the difference of the potentials of its
ends. An arc outside that costs less is worth taking in: it closes a cycle, mass goes round the
cycle until an arc carries nothing, and that one leaves.

What lies below a node is kept as a set of bits. With it the cycle is found by looking for the
other end below, whole branches are hung elsewhere by toggling bits along the cycle, and all
potentials of a branch are shifted without walking through it. That makes a step two to three
times cheaper than linked lists do. Masses are integers and perturbed (`integer_masses`), so every
step makes the plan cheaper and the method ends whatever the ties.
"""

import numpy as np

from scispaces.transport._jit import kernel
from scispaces.transport._rows import least_sum, place_of_sum
from scispaces.transport._start import NO_NODE, first_tree

OPTIMAL, STOPPED, EXHAUSTED = 0, 1, 2

_ROWS_PRICED = 4  # looked at before the best arc so far is taken
_ROUNDING = 2.0**-50  # of the largest potential: what a reduced cost cannot tell from 0
_HUGE = 1e300
_ONE_BIT = np.uint64(1)
_NO_BITS = np.uint64(0)

Tree = tuple[np.ndarray, ...]


@kernel()
def workspace(m: int, n: int) -> tuple[Tree, Tree]:
    """Memory for a problem of m + n nodes: what describes the tree, and real numbers."""
    nodes = m + n
    words = (nodes + 63) >> 6
    tree = (
        np.empty(nodes, np.uint32),  # parent
        np.empty(nodes, np.int64),  # flow
        np.empty(nodes * words, np.uint64),  # below
        np.empty(2 * words, np.uint64),  # two more sets of bits
        np.empty(nodes, np.uint32),  # order
        np.empty(nodes, np.uint32),  # queue
    )
    return tree, (np.empty(nodes), np.empty(nodes), np.empty(nodes))


@kernel()
def solve(
    cost: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    units: np.ndarray,
    tree: Tree,
    reals: Tree,
    stop_above: float,
) -> tuple[int, int]:
    """Solve for costs (m, n) and masses p, q, in `units` too; give the outcome and the steps.

    `tree` and `reals` are workspace; the best tree and its potentials are left there, `units` is
    used up. With a finite `stop_above` the outcome is STOPPED as soon as a dual solution shows
    that the cost is above it.
    """
    # With the number of words written down the compiler makes the loops over words vanish.
    words = (cost.shape[0] + cost.shape[1] + 63) >> 6
    if words == 1:
        return _solve(cost, p, q, units, tree, reals, stop_above, 1)
    return _solve(cost, p, q, units, tree, reals, stop_above, words)


@kernel()
def dual_value(cost: np.ndarray, p: np.ndarray, q: np.ndarray, sinks: np.ndarray) -> float:
    """What the potentials -`sinks` of the sinks, completed by the best of the sources, prove."""
    value = 0.0
    for i in range(len(p)):
        value += p[i] * least_sum(cost[i], sinks, _HUGE)
    for j in range(len(q)):
        value -= q[j] * sinks[j]
    return value


@kernel(forceinline=True)
def _solve(
    cost: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    units: np.ndarray,
    tree: Tree,
    reals: Tree,
    stop_above: float,
    words: int,
) -> tuple[int, int]:
    m, n = cost.shape
    parent, flow, below, spare, order, queue = tree
    potential, columns, keys = reals
    first_tree(cost, units, parent, flow, order, columns, keys, queue)
    _sets_of_tree(parent, order, below, m + n, words)
    potential = potential[: m + n]
    sinks = potential[m:]
    row, steps, limit = 0, 0, 1000 + 100 * (m + n)
    while True:
        tolerance = _ROUNDING * potentials_of_tree(cost, parent, potential, queue)
        before = steps
        while True:
            source, gain, price = np.uint32(0), -tolerance, _HUGE
            seen = 0
            while seen < m:  # rows in turn, until some were seen and an arc was found
                bar = gain + potential[row]
                lowest = least_sum(cost[row], sinks, bar)
                if lowest < bar:
                    source, price = np.uint32(row), lowest
                    gain = lowest - potential[row]
                row = row + 1 if row + 1 < m else 0
                seen += 1
                if seen % _ROWS_PRICED == 0 and price < _HUGE:
                    break
            if price == _HUGE:
                break
            if steps == limit:
                return EXHAUSTED, steps
            steps += 1
            sink = np.uint32(m + place_of_sum(cost[source], sinks, price))
            _step(source, sink, gain, parent, flow, below, spare, potential, words)
            if (
                stop_above < _HUGE
                and steps % (16 + m // 4) == 0
                and dual_value(cost, p, q, sinks) > stop_above
            ):
                return STOPPED, steps
        if steps == before:
            return OPTIMAL, steps
        # The potentials carry the rounding of many shifts: make them anew and look again.


@kernel(forceinline=True)
def _step(
    source: np.uint32,
    sink: np.uint32,
    gain: float,
    parent: np.ndarray,
    flow: np.ndarray,
    below: np.ndarray,
    spare: np.ndarray,
    potential: np.ndarray,
    words: int,
) -> None:
    """Take in the arc from source to sink, send what goes round the cycle, let an arc go."""
    # Every second arc on the way up from either end loses mass; the least of them leaves.
    sent = np.int64(2**63 - 1)
    leaving, source_side = source, True
    node = source
    while not _holds(below, node, sink, words):
        if flow[node] < sent:
            sent, leaving = flow[node], node
        node = parent[node]
        if _holds(below, node, sink, words):
            break
        node = parent[node]
    top = node
    node = sink
    while node != top:
        if flow[node] < sent:
            sent, leaving, source_side = flow[node], node, False
        node = parent[node]
        if node == top:
            break
        node = parent[node]
    for start in (source, sink):
        change = -sent
        node = start
        while node != top:
            flow[node] += change
            change = -change
            node = parent[node]

    # The branch below the leaving arc moves: out of the sets above it, into those above its
    # new place; what is above both stays.
    moved, under = spare[:words], spare[words : 2 * words]
    for k in range(words):
        moved[k] = below[leaving * words + k]
        under[k] = _NO_BITS
    hook, place, shift = (source, sink, gain) if source_side else (sink, source, -gain)
    for start in (parent[leaving], place):
        node = start
        while node != top:
            for k in range(words):
                below[node * words + k] ^= moved[k]
            node = parent[node]

    # From the hook up to the leaving arc, parents become children.
    node, above, carried = hook, place, sent
    while True:
        next_node, next_carried = parent[node], flow[node]
        parent[node], flow[node] = above, carried
        for k in range(words):
            old = below[node * words + k]
            below[node * words + k] = moved[k] ^ under[k]
            under[k] = old
        if node == leaving:
            break
        node, above, carried = next_node, node, next_carried

    for k in range(words):
        bits = moved[k]
        if bits != _NO_BITS:
            part = potential[64 * k : min(64 * k + 64, len(potential))]
            for place_of_bit in range(len(part)):
                part[place_of_bit] += shift * ((bits >> np.uint64(place_of_bit)) & _ONE_BIT)


@kernel(forceinline=True)
def _holds(below: np.ndarray, node: np.uint32, other: np.uint32, words: int) -> bool:
    bits = below[node * words + (np.int64(other) >> 6)]
    return (bits >> np.uint64(np.int64(other) & 63)) & _ONE_BIT != _NO_BITS


@kernel(forceinline=True)
def _sets_of_tree(
    parent: np.ndarray, order: np.ndarray, below: np.ndarray, nodes: int, words: int
) -> None:
    """Each node's set: itself and all below it. Children stand before their parents in `order`."""
    for node in range(nodes):
        for k in range(words):
            below[node * words + k] = _NO_BITS
        below[node * words + (node >> 6)] = _ONE_BIT << np.uint64(node & 63)
    for place in range(nodes - 1):
        node = order[place]
        for k in range(words):
            below[parent[node] * words + k] |= below[node * words + k]


@kernel()
def potentials_of_tree(
    cost: np.ndarray, parent: np.ndarray, potential: np.ndarray, stack: np.ndarray
) -> float:
    """Potentials from the tree alone, 0 at its root; give the largest, without its sign."""
    m, n = cost.shape
    potential[: m + n] = np.nan
    largest = 0.0
    for start in range(m + n):
        node = np.uint32(start)
        height = 0
        while np.isnan(potential[node]):
            if parent[node] == NO_NODE:
                potential[node] = 0.0
                break
            stack[height] = node
            height += 1
            node = parent[node]
        while height > 0:
            height -= 1
            node = stack[height]
            above = parent[node]
            if node < m:
                potential[node] = potential[above] + cost[node, above - m]
            else:
                potential[node] = potential[above] - cost[above, node - m]
            largest = max(largest, abs(potential[node]))
    return largest
