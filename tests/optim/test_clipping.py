"""Clipping: the factors, and the gradients they are put on."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from scispaces.optim import clip_factor, clip_gradients_

quietly = settings(deadline=None)  # the first call of a torch function is slow
FORMS = ["hard", "soft"]
every_form = pytest.mark.parametrize("form", FORMS)
every_scope = pytest.mark.parametrize("scope", ["global", "tensor"])
norms = st.floats(0, 1e300)
thresholds = st.floats(1e-300, 1e300)


def exact(norm, threshold, form):
    if form == "hard":
        return min(mpf(1), mpf(threshold) / mpf(norm)) if norm else mpf(1)
    return mpf(threshold) / (mpf(threshold) + mpf(norm))


def with_gradients(*gradients):
    parameters = []
    for gradient in gradients:
        parameter = torch.zeros_like(gradient).requires_grad_()
        parameter.grad = gradient.clone()
        parameters.append(parameter)
    return parameters


def draw(*shapes, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes
    ]


# The factor


@every_form
@quietly
@given(norms, thresholds)
def test_factor_is_its_definition(form, norm, threshold):
    with mpmath.workdps(40):
        expected = float(exact(norm, threshold, form))
    # Below the smallest normal number both lose digits, and the quotient may fall to 0.
    assert clip_factor(norm, threshold, form=form) == pytest.approx(expected, rel=4e-16, abs=3e-308)


@quietly
@given(norms, thresholds)
def test_soft_lies_between_half_the_hard_factor_and_the_hard_factor(norm, threshold):
    hard, soft = (clip_factor(norm, threshold, form=form) for form in FORMS)
    assert hard / 2 * (1 - 1e-15) - 1e-307 <= soft <= hard * (1 + 1e-15) + 1e-307


@pytest.mark.parametrize("threshold", [1e-30, 0.25, 1.0, 3e20])
def test_half_is_reached_at_the_threshold(threshold):
    assert clip_factor(threshold, threshold) == 1
    assert clip_factor(threshold, threshold, form="soft") == 0.5


@every_form
@pytest.mark.parametrize("threshold", [1e-320, 1e-50, 1.0, 1e50, math.inf])
@pytest.mark.parametrize("dtype", [None, torch.float64, torch.float32, torch.float16])
def test_zero_infinity_and_nan(form, threshold, dtype):
    def factor(norm):
        if dtype is None:
            return clip_factor(norm, threshold, form=form)
        return clip_factor(torch.tensor(norm, dtype=dtype), threshold, form=form).item()

    assert factor(0.0) == 1
    assert factor(math.inf) == (1 if threshold == math.inf else 0)
    assert math.isnan(factor(math.nan))


@quietly
@given(st.floats(1e-30, 1e30), st.floats(0, 1))
def test_hard_clipping_leaves_a_norm_up_to_the_threshold_at_exactly_1(threshold, part):
    for dtype in (torch.float32, torch.float64):
        norms = torch.tensor([threshold, part * threshold], dtype=dtype)
        assert clip_factor(norms, threshold).tolist() == [1, 1]


@every_form
def test_tensors_keep_their_shape_and_are_computed_in_float32_at_least(form):
    values = [[0.0, 0.5, 1.0], [2.0, 7.0, 1000.0]]
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        norm = torch.tensor(values, dtype=dtype)
        factor = clip_factor(norm, 0.7, form=form)
        assert factor.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
        expected = [[float(exact(n, 0.7, form)) for n in row] for row in norm.tolist()]
        torch.testing.assert_close(factor, torch.tensor(expected, dtype=factor.dtype))


@every_form
def test_factor_is_differentiable(form):
    norm = torch.tensor([0.1, 0.9, 1.1, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda n: clip_factor(n, 1.0, form=form), norm)
    zero = torch.zeros((), requires_grad=True)
    (slope,) = torch.autograd.grad(clip_factor(zero, 4.0, form=form), zero)
    assert slope == (0 if form == "hard" else -0.25)


@every_form
@pytest.mark.parametrize("threshold", [0, -1.0, math.nan, -math.inf])
def test_threshold_that_is_not_positive(form, threshold):
    with pytest.raises(ValueError, match=r"`threshold` must be positive\. Got"):
        clip_factor(1.0, threshold, form=form)
    with pytest.raises(ValueError, match=r"`threshold` must be positive\. Got"):
        clip_gradients_(with_gradients(torch.ones(2)), threshold, form=form)


def test_bad_arguments_of_the_factor():
    with pytest.raises(ValueError, match=r"`norm` must be at least 0\. Got -2\."):
        clip_factor(-2.0, 1.0)
    with pytest.raises(ValueError, match=r"`form` must be 'hard' or 'soft'\. Got 'firm'\."):
        clip_factor(2.0, 1.0, form="firm")
    with pytest.raises(TypeError, match=r"`norm` must be a floating-point tensor\. Got dtype"):
        clip_factor(torch.tensor(3), 1.0)
    with pytest.raises(TypeError, match=r"`threshold` must be a number\. Got Tensor\."):
        clip_factor(2.0, torch.tensor(1.0))
    with pytest.raises(TypeError, match=r"`threshold` must be a number\. Got NoneType\."):
        clip_factor(2.0, None)


# The gradients


@every_form
@pytest.mark.parametrize("threshold", [0.1, 3.0, 100.0])
def test_global_norm(form, threshold):
    gradients = draw((3, 4), (5,), ())
    parameters = with_gradients(*gradients)
    together = torch.cat([g.flatten() for g in gradients]).norm()
    norm = clip_gradients_(parameters, threshold, form=form)
    torch.testing.assert_close(norm, together, rtol=1e-15, atol=0)
    factor = float(exact(together.item(), threshold, form))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(parameter.grad, factor * gradient, rtol=1e-14, atol=0)


@every_form
def test_norm_of_each_tensor(form):
    gradients = draw((3, 4), (5,), ())
    parameters = with_gradients(*gradients)
    parameters.insert(1, torch.zeros(7, requires_grad=True))
    each = clip_gradients_(parameters, 0.5, form=form, scope="tensor")
    expected = [gradients[0].norm(), torch.tensor(0.0).double(), *(g.norm() for g in gradients[1:])]
    torch.testing.assert_close(each, torch.stack(expected), rtol=1e-15, atol=0)
    del parameters[1]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        factor = float(exact(gradient.norm().item(), 0.5, form))
        torch.testing.assert_close(parameter.grad, factor * gradient, rtol=1e-14, atol=0)


def test_hard_clipping_is_that_of_torch_up_to_its_epsilon():
    ours, theirs = (with_gradients(*draw((30, 40), (5,))) for _ in range(2))
    norm = clip_gradients_(ours, 2.0)
    torch.testing.assert_close(norm, torch.nn.utils.clip_grad_norm_(theirs, 2.0))
    quotient = theirs[0].grad / ours[0].grad
    expected = (norm / (norm + 1e-6)).expand_as(quotient)
    torch.testing.assert_close(quotient, expected, rtol=1e-15, atol=0)
    assert (quotient < 1 - 1e-8).all()  # and the difference is there


def test_where_the_epsilon_of_torch_matters():
    """A gradient of norm 1e-6 clipped at 1e-7: torch leaves it at half of what was asked for."""
    ours, theirs = (with_gradients(torch.tensor([6e-7, 8e-7])) for _ in range(2))
    clip_gradients_(ours, 1e-7)
    torch.nn.utils.clip_grad_norm_(theirs, 1e-7)
    assert ours[0].grad.norm().item() == pytest.approx(1e-7, rel=1e-6)
    assert theirs[0].grad.norm().item() == pytest.approx(5e-8, rel=1e-6)


def test_a_negative_threshold_turns_the_gradients_of_torch_round():
    (theirs,) = with_gradients(torch.tensor([3.0, 4.0]))
    torch.nn.utils.clip_grad_norm_(theirs, -1.0)
    torch.testing.assert_close(theirs.grad, torch.tensor([-0.6, -0.8]))


@every_form
@every_scope
def test_direction_and_length_after_clipping(form, scope):
    gradients = draw((50,), (2, 3))
    parameters = with_gradients(*gradients)
    clip_gradients_(parameters, 0.3, form=form, scope=scope)
    after = torch.cat([p.grad.flatten() for p in parameters])
    assert after.norm() <= 0.3 * (1 + 1e-15) * (1 if scope == "global" else math.sqrt(2))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        cosine = torch.nn.functional.cosine_similarity(
            parameter.grad.flatten(), gradient.flatten(), 0
        )
        assert cosine.item() == pytest.approx(1, abs=1e-14)


def test_gradients_below_the_threshold_stay_bit_for_bit():
    gradients = draw((50,), (2, 3), dtype=torch.float32)
    parameters = with_gradients(*gradients)
    clip_gradients_(parameters, 1000.0)
    clip_gradients_(parameters, math.inf, form="soft")
    assert all(torch.equal(p.grad, g) for p, g in zip(parameters, gradients, strict=True))


@every_form
@every_scope
def test_zero_gradients(form, scope):
    (parameter,) = with_gradients(torch.zeros(3))
    assert clip_gradients_([parameter], 1.0, form=form, scope=scope).sum() == 0
    assert torch.equal(parameter.grad, torch.zeros(3))


@every_form
def test_infinite_and_nan_norms(form):
    parameters = with_gradients(torch.tensor([1.0, torch.inf]), torch.ones(2))
    assert clip_gradients_(parameters, 1.0, form=form) == torch.inf
    assert torch.equal(parameters[1].grad, torch.zeros(2))
    assert parameters[0].grad[0] == 0
    assert parameters[0].grad[1].isnan()
    parameters = with_gradients(torch.tensor([1.0, torch.nan]), torch.ones(2))
    assert clip_gradients_(parameters, 1.0, form=form).isnan()
    assert all(p.grad.isnan().all() for p in parameters)
    parameters = with_gradients(torch.tensor([1.0, torch.nan]), torch.ones(2))
    clip_gradients_(parameters, 1.0, form=form, scope="tensor")
    assert parameters[0].grad.isnan().all()
    assert parameters[1].grad.isfinite().all()


@every_scope
@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_error_if_nonfinite_comes_before_any_change(scope, value):
    parameters = with_gradients(torch.tensor([3.0, value]), torch.ones(2))
    with pytest.raises(RuntimeError, match=r"norm of the gradients must be finite\. Got"):
        clip_gradients_(parameters, 1.0, scope=scope, error_if_nonfinite=True)
    assert torch.equal(parameters[1].grad, torch.ones(2))
    assert parameters[0].grad[0] == 3


@pytest.mark.parametrize("value", [1e-30, 1e-25, 1e20, 1e37])
def test_squares_beyond_float32(value):
    (parameter,) = with_gradients(torch.full((9,), value))
    norm = clip_gradients_([parameter], value)
    assert norm.item() == pytest.approx(3 * value, rel=1e-6)
    torch.testing.assert_close(parameter.grad, torch.full((9,), value / 3), rtol=1e-6, atol=0)


def test_norm_of_a_large_tensor():
    """Ten million equal entries, whose norm torch finds 0.8 % too small."""
    gradient = torch.full((10_000_000,), 0.1)
    (parameter,) = with_gradients(gradient)
    exact_norm = gradient[0].item() * math.sqrt(len(gradient))
    assert clip_gradients_([parameter], 1.0).item() == pytest.approx(exact_norm, rel=2e-5)
    assert abs(gradient.norm().item() / exact_norm - 1) > 1e-3


@every_form
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype, form):
    """Squares overflow in float16, and so would a factor below its smallest number underflow."""
    gradient = torch.full((100,), 6e4, dtype=dtype)
    (parameter,) = with_gradients(gradient)
    norm = clip_gradients_([parameter], 1e-2, form=form)
    assert norm.dtype is torch.float32
    assert norm.item() == pytest.approx(10 * gradient[0].item(), rel=1e-6)
    torch.testing.assert_close(parameter.grad, torch.full((100,), 1e-3, dtype=dtype))
    (parameter,) = with_gradients(torch.tensor(8.0, dtype=dtype))
    clip_gradients_(parameter, 2.0, form="hard")
    assert parameter.grad == 2


@every_form
def test_mixed_dtypes(form):
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64]
    gradients = [g.to(d) for g, d in zip(draw(*[(4,)] * 5), dtypes, strict=True)]
    parameters = with_gradients(*gradients)
    norm = clip_gradients_(parameters, 0.5, form=form)
    assert norm.dtype is torch.float64
    together = math.sqrt(sum((g.abs().double() ** 2).sum().item() for g in gradients))
    assert norm.item() == pytest.approx(together, rel=1e-6)
    factor = float(exact(together, 0.5, form))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert parameter.grad.dtype is gradient.dtype
        expected = (gradient * torch.tensor([factor])).to(gradient.dtype)
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-2, atol=0)


def test_what_has_no_gradient():
    assert clip_gradients_([torch.zeros(3, requires_grad=True)], 1.0) == 0
    assert clip_gradients_([], 1.0) == 0
    empty = clip_gradients_([torch.zeros(3, requires_grad=True)], 1.0, scope="tensor")
    assert torch.equal(empty, torch.zeros(1))
    parameters = with_gradients(torch.empty(0), torch.tensor([3.0, 4.0]))
    assert clip_gradients_(iter(parameters), 1.0) == 5


def test_a_parameter_listed_twice_counts_once():
    (parameter,) = with_gradients(torch.tensor([3.0, 4.0]))
    assert clip_gradients_([parameter, parameter], 1.0) == 5
    torch.testing.assert_close(parameter.grad, torch.tensor([0.6, 0.8]))


def test_layouts_of_memory():
    gradient = draw((64, 3, 40, 40), dtype=torch.float32)[0]
    strided = gradient.to(memory_format=torch.channels_last)
    (parameter,) = with_gradients(gradient)
    parameter.grad = strided.clone()
    assert clip_gradients_(parameter, 1.0).item() == pytest.approx(gradient.norm().item(), rel=1e-5)
    torch.testing.assert_close(parameter.grad, gradient / gradient.double().norm().float())


def test_sparse_gradients_and_other_bad_arguments():
    parameters = with_gradients(torch.ones(3), torch.ones(4, 2))
    parameters[1].grad = parameters[1].grad.to_sparse()
    with pytest.raises(TypeError, match=r"dense gradients\. Got .*torch.sparse_coo at parameter 1"):
        clip_gradients_(parameters, 1.0)
    with pytest.raises(TypeError, match=r"`parameters` must be tensors\. Got int\."):
        clip_gradients_([3], 1.0)
    with pytest.raises(ValueError, match=r"`scope` must be 'global' or 'tensor'\. Got 'layer'\."):
        clip_gradients_(parameters[:1], 1.0, scope="layer")


@every_form
@every_scope
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_value_is_read_off_the_cpu(form, scope, dtype):
    """Tensors without values stand for a device: whoever reads one gets an error."""
    parameters = with_gradients(*(torch.empty(4, device="meta", dtype=dtype) for _ in range(3)))
    norm = clip_gradients_(parameters, 1.0, form=form, scope=scope)
    assert norm.shape == (() if scope == "global" else (3,))
    with pytest.raises(RuntimeError, match="meta"):
        norm.sum().item()


@every_scope
def test_compiles_without_a_break(scope):
    torch.compiler.reset()
    parameters = with_gradients(*draw((3, 4), (5,), dtype=torch.float32))
    eager = with_gradients(*(p.grad for p in parameters))

    def clip():
        return clip_gradients_(parameters, 0.5, scope=scope)

    norm = torch.compile(clip, backend="eager", fullgraph=True)()
    torch.testing.assert_close(norm, clip_gradients_(eager, 0.5, scope=scope))
    for ours, plain in zip(parameters, eager, strict=True):
        torch.testing.assert_close(ours.grad, plain.grad)
