"""Expected steps under the Gibbs density of a loss: linear, quadratic, and any loss by sampling."""

from typing import NamedTuple

import torch
from torch import Tensor

from scispaces.optim._common import check_float_tensor, check_positive, wide


def bessel_ratio(order: float, argument: Tensor) -> Tensor:
    r"""Ratio of two modified Bessel functions of the first kind.

    .. math:: r_\nu(x) = \frac{I_{\nu + 1}(x)}{I_\nu(x)} = \frac{x}{2(\nu + 1) + x\, r_{\nu + 1}(x)}

    Neither function is formed, so nothing overflows. An expansion for large order or argument
    gives the value, or the start at :math:`\nu + 50` of the recursion that leads down to it
    (book: `sampling-optimisation-recursion`). The value rises from :math:`x / (2\nu + 2)` near 0
    to :math:`1 - (2\nu + 1) / 2x` far out, between two square roots
    (book: `sampling-optimisation-bounds`).

    Args:
        order: The order nu >= 0, as large as one likes.
        argument: The argument x >= 0, a tensor of any shape; infinity gives 1.

    Returns:
        A tensor of the same shape, computed in float64 and returned in float32 or wider,
        differentiable. The relative error in float64 is a few units of the last place.

    Raises:
        TypeError: if the argument is not a floating-point tensor.
        ValueError: for a smaller order.

    Example:
        >>> import torch
        >>> bessel_ratio(0.5, torch.tensor([1e-8, 1.0, 1e8], dtype=torch.float64))
        tensor([3.3333e-09, 3.1304e-01, 1.0000e+00], dtype=torch.float64)

    References:
        [1] D. E. Amos. Computation of Modified Bessel Functions and Their Ratios.
            Mathematics of Computation 28, 1974.
    """
    check_float_tensor("argument", argument)
    if not 0 <= order < torch.inf:
        raise ValueError(f"`order` must be at least 0 and finite. Got {order:g}.")
    x = argument.double().clamp(max=_LARGEST)
    return (x * _ratio_over_argument(order, x)).to(wide(argument.dtype))


def gibbs_ball_step(gradient: Tensor, radius: float, temperature: float) -> Tensor:
    r"""Expected step under the Gibbs density of a linear loss on a ball.

    .. math:: \mathbb E[\Delta] = -\varepsilon\, \frac{I_{d/2 + 1}(x)}{I_{d/2}(x)}\,
        \frac{g}{\lVert g \rVert}, \qquad x = \frac{\varepsilon \lVert g \rVert}{\alpha}, \qquad
        p(\Delta) \propto e^{-\langle g, \Delta \rangle / \alpha}
        \text{ for } \lVert \Delta \rVert \le \varepsilon

    (book: `sampling-optimisation-ball-step`). Hot (x near 0) it is gradient descent,
    :math:`-\varepsilon^2 g / ((d + 2) \alpha)`; cold (x large) it is normalised gradient descent,
    :math:`-\varepsilon g / \lVert g \rVert`. In between it is longer than the soft clipped step
    of the same rate and threshold and shorter than the hard clipped one
    (book: `sampling-optimisation-soft-hard`). Without the ball the density has no normaliser.

    Args:
        gradient: The gradient g, shape (..., d); every row is a vector of its own.
        radius: Radius epsilon > 0 of the ball.
        temperature: Temperature alpha > 0.

    Returns:
        The expected step, of the same shape, computed in float64 and returned in float32 or
        wider, differentiable; 0 at a gradient of 0. Exact to rounding for every d and x.

    Raises:
        TypeError: if the gradient is not a floating-point tensor.
        ValueError: for a scalar gradient, or a radius or temperature that is not positive.

    Example:
        >>> import torch
        >>> gradient = torch.tensor([3.0, 4.0])
        >>> for temperature in (100.0, 1.0, 0.01):
        ...     gibbs_ball_step(gradient, 1.0, temperature)
        tensor([-0.0075, -0.0100])
        tensor([-0.4316, -0.5755])
        tensor([-0.5982, -0.7976])

    References:
        [1] J. Su. Scientific Spaces, archives/7521 (2020).
    """
    check_float_tensor("gradient", gradient)
    if gradient.ndim == 0 or gradient.shape[-1] == 0:
        raise ValueError(
            f"`gradient` must have shape (..., d), d >= 1. Got {tuple(gradient.shape)}."
        )
    radius = check_positive("radius", radius)
    temperature = check_positive("temperature", temperature)
    order = gradient.shape[-1] / 2
    exact = gradient.double()
    peak = exact.detach().abs().amax(-1, keepdim=True)
    unit = exact / torch.where(peak > 0, peak, 1.0)  # its norm neither over- nor underflows
    scale = (peak * radius / temperature).clamp(max=_LARGEST)
    scale = torch.where(peak > 0, scale, radius / temperature)
    # The sum of torch adds in pairs; its norm does not, and a million entries cost three digits.
    squares = torch.where(peak > 0, unit.square().sum(-1, keepdim=True), 1.0)
    x = scale * torch.where(peak > 0, squares.sqrt(), 0.0)
    step = -radius * (scale * _ratio_over_argument(order, x)) * unit
    return step.to(wide(gradient.dtype))


