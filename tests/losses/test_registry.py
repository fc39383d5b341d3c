"""All losses times all properties."""

from functools import partial

import mpmath
import pytest
import torch
from mpmath import mpf
from tests.losses.registry_of_losses import LOSSES, SCORES, Loss

import scispaces.losses._blocks
from scispaces import losses

FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
every_loss_of_rows = pytest.mark.parametrize(
    "loss", [loss for loss in LOSSES if loss.by_row], ids=lambda loss: loss.name
)


def draw(loss: Loss, rows=3, classes=5, seed=0, spread=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    return logits, loss.labels.draw(rows, classes, generator)


def value_and_gradient(loss, logits, labels):
    logits = logits.detach().requires_grad_()
    value = loss.sum(logits, labels)
    return value.detach(), torch.autograd.grad(value, logits)[0]


def exact_value_and_gradient(loss, logits, labels):
    """The definition and its central differences, with 60 digits and steps of 1e-25."""
    with mpmath.workdps(60):
        rows = [[mpf(a) for a in row] for row in logits.tolist()]
        step, gradient = mpf("1e-25"), torch.empty(logits.shape, dtype=torch.float64)
        for row in rows:
            for column, score in enumerate(row):
                row[column] = score + step
                above = loss.exact(rows, labels)
                row[column] = score - step
                below = loss.exact(rows, labels)
                row[column] = score
                gradient[rows.index(row), column] = float((above - below) / (2 * step))
        return float(loss.exact(rows, labels)), gradient


def test_every_public_loss_is_in_the_registry():
    used = set()
    for loss in LOSSES:
        function = loss.bare
        while isinstance(function, partial):
            function = function.func
        used.add(function.__name__)
    kinds = ("_loss", "_cross_entropy", "_divergence")
    public = {name for name in losses.__all__ if name.endswith(kinds)}
    assert public | {"zlpr_loss_from_indices"} <= used


@every_loss
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_are_those_of_the_definition(loss, seed):
    logits, labels = draw(loss, seed=seed)
    value, gradient = value_and_gradient(loss, logits, labels)
    exact, exact_gradient = exact_value_and_gradient(loss, logits, labels)
    assert value.item() == pytest.approx(exact, rel=1e-13, abs=0)
    torch.testing.assert_close(gradient, exact_gradient, rtol=1e-12, atol=1e-14)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [30.0, 90.0, 1e4])
def test_large_scores(loss, dtype, size):
    """As exact as if every score had been moved by a few units in its last place."""
    generator = torch.Generator().manual_seed(1)
    logits = size * (2 * torch.rand(3, 5, generator=generator) - 1).to(dtype)
    labels = loss.labels.draw(3, 5, generator)
    if loss.labels is SCORES:
        labels = (labels * size / 4).to(dtype)
    value, gradient = value_and_gradient(loss, logits, labels)
    exact, exact_gradient = exact_value_and_gradient(loss, logits.double(), labels)
    slack = 16 * torch.finfo(dtype).eps * size
    assert value.item() == pytest.approx(exact, rel=16 * torch.finfo(dtype).eps, abs=slack)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-6, atol=slack)


@every_loss
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_numbers_give_no_nan(loss, dtype, sign):
    for size in (torch.finfo(dtype).max, torch.finfo(dtype).tiny, 0.0):
        logits, labels = draw(loss)
        logits = torch.full_like(logits, sign * size, dtype=dtype)
        logits[0, 0] *= -1
        value, gradient = value_and_gradient(loss, logits, labels)
        assert not value.isnan()
        assert gradient.isfinite().all()


@every_loss
def test_infinite_scores_give_no_nan_value(loss):
    for seed in range(10):
        logits, labels = draw(loss, seed=seed)
        logits[0, seed % 5], logits[1, (seed + 1) % 5] = torch.inf, -torch.inf
        logits[2] = torch.inf if seed % 2 else -torch.inf
        assert not loss.sum(logits, labels).isnan()


@every_loss
def test_a_nan_score_shows(loss):
    logits, labels = draw(loss)
    logits[1, 2] = torch.nan
    assert loss.sum(logits, labels).isnan()


@every_loss
@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_computed_and_returned_in_float32(loss, dtype):
    logits, labels = draw(loss, rows=8, classes=64 if loss.name != "subset" else 16)
    value, gradient = value_and_gradient(loss, logits.to(dtype), labels)
    exact, exact_gradient = value_and_gradient(loss, logits.to(dtype).double(), labels)
    single = dtype is not torch.float64 and loss.labels is not SCORES
    assert value.dtype is (torch.float32 if single else torch.float64)
    assert gradient.dtype is dtype
    assert value.item() == pytest.approx(exact.item(), rel=2e-6, abs=0)
    ulp = torch.finfo(dtype).eps
    torch.testing.assert_close(
        gradient.double(),
        exact_gradient,
        rtol=max(ulp, 2e-5),
        atol=max(torch.finfo(dtype).tiny * ulp, 1e-8),
    )


@every_loss
def test_gradients_of_first_and_second_order(loss):
    logits, labels = draw(loss)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss.sum(x, labels), logits)
    assert torch.autograd.gradgradcheck(lambda x: loss.sum(x, labels), logits)


