"""ClippedSGD: what it computes, and torch's contract for optimizers."""

import copy
import io
import math
import pickle

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from torch.utils._python_dispatch import TorchDispatchMode

from scispaces.optim import ClippedSGD, clip_factor, clip_gradients_

SETTINGS = [
    {},
    {"form": "soft"},
    {"momentum": 0.9},
    {"weight_decay": 0.1},
    {"momentum": 0.9, "weight_decay": 0.1, "form": "soft"},
    {"momentum": 0.9, "weight_decay": 0.1, "maximize": True},
    {"scope": "tensor"},
    {"scope": "tensor", "momentum": 0.5, "form": "soft"},
    {"threshold": math.inf, "momentum": 0.9},
]
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def network(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)


def batch(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(20, 5, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randn(20, 3, generator=generator, dtype=torch.float64).to(dtype)


def backward(model, seed=0, scale=5.0):
    x, y = batch(seed, next(model.parameters()).dtype)
    loss = scale * (model(x) - y).square().mean()
    model.zero_grad()
    loss.backward()
    return loss


def state_of(model):
    return [p.detach().clone() for p in model.parameters()]


def train(model, optimizer, steps, first=0):
    for seed in range(first, first + steps):
        backward(model, seed)
        optimizer.step()


# What it computes


@every_setting
def test_clipping_followed_by_the_sgd_of_torch(setting):
    setting = {"threshold": 0.3} | setting
    ours, theirs = network(), network()
    optimizer = ClippedSGD(ours.parameters(), 0.1, **setting)
    own = {key: setting.get(key, "global") for key in ("threshold", "form", "scope")}
    own["form"] = setting.get("form", "hard")
    rest = {key: value for key, value in setting.items() if key not in own}
    plain = SGD(theirs.parameters(), 0.1, **rest)
    for seed in range(8):
        backward(ours, seed)
        gradients = [p.grad.clone() for p in ours.parameters()]
        optimizer.step()
        assert all(map(torch.equal, gradients, (p.grad for p in ours.parameters())))
        backward(theirs, seed)
        norm = clip_gradients_(theirs.parameters(), **own)
        plain.step()
        if own["scope"] == "global":
            torch.testing.assert_close(optimizer.gradient_norm, norm, rtol=1e-13, atol=0)
        torch.testing.assert_close(state_of(ours), state_of(theirs), rtol=1e-12, atol=1e-14)


def test_soft_form_is_the_step_under_generalised_smoothness():
    linear, quadratic = 4.0, 2.0  # L0 and L1
    theta = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer = ClippedSGD([theta], 1 / linear, threshold=linear / quadratic, form="soft")
    theta.pow(4).sum().backward()
    gradient = 4 * 3.0**3
    optimizer.step()
    expected = 3.0 - gradient / (linear + quadratic * gradient)
    assert theta.item() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("form", "start", "steps"),
    [
        ("soft", 3.0, 128),
        ("hard", 3.0, 126),
        ("soft", 30.0, 182),
        ("hard", 30.0, 180),
    ],
)
def test_iterations_on_the_fourth_power_are_those_of_plain_arithmetic(form, start, steps):
    """Until |f'| < 1e-3 with L0 = 4 and L1 = 2; the counts come from a loop of Python floats."""
    theta, count = start, 0
    while abs(4 * theta**3) >= 1e-3:
        norm = abs(4 * theta**3)
        factor = min(1.0, 2 / norm) if form == "hard" else 2 / (2 + norm)
        theta -= 0.25 * factor * 4 * theta**3
        count += 1
    assert count == steps
    parameter = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = ClippedSGD([parameter], 0.25, threshold=2.0, form=form)
    for _ in range(steps):
        optimizer.zero_grad()
        parameter.pow(4).sum().backward()
        assert parameter.grad.abs() >= 1e-3
        optimizer.step()
    assert 4 * parameter.item() ** 3 < 1e-3


def test_the_global_norm_runs_over_all_groups_and_each_has_its_own_threshold():
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(3)]
    groups = [
        {"params": parameters[:1]},
        {"params": parameters[1:2], "threshold": 10.0},
        {"params": parameters[2:], "scope": "tensor", "form": "soft"},
    ]
    optimizer = ClippedSGD(groups, 1.0, threshold=1.0)
    for parameter, value in zip(parameters, (3.0, 4.0, 1.0), strict=True):
        parameter.grad = torch.tensor([value])
    optimizer.step()
    assert optimizer.gradient_norm == 5
    moved = [parameter.item() for parameter in parameters]
    assert moved == pytest.approx([-3 / 5, -4.0, -1 / 2])


