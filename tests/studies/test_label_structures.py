"""Exact optima of the expected loss against brute force and closed forms."""

from itertools import product

import numpy as np
import pytest
import torch

from scispaces.studies import label_structures as structures

SMALL = {
    "independent": structures.independent([0.2, 0.5, 0.9]),
    "exclusive": structures.exclusive([0.5, 0.3, 0.2]),
    "block": structures.all_or_none(0.3, 4),
    "pair": structures.complementary(0.35),
    "joined": structures.joined(structures.all_or_none(0.6, 2), structures.independent([0.8])),
}


def _torch_loss(scores, labels):
    positive = torch.log1p((labels * torch.exp(-scores)).sum())
    return positive + torch.log1p(((1 - labels) * torch.exp(scores)).sum())


def _ungrouped(structure):
    """Every label set with its probability, labels of a group being alike."""
    sizes = structure.sizes.astype(int)
    groups = np.repeat(np.arange(sizes.size), sizes)
    for labels in product((0.0, 1.0), repeat=int(sizes.sum())):
        counts = np.bincount(groups, weights=labels, minlength=sizes.size)
        match = np.all(structure.counts == counts, axis=1)
        ways = np.prod(
            [
                sum(sum(bits) == count for bits in product((0, 1), repeat=size))
                for size, count in zip(sizes, counts, strict=True)
            ]
        )
        yield (
            float(structure.probabilities[match].sum() / ways),
            torch.tensor(labels, dtype=torch.float64),
            groups,
        )


@pytest.mark.parametrize("name", SMALL)
def test_expected_loss_equals_the_sum_over_all_label_sets(name):
    structure = SMALL[name]
    scores = np.linspace(-1.0, 1.5, structure.sizes.size)
    total = sum(
        probability * _torch_loss(torch.tensor(scores[groups]), labels).item()
        for probability, labels, groups in _ungrouped(structure)
    )
    assert structures.expected_loss(structure, scores) == pytest.approx(total, abs=1e-13)


@pytest.mark.parametrize("name", SMALL)
def test_no_score_of_any_single_label_can_be_improved(name):
    structure = SMALL[name]
    best = structures.optimal_scores(structure)
    groups = np.repeat(np.arange(structure.sizes.size), structure.sizes.astype(int))
    scores = torch.tensor(best[groups], requires_grad=True)
    risk = sum(
        probability * _torch_loss(scores, labels)
        for probability, labels, _ in _ungrouped(structure)
    )
    (gradient,) = torch.autograd.grad(risk, scores)
    assert gradient.abs().max().item() < 1e-12


@pytest.mark.parametrize("name", SMALL)
def test_gradient_is_the_slope_of_the_expected_loss(name):
    structure = SMALL[name]
    scores = np.linspace(-0.5, 1.0, structure.sizes.size)
    gradient = structures.expected_gradient(structure, scores)
    for i in range(scores.size):
        step = np.zeros_like(scores)
        step[i] = 1e-5
        slope = (
            structures.expected_loss(structure, scores + step)
            - structures.expected_loss(structure, scores - step)
        ) / 2e-5
        assert gradient[i] == pytest.approx(slope, abs=1e-9)


def test_labels_that_are_alike_may_be_grouped():
    apart = structures.optimal_scores(structures.independent([0.3, 0.3, 0.7]))
    together = structures.optimal_scores(structures.independent([0.3, 0.7], [2, 1]))
    assert apart == pytest.approx([together[0], together[0], together[1]], abs=1e-12)
    apart = structures.optimal_scores(structures.exclusive([0.4, 0.3, 0.3]))
    together = structures.optimal_scores(structures.exclusive([0.4, 0.3], [1, 2]))
    assert apart == pytest.approx([together[0], together[1], together[1]], abs=1e-12)


def test_marginals():
    assert SMALL["independent"].marginals() == pytest.approx([0.2, 0.5, 0.9])
    assert SMALL["joined"].marginals() == pytest.approx([0.6, 0.8])
    assert structures.independent([0.03], [200]).marginals() == pytest.approx([0.03])


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.99])
def test_one_label_is_fitted_at_its_log_odds(probability):
    best = structures.optimal_scores(structures.independent([probability]))
    assert best[0] == pytest.approx(structures.logit(probability), abs=1e-12)
    assert structures.soft_law(probability) == structures.logit(probability) / 2


def test_extreme_structures_converge():
    for structure in (
        structures.all_or_none(0.999, 10_000),
        structures.exclusive([1e-3, (1 - 1e-3) / 9_999], [1, 9_999]),
        structures.independent([1e-4], [1_000]),
        structures.independent([0.5], [2_000]),
    ):
        best = structures.optimal_scores(structure)
        assert np.abs(structures.expected_gradient(structure, best)).max() <= 1e-13


def test_complementing_every_label_flips_every_score():
    best = structures.optimal_scores(structures.independent([0.2, 0.5, 0.9]))
    flipped = structures.optimal_scores(structures.independent([0.8, 0.5, 0.1]))
    assert best == pytest.approx(-flipped, abs=1e-12)


@pytest.mark.parametrize(
    ("sizes", "counts", "probabilities", "message"),
    [
        ([1, 1], [[1.0], [0.0]], [0.5, 0.5], "one row per probability"),
        ([1], [[2.0], [0.0]], [0.5, 0.5], "between 0 and the size"),
        ([1], [[1.0], [0.0]], [0.5, 0.6], "sum to 1"),
        ([1], [[1.0], [0.0]], [1.5, -0.5], "non-negative"),
        ([1, 1], [[1.0, 1.0], [0.0, 1.0]], [0.5, 0.5], "strictly between 0 and 1"),
    ],
)
def test_bad_structures_are_refused(sizes, counts, probabilities, message):
    with pytest.raises(ValueError, match=message):
        structures.LabelStructure(np.array(sizes), np.array(counts), np.array(probabilities))


def test_a_search_that_cannot_reach_the_tolerance_says_so():
    with pytest.raises(RuntimeError, match="must fall below 0"):
        structures.optimal_scores(structures.independent([0.3, 0.6]), tolerance=0.0)
