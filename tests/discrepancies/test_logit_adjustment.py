"""Checks of the entries of the register that belong to the chapter `logit-adjustment`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import argparse
import math

import numpy as np
import pytest
import torch
from scipy.special import logit, ndtr
from torch.nn.functional import cross_entropy

from scispaces.losses import (
    adjust_logits,
    binary_fisher_consistency,
    equalised_margins,
    logit_adjusted_cross_entropy,
    logit_adjustment_margins,
)

RARE = 0.05
LENGTH = math.sqrt(2)


def _balanced_error(tau_in_all):
    """Balanced error on the two Gaussians of the rule log-odds > tau times the prior's log-odds."""
    t = (tau_in_all - 1) * logit(RARE)
    return float(ndtr(t / (2 * LENGTH) - LENGTH) + ndtr(-t / (2 * LENGTH) - LENGTH)) / 2


@pytest.mark.discrepancy("logit-adjustment-post-hoc-sign")
def test_adding_the_prior_to_a_plain_model_makes_it_worse():
    """With a plus the balanced error is far above no adjustment, with a minus at the least."""
    added, none, subtracted = _balanced_error(-1), _balanced_error(0), _balanced_error(1)
    assert added == pytest.approx(0.38, abs=0.01)
    assert none == pytest.approx(0.18, abs=0.01)
    assert subtracted == pytest.approx(float(ndtr(-LENGTH)), abs=1e-12)
    # The library subtracts.
    prior = torch.tensor([0.95, 0.05], dtype=torch.float64)
    scores = prior.log()[None]
    assert adjust_logits(scores, prior)[0].tolist() == pytest.approx([0, 0], abs=1e-12)


SCORES = torch.tensor([[0.3, -1.0, 0.7]], dtype=torch.float64)
TARGET = torch.tensor([1])
PRIOR = torch.tensor([0.7, 0.25, 0.05], dtype=torch.float64)


