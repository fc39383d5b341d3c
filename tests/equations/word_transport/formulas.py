"""The displayed equations of the chapter `word-transport`, one function per label, literally.

`p` and `q` are masses, `cost` the table d_ij, `plan` the table gamma_ij, `u` and `v` potentials,
`x` and `y` lists of word vectors. A definition returns its value, an identity or a bound (left
side, right side). Nothing here calls anything else here.
"""

from tests.equations.arithmetic import exp, log, sqrt
from tests.equations.word_transport.geometry import difference, dot, norm, unit

# --- The earth mover's distance ----------------------------------------------------------------


def word_transport_emd(plans, cost):
    return min(
        sum(
            g * d
            for row, prices in zip(plan, cost, strict=True)
            for g, d in zip(row, prices, strict=True)
        )
        for plan in plans
    )


def word_transport_marginals(plan, i, j):
    return sum(plan[i]), sum(row[j] for row in plan)


def word_transport_product_bound(p, q, cost):
    return sum(a * b * cost[i][j] for i, a in enumerate(p) for j, b in enumerate(q))


def word_transport_redundant(plan):
    rows = sum(sum(row) for row in plan)
    columns = sum(sum(column) for column in zip(*plan, strict=True))
    return rows - columns


def word_transport_cycle(cost, rows, columns):
    following = columns[1:] + columns[:1]
    return sum(cost[i][j] - cost[i][k] for i, j, k in zip(rows, columns, following, strict=True))


def word_transport_sparsity(plan, m, n):
    return sum(g > 0 for row in plan for g in row), m + n - 1


def word_transport_assignment(cost, permutations):
    return min(sum(cost[i][j] for i, j in enumerate(order)) for order in permutations) / len(cost)


# --- The line -----------------------------------------------------------------------------------


def word_transport_line_distance(x, y, steps):
    left, right = steps(lambda t: abs((x <= t) - (y <= t))), abs(x - y)
    return left, right


def word_transport_line_flow(plan, x, y, p, q, t):
    cells = [(i, j) for i in range(len(x)) for j in range(len(y))]
    flow = sum(plan[i][j] * ((x[i] <= t) - (y[j] <= t)) for i, j in cells)
    return flow, sum(a for a, s in zip(p, x, strict=True) if s <= t) - sum(
        b for b, s in zip(q, y, strict=True) if s <= t
    )


def word_transport_line(p, x, q, y, steps):
    def below(masses, places, t):
        return sum(a for a, s in zip(masses, places, strict=True) if s <= t)

    return steps(lambda t: abs(below(p, x, t) - below(q, y, t)))


def word_transport_line_quantiles(first_quantile, second_quantile, steps):
    return steps(lambda level: abs(first_quantile(level) - second_quantile(level)))


def word_transport_line_sorted(x, y):
    return sum(abs(a - b) for a, b in zip(sorted(x), sorted(y), strict=True)) / len(x)


# --- Duality ------------------------------------------------------------------------------------


def word_transport_lagrangian(plan, cost, p, q, u, v):
    cells = [(i, j) for i in range(len(p)) for j in range(len(q))]
    moved = sum(plan[i][j] * cost[i][j] for i, j in cells)
    rows = sum(u[i] * (p[i] - sum(plan[i])) for i in range(len(p)))
    columns = sum(v[j] * (q[j] - sum(row[j] for row in plan)) for j in range(len(q)))
    return moved + rows + columns


def word_transport_lagrangian_regrouped(plan, cost, p, q, u, v):
    cells = [(i, j) for i in range(len(p)) for j in range(len(q))]
    prices = sum(plan[i][j] * (cost[i][j] - u[i] - v[j]) for i, j in cells)
    return dot(p, u) + dot(q, v) + prices


def word_transport_dual(p, q, u, v):
    return dot(p, u) + dot(q, v)


def word_transport_gap(plan, cost, u, v):
    cells = [(i, j) for i in range(len(u)) for j in range(len(v))]
    return sum(plan[i][j] * (cost[i][j] - u[i] - v[j]) for i, j in cells)


def word_transport_slackness(plan, cost, u, v):
    cells = [(i, j) for i in range(len(u)) for j in range(len(v)) if plan[i][j] > 0]
    return [(u[i] + v[j], cost[i][j]) for i, j in cells]


def word_transport_sensitivity(u, i, k):
    return u[i] - u[k]


def word_transport_lipschitz(f, p, q):
    return sum(f[i] * (a - b) for i, (a, b) in enumerate(zip(p, q, strict=True)))


# --- Word mover's distance ----------------------------------------------------------------------


def word_transport_nbow(counts, i):
    return counts[i] / sum(counts)


def word_transport_euclidean_cost(w, z):
    return sqrt(sum((a - b) ** 2 for a, b in zip(w, z, strict=True)))


def word_transport_wmd_similarity(scale, distance):
    return abs(scale) * distance


def word_transport_gluing(first, second, q, i, k):
    return sum(first[i][j] * second[j][k] / q[j] for j in range(len(q)))


def word_transport_gluing_cost(first, second, near, far):
    before = sum(dot(moved, costs) for moved, costs in zip(first, near, strict=True))
    return before + sum(dot(moved, costs) for moved, costs in zip(second, far, strict=True))


def word_transport_triangle(first, second):
    return first + second


def word_transport_cancel(p, q, i):
    return p[i] - min(p[i], q[i]), q[i] - min(p[i], q[i])


def word_transport_bow_sandwich(p, q, least, largest):
    half = sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2
    return least * half, largest * half


# --- Bounds -------------------------------------------------------------------------------------


def word_transport_wcd(p, x, q, y):
    axes = zip(zip(*x, strict=True), zip(*y, strict=True), strict=True)
    return norm([dot(p, first) - dot(q, second) for first, second in axes])


