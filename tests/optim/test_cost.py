"""What clipping costs beside torch's, in ratios with a wide margin.

The bars proper are shown by `python -m benchmarks.gradient_clipping` on a quiet machine.
"""

import pytest
import torch
from benchmarks import gradient_clipping as benchmark
from benchmarks.turns import met_once, ratio, take_turns


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", ["transformer", "lstm"])
def test_exact_norms_cost_little_and_one_pass_is_saved_by_the_optimizer(model):
    arms = benchmark.arms(model)

    def bar():
        times = take_turns(arms, 5)
        exact = ratio(times, "ours, hard", "torch, foreach")
        return exact > 0.5 and ratio(times, "ClippedSGD", "torch, clip and SGD") > 0.7

    assert met_once(bar)


def test_arms_clip_alike():
    arms = benchmark.arms("lstm")
    assert arms["ours, hard"]().item() == pytest.approx(arms["torch, foreach"]().item(), rel=1e-3)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="`model` must be transformer or lstm"):
        benchmark.shapes("perceptron")