class QuadraticStep(NamedTuple):
    """Mean and covariance of the Gibbs density of a quadratic loss."""

    mean: Tensor
    covariance: Tensor


def gibbs_quadratic_step(gradient: Tensor, hessian: Tensor, temperature: float) -> QuadraticStep:
    r"""The Gibbs density of a quadratic loss: a Gaussian about the Newton step.

    .. math:: p(\Delta) \propto e^{-(\langle g, \Delta \rangle
        + \frac12 \langle \Delta, H \Delta \rangle) / \alpha}
        = \mathcal N(\Delta;\, -H^{-1} g,\, \alpha H^{-1})

    (book: `sampling-optimisation-newton`). The expected step does not depend on the temperature,
    only the spread about it does. For a normal reference of width sigma give the Hessian
    :math:`H + \alpha / \sigma^2\, I` (book: `sampling-optimisation-damped`).

    Args:
        gradient: The gradient g, shape (..., d).
        hessian: The Hessian H, shape (..., d, d), symmetric and positive definite.
        temperature: Temperature alpha > 0.

    Returns:
        Mean (..., d) and covariance (..., d, d), float32 or wider, differentiable.

    Raises:
        TypeError: if gradient or Hessian are not floating-point tensors.
        ValueError: for other shapes, a temperature that is not positive, or a Hessian that is not
            symmetric or not positive definite: the density then has no normaliser.

    Example:
        >>> import torch
        >>> hessian = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
        >>> gibbs_quadratic_step(torch.tensor([1.0, -2.0]), hessian, 0.1).mean
        tensor([-0.8000,  1.4000])

    References:
        [1] J. Su. Scientific Spaces, archives/7521 (2020).
    """
    check_float_tensor("gradient", gradient)
    check_float_tensor("hessian", hessian)
    temperature = check_positive("temperature", temperature)
    if hessian.ndim < 2 or hessian.shape != (*gradient.shape, gradient.shape[-1]):
        raise ValueError(
            f"`hessian` must have shape (..., d, d) for a gradient of shape "
            f"{tuple(gradient.shape)}. Got {tuple(hessian.shape)}."
        )
    dtype = torch.promote_types(wide(gradient.dtype), wide(hessian.dtype))
    gradient, hessian = gradient.to(dtype), hessian.to(dtype)
    asymmetry = (hessian - hessian.mT).abs().max().item()
    if not asymmetry <= 1e-4 * hessian.abs().max().item():  # written so that NaN is refused too
        raise ValueError(f"`hessian` must be symmetric. Got entries {asymmetry:g} apart.")
    factor, failed = torch.linalg.cholesky_ex(hessian)
    if failed.any().item():
        least = torch.linalg.eigvalsh(hessian.detach().double()).min().item()
        raise ValueError(
            f"`hessian` must be positive definite. Got smallest eigenvalue {least:g}; the "
            "density has no normaliser."
        )
    mean = -torch.cholesky_solve(gradient.unsqueeze(-1), factor).squeeze(-1)
    return QuadraticStep(mean, temperature * torch.cholesky_inverse(factor))


_LARGEST = 1e290  # for arguments; leaves room for the factors that stand beside them
_DOWN = 50
_FAR = 4000.0  # from here on the expansion is exact to rounding and needs no recursion


def _ratio_over_argument(order: float, x: Tensor) -> Tensor:
    """r(x) / x, which is regular at 0."""
    ratio = x * _expansion(order + _DOWN, x)
    for above in range(_DOWN, 1, -1):
        ratio = x / (2 * (order + above) + x * ratio)
    near = 1 / (2 * (order + 1) + x * ratio)
    return torch.where(torch.hypot(x, torch.full_like(x, order)) < _FAR, near, _expansion(order, x))


def _expansion(order: float, x: Tensor) -> Tensor:
    """r(x) / x for large order or argument.

    The solution of r' = 1 - r^2 - (2 nu + 1) r / x in powers of 1 / s, to the fourth.
    """
    a = order + 0.5
    s = torch.hypot(x, torch.full_like(x, a))
    c = a / s
    second = c * (c + 1) * (5 * c - 4) / 8
    third = -c * (c + 1) * (((30 * c - 25) * c - 16) * c + 12) / 16
    fourth = c * (c + 1) * (((((1105 * c - 960) * c - 1197) * c + 992) * c + 256) * c - 192) / 128
    return (1 + (-c / 2 + (second + (third + fourth / s) / s) / s) / s) / (a + s)
