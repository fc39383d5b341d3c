"""Transport with an entropic penalty: batched, on any device, with gradients, and biased."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

_START = 0.5  # of the spread of the costs: the penalty from which it is lowered, by halves


class EntropicTransport(NamedTuple):
    """A solution with penalty; `value` alone carries gradients."""

    value: Any  # (...): cost of the plan and its penalty together
    cost: Any  # (...): cost of the plan
    plan: Any  # (..., m, n)
    source_potentials: Any  # (..., m)
    sink_potentials: Any  # (..., n)
    error: Any  # (...): what the plan's sums over sinks miss of p, absolute values summed


def sinkhorn(
    p: Any,
    q: Any,
    cost: Any,
    regularisation: float,
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 100_000,
) -> EntropicTransport:
    r"""Entropic optimal transport by Sinkhorn's iteration on logarithms.

    .. math:: \min_\gamma \sum_{i,j} \gamma_{ij} d_{ij}
        + \varepsilon \sum_{i,j} \gamma_{ij} \log \frac{\gamma_{ij}}{p_i q_j}

    (book: `word-transport-entropic`, `word-transport-sinkhorn-step`). It is biased. With W the
    exact distance and H the entropy, at convergence

    .. math:: W \le \text{cost} \le \text{value} \le W + \varepsilon \min\{H(p), H(q)\},

    (book: `word-transport-entropic-bias`), and two equal distributions of more than one point
    are not at distance 0 (book: `word-transport-two-points`). On a processor, for up to a thousand
    places, the exact solver of this package takes less time; what this offers are gradients,
    other devices and batches.

    Args:
        p: Masses of the sources, shape (..., m), not negative; they are divided by their sums.
        q: Masses of the sinks, shape (..., n), likewise.
        cost: Costs d, shape (..., m, n). The leading axes are the batch and broadcast.
        regularisation: The factor of the penalty, above 0, in units of the cost.
        tolerance: How far the plan's sums may be from p, in absolute values summed.
        max_iterations: After so many it is an error not to have converged.

    Returns:
        Value, cost, plan, potentials and error, in the floating-point type of `cost` or float32
        if that is narrower, on its device; numpy for numpy. The gradient of the value is the
        plan for the costs and the potentials for the masses (of the optimum, not of the
        iterations); it has no gradient in turn, and the other results have none.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for NaN, infinite or negative masses, other shapes or settings.
        ArithmeticError: if the iteration did not converge.

    Example:
        >>> import torch
        >>> p, cost = torch.tensor([0.5, 0.5]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> sinkhorn(p, p, cost, 0.5).cost
        tensor(0.1192)

    References:
        [1] M. Cuturi. Sinkhorn Distances: Lightspeed Computation of Optimal Transport. NIPS 2013.
        [2] B. Schmitzer. Stabilized Sparse Scaling Algorithms for Entropy Regularized Transport
            Problems. SIAM J. Sci. Comput. 2019, for the logarithms and the lowering of epsilon.
    """
    numpy_wanted = not any(isinstance(value, Tensor) for value in (p, q, cost))
    prices = _tensor("cost", cost, 2)
    masses = [_tensor(name, x, 1).to(prices) for name, x in (("p", p), ("q", q))]
    if masses[0].shape[-1] != prices.shape[-2] or masses[1].shape[-1] != prices.shape[-1]:
        raise ValueError(
            f"`cost` must have shape (..., {masses[0].shape[-1]}, {masses[1].shape[-1]}). "
            f"Got {tuple(prices.shape)}."
        )
    for name, x in zip("pq", masses, strict=True):
        if (x < 0).any() or (x.sum(-1) <= 0).any():
            raise ValueError(f"`{name}` must not be negative, and not be 0 everywhere.")
    for name, number in (("regularisation", regularisation), ("tolerance", tolerance)):
        if not 0 < number < float("inf"):
            raise ValueError(f"`{name}` must be positive and finite. Got {number!r}.")
    shares = [x / x.sum(-1, keepdim=True) for x in masses]
    with torch.no_grad():
        f, g, plan, error = _iterate(
            shares[0], shares[1], prices, regularisation, tolerance, max_iterations
        )
        moved = (plan * prices).sum((-2, -1))
    # At the optimum the value changes with p, q and the costs as if f, g and the plan were fixed.
    value = (shares[0] * f).sum(-1) + (shares[1] * g).sum(-1)
    value = value + (plan * (prices - prices.detach())).sum((-2, -1))
    results = (value, moved, plan, f, g, error)
    if numpy_wanted:
        return EntropicTransport(*(result.numpy() for result in results))
    return EntropicTransport(*results)


def _tensor(name: str, values: Any, axes: int) -> Tensor:
    tensor = torch.as_tensor(values)
    if tensor.is_complex() or tensor.dtype is torch.bool:
        raise TypeError(f"`{name}` must hold real numbers. Got dtype {tensor.dtype}.")
    if tensor.ndim < axes or 0 in tensor.shape[-axes:]:
        raise ValueError(
            f"`{name}` must have at least {axes} axes, the last of at least one element. "
            f"Got shape {tuple(tensor.shape)}."
        )
    if not tensor.isfinite().all():
        raise ValueError(f"`{name}` must be finite.")
    dtype = tensor.dtype if tensor.is_floating_point() else torch.float64
    return tensor.to(torch.promote_types(dtype, torch.float32))


def _iterate(
    p: Tensor, q: Tensor, cost: Tensor, target: float, tolerance: float, most: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Potentials, plan and error; the penalty is lowered to its target, which saves steps."""
    batch = torch.broadcast_shapes(p.shape[:-1], q.shape[:-1], cost.shape[:-2])
    cost = cost.expand(*batch, *cost.shape[-2:])
    log_p, log_q = p.log().expand(*batch, -1), q.log().expand(*batch, -1)
    g = torch.zeros_like(log_q)
    epsilon = max(target, _START * (cost.max() - cost.min()).item() if cost.numel() else target)
    error = torch.full(batch, torch.inf)
    for step in range(1, most + 1):
        f = -epsilon * ((g / epsilon + log_q).unsqueeze(-2) - cost / epsilon).logsumexp(-1)
        rows = (f / epsilon + log_p).unsqueeze(-1) - cost / epsilon
        g = -epsilon * rows.logsumexp(-2)
        if epsilon > target:
            epsilon = max(target, epsilon / 2)
        elif step % 10 == 0 or step == most:
            plan = (rows + (g / epsilon + log_q).unsqueeze(-2)).exp()
            error = (plan.sum(-1) - p).abs().sum(-1)
            if not error.numel() or error.max() <= tolerance:
                return f, g, plan, error
    raise ArithmeticError(
        f"Sinkhorn's iteration must reach a tolerance of {tolerance:g} in {most} steps. "
        f"Got no further than {error.max().item():.3g}; raise `regularisation` or "
        "`max_iterations`, or take float64."
    )
