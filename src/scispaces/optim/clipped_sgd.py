"""Stochastic gradient descent with clipping built in."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from scispaces.optim._common import check_at_least_zero, check_choice, check_positive
from scispaces.optim._norms import dense_gradients, norm_of_norms, on_host, tensor_norms
from scispaces.optim.clipping import FORMS, SCOPES, Form, Scope, clip_factor, scale_


class ClippedSGD(Optimizer):
    r"""SGD whose gradients are clipped, hard or soft, without being changed themselves.

    .. math:: v_{t+1} = \mu v_t + \kappa(\lVert g_t \rVert)\, g_t + \lambda \theta_t, \qquad
        \theta_{t+1} = \theta_t - \eta\, v_{t+1}

    with the factor :math:`\kappa` of `clip_factor`. With the soft form, :math:`\mu = \lambda = 0`,
    :math:`\eta = 1 / L_0` and threshold :math:`L_0 / L_1` the step is
    :math:`g / (L_0 + L_1 \lVert g \rVert)`, which minimises the quadratic model of curvature
    :math:`L_0 + L_1 \lVert g \rVert` (book: `gradient-clipping-soft-step`) and lowers every
    :math:`(L_0, L_1)`-smooth function (book: `gradient-clipping-half`).
    The parameters go where `clip_gradients_` followed by `torch.optim.SGD` takes them, without the
    pass that rewrites the gradients; weight decay, as there, is added after clipping.

    Args:
        params: Parameters or groups of them, as for every optimizer of torch. A group may have
            its own value of each argument below.
        lr: Learning rate >= 0, a number or a tensor of one element.
        threshold: The norm c > 0 at which hard clipping begins. Infinity clips nothing.
        form: "hard" or "soft".
        scope: "global" for the norm over all parameters of all groups of scope "global",
            "tensor" for one norm of each parameter.
        momentum: Factor mu >= 0 of the last velocity.
        weight_decay: Factor lambda >= 0 of the parameters, added to the clipped gradient.
        maximize: Go up instead of down.

    Attributes:
        gradient_norm: After a step, the global norm before clipping, a scalar tensor (of zero
            where every group has scope "tensor"); None before the first.

    Off the CPU no value is read, so a step neither waits for the device nor hinders the capture
    of a CUDA graph, a tensor as `lr` included; there a copy of the gradients is made. Norms of 0,
    infinity and NaN are treated as in `clip_gradients_`: a NaN in the gradient reaches the
    parameters, it is not hidden.

    Raises:
        TypeError: for a sparse gradient, at the step, before anything is changed.
        ValueError: for values outside the ranges above.

    Example:
        >>> import torch
        >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> optimizer = ClippedSGD([weight], lr=0.5, threshold=1.0)
        >>> (weight.square().sum() / 2).backward()
        >>> optimizer.step()
        >>> weight.data, optimizer.gradient_norm
        (tensor([2.7000, 3.6000]), tensor(5.))

    References:
        [1] J. Zhang et al. Why Gradient Clipping Accelerates Training. ICLR 2020.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        *,
        threshold: float = 1.0,
        form: Form = "hard",
        scope: Scope = "global",
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "threshold": threshold,
            "form": form,
            "scope": scope,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        _check(defaults)
        super().__init__(params, defaults)
        self.gradient_norm: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"gradient_norm": self.gradient_norm}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; its values are checked as those of the constructor."""
        if isinstance(param_group, dict):  # the class above refuses anything else
            _check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; with a closure, evaluate it first and return what it returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = [dense_gradients(group["params"]) for group in self.param_groups]
        norms = [tensor_norms(each) for each in gradients]
        groups = list(zip(self.param_groups, gradients, norms, strict=True))
        shared = [norm for group, _, own in groups if group["scope"] == "global" for norm in own]
        self.gradient_norm = norm_of_norms(shared)
        for group, given, own in groups:
            if group["scope"] == "global":
                own = [self.gradient_norm] * len(given)
            self._step_group(group, given, own)
        return loss

    def _step_group(self, group: dict, gradients: list[Tensor], norms: list[Tensor]) -> None:
        parameters = [each for each in group["params"] if each.grad is not None]
        factors = {
            id(norm): clip_factor(norm, group["threshold"], form=group["form"]) for norm in norms
        }
        elsewhere = []
        for parameter, gradient, norm in zip(parameters, gradients, norms, strict=True):
            factor = factors[id(norm)]
            if on_host(parameter) and on_host(factor):
                self._step_on_host(group, parameter, gradient, factor.item())
            else:
                elsewhere.append((parameter, gradient, factor))
        if elsewhere:
            self._step_elsewhere(group, *map(list, zip(*elsewhere, strict=True)))

    def _step_on_host(
        self, group: dict, parameter: Tensor, gradient: Tensor, factor: float
    ) -> None:
        """Factors are numbers here and ride along with the additions: no pass of their own."""
        rate, decay, momentum = float(group["lr"]), group["weight_decay"], group["momentum"]
        if group["maximize"]:
            factor = -factor
        if momentum == 0:
            if decay:
                parameter.mul_(1 - rate * decay)
            parameter.add_(gradient, alpha=-rate * factor)
            return
        state = self.state[parameter]
        if "momentum_buffer" in state:
            velocity = state["momentum_buffer"].mul_(momentum).add_(gradient, alpha=factor)
        else:
            velocity = state["momentum_buffer"] = gradient * factor
        if decay:
            velocity.add_(parameter, alpha=decay)
        parameter.add_(velocity, alpha=-rate)

    def _step_elsewhere(
        self, group: dict, parameters: list[Tensor], gradients: list[Tensor], factors: list[Tensor]
    ) -> None:
        """Factors stay tensors, and so does the rate if it is one on a device."""
        velocities = [gradient.clone() for gradient in gradients]
        scale_(velocities, factors)
        if group["maximize"]:
            torch._foreach_neg_(velocities)
        if group["weight_decay"]:
            torch._foreach_add_(velocities, parameters, alpha=group["weight_decay"])
        if group["momentum"]:
            velocities = self._with_momentum(group["momentum"], parameters, velocities)
        rate = group["lr"]
        if isinstance(rate, Tensor) and not on_host(rate):
            velocities = [velocity.clone() for velocity in velocities]
            scale_(velocities, [rate] * len(velocities))
            rate = 1.0
        torch._foreach_add_(parameters, velocities, alpha=-float(rate))

    def _with_momentum(
        self, momentum: float, parameters: list[Tensor], changes: list[Tensor]
    ) -> list[Tensor]:
        states = [self.state[parameter] for parameter in parameters]
        moving = [(s["momentum_buffer"], c) for s, c in zip(states, changes, strict=True) if s]
        if moving:
            buffers, added = map(list, zip(*moving, strict=True))
            torch._foreach_mul_(buffers, momentum)
            torch._foreach_add_(buffers, added)
        for state, change in zip(states, changes, strict=True):
            state.setdefault("momentum_buffer", change)
        return [state["momentum_buffer"] for state in states]


def _check(group: dict[str, Any]) -> None:
    rate = group["lr"]
    if isinstance(rate, Tensor):
        if rate.numel() != 1:
            raise ValueError(f"`lr` must have one element. Got shape {tuple(rate.shape)}.")
        if on_host(rate):
            check_at_least_zero("lr", rate.item())
    else:
        check_at_least_zero("lr", rate)
    check_positive("threshold", group["threshold"], finite=False)
    check_choice("form", group["form"], FORMS)
    check_choice("scope", group["scope"], SCOPES)
    check_at_least_zero("momentum", group["momentum"])
    check_at_least_zero("weight_decay", group["weight_decay"])
