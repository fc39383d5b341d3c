"""One formula for all losses against the library's losses; decisions and their offsets."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.losses import (
    adjust_logits,
    effective_number_weights,
    equalised_margins,
    inverse_frequency_weights,
    ldam_margins,
    logit_adjusted_cross_entropy,
    logit_adjustment_margins,
    pairwise_margin_cross_entropy,
    softmax_focal_loss,
)
from scispaces.studies.long_tail_methods import DECISIONS, TAUS, TRAINED, StackedLosses

COUNTS = torch.tensor([50.0, 20.0, 5.0, 1.0])
PRIOR = COUNTS / COUNTS.sum()


def expected(name: str, parameter: float, logits: Tensor, targets: Tensor) -> Tensor:
    """The loss of a method as the library has it."""
    losses = {
        "erm": lambda: cross_entropy(logits, targets, reduction="sum"),
        "weighted": lambda: pairwise_margin_cross_entropy(
            logits, targets, class_weights=inverse_frequency_weights(COUNTS), reduction="sum"
        ),
        "la": lambda: logit_adjusted_cross_entropy(logits, targets, PRIOR, reduction="sum"),
        "la_tuned": lambda: logit_adjusted_cross_entropy(
            logits, targets, PRIOR, tau=parameter, reduction="sum"
        ),
        "la_weighted": lambda: pairwise_margin_cross_entropy(
            logits,
            targets,
            margins=logit_adjustment_margins(PRIOR),
            class_weights=inverse_frequency_weights(COUNTS),
            reduction="sum",
        ),
        "ldam": lambda: pairwise_margin_cross_entropy(
            logits, targets, margins=ldam_margins(COUNTS, largest=parameter), reduction="sum"
        ),
        "equalised": lambda: pairwise_margin_cross_entropy(
            logits, targets, margins=equalised_margins(PRIOR, power=parameter), reduction="sum"
        ),
        "focal": lambda: softmax_focal_loss(logits, targets, gamma=parameter, reduction="sum"),
        "class_balanced_focal": lambda: softmax_focal_loss(
            logits,
            targets,
            gamma=1.0,
            class_weights=effective_number_weights(COUNTS, beta=parameter),
            reduction="sum",
        ),
    }
    return losses[name]()


@pytest.mark.parametrize("name", TRAINED)
def test_the_one_formula_is_the_loss_of_the_library(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    values = TRAINED[name].parameters or (None,)
    scores = torch.randn(3, len(values), 8, 4, generator=generator, dtype=torch.float64) * 3
    logits = scores.requires_grad_(True)
    targets = torch.randint(4, (3, 8), generator=generator)
    ours = StackedLosses([(name, value) for value in values], COUNTS)(logits, targets)
    theirs = sum(
        expected(name, value, logits[:, at].flatten(0, 1), targets.flatten())
        for at, value in enumerate(values)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_saturated_scores_have_finite_gradients() -> None:
    plan = [(name, value) for name in TRAINED for value in TRAINED[name].parameters or (None,)]
    logits = torch.zeros(1, len(plan), 2, 4)
    logits[..., 0] = 200.0
    logits.requires_grad_(True)
    StackedLosses(plan, COUNTS)(logits, torch.tensor([[0, 3]])).backward()
    assert torch.isfinite(logits.grad).all()


def test_every_decision_names_a_trained_method() -> None:
    assert {decision.trained for decision in DECISIONS.values()} == set(TRAINED)
    assert all(value in TAUS for value in DECISIONS["post_hoc"].values)
    assert 0.0 in DECISIONS["weight_norm_tuned"].values


def test_decisions_change_scores_as_their_names_say() -> None:
    scores = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))
    norms = torch.tensor([[[1.0, 2.0, 4.0, 0.5]]]).expand(2, 1, 4)
    changed = DECISIONS["post_hoc_tuned"].scores(scores, 1.5, COUNTS, norms)
    torch.testing.assert_close(changed, adjust_logits(scores, PRIOR, tau=1.5))
    halved = DECISIONS["weight_norm_tuned"].scores(scores, 0.5, COUNTS, norms)
    torch.testing.assert_close(halved, scores / norms.sqrt())
    assert torch.equal(DECISIONS["la"].scores(scores, 0.0, COUNTS, norms), scores)


# The minimisers of the others are no shifts of the log-odds, and weight normalisation is none.
SHIFTS = ("erm", "post_hoc", "post_hoc_tuned", "weighted", "la", "la_tuned", "la_weighted")


@pytest.mark.parametrize("name", SHIFTS)
def test_offsets_lead_back_to_the_natural_prior(name: str) -> None:
    """Minimise the expected loss at one x with known P(y | x), and undo what the method does."""
    decision = DECISIONS[name]
    parameter = (TRAINED[decision.trained].parameters or (None,))[-1]
    posterior = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    loss = StackedLosses([(decision.trained, parameter)], COUNTS.double())
    optimiser = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=0)

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = sum(
            posterior[label] * loss(logits.view(1, 1, 1, 4), torch.tensor([[label]]))
            for label in range(4)
        )
        value.backward()
        return value

    optimiser.step(closure)
    value = decision.values[-1]
    scores = decision.scores(logits.detach(), value, COUNTS.double(), torch.ones(4))
    natural = scores + decision.to_natural(parameter, value, COUNTS.double())
    torch.testing.assert_close(natural.softmax(-1), posterior, rtol=1e-5, atol=1e-5)