def test_a_gradient_that_is_not_finite_is_not_hidden():
    for value in (torch.inf, torch.nan):
        parameters = [nn.Parameter(torch.ones(2)) for _ in range(2)]
        optimizer = ClippedSGD(parameters, 0.1)
        parameters[0].grad = torch.tensor([1.0, value])
        parameters[1].grad = torch.ones(2)
        optimizer.step()
        assert not optimizer.gradient_norm.isfinite()
        assert parameters[0][1].isnan()
        untouched = torch.ones(2) if value == torch.inf else torch.full((2,), torch.nan)
        torch.testing.assert_close(parameters[1].data, untouched, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_and_single_precision(dtype):
    exact, model = network(), network(dtype=dtype)
    with torch.no_grad():
        for ours, parameter in zip(model.parameters(), exact.parameters(), strict=True):
            parameter.copy_(ours)
    for each in (exact, model):
        optimizer = ClippedSGD(each.parameters(), 0.1, threshold=0.5, momentum=0.9)
        train(each, optimizer, 3)
    tolerance = 4 * torch.finfo(dtype).eps
    for ours, parameter in zip(model.parameters(), exact.parameters(), strict=True):
        assert ours.dtype is dtype
        torch.testing.assert_close(ours.double(), parameter, rtol=0, atol=tolerance)


@pytest.mark.parametrize("form", ["hard", "soft"])
def test_the_fused_kernel_of_torch_with_the_factor_as_its_scale(form):
    """Torch's own way to one pass: gradients are divided by 1 / factor inside of the step."""
    ours, theirs = network(dtype=torch.float32), network(dtype=torch.float32)
    optimizer = ClippedSGD(ours.parameters(), 0.1, threshold=0.3, form=form, momentum=0.9)
    fused = SGD(theirs.parameters(), 0.1, momentum=0.9, fused=True)
    for seed in range(4):
        train(ours, optimizer, 1, seed)
        backward(theirs, seed)
        fused.grad_scale = 1 / clip_factor(optimizer.gradient_norm, 0.3, form=form)
        fused.found_inf = torch.zeros(())
        fused.step()
    torch.testing.assert_close(state_of(ours), state_of(theirs), rtol=1e-6, atol=1e-6)


def test_complex_parameters_are_their_real_and_imaginary_parts():
    start = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    real = nn.Parameter(start.clone())
    both = nn.Parameter(torch.view_as_complex(start.clone()))
    for parameter in (real, both):
        optimizer = ClippedSGD([parameter], 0.1, momentum=0.9, weight_decay=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            (parameter - 1).abs().square().sum().backward()
            if parameter is real:  # the loss above has only one 1, that of the real part
                parameter.grad[:, 1] += 2
            optimizer.step()
    torch.testing.assert_close(torch.view_as_real(both.detach()), real.detach())


def test_parameters_of_several_dtypes_share_one_norm():
    dtypes = [torch.float64, torch.float32, torch.bfloat16]
    parameters = [nn.Parameter(torch.zeros(1, dtype=dtype)) for dtype in dtypes]
    optimizer = ClippedSGD(parameters, 1.0, threshold=1.0)
    for parameter, value in zip(parameters, (2.0, 4.0, 4.0), strict=True):
        parameter.grad = torch.full_like(parameter, value)
    optimizer.step()
    assert optimizer.gradient_norm == 6
    moved = torch.tensor([parameter.item() for parameter in parameters])
    torch.testing.assert_close(moved, -torch.tensor([1 / 3, 2 / 3, 2 / 3]), rtol=3e-3, atol=0)


class _Largest(TorchDispatchMode):
    """The number of entries of the largest tensor that any operation allocates."""

    def __init__(self, known):
        super().__init__()
        self.known = {tensor.untyped_storage().data_ptr() for tensor in known}
        self.entries = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if (
                isinstance(tensor, torch.Tensor)
                and tensor.untyped_storage().data_ptr() not in self.known
            ):
                self.entries = max(self.entries, tensor.numel())
        return result


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_step_on_the_cpu_makes_no_copy_of_anything(setting):
    parameters = [nn.Parameter(torch.ones(200_000)) for _ in range(3)]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer = ClippedSGD(parameters, 0.1, **setting)
    optimizer.step()  # momentum is allocated here
    buffers = [each for state in optimizer.state.values() for each in state.values()]
    with _Largest([*parameters, *(p.grad for p in parameters), *buffers]) as largest:
        optimizer.step()
        clip_gradients_(parameters, 0.1)
    assert 0 < largest.entries < 100


# The contract: parameters and groups


def test_parameters_may_come_as_iterator_list_names_or_groups():
    model = network()
    for given in (
        model.parameters(),
        list(model.parameters()),
        model.named_parameters(),
        [{"params": model[0].parameters()}, {"params": model[2].weight, "lr": 0.5}],
    ):
        optimizer = ClippedSGD(given, lr=0.1)
        backward(model)
        optimizer.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert optimizer.param_groups[1]["threshold"] == 1.0


def test_what_torch_refuses_is_refused():
    weight = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match="empty parameter list"):
        ClippedSGD([])
    with pytest.raises(TypeError, match="should be an iterable"):
        ClippedSGD(weight)
    with pytest.raises(ValueError, match="non-leaf"):
        ClippedSGD([weight * 2])
    optimizer = ClippedSGD([weight])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [weight]})
    with pytest.raises(TypeError, match="must be a dict"):
        optimizer.add_param_group([weight])


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"lr": -0.1}, r"`lr` must be at least 0 and finite\. Got -0\.1\."),
        ({"lr": torch.tensor(-0.1)}, r"`lr` must be at least 0 and finite\. Got -0\.1\."),
        ({"lr": torch.ones(2)}, r"`lr` must have one element\. Got shape \(2,\)\."),
        ({"threshold": 0.0}, r"`threshold` must be positive\. Got 0\."),
        ({"threshold": math.nan}, r"`threshold` must be positive\. Got nan\."),
        ({"form": "firm"}, r"`form` must be 'hard' or 'soft'\. Got 'firm'\."),
        ({"scope": "group"}, r"`scope` must be 'global' or 'tensor'\. Got 'group'\."),
        ({"momentum": -0.9}, r"`momentum` must be at least 0 and finite\. Got -0\.9\."),
        ({"weight_decay": math.inf}, r"`weight_decay` must be at least 0 and finite\. Got inf\."),
    ],
)
def test_settings_are_checked_for_the_optimizer_and_for_every_group(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        ClippedSGD([nn.Parameter(torch.zeros(2))], **setting)
    optimizer = ClippedSGD([nn.Parameter(torch.zeros(2))])
    with pytest.raises(ValueError, match=sentence):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))], **setting})
    assert len(optimizer.param_groups) == 1


