"""MLE-guided search: its proposal, its densities, its steps, and what it improves."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from scispaces.optim import MLEGuidedSearch, gibbs_quadratic_step


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(*shapes, dtype=torch.float64):
    """Parameters with gradients, both drawn."""
    source = generator()
    listed = []
    for shape in shapes:
        draw = torch.randn(shape, generator=source, dtype=torch.float64)
        listed.append(nn.Parameter(draw.to(dtype)))
        listed[-1].grad = torch.randn(shape, generator=source, dtype=torch.float64).to(dtype)
    return listed


def recorded(listed, loss):
    """A closure that notes where it was called."""
    places = []

    def closure():
        places.append([p.detach().clone() for p in listed])
        return loss() if callable(loss) else loss

    return places, closure


# The proposal and its density


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("noise_scale", ["gradient", "absolute"])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_density_is_that_of_the_mixture_drawn_from(stratified, noise_scale, share):
    """Against torch.distributions, up to one constant for all candidates."""
    listed = parameters((3,), (2, 2))
    start = [p.detach().clone() for p in listed]
    search = MLEGuidedSearch(
        listed,
        candidates=12,
        noise=0.7,
        noise_scale=noise_scale,
        guide_rate=0.4,
        guided_share=share,
        stratified=stratified,
        generator=generator(),
    )
    places, closure = recorded(listed, 1.0)
    found = search.search(closure)
    scales, centres = [], []
    for p in listed:
        unit = p.grad.abs().mean() if noise_scale == "gradient" else torch.tensor(1.0).double()
        scales.append((0.7 * unit).expand(p.numel()))
        centres.append(-0.4 * p.grad.flatten())
    centre, scale = torch.cat(centres), torch.cat(scales)
    means = torch.stack([torch.zeros_like(centre), centre])
    mixture = MixtureSameFamily(
        Categorical(torch.tensor([1 - share, share]).double()),
        Independent(Normal(means, scale.expand(2, -1)), 1),
    )
    deltas = torch.stack(
        [
            torch.cat([(p - origin).flatten() for p, origin in zip(place, start, strict=True)])
            for place in places
        ]
    )
    difference = found.log_proposal - mixture.log_prob(deltas)
    torch.testing.assert_close(difference, difference[:1].expand(12), rtol=0, atol=1e-9)
    if stratified:
        assert found.guided.tolist() == [i < round(12 * share) for i in range(12)]


def test_stratified_shares_are_those_of_the_density():
    """One guided candidate of three is a share of 1/3, not of the 0.4 asked for."""
    (theta,) = parameters((1,))
    search = MLEGuidedSearch(
        [theta], candidates=3, guided_share=0.4, noise_scale="absolute", generator=generator()
    )
    start = theta.item()
    places, closure = recorded([theta], 0.0)
    found = search.search(closure)
    assert found.guided.tolist() == [True, False, False]
    for place, value in zip(places, found.log_proposal.tolist(), strict=True):
        delta = place[0].item() - start
        plain, guided = (math.exp(-((delta - m) ** 2) / 2) for m in (0, -theta.grad.item()))
        assert value == pytest.approx(math.log(2 / 3 * plain + guided / 3), rel=1e-9)


def test_drawn_components_have_the_share_asked_for():
    (theta,) = parameters((1,))
    search = MLEGuidedSearch(
        [theta], candidates=2000, guided_share=0.3, stratified=False, generator=generator()
    )
    share = search.search(lambda: 0.0).guided.double().mean().item()
    assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 2000)


def test_densities_in_many_dimensions():
    """Where the densities themselves are 0 and infinity in float64."""
    listed = parameters((50_000,), dtype=torch.float32)
    search = MLEGuidedSearch(listed, noise=0.01, generator=generator())
    found = search.search(lambda: 1.0)
    assert found.log_proposal.isfinite().all()
    assert (found.log_proposal < -20_000).all()
    assert found.weights.sum().item() == pytest.approx(1)


# The step


def test_weighted_mean_of_the_candidates():
    listed = parameters((3,), (2, 2))
    start = [p.detach().clone() for p in listed]
    search = MLEGuidedSearch(listed, 0.5, temperature=0.3, candidates=6, generator=generator())
    places, closure = recorded(listed, lambda: listed[0].sum().abs().round())
    value = search.step(closure)
    found = search.last
    raw = (-found.losses / 0.3 - found.log_proposal).softmax(0)
    torch.testing.assert_close(found.weights, raw)
    assert value == pytest.approx((raw @ found.losses).item())
    for index, (parameter, origin) in enumerate(zip(listed, start, strict=True)):
        mean = sum(w * (place[index] - origin) for w, place in zip(raw, places, strict=True))
        torch.testing.assert_close(parameter.detach(), origin + 0.5 * mean)
        torch.testing.assert_close(found.steps[index], mean)
    assert 1 <= found.effective_sample_size <= 6


def test_expected_step_on_a_quadratic_is_that_of_newton():
    hessian = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    theta = nn.Parameter(torch.tensor([1.0, 0.5], dtype=torch.float64))

    def loss():
        return theta @ hessian @ theta / 2

    loss().backward()
    mean, _ = gibbs_quadratic_step(theta.grad, hessian, 0.5)
    search = MLEGuidedSearch(
        [theta],
        temperature=0.5,
        candidates=4000,
        noise_scale="absolute",
        guide_rate=0.3,
        generator=generator(),
    )
    found = search.search(loss)
    error = math.sqrt(0.5 / found.effective_sample_size.item())  # the largest variance is < 0.5
    assert ((found.steps[0] - mean).abs() < 4 * error).all()
    assert error < 0.03


def test_reference_proposal_weighs_by_the_losses_alone():
    listed = parameters((1000,))
    settings = {"temperature": 1.0, "candidates": 8, "noise_scale": "absolute"}
    flat = MLEGuidedSearch(listed, **settings, generator=generator())
    tilted = MLEGuidedSearch(listed, **settings, reference="proposal", generator=generator())

    def loss():
        return listed[0][0].abs()

    ours, theirs = flat.search(loss), tilted.search(loss)
    assert torch.equal(ours.losses, theirs.losses)
    torch.testing.assert_close(theirs.weights, (-theirs.losses).softmax(0))
    assert ours.effective_sample_size < 2 < theirs.effective_sample_size


def test_candidates_that_fail_get_no_weight():
    (theta,) = parameters((1,))
    search = MLEGuidedSearch([theta], candidates=6, generator=generator())
    calls = iter([1.0, math.inf, 2.0, math.inf, 1.5, 1.0])
    value = search.step(lambda: next(calls))
    assert math.isfinite(value)
    assert search.last.weights[[1, 3]].tolist() == [0, 0]
    assert theta.isfinite().all()


def test_parameters_come_back_bit_for_bit():
    listed = parameters((3,), (2, 2), dtype=torch.float32)
    before = [(p.detach().clone(), p.grad.clone()) for p in listed]
    search = MLEGuidedSearch(listed, generator=generator())
    search.search(lambda: 1.0)

    def fails():
        raise RuntimeError("out of data")

    with pytest.raises(RuntimeError, match="out of data"):
        search.step(fails)
    for wrong in (math.nan, -math.inf, math.inf):
        with pytest.raises(ValueError, match=r"`losses` must"):
            search.step(lambda wrong=wrong: wrong)
    for parameter, (value, gradient) in zip(listed, before, strict=True):
        assert torch.equal(parameter, value)
        assert torch.equal(parameter.grad, gradient)


def test_every_candidate_sees_the_same_random_numbers_and_every_search_others():
    (theta,) = parameters((1,))
    search = MLEGuidedSearch([theta], candidates=5)
    torch.manual_seed(0)
    first = search.search(lambda: torch.rand(())).losses
    second = search.search(lambda: torch.rand(())).losses
    assert len(set(first.tolist())) == len(set(second.tolist())) == 1
    assert first[0] != second[0]
    noises = [search.search(lambda: 1.0).steps[0].item() for _ in range(2)]
    assert noises[0] != noises[1]


def test_a_generator_makes_it_repeatable_and_leaves_the_global_one_alone():
    found = []
    for _ in range(2):
        (theta,) = parameters((4,))
        torch.manual_seed(len(found))
        state = torch.get_rng_state()
        search = MLEGuidedSearch([theta], stratified=False, generator=generator())
        search.step(lambda theta=theta: theta.sum())
        assert torch.equal(state, torch.get_rng_state())
        found.append(theta.detach())
    assert torch.equal(*found)


# Which parameters move


def test_relative_noise_leaves_tensors_without_gradient_alone():
    listed = parameters((3,), (2,), (2,))
    listed[1].grad = None
    listed[2].grad.zero_()
    before = [p.detach().clone() for p in listed]
    search = MLEGuidedSearch(listed, generator=generator())
    search.step(lambda: 1.0)
    assert not torch.equal(listed[0], before[0])
    assert torch.equal(listed[1], before[1])
    assert torch.equal(listed[2], before[2])


def test_pure_random_search_needs_no_gradient():
    (theta,) = parameters((3,))
    theta.grad = None
    search = MLEGuidedSearch(
        [theta], guided_share=0, noise_scale="absolute", noise=0.1, generator=generator()
    )
    before = theta.detach().clone()
    search.step(lambda: theta.square().sum())
    assert not torch.equal(theta, before)
    for settings in ({}, {"guided_share": 0}, {"noise_scale": "absolute"}):
        with pytest.raises(ValueError, match=r"`params` must have gradients of the surrogate"):
            MLEGuidedSearch([theta], **settings).step(lambda: 1.0)


def test_groups_have_their_own_rates_and_noise():
    listed = parameters((2000,), (2000,))
    groups = [
        {"params": listed[:1], "noise": 2.0, "guide_rate": 0.0},
        {"params": listed[1:], "noise": 0.5, "lr": 0.0},
    ]
    search = MLEGuidedSearch(groups, candidates=2, noise_scale="absolute", generator=generator())
    start = [p.detach().clone() for p in listed]
    places, closure = recorded(listed, 1.0)
    search.step(closure)
    spreads = [(places[1][i] - start[i]).std().item() for i in range(2)]
    assert spreads == pytest.approx([2.0, 0.5], rel=0.1)
    assert not torch.equal(listed[0], start[0])
    assert torch.equal(listed[1], start[1])


# The contract of optimizers


def test_state_dict_schedulers_and_copies():
    (theta,) = parameters((3,))
    search = MLEGuidedSearch([theta], 0.5, temperature=0.2, candidates=3)
    twin = MLEGuidedSearch([theta])
    twin.load_state_dict(search.state_dict())
    assert twin.param_groups[0]["temperature"] == 0.2
    assert twin.param_groups[0]["candidates"] == 3
    schedule = torch.optim.lr_scheduler.StepLR(search, 1, 0.1)
    search.step(lambda: 1.0)
    schedule.step()
    assert search.param_groups[0]["lr"] == pytest.approx(0.05)
    for other in (copy.deepcopy(search), pickle.loads(pickle.dumps(search))):
        assert other.param_groups[0]["lr"] == search.param_groups[0]["lr"]
        assert torch.equal(other.last.losses, search.last.losses)
    search.zero_grad()
    assert theta.grad is None
    seeded = MLEGuidedSearch(
        parameters((3,)), guided_share=0, noise_scale="absolute", generator=generator()
    )
    twin = copy.deepcopy(seeded)
    assert torch.equal(seeded.search(lambda: 1.0).steps[0], twin.search(lambda: 1.0).steps[0])


def test_the_step_of_another_optimizer():
    (theta,) = parameters((3,))
    search = MLEGuidedSearch([theta], generator=generator())
    adam = torch.optim.Adam([theta], 0.1)
    found = search.search(lambda: theta.square().sum())
    theta.grad = -found.steps[0]
    before = theta.detach().clone()
    adam.step()
    torch.testing.assert_close((theta - before).detach(), 0.1 * found.steps[0].sign())


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"lr": -1.0}, r"`lr` must be at least 0 and finite\. Got -1\."),
        ({"temperature": 0.0}, r"`temperature` must be positive and finite\. Got 0\."),
        ({"candidates": 0}, r"`candidates` must be a whole number >= 1\. Got 0\."),
        ({"candidates": 2.5}, r"`candidates` must be a whole number >= 1\. Got 2\.5\."),
        ({"noise": 0.0}, r"`noise` must be positive and finite\. Got 0\."),
        ({"noise_scale": "unit"}, r"`noise_scale` must be 'gradient' or 'absolute'\. Got 'unit'\."),
        ({"guide_rate": -1.0}, r"`guide_rate` must be at least 0 and finite\. Got -1\."),
        ({"guided_share": 1.5}, r"`guided_share` must lie in \[0, 1\]\. Got 1\.5\."),
        ({"reference": "prior"}, r"`reference` must be 'flat' or 'proposal'\. Got 'prior'\."),
    ],
)
def test_settings_are_checked(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        MLEGuidedSearch(parameters((2,)), **setting)


def test_bad_groups_and_closures():
    first, second = parameters((2,), (2,))
    search = MLEGuidedSearch([first], candidates=3)
    with pytest.raises(ValueError, match=r"`candidates` must be the same for all groups\. Got 5"):
        search.add_param_group({"params": [second], "candidates": 5})
    with pytest.raises(TypeError, match="must be a dict"):
        search.add_param_group([second])
    with pytest.raises(ValueError, match=r"`closure` must compute the task loss\. Got None\."):
        search.step()
    with pytest.raises(TypeError, match=r"loss pooled over the batch\. Got shape \(2,\)\."):
        search.step(lambda: first)
    with pytest.raises(TypeError, match=r"`closure` must return one number\. Got NoneType\."):
        search.step(lambda: None)
    first.grad = first.grad.to_sparse()
    with pytest.raises(TypeError, match=r"`params` must have dense gradients"):
        search.step(lambda: 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_and_single_precision(dtype):
    listed = parameters((40,), (3,), dtype=dtype)
    search = MLEGuidedSearch(listed, 0.1, temperature=0.1, generator=generator())
    for _ in range(3):
        search.step(lambda: listed[0].abs().sum())
    assert all(p.dtype is dtype and p.isfinite().all() for p in listed)


# What it is for


def outliers(seed):
    """Two classes in the plane and a remote bunch with wrong labels, which misleads the mean."""
    source = generator(seed)
    x = torch.randn(400, 2, generator=source, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, -0.5], dtype=torch.float64) > 0.2).double()
    x[:48] = torch.tensor([-8.0, 4.0]) + 0.5 * x[:48]
    y[:48] = 1.0
    return torch.cat([x, torch.ones(400, 1)], 1), y


@pytest.mark.parametrize("seed", range(3))
def test_errors_of_a_classifier_fall_where_cross_entropy_is_misled(seed):
    x, y = outliers(seed)
    theta = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def surrogate():
        return nn.functional.binary_cross_entropy_with_logits(x @ theta, y)

    def errors():
        return ((x @ theta > 0) != (y > 0)).double().mean()

    likelihood = torch.optim.LBFGS([theta], max_iter=100)

    def closure():
        likelihood.zero_grad()
        loss = surrogate()
        loss.backward()
        return loss

    likelihood.step(closure)
    before = errors().item()
    search = MLEGuidedSearch(
        [theta],
        temperature=0.02,
        candidates=16,
        noise=0.3,
        noise_scale="absolute",
        generator=generator(seed),
    )
    for _ in range(60):
        search.zero_grad()
        surrogate().backward()
        search.step(errors)
    assert errors().item() < 0.7 * before
