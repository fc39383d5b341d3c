"""Every metric against scikit-learn, or against counting by hand."""

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor

from scispaces.studies import multilabel_metrics as ours

MODELS, ROWS, LABELS = 3, 40, 6


@pytest.fixture(params=["continuous", "ties"])
def task(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """Scores of several models on one set of labels, with empty and full rows among them."""
    generator = torch.Generator().manual_seed(5)
    scores = torch.randn(MODELS, ROWS, LABELS, generator=generator)
    if request.param == "ties":
        scores = scores.round()
    positives = torch.rand(ROWS, LABELS, generator=generator) < 0.3
    positives[0], positives[1] = False, True
    assert positives.any(0).all()
    return scores, positives


PAIRS = {
    "average_precision": metrics.label_ranking_average_precision_score,
    "ranking_loss": metrics.label_ranking_loss,
    "coverage": lambda truth, scores: metrics.coverage_error(truth, scores) / LABELS,
    "macro_average_precision": lambda truth, scores: metrics.average_precision_score(truth, scores),
}


@pytest.mark.parametrize("name", PAIRS)
def test_ranking_metrics_agree_with_scikit_learn(name: str, task: tuple[Tensor, Tensor]) -> None:
    scores, positives = task
    expected = [PAIRS[name](positives.numpy(), model.numpy()) for model in scores]
    if name == "macro_average_precision":
        found = ours.macro_average_precision(scores, positives)
    else:
        found = getattr(ours.rank(scores, positives), name)().mean(-1)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_one_error_counts_rows_whose_best_label_is_wrong() -> None:
    scores = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.2, 0.3]])
    positives = torch.tensor([[True, False], [True, False], [False, False]])
    assert ours.one_error(scores[None], positives).item() == 0.5


@pytest.mark.parametrize("threshold", [0.0, -0.5, 9.0])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_agrees_with_scikit_learn(
    average: str, threshold: float, task: tuple[Tensor, Tensor]
) -> None:
    scores, positives = task
    counts = ours.count(scores, positives, threshold)
    ours_f1 = counts.micro_f1() if average == "micro" else counts.macro_f1()
    expected = [
        metrics.f1_score(positives, model > threshold, average=average, zero_division=0)
        for model in scores
    ]
    np.testing.assert_allclose(ours_f1, expected, rtol=1e-6)


def test_labels_without_positives_are_left_out_of_the_means() -> None:
    scores = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    positives = torch.tensor([[True, False], [False, False]])
    assert ours.count(scores, positives, 0.0).macro_f1().item() == 1
    assert ours.macro_average_precision(scores[None], positives).item() == 1


def test_counts_at_many_thresholds_equal_counts_one_by_one(task: tuple[Tensor, Tensor]) -> None:
    scores, positives = task
    thresholds = ours.candidate_thresholds(scores, positives)
    assert thresholds.shape == (MODELS, ours.THRESHOLDS)
    assert (thresholds.diff() <= 0).all()
    together = ours.counts_at(scores, positives, thresholds)
    for at in range(ours.THRESHOLDS):
        single = ours.count(scores, positives, thresholds[:, at, None, None])
        assert torch.equal(together.hits[:, at], single.hits)
        assert torch.equal(together.predicted[:, at], single.predicted)
        assert torch.equal(together.actual[:, at], single.actual)


def test_candidate_thresholds_find_nearly_the_best_f1() -> None:
    generator = torch.Generator().manual_seed(2)
    positives = torch.rand(200, 20, generator=generator) < 0.1
    scores = torch.randn(200, 20, generator=generator) + 2.0 * positives - 5
    candidates = ours.candidate_thresholds(scores, positives)
    found = ours.counts_at(scores, positives, candidates).micro_f1().max()
    every = scores.flatten().sort(descending=True).values
    best = ours.counts_at(scores, positives, every).micro_f1().max()
    assert 0 <= best - found < 0.01