def test_a_group_added_later_is_trained():
    model = network()
    optimizer = ClippedSGD(model[0].parameters(), 0.1, momentum=0.9)
    before = state_of(model)
    train(model, optimizer, 2)
    assert torch.equal(model[2].weight, before[2])
    optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.01})
    train(model, optimizer, 2)
    assert not torch.equal(model[2].weight, before[2])


def test_parameters_without_gradient_are_left_alone():
    model = network()
    optimizer = ClippedSGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    optimizer.step()
    backward(model)
    model[0].weight.grad = None
    before = model[0].weight.clone()
    optimizer.step()
    assert torch.equal(model[0].weight, before)
    assert model[0].weight not in optimizer.state
    assert len(optimizer.state) == 3


def test_sparse_gradients_are_refused_before_anything_changes():
    embedding = nn.Embedding(10, 3, sparse=True)
    other = nn.Parameter(torch.ones(3))
    optimizer = ClippedSGD([other, *embedding.parameters()], 0.1)
    (embedding(torch.tensor([1, 2])).sum() + other.sum()).backward()
    with pytest.raises(TypeError, match=r"must have dense gradients\. Got .*torch.sparse_coo"):
        optimizer.step()
    assert torch.equal(other, torch.ones(3))


# The contract: steps


def test_closure():
    model = network()
    optimizer = ClippedSGD(model.parameters(), 0.1)

    def closure():
        assert torch.is_grad_enabled()
        return backward(model)

    losses = [optimizer.step(closure).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert optimizer.step() is None


def test_zero_grad():
    model = network()
    optimizer = ClippedSGD(model.parameters(), 0.1)
    backward(model)
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad.eq(0).all() for p in model.parameters())
    before = state_of(model)
    optimizer.step()
    assert all(map(torch.equal, before, state_of(model)))
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_hooks():
    model, seen = network(), []
    optimizer = ClippedSGD(model.parameters(), 0.1, momentum=0.9)
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.register_state_dict_post_hook(lambda _, state: seen.append("saved") or state)
    optimizer.register_load_state_dict_pre_hook(lambda _, state: seen.append("loading") or state)
    train(model, optimizer, 1)
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "after", "saved", "loading"]


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: CosineAnnealingLR(optimizer, 10),
        lambda optimizer: OneCycleLR(optimizer, 0.5, total_steps=10),
    ],
)
def test_schedulers(scheduler):
    model, twin = network(), network()
    optimizer = ClippedSGD(model.parameters(), 0.1, threshold=math.inf, momentum=0.9)
    plain = SGD(twin.parameters(), 0.1, momentum=0.9)
    schedules = scheduler(optimizer), scheduler(plain)
    for seed in range(9):
        train(model, optimizer, 1, seed)
        train(twin, plain, 1, seed)
        for schedule in schedules:
            schedule.step()
    torch.testing.assert_close(state_of(model), state_of(twin))


