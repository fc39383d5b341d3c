"""Clipping, smoothness, optimisation as sampling, and the scale of weights."""

from scispaces.optim.clipped_sgd import ClippedSGD
from scispaces.optim.clipping import clip_factor, clip_gradients_
from scispaces.optim.gibbs import (
    QuadraticStep,
    bessel_ratio,
    gibbs_ball_step,
    gibbs_quadratic_step,
)
from scispaces.optim.guided_search import GuidedSearch, MLEGuidedSearch
from scispaces.optim.importance import (
    GibbsExpectation,
    effective_sample_size,
    gibbs_expectation,
    gibbs_weights,
)
from scispaces.optim.output_space import minimum_risk_loss, policy_gradient_loss
from scispaces.optim.smoothness import (
    directional_curvature,
    hessian_norm,
    hessian_vector_product,
    local_smoothness,
)
from scispaces.optim.weight_scale import (
    balance_weight_scale_,
    shift_weight_scale_,
    weight_scale_penalty,
)

__all__ = [
    "ClippedSGD",
    "GibbsExpectation",
    "GuidedSearch",
    "MLEGuidedSearch",
    "QuadraticStep",
    "balance_weight_scale_",
    "bessel_ratio",
    "clip_factor",
    "clip_gradients_",
    "directional_curvature",
    "effective_sample_size",
    "gibbs_ball_step",
    "gibbs_expectation",
    "gibbs_quadratic_step",
    "gibbs_weights",
    "hessian_norm",
    "hessian_vector_product",
    "local_smoothness",
    "minimum_risk_loss",
    "policy_gradient_loss",
    "shift_weight_scale_",
    "weight_scale_penalty",
]
