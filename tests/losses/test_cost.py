"""What the losses cost: memory exactly, time in ratios with a wide margin.

The bars proper are shown by `python -m benchmarks.zlpr` and `benchmarks.imbalance_revisited` on
a quiet machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import imbalance_revisited, zlpr
from benchmarks.turns import met_once


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["ours, indices", "ours, bool", "ours, float"])
def test_extra_memory_is_the_gradient(name):
    logits, calls = zlpr.arms(64, 50_000)
    assert 1.0 <= zlpr.extra_memory(calls[name], logits) <= 1.1


def test_evaluation_takes_a_block_at_a_time():
    logits, calls = zlpr.arms(64, 50_000)
    zero = torch.zeros((), requires_grad=True)  # something for the meter to call backward on
    assert zlpr.extra_memory(lambda x: calls["ours, indices"](x.detach()) + zero, logits) < 0.1


def test_the_memory_meter_sees_what_others_take():
    logits, calls = zlpr.arms(64, 5_000)
    assert zlpr.extra_memory(calls["BCEWithLogits"], logits) == pytest.approx(2, abs=0.1)
    assert zlpr.extra_memory(calls["bert4torch dense"], logits) == pytest.approx(6, abs=0.1)


def test_several_times_faster_than_the_published_dense_form():
    arms = "ours, indices", "bert4torch dense"
    assert met_once(lambda: zlpr.forward_backward_ratio(*arms, 64, 20_000) > 5)


@pytest.mark.parametrize(
    ("ours", "rival", "bar"),
    [("ours, indices", "BCEWithLogits", 1), ("ours, bool", "ours, indices", 0.5)],
)
def test_faster_than_binary_cross_entropy_and_dense_labels_cost_little_more(ours, rival, bar):
    assert met_once(lambda: zlpr.forward_backward_ratio(ours, rival, 64, 20_000) > bar)


def test_no_cliff_at_wide_scores():
    """exp() of numbers far below zero is up to a hundred times slower than of ordinary ones."""
    logits, calls = zlpr.arms(64, 20_000)
    call = {"ours, indices": calls["ours, indices"]}

    def seconds(scale):
        return zlpr.measure(scale * logits, call, 5)["ours, indices"]

    assert met_once(lambda: seconds(30) < 2 * seconds(1))


@pytest.mark.parametrize("name", ["logit-adjusted", "softmax focal"])
def test_extra_memory_of_a_softmax_is_the_gradient(name):
    logits, calls = imbalance_revisited.arms(64, 50_000)
    assert 1.0 <= zlpr.extra_memory(calls[name], logits) <= 1.1


def test_margins_take_no_memory_for_pairs():
    logits, calls = imbalance_revisited.arms(1024, 1_000)
    assert zlpr.extra_memory(calls["margins"], logits) < 2
    assert zlpr.extra_memory(calls["margins by rows"], logits) > 3
    logits, calls = imbalance_revisited.arms(8, 100)
    assert zlpr.extra_memory(calls["margins by pairs"], logits) > 200


_PROGRAM = """
import json, sys, torch
from benchmarks import imbalance_revisited, zlpr

torch.set_num_threads(1)
scale, *names = json.loads(sys.argv[1])
logits, calls = imbalance_revisited.arms(64, 20_000)
print(json.dumps(zlpr.measure(scale * logits, {name: calls[name] for name in names}, 5)))
"""


def softmax_times(scale, *names):
    """Median seconds of losses by name, on scores that are `scale` times as wide.

    In a fresh process: memory that earlier tests gave back costs a third of new memory, which
    changes the times of those that take more of it.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps([scale, *names])]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    times = json.loads(done.stdout)
    return [times[name] for name in names]


def test_focal_costs_no_more_than_half_of_the_formula_as_printed():
    def bar():
        ours, printed, plain = softmax_times(1, "focal", "focal, torchvision", "BCEWithLogits")
        return printed > 2 * ours and ours < 2 * plain

    assert met_once(bar)


def test_logit_adjustment_costs_no_more_than_cross_entropy_of_shifted_logits():
    def bar():
        ours, theirs = softmax_times(1, "logit-adjusted", "cross-entropy of shifted logits")
        return ours < 1.5 * theirs

    assert met_once(bar)


def test_focal_at_wide_scores_stays_near_cross_entropy():
    """Powers of small probabilities leave the normal numbers sooner than the probabilities do."""

    def bar():
        ours, plain = softmax_times(30, "focal", "BCEWithLogits")
        return ours < 2 * plain

    assert met_once(bar)