@every_loss
def test_backward_twice_and_inputs_untouched(loss):
    logits, labels = draw(loss)
    logits_before, labels_before = logits.clone(), labels.clone()
    _, expected = value_and_gradient(loss, logits, labels)
    logits.requires_grad_()
    value = 3 * loss.sum(logits, labels)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    first_before = first.clone()
    (second,) = torch.autograd.grad(value, logits)
    assert torch.equal(first, first_before)
    assert torch.equal(second, first)
    torch.testing.assert_close(first, 3 * expected)
    assert torch.equal(logits, logits_before)
    assert torch.equal(labels, labels_before)


@every_loss
def test_no_gradient_is_made_for_logits_that_need_none(loss):
    logits, labels = draw(loss)
    assert not loss.sum(logits, labels).requires_grad
    with torch.no_grad():
        value = loss.sum(logits.clone().requires_grad_(), labels)
    assert not value.requires_grad
    assert value == loss.sum(logits, labels)


@every_loss
@pytest.mark.parametrize("block", [1, 10])
def test_blocks_make_no_difference(loss, block, monkeypatch):
    for seed in range(3):
        logits, labels = draw(loss, rows=7, seed=seed)
        whole = value_and_gradient(loss, logits, labels)
        with monkeypatch.context() as patch:
            patch.setattr(scispaces.losses._blocks, "_BLOCK", block)
            parts = value_and_gradient(loss, logits, labels)
        torch.testing.assert_close(parts, whole, rtol=1e-14, atol=1e-16)


@every_loss
def test_strides_make_no_difference(loss):
    logits, labels = draw(loss)
    strided = logits.t().contiguous().t()
    assert not strided.is_contiguous()
    torch.testing.assert_close(
        value_and_gradient(loss, strided, labels), value_and_gradient(loss, logits, labels)
    )


@every_loss
def test_permuting_the_classes_permutes_the_gradient(loss):
    logits, labels = draw(loss)
    order = torch.tensor([3, 0, 4, 1, 2])
    value, gradient = value_and_gradient(loss, logits, labels)
    labels = loss.labels.permute(labels, order)
    permuted = value_and_gradient(loss.permuted(order), logits[:, order], labels)
    torch.testing.assert_close(permuted, (value, gradient[:, order]))


@every_loss
def test_rows_and_reductions(loss):
    logits, labels = draw(loss, rows=6)
    if not loss.by_row:
        assert loss.function(logits, labels).shape == ()
        torch.testing.assert_close(
            loss.sum(logits.view(2, 3, 5), labels.view(2, 3, 5)), loss.sum(logits, labels)
        )
        return
    rows = loss.function(logits, labels, reduction="none")
    single = [loss.function(*pair, reduction="none") for pair in zip(logits, labels, strict=True)]
    torch.testing.assert_close(rows, torch.stack(single))
    torch.testing.assert_close(loss.function(logits, labels), rows.mean())
    torch.testing.assert_close(loss.function(logits, labels, reduction="sum"), rows.sum())
    shaped = loss.function(
        logits.view(2, 3, 5), labels.view(2, 3, *labels.shape[1:]), reduction="none"
    )
    torch.testing.assert_close(shaped, rows.view(2, 3))


@every_loss_of_rows
def test_rows_are_weighted_by_what_comes_after(loss):
    logits, labels = draw(loss)
    logits.requires_grad_()
    weights = torch.tensor([-2.0, 0.0, 0.5], dtype=torch.float64)
    rows = loss.function(logits, labels, reduction="none")
    (gradient,) = torch.autograd.grad(rows, logits, weights)
    _, unweighted = value_and_gradient(loss, logits, labels)
    torch.testing.assert_close(gradient, weights[:, None] * unweighted)


@every_loss
def test_no_rows(loss):
    logits, labels = draw(loss, rows=0)
    if loss.by_row:
        value, gradient = value_and_gradient(loss, logits, labels)
        assert value == 0
        assert gradient.shape == (0, 5)
        assert loss.function(logits, labels, reduction="none").shape == (0,)
    with pytest.raises(ValueError, match="at least one row"):
        loss.function(logits, labels)


@every_loss
def test_no_classes(loss):
    logits = torch.zeros(3, 0, requires_grad=True)
    labels = torch.full((3, 2), -1) if "indices" in loss.name else draw(loss, 3, 0)[1]
    if not loss.by_row:
        with pytest.raises(ValueError, match="at least one row and one class"):
            loss.function(logits, labels)
        return
    if loss.labels.no_classes:
        with pytest.raises(ValueError, match=loss.labels.no_classes):
            loss.function(logits, labels)
        return
    rows = loss.function(logits, labels, reduction="none")
    assert torch.equal(rows, torch.zeros(3, dtype=rows.dtype))
    rows.sum().backward()
    assert logits.grad.shape == (3, 0)


