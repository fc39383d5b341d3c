"""Clipping, smoothness, optimisation as sampling, and the scale of weights."""

from scispaces.optim.clipped_sgd import ClippedSGD
from scispaces.optim.clipping import clip_factor, clip_gradients_

__all__ = [
    "ClippedSGD",
    "clip_factor",
    "clip_gradients_",
]
