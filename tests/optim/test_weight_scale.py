"""Weight scale: the shift that keeps a network's function, its balance, and the penalty."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from scispaces.optim import (
    balance_weight_scale_,
    shift_weight_scale_,
    weight_scale_penalty,
)

FACTORS = [2.0, 0.25, 4.0, 0.5]


def chain(activation=nn.ReLU, bias=True, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    widths = [6, 9, 8, 7, 3]
    layers = []
    for i in range(4):
        layers += [nn.Linear(widths[i], widths[i + 1], bias=bias), activation()]
    return nn.Sequential(*layers[:-1]).to(dtype)


def images():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.BatchNorm2d(3),
        nn.GELU(),
        nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.LeakyReLU(0.2), nn.MaxPool2d(2)),
        nn.ZeroPad2d(1),
        nn.Conv2d(5, 4, 3, padding_mode="reflect", padding=1, groups=1),
        nn.PReLU(),
        nn.ConvTranspose2d(4, 4, 2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.0),
        nn.Linear(16, 3),
        nn.LogSoftmax(-1),
    ).double()


def inputs(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def weights(model):
    return [p for p in model.parameters() if p.ndim >= 2]


def squares(model):
    return sum(w.square().sum().item() for w in weights(model))


# Shift


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.Identity, nn.PReLU])
def test_powers_of_two_keep_every_bit(activation, bias):
    model, x = chain(activation, bias), inputs(50, 6)
    before = model(x)
    shift_weight_scale_(model, FACTORS)
    assert torch.equal(model(x), before)


def test_the_rule_for_biases_that_is_sometimes_printed_is_wrong():
    """Each bias times its own layer's factor changes the function by the size of its outputs."""
    model, x = chain(), inputs(50, 6)
    before = model(x)
    with torch.no_grad():
        for layer, factor in zip(model[::2], FACTORS, strict=True):
            layer.weight.mul_(factor)
            layer.bias.mul_(factor)
    assert (model(x) - before).abs().max() > 0.1


@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU, nn.Tanh])
def test_activations_that_are_refused_would_change_the_function(activation):
    model, x = chain(activation), inputs(50, 6)
    with pytest.raises(ValueError, match=rf"Got {activation.__name__} at '1'\."):
        shift_weight_scale_(model, FACTORS)
    before = model(x)
    linear = nn.Sequential(*model[::2])  # the same layers, without what stands between
    shift_weight_scale_(linear, FACTORS)
    assert (model(x) - before).abs().max() > 0.01


def test_convolutions_pooling_and_whatever_stands_at_the_ends():
    model, x = images(), inputs(4, 3, 8, 8)
    before = model(x)
    shift_weight_scale_(model, [3.0, 0.5, 1 / 6, 4.0])
    torch.testing.assert_close(model(x), before, rtol=1e-12, atol=1e-13)


def test_general_factors_also_as_tensor():
    source = torch.Generator().manual_seed(0)
    factors = (2 * torch.randn(4, generator=source)).exp()
    factors /= factors.log().mean().exp()
    for given in (factors, factors.tolist()):
        model, x = chain(), inputs(50, 6)
        before = model(x)
        shift_weight_scale_(model, given)
        # The product of four float32 numbers is 1 up to their rounding.
        torch.testing.assert_close(model(x), before, rtol=1e-6, atol=1e-6)


def test_layers_of_another_module_can_be_put_into_a_chain():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 4)
            self.outer = nn.Linear(4, 2)

        def forward(self, x):
            return self.outer(self.inner(x).relu())

    model, x = Network().double(), inputs(5, 3)
    before, norm = model(x), model.inner.weight.norm().item()
    shift_weight_scale_(nn.Sequential(model.inner, nn.ReLU(), model.outer), [8.0, 0.125])
    assert torch.equal(model(x), before)
    assert model.inner.weight.norm().item() == pytest.approx(8 * norm)