@pytest.mark.discrepancy("logit-adjustment-readme-flag")
def test_zero_switches_the_adjusted_loss_off():
    """An option like the README's, given 0, leaves plain cross-entropy; given 1 it adjusts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--logit_adj_train", type=int, default=0, choices=[0, 1])

    def loss(words):
        arguments = parser.parse_args(words)
        shift = PRIOR.log() if arguments.logit_adj_train else torch.zeros(3)
        return cross_entropy(SCORES + shift, TARGET).item()

    plain = cross_entropy(SCORES, TARGET).item()
    adjusted = logit_adjusted_cross_entropy(SCORES, TARGET, PRIOR).item()
    assert loss(["--logit_adj_train", "0"]) == loss([]) == plain
    assert loss(["--logit_adj_train", "1"]) == pytest.approx(adjusted, rel=1e-12)
    assert abs(plain - adjusted) > 0.1


@pytest.mark.discrepancy("logit-adjustment-weight-decay")
def test_decay_in_optimiser_and_loss_adds_up_to_three_times():
    """One step without data shrinks a weight by 3e-4 of the rate, by 1e-4 with the optimiser.

    The sum of squares alone, as in the authors' code, shrinks it by 2e-4.
    """
    moved = {}
    for in_loss in (True, False):
        weight = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.SGD([weight], lr=1.0, weight_decay=1e-4)
        value = 0 * weight.sum() + in_loss * 1e-4 * (weight**2).sum()
        value.backward()
        optimiser.step()
        moved[in_loss] = (2.0 - weight.item()) / 2.0
    assert moved[False] == pytest.approx(1e-4, rel=1e-9)
    assert moved[True] == pytest.approx(3e-4, rel=1e-9)
    assert moved[True] / (moved[True] - moved[False]) == pytest.approx(1.5, rel=1e-9)


@pytest.mark.discrepancy("logit-adjustment-constant-inside-power")
def test_constant_takes_over_for_rare_classes_and_large_tau():
    """For a prior of 1e-5 the printed adjustment stops at 27.6; tau log prior goes on."""
    values = {tau: math.log(1e-5**tau + 1e-12) for tau in (1, 2, 3, 4)}
    assert values[1] == pytest.approx(math.log(1e-5), rel=1e-6)
    assert values[3] == pytest.approx(-27.6, abs=0.05)
    assert values[4] == pytest.approx(values[3], abs=1e-2)
    assert 3 * math.log(1e-5) == pytest.approx(-34.5, abs=0.05)
    zeros = torch.zeros(1, 2, dtype=torch.float64)
    rare = torch.tensor([1 - 1e-5, 1e-5], dtype=torch.float64)
    assert adjust_logits(zeros, rare, tau=3)[0, 1].item() == pytest.approx(34.5, abs=0.05)


@pytest.mark.discrepancy("logit-adjustment-absent-class")
def test_absent_class_is_hardly_trained_and_then_lifted_above_all():
    """The force on it is below 1e-7, and post hoc it beats a class it trails by fifteen.

    A step of gradient descent leaves it, a step of Adam moves it with 1e-8 and not with 1e-12.
    """
    scores = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    prior = torch.tensor([0.6, 0.4, 0.0], dtype=torch.float64)
    loss = cross_entropy(scores + (prior + 1e-8).log(), torch.tensor([0, 1]))
    (slope,) = torch.autograd.grad(loss, scores)
    assert 0 < slope[:, 2].sum().item() < 1e-7
    trained = torch.tensor([2.0, 0.0, -15.0], dtype=torch.float64)
    for constant in (1e-8, 1e-12):
        assert int((trained - (prior + constant).log()).argmax()) == 2
    moves = {}
    for constant in (1e-8, 1e-12):
        for kind in (torch.optim.SGD, torch.optim.Adam):
            bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
            optimiser = kind([bias], lr=0.1)
            cross_entropy(bias[None] + (prior + constant).log(), torch.tensor([0])).backward()
            optimiser.step()
            moves[constant, kind] = abs(bias[2].item())
    assert moves[1e-8, torch.optim.SGD] < 1e-8
    assert moves[1e-8, torch.optim.Adam] > 0.02
    assert moves[1e-12, torch.optim.Adam] < 1e-4
    # The library refuses such a prior instead.
    with pytest.raises(ValueError, match="class_prior"):
        adjust_logits(trained[None], prior)


@pytest.mark.discrepancy("logit-adjustment-string-keys")
def test_sorted_text_is_not_the_order_of_the_classes():
    """Of twelve classes with labels as text only two keep their frequency; padded ones all do."""
    counts = [1200 - 100 * k for k in range(12)]
    text = {str(label): count for label, count in enumerate(counts)}
    padded = {f"{label:04d}": count for label, count in enumerate(counts)}
    by_text = list(dict(sorted(text.items())).values())
    assert [k for k in range(12) if by_text[k] == counts[k]] == [0, 1]
    assert list(dict(sorted(padded.items())).values()) == counts


@pytest.mark.discrepancy("logit-adjustment-missing-class")
def test_counting_what_occurs_shifts_the_classes_after_a_gap():
    """Labels 0, 2, 3 of four classes give three frequencies, the second that of class 2."""
    labels = [0] * 6 + [2] * 3 + [3]
    seen = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    found = np.array(list(dict(sorted(seen.items())).values())) / len(labels)
    right = np.bincount(labels, minlength=4) / len(labels)
    assert len(found) == 3
    assert right[1] == 0
    assert found[1] == right[2] != right[1]
    with pytest.raises(RuntimeError, match="size of tensor"):
        _ = torch.zeros(1, 4) + torch.from_numpy(found).log()


@pytest.mark.discrepancy("logit-adjustment-both-ways")
def test_adding_in_the_loss_and_subtracting_afterwards_over_corrects():
    """The best scores of the head's loss, less the adjustment again, rank by p(x | y) / prior."""
    likelihood = np.array([0.5, 0.3, 0.2])
    prior = PRIOR.numpy()
    trained = np.log(likelihood * prior) - np.log(prior)
    subtracted, added = trained - np.log(prior), trained + np.log(prior)
    assert subtracted.argmax() == (likelihood / prior).argmax() == 2
    assert added.argmax() == (likelihood * prior).argmax() == 0
    # The balanced decision is in general neither: here a world in which all three differ.
    likelihood = np.array([0.30, 0.45, 0.25])
    assert (likelihood / prior).argmax() == 2
    assert likelihood.argmax() == 1
    assert (likelihood * prior).argmax() == 0


