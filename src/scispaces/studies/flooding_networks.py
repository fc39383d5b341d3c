"""Small networks, every seed and every tried value of a method trained in one program."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

NORM_EPSILON = 1e-5
# Mean and scale of every unit of a hidden layer.
Statistics = list[tuple[Tensor, Tensor]]


class StackedNetworks:
    """ReLU networks that share nothing but their shape; those of one seed start alike.

    Activations have the examples on their last axis, so batch normalisation, if there is any, is a
    normalisation over the last axis, and its shift is the bias of the layer (a scale is not needed:
    the next layer has one).

    Attributes:
        parameters: weights `(networks, outputs, inputs)` and biases `(networks, outputs, 1)` of
            each layer; the networks of a seed stand together.
        seeds, copies: how many seeds, and networks of each.
        normalised: whether hidden layers have batch normalisation.
    """

    def __init__(
        self, sizes: Sequence[int], seeds: Sequence[int], copies: int, *, normalised: bool
    ) -> None:
        self.seeds, self.copies, self.normalised = len(seeds), copies, normalised
        self.parameters: list[Tensor] = []
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for inputs, outputs in pairwise(sizes):
            scale = math.sqrt((2 if outputs != sizes[-1] else 1) / inputs)
            drawn = [torch.randn(outputs, inputs, generator=each) * scale for each in generators]
            weight = torch.stack(drawn).repeat_interleave(copies, 0)
            bias = torch.zeros(len(weight), outputs, 1)
            self.parameters += [part.requires_grad_(True) for part in (weight, bias)]

    @property
    def weights(self) -> list[Tensor]:
        """The parameters without the biases."""
        return self.parameters[::2]

    def _apply(self, x: Tensor, given: Statistics | None, found: Statistics | None) -> Tensor:
        layers = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        hidden = x
        for at, (weight, bias) in enumerate(layers):
            if at == 0:
                # One product serves all networks of a seed: they see the same examples.
                inner = (weight.unflatten(0, (self.seeds, self.copies)).flatten(1, 2) @ x).view(
                    len(weight), -1, x.shape[-1]
                )
            else:
                inner = weight @ hidden
            if at == len(layers) - 1:
                return (inner + bias).unflatten(0, (self.seeds, self.copies))
            if self.normalised:
                if given is not None:
                    mean, scale = given[at]
                    inner = (inner - mean) * scale
                else:
                    if found is not None:
                        variance, mean = torch.var_mean(inner, -1, keepdim=True, correction=0)
                        found.append((mean, (variance + NORM_EPSILON).rsqrt()))
                    inner = layer_norm(inner, inner.shape[-1:], eps=NORM_EPSILON)
            hidden = (inner + bias).relu()
        raise AssertionError("A network has a last layer.")

    def scores(self, x: Tensor, statistics: Statistics | None = None) -> Tensor:
        """Scores `(seeds, copies, classes, n)` of examples `(seeds, features, n)`.

        Args:
            x: the examples.
            statistics: of the normalised layers; those of the examples themselves if left out.
        """
        return self._apply(x, statistics, None)

    def statistics(self, x: Tensor) -> Statistics | None:
        """What normalised layers see of examples `(seeds, features, n)`, None if there are none.

        With those of the training rows the networks are functions of one example again.
        """
        if not self.normalised:
            return None
        found: Statistics = []
        self._apply(x, None, found)
        return found
