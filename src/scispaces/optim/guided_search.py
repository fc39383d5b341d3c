"""MLE-guided search: steps of any model towards a lower value of any task loss."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from scispaces.optim._common import (
    check_at_least_zero,
    check_choice,
    check_positive,
    same_random_numbers,
    visits,
    wide,
)
from scispaces.optim._norms import dense_gradients
from scispaces.optim.importance import effective_sample_size, gibbs_weights

Reference = Literal["flat", "proposal"]
NoiseScale = Literal["gradient", "absolute"]
_JOINT = ("temperature", "candidates", "guided_share", "stratified", "reference")


class GuidedSearch(NamedTuple):
    """What one search saw and found."""

    steps: list[Tensor]  # the weighted mean of the candidates, one tensor for each parameter
    losses: Tensor  # task losses of the candidates, float64
    guided: Tensor  # which candidates were drawn about the step along the gradient
    log_proposal: Tensor  # log-density of each under the mixture, up to a constant
    weights: Tensor  # normalised importance weights
    effective_sample_size: Tensor


class MLEGuidedSearch(Optimizer):
    r"""Optimizer for task losses without gradient, guided by the gradient of a surrogate.

    .. math:: \theta \leftarrow \theta + \eta \sum_i w_i \Delta_i, \qquad
        w_i \propto \frac{e^{-l(\theta + \Delta_i) / \alpha}}{q(\Delta_i)}, \qquad
        q = (1 - \pi)\, \mathcal N(0, \Sigma) + \pi\, \mathcal N(-\rho g, \Sigma)

    (book: `sampling-optimisation-weights`, `sampling-optimisation-mixture`).
    Half of the candidates are random changes of the parameters, half random changes about a step
    along the surrogate's gradient g, that of the likelihood, say, found in `.grad`. The task loss
    l, one number for the whole batch, is all that is asked about a candidate: it may decode,
    count or compare, and needs no derivative. Use it as any optimizer of torch::

        search.zero_grad()
        surrogate(model, batch).backward()
        search.step(lambda: task_loss(model, batch))

    The density q in the weights is the one the candidates were drawn with, variances included
    (the authors' code draws with other variances than it divides by).

    Args:
        params: Parameters or groups of them. A group may have its own `lr`, `noise`,
            `noise_scale` and `guide_rate`; the other settings belong to all groups together.
        lr: Rate eta >= 0 of the final step; 1 takes the weighted mean itself.
        temperature: Temperature alpha > 0, in units of the task loss.
        candidates: Number of candidates, each of which costs one evaluation of the task loss.
        noise: Standard deviation > 0 of a change, in units of `noise_scale`.
        noise_scale: "gradient" for the mean size of the entries of that tensor's gradient (a
            tensor without gradient, or with one of 0, then stays as it is), "absolute" for 1.
        guide_rate: Length rho >= 0 of the surrogate's step in units of its gradient.
        guided_share: Share pi in [0, 1] of guided candidates; 0 is pure random search, and with
            absolute noise asks for no gradient.
        stratified: Fix the number of guided candidates at the share (rounded, and the share in
            the density with it) instead of drawing each from the mixture. Either way numerator and
            denominator of the weighted mean are unbiased; this one varies less.
        reference: What the Gibbs density is taken against. "flat" is the definition above. In
            many dimensions its weights go to the candidates that lie farthest out, and the
            effective sample size to 1, whatever their losses. "proposal" is the density
            :math:`q\, e^{-l / \alpha}`, whose weights are those of the losses alone
            (book: `sampling-optimisation-bounded-size`).
        generator: Source of the random numbers; torch's global one without it. It is no part of
            the state dict.

    The closure runs without autograd and sees the same random numbers for every candidate. What
    else it remembers, running statistics of normalisation say, it remembers of every candidate:
    put the model into evaluation mode. Each candidate takes the memory of the parameters once.

    Attributes:
        last: The last search, a `GuidedSearch`; None before the first.

    Raises:
        TypeError: for a sparse gradient, or a task loss that is not one number.
        ValueError: for settings outside the ranges above, a task loss that is NaN, -inf, or
            infinite for every candidate, and where guidance is asked for but no gradient there.

    Example:
        >>> import torch
        >>> theta = torch.nn.Parameter(torch.tensor([2.0, -2.0]))
        >>> search = MLEGuidedSearch([theta], temperature=0.1, candidates=8,
        ...                          generator=torch.Generator().manual_seed(0))
        >>> for _ in range(30):
        ...     search.zero_grad()
        ...     (theta.square().sum() / 20).backward()
        ...     loss = search.step(lambda: theta.abs().round().sum())
        >>> theta.abs().round().sum() < 4
        tensor(True)

    References:
        [1] S. Welleck, K. Cho. MLE-guided Parameter Search for Task Loss Minimization in Neural
            Sequence Modeling. AAAI 2021.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        *,
        temperature: float = 1.0,
        candidates: int = 4,
        noise: float = 1.0,
        noise_scale: NoiseScale = "gradient",
        guide_rate: float = 1.0,
        guided_share: float = 0.5,
        stratified: bool = True,
        reference: Reference = "flat",
        generator: torch.Generator | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "temperature": temperature,
            "candidates": candidates,
            "noise": noise,
            "noise_scale": noise_scale,
            "guide_rate": guide_rate,
            "guided_share": guided_share,
            "stratified": stratified,
            "reference": reference,
        }
        _check(defaults)
        super().__init__(params, defaults)
        self.generator = generator
        self.last: GuidedSearch | None = None

    def __getstate__(self) -> dict[str, Any]:
        own = {"generator": self.generator, "last": self.last}
        return super().__getstate__() | own

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; its values are checked as those of the constructor."""
        if isinstance(param_group, dict):  # the class above refuses anything else
            group = self.defaults | param_group
            _check(group)
            for name in _JOINT:
                if any(other[name] != group[name] for other in self.param_groups):
                    raise ValueError(
                        f"`{name}` must be the same for all groups. Got {group[name]!r} in one."
                    )
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Search and move; the closure computes the task loss of the parameters as they stand.

        Returns the weighted mean of the candidates' losses; `last` holds the rest.
        """
        if closure is None:
            raise ValueError("`closure` must compute the task loss. Got None.")
        found = self.last = self.search(closure)
        steps = iter(found.steps)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(next(steps), alpha=float(group["lr"]))
        likely = found.weights > 0
        return (found.weights[likely] @ found.losses[likely]).item()

    @torch.no_grad()
    def search(self, closure: Callable[[], Any]) -> GuidedSearch:
        """The search alone: the parameters come back to where they are.

        For the step of another optimizer, put minus the `steps` into `.grad`.
        """
        joint = self.param_groups[0]
        moving = self._moving(joint["guided_share"])
        guided, share = self._components(joint)
        pairs = [self._draw(moving, follow, share) for follow in guided.tolist()]
        parameters = [each.parameter for each in moving]
        losses = []
        with same_random_numbers(parameters) as wind_back, visits(parameters) as move:
            for changes, _ in pairs:
                wind_back()
                move(changes, 1.0)
                losses.append(_number(closure()))
        values = torch.tensor(losses, dtype=torch.float64)
        log_proposal = torch.tensor([each for _, each in pairs], dtype=torch.float64)
        weights = gibbs_weights(
            values,
            log_proposal if joint["reference"] == "flat" else None,
            temperature=joint["temperature"],
        )
        means = [torch.zeros_like(each.guide) for each in moving]
        for weight, (changes, _) in zip(weights.tolist(), pairs, strict=True):
            torch._foreach_add_(means, changes, alpha=weight)
        mean_of = {id(each.parameter): mean for each, mean in zip(moving, means, strict=True)}
        steps = [
            mean_of.get(id(parameter), torch.zeros_like(parameter))
            for group in self.param_groups
            for parameter in group["params"]
        ]
        size = effective_sample_size(weights)
        return GuidedSearch(steps, values, guided, log_proposal, weights, size)

    def _moving(self, guided_share: float) -> list["_Moving"]:
        """The parameters that get noise, with its size and their guides in units of it."""
        parameters = [each for group in self.param_groups for each in group["params"]]
        relative = any(group["noise_scale"] == "gradient" for group in self.param_groups)
        if (guided_share > 0 or relative) and not dense_gradients(parameters, "params"):
            raise ValueError(
                "`params` must have gradients of the surrogate loss to be guided or scaled by. "
                "Got none; call its backward first."
            )
        moving = []
        for group in self.param_groups:
            for parameter in group["params"]:
                dtype, gradient = wide(parameter.dtype), parameter.grad
                gradient = torch.zeros_like(parameter) if gradient is None else gradient
                deviation = group["noise"]
                if group["noise_scale"] == "gradient":
                    deviation *= gradient.abs().mean(dtype=dtype).item()
                if deviation > 0:
                    guide = gradient.to(dtype) * (-group["guide_rate"] / deviation)
                    moving.append(_Moving(parameter, deviation, guide))
        return moving

    def _components(self, joint: dict[str, Any]) -> tuple[Tensor, float]:
        """Which candidates are guided, and their share in the density."""
        count, share = joint["candidates"], joint["guided_share"]
        if not joint["stratified"]:
            return self._random("rand", (count,), torch.float64).cpu() < share, share
        number = round(count * share)
        return torch.arange(count) < number, number / count

    def _draw(
        self, moving: list["_Moving"], follow: bool, share: float
    ) -> tuple[list[Tensor], float]:
        """One candidate and its log-density under the mixture, up to a constant."""
        changes, noise_square, product, guide_square = [], 0.0, 0.0, 0.0
        for parameter, deviation, guide in moving:
            noise = self._random("randn", guide.shape, guide.dtype).to(parameter.device)
            noise_square += (noise * noise).sum(dtype=torch.float64).item()
            product += (noise * guide).sum(dtype=torch.float64).item()
            guide_square += (guide * guide).sum(dtype=torch.float64).item()
            changes.append((noise.add_(guide) if follow else noise).mul_(deviation))
        # Squared distances, in deviations, from the own centre and from the other one.
        other = noise_square + (2 if follow else -2) * product + guide_square
        plain, guided = (other, noise_square) if follow else (noise_square, other)
        logarithms = [
            math.log(weight) - square / 2
            for weight, square in ((1 - share, plain), (share, guided))
            if weight > 0
        ]
        most = max(logarithms)
        return changes, most + math.log(sum(math.exp(each - most) for each in logarithms))

    def _random(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        device = self.generator.device if self.generator else None
        return getattr(torch, name)(shape, generator=self.generator, dtype=dtype, device=device)


class _Moving(NamedTuple):
    parameter: Tensor
    deviation: float
    guide: Tensor


def _number(loss: Any) -> float:
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise TypeError(
            "`closure` must return one number, the loss pooled over the batch. "
            f"Got shape {tuple(loss.shape)}."
        )
    try:
        return float(loss)
    except TypeError as error:
        raise TypeError(f"`closure` must return one number. Got {type(loss).__name__}.") from error


def _check(group: dict[str, Any]) -> None:
    check_at_least_zero("lr", group["lr"])
    check_positive("temperature", group["temperature"])
    if not isinstance(group["candidates"], int) or group["candidates"] < 1:
        raise ValueError(f"`candidates` must be a whole number >= 1. Got {group['candidates']!r}.")
    check_positive("noise", group["noise"])
    check_choice("noise_scale", group["noise_scale"], ("gradient", "absolute"))
    check_at_least_zero("guide_rate", group["guide_rate"])
    if not 0 <= check_at_least_zero("guided_share", group["guided_share"]) <= 1:
        raise ValueError(f"`guided_share` must lie in [0, 1]. Got {group['guided_share']:g}.")
    check_choice("reference", group["reference"], ("flat", "proposal"))
