"""Bias-free ReLU networks, many as one, for the chapter `weight-scale-shift`.

A layer of all networks is one tensor whose first axis counts the networks, so seeds and strengths
of a penalty advance together. Without biases and normalisation the networks are positively
homogeneous in every layer, and scale can pass between any two of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

Model = Literal["mlp", "cnn"]
Weights = list[Tensor]

CLASSES = 10
CHANNELS = (8, 16)
KERNEL = 3
POWER_STEPS = 300


@dataclass(frozen=True)
class Architecture:
    """The shape of a network on square images.

    Attributes:
        model: mlp, three hidden layers; or cnn, two convolutions of 3 × 3 and a linear layer.
        side: of the images, 8 or 14.
        width: units of a hidden layer of the mlp.
    """

    model: Model
    side: int
    width: int = 64

    @property
    def strides(self) -> tuple[int, int]:
        """Of the two convolutions; their outcome has 4 × 4 points for sides of 8 and 14."""
        return (1 if self.side == 8 else 2), 2

    @property
    def sides(self) -> tuple[int, int, int]:
        """Of the images and of the outcomes of the two convolutions."""
        first = math.ceil(self.side / self.strides[0])
        return self.side, first, math.ceil(first / self.strides[1])

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the weights of each layer: `(inputs, outputs)`, or those of a convolution."""
        if self.model == "mlp":
            sizes = [self.side**2, self.width, self.width, self.width, CLASSES]
            return list(pairwise(sizes))
        units = CHANNELS[1] * self.sides[2] ** 2
        return [
            (CHANNELS[0], 1, KERNEL, KERNEL),
            (CHANNELS[1], CHANNELS[0], KERNEL, KERNEL),
            (units, CLASSES),
        ]

    def start(
        self, seeds: Sequence[int], copies: int = 1, *, dtype: torch.dtype = torch.float32
    ) -> Weights:
        """First weights, normal with variance 2 / inputs, 1 / inputs in the last layer.

        Args:
            seeds: of the first weights.
            copies: networks of each seed, next to each other and alike.
            dtype: of the weights.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        weights = []
        shapes = self.shapes()
        for at, shape in enumerate(shapes):
            inputs = shape[0] if len(shape) == 2 else math.prod(shape[1:])
            scale = math.sqrt((1 if at == len(shapes) - 1 else 2) / inputs)
            drawn = torch.stack([torch.randn(shape, generator=each) for each in generators])
            weights.append((drawn * scale).repeat_interleave(copies, 0).to(dtype))
        return weights

    def scores(self, weights: Weights, rows: Tensor) -> Tensor:
        """Scores `(networks, rows, classes)` of images `(networks, rows, pixels)`."""
        if self.model == "mlp":
            hidden = rows
            for at, weight in enumerate(weights):
                hidden = (hidden.relu() if at else hidden) @ weight
            return hidden
        found = []
        # One by one: on one core faster than grouped convolutions.
        for images, *kernels, last in zip(rows, *weights, strict=True):
            hidden = images.unflatten(1, (1, self.side, self.side))
            for kernel, stride in zip(kernels, self.strides, strict=True):
                hidden = conv2d(hidden, kernel, stride=stride, padding=1).relu()
            found.append(hidden.flatten(1) @ last)
        return torch.stack(found)

    def chain(self, weights: Weights, network: int) -> nn.Sequential:
        """One of the networks as layers of torch, with a copy of its weights."""
        own = [weight[network].detach().clone() for weight in weights]
        layers: list[nn.Module] = []
        if self.model == "cnn":
            layers.append(nn.Unflatten(1, (1, self.side, self.side)))
            for kernel, stride in zip(own[:2], self.strides, strict=True):
                outputs, inputs = kernel.shape[:2]
                layer = nn.Conv2d(inputs, outputs, KERNEL, stride, 1, bias=False)
                layer.weight = nn.Parameter(kernel)
                layers += [layer, nn.ReLU()]
            layers.append(nn.Flatten())
        for weight in own[2:] if self.model == "cnn" else own:
            linear = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
            linear.weight = nn.Parameter(weight.T)
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def operator_norms(self, weights: Weights) -> Tensor:
        """Largest singular value of each layer as a linear map, `(networks, layers)`.

        Of a convolution it is found by the power method, and at most a little too small.
        """
        norms = []
        for at, weight in enumerate(weights):
            if weight.dim() == 3:
                norms.append(torch.linalg.matrix_norm(weight, ord=2))
            else:
                norms.append(self._convolution_norms(weight, at))
        return torch.stack(norms, dim=1)

    def _convolution_norms(self, kernels: Tensor, at: int) -> Tensor:
        networks, side = len(kernels), self.sides[at]
        flat = kernels.flatten(0, 1)
        stride = self.strides[at]
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(1, networks, kernels.shape[2], side, side, generator=generator)
        image = image.to(kernels)
        # Output points that a plain transposed convolution would lose at the far edge.
        spare = side - (self.sides[at + 1] - 1) * stride - KERNEL + 2
        norm = torch.ones(networks)
        for _ in range(POWER_STEPS):
            unit = image / image.flatten(2).norm(dim=2)[..., None, None, None].clamp_min(1e-30)
            there = conv2d(unit.flatten(1, 2), flat, stride=stride, padding=1, groups=networks)
            norm = there.unflatten(1, (networks, -1)).flatten(2).norm(dim=2)[0]
            back = conv_transpose2d(
                there, flat, stride=stride, padding=1, output_padding=spare, groups=networks
            )
            image = back.unflatten(1, (networks, -1))
        return norm


def squared_norms(weights: Weights) -> Tensor:
    """Sum of the squares of each layer, `(networks, layers)`."""
    return torch.stack([weight.detach().flatten(1).square().sum(1) for weight in weights], dim=1)
