"""Small convolutional networks for 28 × 28 images, many trained as one."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from scispaces.studies.stacked_models import StackedModels

SIDE = 28
CHANNELS = (8, 16)
KERNELS = (5, 3)
STRIDE = 2
UNITS = CHANNELS[1] * (SIDE // STRIDE**2) ** 2


class StackedConvolutions(StackedModels):
    """Two convolutions of stride 2 with 8 and 16 channels, then a linear layer.

    Weights, and not scores, are in plain units here: one step of Adam with learning rate r moves a
    weight by about r. The images of a seed are `(rows, 784)`. All scores start at 0. The networks
    are applied one by one: on one core that is twice as fast as grouped convolutions.
    """

    @classmethod
    def begin(
        cls, classes: int, *, learning_rates: Tensor, seeds: Sequence[int]
    ) -> "StackedConvolutions":
        """Networks before their training.

        Args:
            classes: number of scores.
            learning_rates: `(configurations,)`, on the device of the models.
            seeds: of the first weights.
        """
        device, models = learning_rates.device, (len(seeds), len(learning_rates))
        shapes = [(CHANNELS[0], 1, KERNELS[0]), (CHANNELS[1], CHANNELS[0], KERNELS[1])]
        layers: list[Tensor] = []
        for outputs, inputs, size in shapes:
            layers.append(torch.zeros(*models, outputs, inputs, size, size, device=device))
            layers.append(torch.zeros(*models, outputs, device=device))
        for at, seed in enumerate(seeds):
            generator = torch.Generator().manual_seed(seed)
            for layer, (outputs, inputs, size) in zip(layers[::2], shapes, strict=True):
                weights = torch.randn(outputs, inputs, size, size, generator=generator)
                scaled = weights.to(device) * math.sqrt(2 / (inputs * size * size))
                layer[at] = scaled / learning_rates[:, None, None, None, None]
        layers.append(torch.zeros(*models, UNITS, classes, device=device))
        layers.append(torch.zeros(*models, 1, classes, device=device))
        # The class above keeps the configurations of the first tensor on its third axis.
        layers[0] = layers[0].unsqueeze(1)
        return cls(learning_rates[:, None, None].repeat(len(seeds), 1, 1, 1), layers)

    def scores(self, rows: Tensor) -> Tensor:
        """Scores `(seeds, configurations, rows, classes)` of images `(seeds, rows, 784)`."""
        first, *others = self.parameters
        networks = self.rates.shape[:2]
        parts = []
        for part in (first.squeeze(1), *others):
            scaled = part * self.rates.view(*networks, *[1] * (part.dim() - 2))
            parts.append(scaled.flatten(0, 1).unbind())
        images = rows.unflatten(-1, (1, SIDE, SIDE)).expand(networks[0], -1, -1, -1, -1)
        found = []
        for number, (inner, inner_bias, outer, outer_bias, weight, bias) in enumerate(
            zip(*parts, strict=True)
        ):
            image = images[number // networks[1]]
            hidden = conv2d(image, inner, inner_bias, STRIDE, KERNELS[0] // 2).relu()
            hidden = conv2d(hidden, outer, outer_bias, STRIDE, KERNELS[1] // 2).relu()
            found.append(hidden.flatten(1) @ weight + bias)
        return torch.stack(found).unflatten(0, networks)

    def one_per_seed(self) -> "StackedConvolutions":
        """Room for one network of each seed."""
        room = super().one_per_seed()
        return StackedConvolutions(room.rates, room.parameters)
