"""Clipping, smoothness, optimisation as sampling, and the scale of weights."""

from scispaces.optim.clipped_sgd import ClippedSGD
from scispaces.optim.clipping import clip_factor, clip_gradients_
from scispaces.optim.smoothness import (
    directional_curvature,
    hessian_norm,
    hessian_vector_product,
    local_smoothness,
)

__all__ = [
    "ClippedSGD",
    "clip_factor",
    "clip_gradients_",
    "directional_curvature",
    "hessian_norm",
    "hessian_vector_product",
    "local_smoothness",
]
