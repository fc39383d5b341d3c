"""Softmax regression minimised to rounding error by Newton's method."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

NEWTON_STEPS = 60
GRADIENT_TOLERANCE = 1e-9


def newton_softmax(
    x: Tensor, targets: Tensor, offset: Tensor, penalty: float, *, penalise_bias: bool
) -> Tensor:
    """Minimise mean cross-entropy of W x + b + offset, plus penalty/2 times squared weights.

    Args:
        x: float64 features `(rows, features)`.
        targets: classes.
        offset: `(classes,)`.
        penalty: positive.
        penalise_bias: whether it falls on the bias too.

    Returns:
        Weights and, in the last row, biases: `(features + 1, classes)`.

    Raises:
        ArithmeticError: no convergence.
    """
    classes, design = len(offset), torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    size, width = design.shape[1], design.shape[1] * len(offset)
    shrink = torch.full((size, 1), penalty, dtype=x.dtype)
    shrink[-1] *= penalise_bias
    ridge = torch.diag(shrink.expand(-1, classes).T.flatten())
    # Adding one number to all biases changes nothing; this keeps their sum at 0.
    last = torch.arange(classes) * size + size - 1
    ridge[last.unsqueeze(1), last] += 1.0
    found = torch.zeros(size, classes, dtype=x.dtype)

    def value(unknowns: Tensor) -> Tensor:
        return cross_entropy(design @ unknowns + offset, targets) + (shrink * unknowns**2).sum() / 2

    for _ in range(NEWTON_STEPS):
        p = (design @ found + offset).softmax(-1)
        wrong = p.scatter_add(1, targets.unsqueeze(1), -torch.ones_like(p[:, :1]))
        gradient = design.T @ wrong / len(x) + shrink * found
        if gradient.abs().max() < GRADIENT_TOLERANCE:
            return found
        spread = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
        pairs = spread.flatten(1).T.unsqueeze(1) * design.T
        blocks = (pairs @ design).view(classes, classes, size, size).transpose(1, 2) / len(x)
        curvature = blocks.reshape(width, width) + ridge
        step = torch.cholesky_solve(
            gradient.T.flatten().unsqueeze(1), torch.linalg.cholesky(curvature)
        )
        move, before, length = step.view(classes, size).T, value(found), 1.0
        while value(found - length * move) > before + 1e-14:
            length /= 2
        found = found - length * move
    raise ArithmeticError(f"`newton_softmax` must converge in {NEWTON_STEPS} steps. It did not.")