@every_loss
def test_transforms(loss):
    logits, labels = draw(loss)
    value, gradient = value_and_gradient(loss, logits, labels)
    torch.testing.assert_close(torch.func.grad(loss.sum)(logits, labels), gradient)
    stack = torch.stack([logits, logits.flip(0), -logits])
    one_by_one = [value_and_gradient(loss, item, labels) for item in stack]
    over_logits = torch.vmap(torch.func.grad_and_value(loss.sum), in_dims=(0, None))
    gradients, values = over_logits(stack, labels)
    torch.testing.assert_close(values, torch.stack([value for value, _ in one_by_one]))
    torch.testing.assert_close(gradients, torch.stack([gradient for _, gradient in one_by_one]))
    both = torch.vmap(loss.sum)(stack, labels.expand(3, *labels.shape))
    torch.testing.assert_close(both, values)
    assert value == pytest.approx(values[0].item())


@every_loss
@pytest.mark.parametrize("size", [90.0, 1e4])
def test_transforms_and_second_order_at_large_scores(loss, size):
    logits, labels = draw(loss, spread=size)
    logits = logits.float()
    value, gradient = value_and_gradient(loss, logits, labels)
    slack = {"rtol": 1e-5, "atol": 16 * torch.finfo(torch.float32).eps * size}
    transformed = torch.func.grad_and_value(loss.sum)(logits, labels)
    torch.testing.assert_close(transformed, (gradient, value), **slack)
    leaf = logits.requires_grad_()
    (again,) = torch.autograd.grad(loss.sum(leaf, labels), leaf, create_graph=True)
    torch.testing.assert_close(again.detach(), gradient, **slack)
    (curvature,) = torch.autograd.grad(again.sum(), leaf)
    assert curvature.isfinite().all()


@every_loss
def test_hessian_is_symmetric_and_that_of_autograd(loss):
    logits, labels = draw(loss, rows=1)
    flat = logits.flatten()

    def function(x):
        return loss.sum(x.view_as(logits), labels)

    by_autograd = torch.autograd.functional.hessian(function, flat)
    torch.testing.assert_close(by_autograd, by_autograd.t())
    by_transforms = torch.func.jacrev(torch.func.jacrev(function))(flat)
    torch.testing.assert_close(by_transforms, by_autograd)


@every_loss
def test_compiles_into_one_graph(loss):
    logits, labels = draw(loss)
    torch.compiler.reset()
    compiled = torch.compile(loss.sum, fullgraph=True, backend="aot_eager")
    expected = value_and_gradient(loss, logits, labels)
    leaf = logits.requires_grad_()
    value = compiled(leaf, labels)
    (gradient,) = torch.autograd.grad(value, leaf)
    torch.testing.assert_close((value.detach(), gradient), expected)


@every_loss
def test_autocast_changes_nothing(loss):
    logits, labels = draw(loss)
    logits = logits.float()
    expected = value_and_gradient(loss, logits, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = value_and_gradient(loss, logits, labels)
    assert torch.equal(result[0], expected[0])
    assert torch.equal(result[1], expected[1])


@every_loss
def test_shapes_without_values(loss):
    logits, labels = draw(loss)
    assert loss.sum(logits.to("meta"), labels.to("meta")).shape == ()


@every_loss
def test_bad_input_is_refused_with_a_sentence(loss):
    logits, labels = draw(loss)
    with pytest.raises(TypeError, match=r"must be a floating-point tensor\. Got dtype torch.int64"):
        loss.sum(logits.long(), labels)
    with pytest.raises(TypeError, match=r"`logits\w*` must be a floating-point tensor\. Got list"):
        loss.sum(logits.tolist(), labels)
    with pytest.raises(ValueError, match=r"class axis, shape \(..., classes\)\. Got a scalar"):
        loss.sum(logits[0, 0], labels)
    with pytest.raises(ValueError, match=r"must have .*`logits.*Got"):
        loss.sum(logits, labels[:2])
    with pytest.raises(TypeError, match=r"must be a .*tensor.* Got list\."):
        loss.sum(logits, labels.tolist())
    if loss.by_row:
        with pytest.raises(ValueError, match=r"`reduction` must be .*\. Got 'average'\."):
            loss.function(logits, labels, reduction="average")
    if labels.dtype is torch.bool:
        wrong = labels.double()
        wrong[1, 2] = 1.3
        with pytest.raises(ValueError, match=r"`targets` must .*Got 1\.3 at index \(1, 2\)\."):
            loss.sum(logits, wrong)
        wrong[1, 2] = torch.nan
        with pytest.raises(ValueError, match=r"Got nan at index \(1, 2\)\."):
            loss.sum(logits, wrong)
        with pytest.raises(ValueError, match=r"`targets` must .*Got -1 at index \(0, 4\)\."):
            loss.sum(logits, torch.where(torch.arange(15).view(3, 5) == 4, -1, labels.long()))
    if labels.dtype is torch.int64:
        wrong = labels.clone()
        place = (2, 1)[: labels.ndim]
        wrong[place] = 5
        with pytest.raises(ValueError, match=r"must lie in \[0, 5\).*Got 5 at index \(2,"):
            loss.sum(logits, wrong)
        with pytest.raises(TypeError, match=r"must be a tensor of integers\. Got torch\.float32\."):
            loss.sum(logits, labels.float())