def test_a_rate_that_is_a_tensor():
    model, twin = network(), network()
    rate = torch.tensor(0.1, dtype=torch.float64)
    optimizer = ClippedSGD(model.parameters(), rate)
    train(model, optimizer, 2)
    rate.mul_(0.5)
    train(model, optimizer, 2)
    optimizer = ClippedSGD(twin.parameters(), 0.1)
    train(twin, optimizer, 2)
    optimizer.param_groups[0]["lr"] = 0.05
    train(twin, optimizer, 2)
    assert all(map(torch.equal, state_of(model), state_of(twin)))


def test_scaled_gradients_of_mixed_precision():
    model, twin = network(dtype=torch.float32), network(dtype=torch.float32)
    optimizer = ClippedSGD(model.parameters(), 0.1, threshold=0.3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for seed in range(3):
        x, y = batch(seed, torch.float32)
        optimizer.zero_grad()
        scaler.scale(5 * (model(x) - y).square().mean()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    train(twin, ClippedSGD(twin.parameters(), 0.1, threshold=0.3), 3)
    torch.testing.assert_close(state_of(model), state_of(twin))


# The contract: state


@every_setting
def test_a_run_resumed_from_its_state_dict_goes_on_bit_for_bit(setting):
    setting = {"threshold": 0.3} | setting
    model = network()
    optimizer = ClippedSGD(model.parameters(), 0.1, **setting)
    train(model, optimizer, 3)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    train(model, optimizer, 3, first=3)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = network(seed=1)
    resumed.load_state_dict(saved["model"])
    other = ClippedSGD(resumed.parameters(), 7.0)
    other.load_state_dict(saved["optimizer"])
    train(resumed, other, 3, first=3)
    assert all(map(torch.equal, state_of(model), state_of(resumed)))
    groups = [
        {k: v for k, v in o.param_groups[0].items() if k != "params"} for o in (optimizer, other)
    ]
    assert groups[0] == groups[1]


def test_a_state_dict_holds_the_momentum_alone():
    model = network()
    plain = ClippedSGD(model.parameters(), 0.1)
    train(model, plain, 2)
    assert plain.state_dict()["state"] == {}
    moving = ClippedSGD(model.parameters(), 0.1, momentum=0.9)
    train(model, moving, 1)
    state = moving.state_dict()["state"]
    assert sorted(state) == [0, 1, 2, 3]
    assert all(list(each) == ["momentum_buffer"] for each in state.values())


def test_state_of_another_dtype_takes_that_of_the_parameters():
    model = network(dtype=torch.float32)
    optimizer = ClippedSGD(model.parameters(), 0.1, momentum=0.9)
    train(model, optimizer, 2)
    double = copy.deepcopy(model).double()
    other = ClippedSGD(double.parameters(), 0.1, momentum=0.9)
    other.load_state_dict(optimizer.state_dict())
    assert all(s["momentum_buffer"].dtype is torch.float64 for s in other.state.values())
    train(double, other, 1)


@pytest.mark.parametrize(
    "twin",
    [
        copy.deepcopy,
        lambda pair: pickle.loads(pickle.dumps(pair)),
    ],
)
def test_copies_and_pickles_go_their_own_way(twin):
    model = network()
    optimizer = ClippedSGD(model.parameters(), 0.1, momentum=0.9, form="soft")
    train(model, optimizer, 2)
    other_model, other = twin((model, optimizer))
    train(model, optimizer, 2, first=2)
    train(other_model, other, 2, first=2)
    assert all(map(torch.equal, state_of(model), state_of(other_model)))
    assert repr(optimizer) == repr(other)
    names = [{name for name in vars(each) if name[0] != "_"} for each in (optimizer, other)]
    assert names[0] == names[1]
    assert torch.equal(optimizer.gradient_norm, other.gradient_norm)
    assert "threshold: 1.0" in repr(optimizer)


# Devices and compilers


@every_setting
def test_the_way_of_other_devices_computes_the_same(setting, monkeypatch):
    """Off the CPU the factors stay tensors; taken here by refusing to call this the host."""
    setting = {"threshold": 0.3} | setting
    models = network(), network()
    for model, elsewhere in zip(models, (False, True), strict=True):
        with monkeypatch.context() as patch:
            if elsewhere:
                patch.setattr("scispaces.optim.clipped_sgd.on_host", lambda _: False)
            rate = torch.tensor(0.1, dtype=torch.float64) if elsewhere else 0.1
            optimizer = ClippedSGD(model.parameters(), rate, **setting)
            train(model, optimizer, 4)
    torch.testing.assert_close(*map(state_of, models), rtol=1e-12, atol=1e-14)


@every_setting
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_value_is_read_off_the_cpu(setting, dtype):
    """Tensors without values stand for a device: whoever reads one gets an error."""
    parameters = [nn.Parameter(torch.empty(4, device="meta", dtype=dtype)) for _ in range(3)]
    for rate in (0.1, torch.empty((), device="meta")):
        optimizer = ClippedSGD(parameters, rate, **setting)
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.empty_like(parameter)
            optimizer.step()
        assert optimizer.gradient_norm.is_meta or setting.get("scope") == "tensor"


@every_setting
def test_a_step_compiles_without_a_break(setting):
    torch.compiler.reset()  # forget the optimizers of other tests
    models = network(), network()
    for model, compiled in zip(models, (False, True), strict=True):
        optimizer = ClippedSGD(model.parameters(), 0.1, **({"threshold": 0.3} | setting))
        step = optimizer.step
        if compiled:
            step = torch.compile(optimizer.step, backend="eager", fullgraph=True)
        for seed in range(3):
            backward(model, seed)
            step()
    torch.testing.assert_close(*map(state_of, models), rtol=1e-12, atol=1e-14)
