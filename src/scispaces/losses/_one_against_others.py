"""One class of a row against all others: what softmax cross-entropy and its kin have in common.

With x = s_y - log sum exp(s_j) over the other classes j, the softmax has p_y = sigmoid(x): every
loss of p_y is a loss of one binary score x.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def advantage(scores: Tensor, targets: Tensor, margins: Tensor | None, *, whole: bool) -> Tensor:
    """x of every row, (rows,); `margins`, (1 or classes, 1 or classes), are added to the others.

    With `whole`, the margin is added to the score of the class itself too.
    """
    place = targets.unsqueeze(-1)
    own = scores.gather(-1, place)
    if margins is not None:
        scores = scores + (margins if len(margins) == 1 else margins[targets])
        if whole:
            own = scores.gather(-1, place)
    least = torch.finfo(scores.dtype).min
    others = scores.clamp(least, -least).scatter(-1, place, least).logsumexp(-1)
    return own.squeeze(-1) - others


def focal_values(right: Tensor, gamma: float) -> Tensor:
    """-(1 - p)^gamma log p of p = sigmoid(right)."""
    values = -F.logsigmoid(right)
    if gamma == 0:
        return values
    floor = torch.finfo(right.dtype).tiny
    return values * (gamma * F.logsigmoid(-right)).exp().clamp(min=floor)