def _train(start, shift, steps):
    """A linear model after some steps of gradient descent on a fixed small problem."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.multinomial(PRIOR, 200, replacement=True, generator=generator)
    features = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    features = (
        features + 1.5 * torch.tensor([[0.0, 0], [1, 0], [0, 1]], dtype=torch.float64)[labels]
    )
    weight = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    bias = start.clone().requires_grad_()
    optimiser = torch.optim.SGD([weight, bias], lr=1.0)
    for _ in range(steps):
        optimiser.zero_grad()
        cross_entropy(features @ weight.T + bias + shift, labels).backward()
        optimiser.step()
    return (features @ weight.T + bias).detach()


@pytest.mark.discrepancy("logit-adjustment-bias-initialisation")
def test_a_bias_started_at_the_log_prior_must_be_subtracted():
    """Less its start it is the adjusted model to rounding; as it is it decides like a plain one."""
    zero, log_prior = torch.zeros(3, dtype=torch.float64), PRIOR.log()
    started = _train(log_prior, zero, steps=400)
    adjusted = _train(zero, log_prior, steps=400)
    plain = _train(zero, zero, steps=400)
    assert (started - log_prior - adjusted).abs().max().item() < 1e-9
    assert (started.argmax(1) == plain.argmax(1)).double().mean().item() > 0.98
    assert (started.argmax(1) == adjusted.argmax(1)).double().mean().item() < 0.9


@pytest.mark.discrepancy("logit-adjustment-weights-and-adjustment")
def test_weights_with_adjustment_are_as_bad_as_nothing():
    """Both together serve the prior 1 - pi; each alone is right, and so is half of each."""
    inverse = (1 / (1 - RARE), 1 / RARE)
    odds = float(logit(RARE))
    both = binary_fisher_consistency(RARE, class_weights=inverse, margins=(odds, -odds))
    assert not both.consistent
    assert binary_fisher_consistency(RARE, class_weights=inverse).consistent
    assert binary_fisher_consistency(RARE, margins=(odds, -odds)).consistent
    half = tuple(weight**0.5 for weight in inverse)
    assert binary_fisher_consistency(
        RARE, class_weights=half, margins=(odds / 2, -odds / 2)
    ).consistent
    assert _balanced_error(2) == pytest.approx(_balanced_error(0), rel=1e-9)
    assert _balanced_error(2) > 2 * _balanced_error(1)
    assert float(logit(both.threshold)) == pytest.approx(2 * odds, rel=1e-9)


PAPER = {"plain": 27.16, "post-hoc": 22.60, "loss": 22.33}
READMES = {
    "authors": {"plain": 0.7136, "post-hoc": 0.7732, "loss": 0.7789},
    "torch": {"plain": 0.7127, "post-hoc": 0.7816, "loss": 0.7857},
}


@pytest.mark.discrepancy("logit-adjustment-readme-accuracies")
def test_readme_accuracies_are_other_numbers_than_the_table():
    """Turned into errors they differ from Table 3, for plain training by about 1.5 points."""
    for table in READMES.values():
        errors = {name: 100 * (1 - accuracy) for name, accuracy in table.items()}
        assert errors["plain"] - PAPER["plain"] == pytest.approx(1.5, abs=0.1)
        assert all(abs(errors[name] - PAPER[name]) > 0.05 for name in PAPER)
        gain, published = errors["plain"] - errors["loss"], PAPER["plain"] - PAPER["loss"]
        assert gain > published + 1


@pytest.mark.discrepancy("logit-adjustment-imagenet-size")
def test_imagenet_lt_is_too_large_for_nineteen_thousand_images():
    """Published accuracies of groups and of all classes give the group sizes, and a lower bound."""
    # Few (at most 20 images a class), medium, many (over 100), all: Kang et al. (2020).
    rows = np.array([[7.7, 37.5, 65.9, 44.4], [27.4, 46.2, 61.8, 49.6], [30.7, 46.9, 59.1, 49.4]])
    shares = np.linalg.lstsq(
        np.vstack([rows[:, :3], [1e3] * 3]), np.append(rows[:, 3], 1e3), rcond=None
    )[0]
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    many = 1000 * shares[2]
    assert 350 < many < 420
    assert many * 100 > 19_000
    assert 5 * 1000 < 115_846 < 1280 * 1000


@pytest.mark.discrepancy("logit-adjustment-lemma-sign")
def test_printed_sigma_rejects_the_papers_own_example():
    """Logit adjustment meets the condition with 1/(1 + e^-z), and misses it with 1/(1 + e^z)."""
    odds = math.log((1 - RARE) / RARE)

    def ratio(sign):
        return (1 + math.exp(sign * -odds)) / (1 + math.exp(sign * odds))

    wanted = (1 - RARE) / RARE
    assert ratio(-1) == pytest.approx(wanted, rel=1e-12)
    assert ratio(1) == pytest.approx(1 / wanted, rel=1e-12)
    assert binary_fisher_consistency(RARE, margins=(-odds, odds)).consistent


@pytest.mark.discrepancy("logit-adjustment-two-tau-sign")
def test_printed_two_constant_margins_have_the_opposite_sign():
    """Both ends of the printed family are minus the margins that they are said to be."""
    log_prior = PRIOR.log()

    def printed(first, second):
        return first * log_prior[:, None] - second * log_prior[None, :]

    apart = ~torch.eye(3, dtype=torch.bool)
    for value, meant in (
        (printed(1, 1), logit_adjustment_margins(PRIOR)),
        (printed(0, 1), equalised_margins(PRIOR)),
    ):
        assert torch.allclose(value[apart], -meant[apart])
        assert not torch.allclose(value[apart], meant[apart])


@pytest.mark.discrepancy("logit-adjustment-relative-reduction")
def test_relative_reduction_from_the_table():
    """Neither pair of figures of Table 3 gives 8 per cent."""
    at_one, tuned = 1 - 22.60 / 24.02, 1 - 19.08 / 21.50
    assert at_one == pytest.approx(0.059, abs=5e-4)
    assert tuned == pytest.approx(0.113, abs=5e-4)
    assert min(abs(value - 0.08) for value in (at_one, tuned)) > 0.02


@pytest.mark.discrepancy("logit-adjustment-convex")
def test_penalised_bias_separates_the_two_forms():
    """Intercept-only models: equal up to a constant without a penalty, different with one."""
    log_prior = PRIOR.log()

    def fit(shift, penalty):
        bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [bias],
            max_iter=200,
            tolerance_grad=1e-12,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def step():
            optimiser.zero_grad()
            value = -(PRIOR * (bias + shift).log_softmax(0)).sum()
            value = value + penalty / 2 * (bias**2).sum()
            value.backward()
            return value

        optimiser.step(step)
        return bias.detach() - bias.detach().mean()

    for penalty, same in ((0.0, True), (0.1, False)):
        post_hoc = fit(torch.zeros(3), penalty) - (log_prior - log_prior.mean())
        distance = (fit(log_prior, penalty) - post_hoc).abs().max().item()
        assert (distance < 1e-5) == same
        assert same or distance > 0.1


@pytest.mark.discrepancy("logit-adjustment-top-one")
def test_reported_accuracy_is_an_error():
    """Taken as an accuracy it would be worse than plain training, taken as an error the best."""
    rows = {"plain": 38.66, "post-hoc": 33.98, "loss": 33.64}
    assert max(rows.values()) < 100 - 31.56
    assert min(rows.values()) > 31.56
