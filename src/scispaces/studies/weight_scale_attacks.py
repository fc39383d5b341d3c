"""Attacks on stacked networks: small changes of the input that take away a right answer.

All attacks go down the margin, the score of the right class minus the best other one. Their
directions, the sign of its gradient or the gradient over its norm, do not change when all scores
are multiplied by a positive number, so a network cannot look robust because its scores are large.
The gradient of cross-entropy has no such property: where the softmax rounds to 1 it is 0 in
floating point, and the attack stands still. `fast_gradient` takes it for comparison.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Scores = Callable[[Tensor], Tensor]
Norm = Literal["linf", "l2"]
Objective = Literal["margin", "cross_entropy"]

# Of one step over the radius divided by the number of steps.
STEP = 2.5


def margins(scores: Tensor, y: Tensor) -> Tensor:
    """Score of the right class minus the best other one, `(…, rows)`.

    Args:
        scores: `(…, rows, classes)`.
        y: right classes `(…, rows)`.

    Example:
        >>> margins(torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([1]))
        tensor([2.])
    """
    own = scores.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    return own - scores.scatter(-1, y.unsqueeze(-1), -torch.inf).amax(-1)


def _downhill(scores: Scores, x: Tensor, y: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """Margins at x, and the direction in the input in which the objective worsens."""
    x = x.detach().requires_grad_(True)
    found = scores(x)
    margin = margins(found, y)
    if objective == "margin":
        total = -margin.sum()
    else:
        total = cross_entropy(found.flatten(0, -2), y.flatten(), reduction="sum")
    (slope,) = torch.autograd.grad(total, x)
    return margin.detach(), slope


def _length(moves: Tensor) -> Tensor:
    return moves.norm(dim=-1, keepdim=True).clamp_min(1e-30)


def fast_gradient(
    scores: Scores, x: Tensor, y: Tensor, radius: float, *, objective: Objective = "margin"
) -> Tensor:
    """Margins after one step of the sign of the gradient, kept in [0, 1].

    Args:
        scores: from inputs `(…, rows, pixels)` to scores `(…, rows, classes)`.
        x, y: inputs and their classes.
        radius: largest change of a pixel.
        objective: what the step worsens.
    """
    _, slope = _downhill(scores, x, y, objective)
    moved = (x + radius * slope.sign()).clamp(0, 1)
    with torch.no_grad():
        return margins(scores(moved), y)


def projected_gradient(
    scores: Scores,
    x: Tensor,
    y: Tensor,
    radius: float,
    norm: Norm,
    *,
    steps: int,
    restarts: int = 1,
) -> Tensor:
    """Smallest margins met on several descents inside a ball around x, kept in [0, 1].

    The first descent begins at x, others at random points of the ball; x itself counts as met.

    Args:
        scores: from inputs `(…, rows, pixels)` to scores `(…, rows, classes)`.
        x, y: inputs and their classes.
        radius: of the ball.
        norm: linf or l2.
        steps: of each descent, of length 2.5 radius / steps.
        restarts: descents, the same random numbers in every call.
    """
    generator = torch.Generator().manual_seed(0)
    step = STEP * radius / steps
    least = torch.full(y.shape, torch.inf, dtype=x.dtype)
    for descent in range(restarts):
        moved = x
        if descent:
            noise = torch.empty_like(x).uniform_(-1, 1, generator=generator)
            moved = _into_ball(x, x + radius * noise, radius, norm)
        for _ in range(steps):
            margin, slope = _downhill(scores, moved, y, "margin")
            least = torch.minimum(least, margin)
            direction = slope.sign() if norm == "linf" else slope / _length(slope)
            moved = _into_ball(x, moved + step * direction, radius, norm)
        with torch.no_grad():
            least = torch.minimum(least, margins(scores(moved), y))
    with torch.no_grad():
        return torch.minimum(least, margins(scores(x), y))


def _into_ball(x: Tensor, moved: Tensor, radius: float, norm: Norm) -> Tensor:
    change = moved - x
    if norm == "linf":
        change = change.clamp(-radius, radius)
    else:
        change = change * (radius / _length(change)).clamp(max=1)
    # Cutting to [0, 1], where x is, shortens the change of every pixel.
    return (x + change).clamp(0, 1)


def share_right(margin: Tensor) -> Tensor:
    """Share of positive margins, over the last axis; a tie counts as wrong."""
    return (margin > 0).double().mean(-1)