def word_transport_wcd_proof(plan, x, y, dimensions):
    cells = [(i, j) for i in range(len(x)) for j in range(len(y))]
    total = sum(plan[i][j] * norm(difference(x[i], y[j])) for i, j in cells)
    axes = range(dimensions)
    return total, norm([sum(plan[i][j] * (x[i][k] - y[j][k]) for i, j in cells) for k in axes])


def word_transport_relaxed(p, cost):
    return sum(a * min(row) for a, row in zip(p, cost, strict=True))


def word_transport_rwmd(p, q, cost):
    columns = [[row[j] for row in cost] for j in range(len(q))]
    return max(
        sum(a * min(row) for a, row in zip(p, cost, strict=True)),
        sum(b * min(column) for b, column in zip(q, columns, strict=True)),
    )


def word_transport_transform(cost, u, j):
    return min(row[j] - a for row, a in zip(cost, u, strict=True))


def word_transport_improved(p, q, cost):
    u = [min(row) for row in cost]
    rest = [min(row[j] - a for row, a in zip(cost, u, strict=True)) for j in range(len(q))]
    return sum(a * b for a, b in zip(p, u, strict=True)) + sum(
        a * b for a, b in zip(q, rest, strict=True)
    )


# --- Word rotator's distance --------------------------------------------------------------------


def word_transport_wrd_mass(x, i):
    return norm(x[i]) / sum(norm(w) for w in x)


def word_transport_wrd_cost(w, z):
    return 1 - dot(w, z) / (norm(w) * norm(z))


def word_transport_wrd_sum(x, p, total, k):
    return sum(w[k] for w in x), total * sum(a * unit(w)[k] for a, w in zip(p, x, strict=True))


def word_transport_length_and_angle(w, z, cosine):
    return (norm(w) - norm(z)) ** 2 + 2 * norm(w) * norm(z) * (1 - cosine)


def word_transport_chord(w, z):
    return norm(difference(unit(w), unit(z))) ** 2 / 2


def word_transport_wrd_bound(x, y):
    first, second = sum(norm(w) for w in x), sum(norm(w) for w in y)
    axes = range(len(x[0]))
    return (
        norm([sum(w[k] for w in x) / first - sum(w[k] for w in y) / second for k in axes]) ** 2 / 2
    )


def word_transport_wrd_bound_angle(rho, other, cosine):
    return (rho**2 + other**2 - 2 * rho * other * cosine) / 2


def word_transport_wrd_range(cosines):
    return min(1 - c for c in cosines), max(1 - c for c in cosines)


def word_transport_detour(cos_theta):
    return 2 * cos_theta * (1 - cos_theta)


def word_transport_root_triangle(first, second):
    return sqrt(first) + sqrt(second)


def word_transport_double_triangle(first, second):
    return 2 * (first + second)


def word_transport_layer_norm(x, k):
    mean = sum(x) / len(x)
    return (x[k] - mean) / sqrt(sum((a - mean) ** 2 for a in x) / len(x))


def word_transport_layer_norm_length(dimensions):
    return sqrt(dimensions)


def word_transport_unit_cost(cosine):
    return sqrt(2 * (1 - cosine))


def word_transport_unit_bounds(unit_wmd):
    return unit_wmd**2 / 2, unit_wmd


def word_transport_root_mean(w, z):
    return sqrt(sum((a - b) ** 2 for a, b in zip(w, z, strict=True)) / len(w))


def word_transport_root_mean_distance(distance, dimensions):
    return distance / sqrt(dimensions)


def word_transport_root_mean_filter(centres, distance, dimensions):
    return centres / distance > 1 / sqrt(dimensions)


# --- Word vectors -------------------------------------------------------------------------------


def word_transport_ppmi(pair, first, second, total):
    return max(0, log(pair * total / (first * second)))


def word_transport_sif(frequency, a):
    return a / (a + frequency)


def word_transport_top(w, mean, directions, k):
    centred = difference(w, mean)
    return centred[k] - sum(dot(centred, b) * b[k] for b in directions)


def word_transport_conceptor(strength, aperture):
    return 1 - strength / (strength + aperture**-2)


# --- Sinkhorn -----------------------------------------------------------------------------------


def word_transport_entropic(plan, cost, p, q, epsilon):
    cells = [(i, j) for i in range(len(p)) for j in range(len(q))]
    moved = sum(plan[i][j] * cost[i][j] for i, j in cells)
    return moved + epsilon * sum(plan[i][j] * log(plan[i][j] / (p[i] * q[j])) for i, j in cells)


def word_transport_entropic_plan(p, q, cost, f, g, epsilon, i, j):
    return p[i] * q[j] * exp((f[i] + g[j] - cost[i][j]) / epsilon)


def word_transport_sinkhorn_step(q, cost, g, epsilon, i):
    return -epsilon * log(sum(b * exp((g[j] - cost[i][j]) / epsilon) for j, b in enumerate(q)))


def word_transport_entropic_value(p, q, f, g):
    return dot(p, f) + dot(q, g)


def word_transport_entropic_bias(exact, p, q, epsilon):
    entropies = [-sum(a * log(a) for a in masses) for masses in (p, q)]
    return exact + epsilon * min(entropies)


def word_transport_entropic_slope(plan, p, q):
    cells = [(i, j) for i in range(len(p)) for j in range(len(q))]
    return sum(plan[i][j] * log(plan[i][j] / (p[i] * q[j])) for i, j in cells)


def word_transport_two_points(epsilon):
    return 1 / (1 + exp(1 / epsilon)), epsilon * log(2 / (1 + exp(-1 / epsilon)))


def word_transport_divergence(cross, first, second):
    return cross - (first + second) / 2
