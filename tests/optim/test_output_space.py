"""Policy gradient and minimum risk on distributions small enough to enumerate."""

import math

import pytest
import torch

from scispaces.optim import minimum_risk_loss, policy_gradient_loss

COSTS = torch.tensor([3.0, 1.0, 4.0, 1.5], dtype=torch.float64)


def scores():
    return torch.tensor([0.2, -0.5, 1.0, 0.3], dtype=torch.float64, requires_grad=True)


def exact_gradient():
    logits = scores()
    return torch.autograd.grad(logits.softmax(0) @ COSTS, logits)[0]


@pytest.mark.parametrize("baseline", [0.0, 2.5, "others"])
def test_policy_gradient_is_unbiased(baseline):
    """The mean over all pairs of samples, with their probabilities, is the gradient itself."""
    logits = scores()
    log_p = logits.log_softmax(0)
    pairs = [(i, j) for i in range(4) for j in range(4)]
    both = torch.stack([torch.stack([log_p[i], log_p[j]]) for i, j in pairs])
    costs = torch.stack([torch.stack([COSTS[i], COSTS[j]]) for i, j in pairs])
    rows = policy_gradient_loss(both, costs, baseline=baseline, reduction="none")
    (gradient,) = torch.autograd.grad(both.sum(1).exp().detach() @ rows, logits)
    torch.testing.assert_close(gradient, exact_gradient(), rtol=1e-13, atol=1e-15)


def spread(baseline, count=4000, samples=8):
    generator = torch.Generator().manual_seed(0)
    logits = scores()
    drawn = torch.multinomial(
        logits.detach().softmax(0), count * samples, replacement=True, generator=generator
    ).view(count, samples)
    coefficients = torch.autograd.grad(
        policy_gradient_loss(
            (log_p := logits.log_softmax(0)[drawn]),
            10 + COSTS[drawn],
            baseline=baseline,
            reduction="sum",
        ),
        log_p,
    )[0]
    one_hot = torch.nn.functional.one_hot(drawn, 4) - logits.detach().softmax(0)
    estimates = (coefficients[..., None] * one_hot).sum(1)
    return estimates.mean(0), estimates.var(0).sum().item()


def test_a_baseline_lowers_the_spread_and_not_the_mean():
    plain, others = spread(0.0), spread("others")
    for mean, variance in (plain, others):
        assert ((mean - exact_gradient()).abs() < 5 * math.sqrt(variance / 4000)).all()
    assert others[1] < plain[1] / 20


def test_the_baseline_is_the_mean_of_the_other_samples():
    log_p = torch.zeros(3, requires_grad=True)
    policy_gradient_loss(log_p, torch.tensor([1.0, 5.0, 9.0]), reduction="sum").backward()
    torch.testing.assert_close(log_p.grad, torch.tensor([1 - 7.0, 5 - 5.0, 9 - 3.0]) / 3)


def test_a_running_average_is_broadcast_and_constant():
    logits = torch.zeros(3, 2, requires_grad=True)
    average = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    policy_gradient_loss(logits, torch.full((3, 2), 2.0), baseline=average).backward()
    torch.testing.assert_close(
        logits.grad, torch.tensor([[1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]]) / 6
    )
    assert average.grad is None


def test_minimum_risk_of_all_outputs_is_the_expected_loss():
    logits = scores()
    risk = minimum_risk_loss(logits.log_softmax(0), COSTS)
    torch.testing.assert_close(risk, logits.softmax(0) @ COSTS)
    (gradient,) = torch.autograd.grad(risk, logits)
    torch.testing.assert_close(gradient, exact_gradient())


def test_sharpness():
    log_p = scores().log_softmax(0)
    blunt = minimum_risk_loss(log_p, COSTS, sharpness=1e-9)
    torch.testing.assert_close(blunt, COSTS.mean())
    sharp = minimum_risk_loss(log_p, COSTS, sharpness=1e9)
    torch.testing.assert_close(sharp, COSTS[2])
    half = (log_p / 2).softmax(0) @ COSTS
    torch.testing.assert_close(minimum_risk_loss(log_p, COSTS, sharpness=0.5), half)


def test_long_outputs_of_tiny_probability():
    risk = minimum_risk_loss(torch.tensor([-5000.0, -5001.0]), torch.tensor([1.0, 2.0]))
    assert risk.item() == pytest.approx(1 + 1 / (1 + math.e), rel=1e-6)


@pytest.mark.parametrize("loss", [policy_gradient_loss, minimum_risk_loss])
def test_reductions_dtypes_and_bad_arguments(loss):
    log_p, costs = torch.randn(5, 3), torch.rand(5, 3)
    rows = loss(log_p, costs, reduction="none")
    assert rows.shape == (5,)
    torch.testing.assert_close(loss(log_p, costs, reduction="sum"), rows.sum())
    torch.testing.assert_close(loss(log_p, costs), rows.mean())
    assert loss(log_p.half(), costs.bfloat16()).dtype is torch.float32
    with pytest.raises(ValueError, match=r"`losses` must have the shape of `log_probabilities`"):
        loss(log_p, costs[:4])
    with pytest.raises(ValueError, match=r"`losses` must be finite\. Got inf at index \(0, 1\)"):
        loss(log_p, costs.index_put((torch.tensor(0), torch.tensor(1)), torch.tensor(torch.inf)))
    with pytest.raises(ValueError, match=r"`reduction` must be 'mean' or 'sum' or 'none'\. Got"):
        loss(log_p, costs, reduction="rows")
    with pytest.raises(TypeError, match=r"`losses` must be a floating-point tensor\. Got dtype"):
        loss(log_p, costs.long())


def test_bad_baselines_and_sharpness():
    with pytest.raises(ValueError, match=r"two samples or more for baseline 'others'\. Got 1\."):
        policy_gradient_loss(torch.zeros(4, 1), torch.zeros(4, 1))
    with pytest.raises(ValueError, match=r"`baseline` must be 'others'\. Got 'mean'\."):
        policy_gradient_loss(torch.zeros(4, 2), torch.zeros(4, 2), baseline="mean")
    with pytest.raises(ValueError, match=r"`sharpness` must be positive and finite\. Got 0\."):
        minimum_risk_loss(torch.zeros(4, 2), torch.zeros(4, 2), sharpness=0)
