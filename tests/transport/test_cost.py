"""What the distances cost beside others' ways, in ratios with a wide margin, and others' faults.

The bars proper are shown by `python -m benchmarks.word_transport` on a quiet machine.
"""

import numpy as np
import ot
import pytest
from benchmarks import transport_rivals as rivals
from benchmarks import transport_search, turns
from benchmarks import transport_texts as texts
from benchmarks import word_transport as benchmark

from scispaces.transport import emd, wmd_pairs
from scispaces.transport.documents import documents_from_vectors


def test_pairs_are_several_times_faster_than_pots_public_door():
    arms = benchmark.pair_arms(300)
    arms.pop("WMD from tokens, gensim", None)  # slow, and not installed everywhere

    def bar():
        times = turns.take_turns(arms, 3)
        return (
            turns.ratio(times, "WMD, ours", "WMD, cdist + ot.emd2") > 5
            and turns.ratio(times, "WMD, ours", "WMD, product + emd_c") > 1.5
            and turns.ratio(times, "WRD, ours", "WRD, product + ot.emd2") > 5
        )

    assert turns.met_once(bar)


@pytest.mark.parametrize("size", [85, 300])
def test_the_solver_is_faster_than_pots(size):
    arms = benchmark.solver_arms(size, 6)
    assert turns.met_once(lambda: turns.ratio(turns.take_turns(arms, 3), "ours", "emd_c") > 1.3)


def test_neighbours_cost_a_small_part_of_brute_force():
    def bar():
        kind, settings = "topics, 300 dimensions", {"sample": 20, "turns": 1}
        found = transport_search.searches_part(kind, 4, 400, **settings)
        rows = {row["arm"]: row for row in found}
        ours, rival = rows["ours, 1 thread"], rows["brute force, cdist + ot.emd2"]
        assert ours["solved"] < 0.2 * 400
        assert max(ours["search_miss"], ours["rival_miss"]) < 1e-10
        assert 0.5 < ours["tightness"] < 1
        return rival["seconds"] / rival["problems"] > 5 * ours["seconds"] / ours["problems"]

    assert turns.met_once(bar)


def test_arms_of_the_benchmark_agree():
    arms = benchmark.pair_arms(50)
    wmd, wrd = arms["WMD, ours"]().values, arms["WRD, ours"]().values
    np.testing.assert_allclose(arms["WMD, cdist + ot.emd2"](), wmd, rtol=1e-10)
    np.testing.assert_allclose(arms["WMD from tokens, ours"]().values, wmd, rtol=1e-12)
    np.testing.assert_allclose(arms["WMD, product + emd_c"](), wmd, atol=1e-3)
    np.testing.assert_allclose(arms["WRD, product + ot.emd2"](), wrd, atol=1e-5)


def test_a_product_in_float32_sees_a_distance_between_identical_words():
    table = texts.vector_table(200)
    rows, masses = np.arange(20, dtype=np.int32), np.full(20, 1 / 20)
    (rival,) = rivals.product_and_private_door(table, [(rows, masses, rows, masses)])
    assert rival > 1e-5
    same = documents_from_vectors([table[rows]])
    assert wmd_pairs(same, same).values[0] == 0


def test_pot_calls_a_single_negative_cost_infeasible_and_returns_nothing_for_it():
    one, cost = np.ones(1), np.array([[-2.0]])
    with pytest.warns(UserWarning, match="Problem infeasible"):
        rival = ot.emd2(one, one, cost)
    assert rival == 0
    assert emd(one, one, cost) == -2
