"""Expectations under a Gibbs density from weighted samples of another density."""

from typing import NamedTuple

import torch
from torch import Tensor

from scispaces.optim._common import check_float_tensor, check_positive


def gibbs_weights(
    losses: Tensor, log_proposal: Tensor | None = None, *, temperature: float
) -> Tensor:
    r"""Normalised importance weights of candidates for the Gibbs density of their losses.

    .. math:: w_i = \frac{e^{-l_i / \alpha} / q_i}{\sum_j e^{-l_j / \alpha} / q_j}

    (book: `sampling-optimisation-weights`). All in logarithms: only differences of losses and of
    log-densities enter, so that losses of any size will do. (The logarithm of exp(-l) is -inf
    from l = 746 on in float64.)

    Args:
        losses: Losses l of the candidates, shape (..., candidates). Infinity is a weight of 0.
        log_proposal: Log-densities log q the candidates were drawn with, of the same shape, up to
            a constant that all share; None if that is all there is to them.
        temperature: Temperature alpha > 0.

    Returns:
        Weights of the same shape that sum to 1, float64.

    Raises:
        TypeError: if the losses or log-densities are not floating-point tensors.
        ValueError: for a loss that is NaN or -inf, a row without a finite loss, a log-density
            that is not finite, other shapes, or a temperature that is not positive.

    Example:
        >>> import torch
        >>> gibbs_weights(torch.tensor([1000.0, 1001.0, torch.inf]), temperature=1.0)
        tensor([0.7311, 0.2689, 0.0000], dtype=torch.float64)

    References:
        [1] J. Su. Scientific Spaces, archives/7521 (2020).
    """
    check_float_tensor("losses", losses)
    temperature = check_positive("temperature", temperature)
    if losses.ndim == 0 or losses.shape[-1] == 0:
        raise ValueError(f"`losses` must have shape (..., candidates). Got {tuple(losses.shape)}.")
    losses = losses.detach().double()
    wrong = losses.isnan() | (losses == -torch.inf)
    if wrong.any().item():
        place = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(
            f"`losses` must be numbers or +inf. Got {losses[place].item()} at index {place}."
        )
    least = losses.amin(-1, keepdim=True)
    if least.isinf().any().item():
        raise ValueError("`losses` must hold a finite one in every row. Got only infinite ones.")
    logarithms = (least - losses) / temperature
    if log_proposal is not None:
        check_float_tensor("log_proposal", log_proposal)
        if log_proposal.shape != losses.shape:
            raise ValueError(
                f"`log_proposal` must have the shape of `losses`, {tuple(losses.shape)}. "
                f"Got {tuple(log_proposal.shape)}."
            )
        if not log_proposal.isfinite().all().item():
            raise ValueError("`log_proposal` must be finite: what is drawn has a density above 0.")
        logarithms = logarithms - log_proposal.detach().double()
    return logarithms.softmax(-1)


def effective_sample_size(weights: Tensor) -> Tensor:
    r"""How many equally weighted samples the weighted ones are worth.

    .. math:: \frac{(\sum_i w_i)^2}{\sum_i w_i^2} \in [1, n]

    (book: `sampling-optimisation-effective-size`). Weights within a factor
    :math:`e^{R / \alpha}` of one another are worth :math:`n / \cosh^2(R / 2\alpha)` at least
    (book: `sampling-optimisation-bounded-size`).

    Args:
        weights: Weights w >= 0, normalised or not, shape (..., candidates), not all 0.

    Returns:
        Shape (...), float64.

    Raises:
        TypeError: if the weights are not a floating-point tensor.
        ValueError: for a negative or infinite weight, NaN, or a row of zeros.

    Example:
        >>> import torch
        >>> effective_sample_size(torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]]))
        tensor([4., 1.], dtype=torch.float64)

    References:
        [1] A. Kong, J. S. Liu, W. H. Wong. Sequential Imputations and Bayesian Missing Data
            Problems. Journal of the American Statistical Association 89, 1994.
    """
    check_float_tensor("weights", weights)
    exact = weights.double()
    peak = exact.amax(-1, keepdim=True)
    if not ((exact >= 0).all().item() and (peak > 0).all().item() and peak.isfinite().all().item()):
        raise ValueError("`weights` must be finite, at least 0, and not all 0 in a row.")
    scaled = exact / peak
    return scaled.sum(-1).square() / scaled.square().sum(-1)


class GibbsExpectation(NamedTuple):
    """An estimated mean and what it rests on."""

    mean: Tensor
    effective_sample_size: Tensor


def gibbs_expectation(
    values: Tensor, losses: Tensor, log_proposal: Tensor | None = None, *, temperature: float
) -> GibbsExpectation:
    r"""Self-normalised importance estimate of a mean under the Gibbs density.

    .. math:: \mathbb E[v] \approx \sum_i w_i v_i

    with the weights of `gibbs_weights`. It is consistent but, for a finite number of candidates,
    biased (book: `sampling-optimisation-bias`); and it is worth as many samples as its effective
    sample size says, which falls exponentially with the dimension when the proposal does not
    follow the density.

    Args:
        values: What is averaged, shape (candidates, ...): the steps, say.
        losses: Losses of the candidates, shape (candidates,).
        log_proposal: Log-densities the candidates were drawn with, as for `gibbs_weights`.
        temperature: Temperature alpha > 0.

    Returns:
        The mean, shape (...), in the dtype of the values but float32 at least, and the effective
        sample size, a scalar.

    Raises:
        TypeError: if an argument is not a floating-point tensor.
        ValueError: as `gibbs_weights`, and for another number of values than of losses.

    Example:
        >>> import torch
        >>> draws = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
        >>> log_density = -draws.square() / 2
        >>> mean, size = gibbs_expectation(draws, (draws - 1) ** 2 / 2, log_density, temperature=1)
        >>> round(mean.item(), 1), 20_000 < size < 60_000
        (1.0, tensor(True))
    """
    check_float_tensor("values", values)
    if values.ndim == 0 or values.shape[:1] != losses.shape:
        raise ValueError(
            "`values` must have shape (candidates, ...) for losses of shape (candidates,). "
            f"Got {tuple(values.shape)} and {tuple(losses.shape)}."
        )
    weights = gibbs_weights(losses, log_proposal, temperature=temperature)
    mean = torch.tensordot(weights, values.double(), dims=1)
    dtype = torch.promote_types(values.dtype, torch.float32)
    return GibbsExpectation(mean.to(dtype), effective_sample_size(weights))
