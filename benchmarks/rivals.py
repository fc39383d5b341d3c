"""Other people's formulas of our losses, written anew in a few lines each, faults included.

Each takes logits and the labels it can take, (rows, classes), indices (rows, k) or one class for
each row, (rows,), and returns the mean over rows. The tests show where they fail; the benchmarks
show what they cost.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def naive(logits: Tensor, targets: Tensor) -> Tensor:
    """The formula as printed, without a thought for overflow (found in several repositories)."""
    positive = (targets * torch.exp(-logits)).sum(-1)
    negative = ((1 - targets) * torch.exp(logits)).sum(-1)
    return (torch.log(1 + positive) + torch.log(1 + negative)).mean()


def batch_inner(logits: Tensor, targets: Tensor) -> Tensor:
    """With `torch.inner` for the sums, which crosses the rows (a public repository's form)."""
    positive = torch.inner(targets, torch.exp(-logits))
    negative = torch.inner(1 - targets, torch.exp(logits))
    return (torch.log(1 + positive) + torch.log(1 + negative)).mean()


def bert4torch_dense(logits: Tensor, targets: Tensor) -> Tensor:
    """bert4torch 0.6.2: flip signs by 1 - 2 y, push the other side away by 1e12, append 0."""
    flipped = (1 - 2 * targets) * logits
    zero = torch.zeros_like(logits[..., :1])
    negative = torch.cat([flipped - targets * 1e12, zero], -1)
    positive = torch.cat([flipped - (1 - targets) * 1e12, zero], -1)
    return (negative.logsumexp(-1) + positive.logsumexp(-1)).mean()


def bert4torch_sparse(logits: Tensor, positives: Tensor) -> Tensor:
    """bert4torch 0.6.2: all classes less the positives, log(1 - e^(b - a)) clipped at 1e-7."""
    zero = torch.zeros_like(logits[..., :1])
    chosen = torch.cat([logits.gather(-1, positives), zero], -1)
    positive = (-chosen).logsumexp(-1)
    every = torch.cat([logits, zero], -1).logsumexp(-1)
    inside = chosen[..., :-1].logsumexp(-1) - every
    return (positive + every + torch.log(torch.clamp(1 - torch.exp(inside), 1e-7, 1))).mean()


def bert4keras_soft(logits: Tensor, targets: Tensor) -> Tensor:
    """bert4keras (commit c1ae0dc): soft labels by log t and log(1 - t), -inf scores left out."""
    dropped = logits == -torch.inf
    zero = torch.zeros_like(logits[..., :1])
    negative = (logits + torch.log(1 - targets)).masked_fill(dropped, -torch.inf)
    positive = (-logits + torch.log(targets)).masked_fill(dropped, -torch.inf)
    both = [torch.cat([side, zero], -1).logsumexp(-1) for side in (negative, positive)]
    return (both[0] + both[1]).mean()


def timm_masked(logits: Tensor, targets: Tensor) -> Tensor:
    """timm 1.0.31: labels binarised at one half, two masked logsumexp in float32."""
    scores, positive = logits.float(), targets > 0.5
    zero = scores.new_zeros(*scores.shape[:-1], 1)
    negative = torch.cat([scores.masked_fill(positive, -torch.inf), zero], -1)
    return (
        negative.logsumexp(-1)
        + torch.cat([(-scores).masked_fill(~positive, -torch.inf), zero], -1).logsumexp(-1)
    ).mean()


def torchvision_focal(logits: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """torchvision 0.28's sigmoid focal loss with alpha < 0, summed over the classes."""
    p = torch.sigmoid(logits)
    right = p * targets + (1 - p) * (1 - targets)
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (entropy * (1 - right) ** gamma).sum(-1).mean()


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """torch's BCEWithLogits, averaged over everything as in its module."""
    return F.binary_cross_entropy_with_logits(logits, targets)


def published_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Dice as printed, in the dtype of the logits (MONAI, segmentation-models and many others)."""
    p = torch.sigmoid(logits)
    overlap = 2 * (p * targets).sum(-1) + 1
    return (1 - overlap / (p.sum(-1) + targets.sum(-1) + 1)).mean()


def dice_without_empty_rows(logits: Tensor, targets: Tensor) -> Tensor:
    """segmentation-models 0.6's habit: a row without positives is left out of the loss."""
    p = torch.sigmoid(logits)
    overlap = 2 * (p * targets).sum(-1) / (p.sum(-1) + targets.sum(-1)).clamp(min=1e-7)
    return ((1 - overlap) * (targets.sum(-1) > 0)).mean()


def published_self_adjusting_dice(
    logits: Tensor, targets: Tensor, alpha: float, smoothing: float = 1.0
) -> Tensor:
    """The self-adjusting Dice loss as printed, each class by itself."""
    p = torch.sigmoid(logits)
    u = (1 - p) ** alpha * p
    return (1 - (2 * u * targets + smoothing) / (u + targets + smoothing)).sum(-1).mean()


def published_softmax_focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Softmax focal loss by p = exp(-cross-entropy) and 1 - p (bert4torch and others)."""
    entropy = F.cross_entropy(logits, target, reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()


def weighted_softmax_focal(logits: Tensor, target: Tensor, weight: Tensor, gamma: float) -> Tensor:
    """LDAM-DRW's focal loss: p is taken from the entropy after its class weight is in."""
    entropy = F.cross_entropy(logits, target, weight, reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()


def adjusted_cross_entropy(logits: Tensor, target: Tensor, log_prior: Tensor) -> Tensor:
    """Logit adjustment as it is mostly written: torch's cross-entropy of shifted logits."""
    return F.cross_entropy(logits + log_prior, target)


def margins_by_pairs(logits: Tensor, target: Tensor, margins: Tensor) -> Tensor:
    """The pairwise-margin loss with every pair of classes of every row, and one of them picked."""
    pairs = margins + logits.unsqueeze(-2) - logits.unsqueeze(-1)
    pairs = pairs.masked_fill(torch.eye(logits.shape[-1], dtype=torch.bool), 0)
    return pairs.logsumexp(-1).gather(-1, target.unsqueeze(-1)).mean()


def margins_by_rows(logits: Tensor, target: Tensor, margins: Tensor) -> Tensor:
    """The same with the margins of the row's own class only, by torch's cross-entropy."""
    own = F.one_hot(target, logits.shape[-1]).bool()
    return F.cross_entropy((logits + margins[target]).where(~own, logits), target)