def test_a_model_in_training_can_be_shifted_and_differentiated_after():
    model, x = chain(), inputs(50, 6)
    shift_weight_scale_(model, FACTORS)
    model(x).sum().backward()
    assert all(p.requires_grad and p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2)], "Got BatchNorm1d at '1'"),
        ([nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2)], "Got LayerNorm at '1'"),
        ([nn.Linear(2, 2), nn.ReLU6(), nn.Linear(2, 2)], "Got ReLU6 at '1'"),
        ([nn.Linear(2, 2), nn.Sequential(nn.ELU()), nn.Linear(2, 2)], r"Got ELU at '1\.0'"),
        ([nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 2)], "Got Softplus at '1'"),
        ([nn.Linear(2, 2), nn.ConstantPad1d(1, 1.0), nn.Linear(4, 2)], "Got ConstantPad1d at '1'"),
        (
            [nn.Linear(2, 2), nn.TransformerEncoderLayer(2, 1, 2), nn.Linear(2, 2)],
            "Got Transformer",
        ),
        ([weight_norm(nn.Linear(2, 2)), nn.Linear(2, 2)], "parametrised weights. Got one at '0'"),
        ([nn.ReLU()], "must have a Linear or Conv layer. Got none"),
    ],
)
def test_models_that_are_refused(layers, sentence):
    model = nn.Sequential(*layers)
    before = copy.deepcopy(model.state_dict())
    for change in (
        lambda: shift_weight_scale_(model, [2.0, 0.5]),
        lambda: balance_weight_scale_(model),
    ):
        with pytest.raises(ValueError, match=sentence):
            change()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_shared_weights_are_refused():
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"must not share weights between layers\. Got '2' twice"):
        shift_weight_scale_(nn.Sequential(layer, nn.ReLU(), layer), [2.0, 0.5])
    twin = nn.Linear(2, 2)
    twin.weight = layer.weight
    with pytest.raises(ValueError, match=r"must not share weights between layers\. Got '2' twice"):
        shift_weight_scale_(nn.Sequential(layer, nn.ReLU(), twin), [2.0, 0.5])
    with pytest.raises(TypeError, match=r"`model` must be an nn\.Sequential\. Got Linear\."):
        shift_weight_scale_(layer, [1.0])


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        ([2.0, 0.5], r"`factors` must hold one for each of the 4 layers\. Got 2\."),
        ([2.0, 0.5, 2.0, 2.0], r"`factors` must have product 1\. Got 4\."),
        ([-1.0, -1.0, 1.0, 1.0], r"`factors` must be positive and finite\. Got -1 at index 0\."),
        ([1.0, 0.0, math.inf, 1.0], r"`factors` must be positive and finite\. Got 0 at index 1\."),
        (
            [1.0, 1.0, math.nan, 1.0],
            r"`factors` must be positive and finite\. Got nan at index 2\.",
        ),
    ],
)
def test_factors_that_are_refused(factors, sentence):
    with pytest.raises(ValueError, match=sentence):
        shift_weight_scale_(chain(), factors)


# Balance


@pytest.mark.parametrize("make", [chain, images])
def test_balance_makes_norms_equal_and_keeps_the_function(make):
    model = make()
    x = inputs(20, 6) if make is chain else inputs(4, 3, 8, 8)
    before, norms = model(x), [w.norm().item() for w in weights(model)]
    shift_weight_scale_(model, FACTORS)
    factors = balance_weight_scale_(model)
    mean = math.exp(math.fsum(map(math.log, norms)) / 4)
    assert [w.norm().item() for w in weights(model)] == pytest.approx([mean] * 4, rel=1e-13)
    assert squares(model) == pytest.approx(4 * mean**2, rel=1e-13)
    torch.testing.assert_close(model(x), before, rtol=1e-12, atol=1e-13)
    shift_weight_scale_(model, 1 / factors)
    shifted = [f * n for f, n in zip(FACTORS, norms, strict=True)]
    assert [w.norm().item() for w in weights(model)] == pytest.approx(shifted, rel=1e-13)


def test_balance_has_the_least_l2_of_all_shifts():
    model = chain()
    balance_weight_scale_(model)
    least = squares(model)
    source = torch.Generator().manual_seed(0)
    for size in (1e-3, 0.1, 1.0):
        factors = (size * torch.randn(4, generator=source, dtype=torch.float64)).exp()
        factors /= factors.log().mean().exp()
        other = copy.deepcopy(model)
        shift_weight_scale_(other, factors)
        assert squares(other) > least


