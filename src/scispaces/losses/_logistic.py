"""Losses of one score called `wrong`: how far a decision leans to the wrong side.

For a yes-or-no question with the score s, `wrong` is -s where the answer is yes and s where it is
no; for one class y against all others it is log(sum of exp(s_j) over the others) - s_y. In both,
the probability p of the right answer has 1 - p = sigmoid(wrong), so every loss of p is one of
`wrong`, and where p rounds to 1, `wrong` still tells how near to 1 it is.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def entropy(wrong: Tensor) -> Tensor:
    """-log p, differentiable to any order."""
    return -F.logsigmoid(-wrong)


def focal(wrong: Tensor, gamma: float) -> Tensor:
    """-(1 - p)^gamma log p, differentiable to any order."""
    return entropy(wrong) * power_of_sigmoid(wrong, gamma)


def focal_and_slopes_(wrong: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """The same, in place of `wrong`, and its derivative, (1 - p)^gamma (1 - p - gamma p log p)."""
    info = torch.finfo(wrong.dtype)
    # Scores are held where value or slope would leave the normal floating-point numbers, on which
    # processors are 10 to 100 times slower; what is held on the right side counts as zero.
    floor = math.log(info.tiny) / (1 + gamma)
    least = 1.001 * math.exp((gamma or 1) * floor)
    held = wrong.clamp(floor, -math.log(info.tiny))
    tail = held.abs().neg_().exp_().log1p_()
    values = wrong.clamp_(0, info.max).add_(tail)  # log(1 + e^w) = max(w, 0) + log(1 + e^-|w|)
    if gamma == 0:
        return torch.threshold_(values, least, 0.0), torch.threshold_(held.sigmoid_(), least, 0.0)
    if gamma in (0.5, 1.0, 2.0, 3.0):  # those that torch has fast
        miss = held.sigmoid_()
        power = torch.pow(miss, gamma, out=tail)
    else:
        power = torch.sub(held.clamp(max=0), tail, out=tail).mul_(gamma).exp_()
        miss = held.sigmoid_()
    values.mul_(torch.threshold_(power, least, 0.0))
    slopes = power.mul_(miss)
    return values, slopes.addcmul_(torch.sub(1, miss, out=miss), values, value=gamma)


def power_of_sigmoid(scores: Tensor, exponent: float) -> Tensor:
    """sigmoid(s)^exponent by way of its logarithm: 0^-0.5 never appears in a gradient."""
    if exponent == 0:
        return torch.ones_like(scores)
    # Held above the floor of the normal numbers, below which exp() is many times slower.
    floor = math.log(torch.finfo(scores.dtype).tiny)
    return (exponent * F.logsigmoid(scores)).clamp(min=floor).exp()