def test_balance_of_a_balanced_model_is_nothing():
    model = chain()
    balance_weight_scale_(model)
    torch.testing.assert_close(balance_weight_scale_(model), torch.ones(4).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_balance_in_lower_precision(dtype):
    model = chain(dtype=dtype)
    balance_weight_scale_(model)
    norms = [w.double().norm().item() for w in weights(model)]
    assert max(norms) / min(norms) == pytest.approx(1, abs=torch.finfo(dtype).eps)


@pytest.mark.parametrize("value", [0.0, math.inf, math.nan])
def test_weights_that_cannot_be_balanced(value):
    model = chain()
    nn.init.constant_(model[2].weight, value)
    with pytest.raises(ValueError, match=r"weights of positive, finite norm\. Got .* at '2'\."):
        balance_weight_scale_(model)


# The penalty


def penalty_and_gradients(listed, **settings):
    listed = [w.detach().clone().requires_grad_() for w in listed]
    value = weight_scale_penalty(listed, **settings)
    return value.detach(), torch.autograd.grad(value, listed)


def test_penalty_in_closed_form():
    w, v = inputs(4, 3), inputs(5, 2, 3)
    value, gradients = penalty_and_gradients([w, v], log_norm=0.7, direction_l1=0.2)
    expected = sum(0.7 * math.log(a.norm()) + 0.2 * a.abs().sum() / a.norm() for a in (w, v))
    assert value.item() == pytest.approx(expected.item(), rel=1e-14)
    for a, gradient in zip((w, v), gradients, strict=True):
        norm = a.norm()
        direction = a.sign() / norm - a * a.abs().sum() / norm**3
        torch.testing.assert_close(gradient, 0.7 * a / norm**2 + 0.2 * direction)


def test_penalty_is_invariant_and_l2_is_not():
    model = chain()
    settings = {"log_norm": 0.7, "direction_l1": 0.2}
    before, l2 = weight_scale_penalty(model.parameters(), **settings), squares(model)
    shift_weight_scale_(model, [20.0, 1 / 20, 1 / 8, 8.0])
    after = weight_scale_penalty(model.parameters(), **settings)
    torch.testing.assert_close(after, before, rtol=1e-14, atol=0)
    assert squares(model) > 10 * l2


def test_biases_and_scales_of_normalisation_are_left_out():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    value = weight_scale_penalty(model.parameters(), log_norm=1.0)
    torch.testing.assert_close(value, weight_scale_penalty(weights(model), log_norm=1.0))
    value.backward()
    assert model[0].weight.grad is not None
    assert model[0].bias.grad is None
    with pytest.raises(ValueError, match=r"must hold a tensor of two or more axes\. Got none\."):
        weight_scale_penalty([model[0].bias], log_norm=1.0)


def test_decay_is_linear_in_the_square_of_the_norm_and_keeps_differences():
    """Under the flow of the first sum every squared norm falls at the rate 2 lambda."""
    listed = [inputs(4, 3), 2 * inputs(2, 2)]
    start = [w.square().sum().item() for w in listed]
    rate, steps = 1e-4, 2000
    for _ in range(steps):
        _, gradients = penalty_and_gradients(listed, log_norm=0.5)
        listed = [w - rate * g for w, g in zip(listed, gradients, strict=True)]
    for w, before in zip(listed, start, strict=True):
        assert before - w.square().sum().item() == pytest.approx(rate * steps, rel=1e-3)


def test_floor():
    tiny, zero = torch.full((2, 2), 1e-9), torch.zeros(2, 2)
    for weight in (tiny, zero):
        value, (gradient,) = penalty_and_gradients([weight], log_norm=1.0)
        assert value.item() == pytest.approx(math.log(1e-6), rel=1e-6)
        assert torch.equal(gradient, torch.zeros(2, 2))
        value, (gradient,) = penalty_and_gradients([weight], log_norm=0.0, direction_l1=1.0)
        assert value.item() == pytest.approx(weight.sum().item() / 1e-6, rel=1e-6)
        assert gradient.isfinite().all()
    raised = weight_scale_penalty([tiny], log_norm=1.0, floor=0.1)
    assert raised.item() == pytest.approx(math.log(0.1), rel=1e-6)


def test_recommended_floor_keeps_descent_from_overshooting():
    """From the square root of rate times strength on, no step passes 0; without it steps do."""
    rate, strength = 0.1, 0.2
    signs = {}
    for floor in (math.sqrt(rate * strength), 1e-6):
        weight = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
        seen = []
        for _ in range(100):
            _, (gradient,) = penalty_and_gradients([weight], log_norm=strength, floor=floor)
            weight = weight - rate * gradient
            seen.append(weight[0, 0].item())
        signs[floor] = min(seen)
    kept, default = signs.values()
    assert 0 <= kept < math.sqrt(rate * strength)
    assert default < 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """Squares of 3e4 overflow in float16."""
    weight = torch.full((10, 10), 3e4, dtype=dtype)
    value, (gradient,) = penalty_and_gradients([weight], log_norm=1.0, direction_l1=1.0)
    exact = weight[0, 0].item()
    assert value.dtype is torch.float32
    assert value.item() == pytest.approx(math.log(10 * exact) + 10, rel=1e-5)
    assert gradient.dtype is dtype
    mixed = weight_scale_penalty([weight, torch.ones(1, 1, dtype=torch.float64)], log_norm=1.0)
    assert mixed.dtype is torch.float64


def test_bad_arguments_of_the_penalty():
    weight = torch.ones(2, 2)
    for name in ("log_norm", "direction_l1"):
        with pytest.raises(ValueError, match=rf"`{name}` must be at least 0 and finite\. Got -1\."):
            weight_scale_penalty([weight], **{"log_norm": 1.0, name: -1.0})
    with pytest.raises(ValueError, match=r"`floor` must be positive and finite\. Got 0\."):
        weight_scale_penalty([weight], log_norm=1.0, floor=0.0)
    with pytest.raises(TypeError, match=r"`parameters` must be floating-point\. Got torch\.int64"):
        weight_scale_penalty([weight.long()], log_norm=1.0)
