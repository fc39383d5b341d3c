"""ResNet-32 on a long tail of CIFAR-10, in the set-up of Menon et al. (2021); needs a GPU.

SGD with momentum 0.9 and weight decay 1e-4, batches of 128, 200 epochs, five epochs of warm-up to
the learning rate 0.1, a tenth of it from epoch 160 on and a hundredth from 180 on, random crops of
the image padded by four pixels, and random mirroring. Class 0 is the most frequent one, as in the
published tail; a seed draws the images, the first weights and the batches. The last epoch counts
and nothing is tuned. The images are a JPEG copy of CIFAR-10, not the published pixels.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from scispaces.datasets import load_cifar10_jpeg, long_tail_counts, long_tail_rows
from scispaces.losses import adjust_logits, class_prior_from_counts, logit_adjusted_cross_entropy
from scispaces.studies.long_tail_metrics import (
    calibration_error,
    class_errors,
    log_loss,
    thirds,
)
from scispaces.studies.trials import run_trials

DATA_SET = "cifar10-jpeg-lt-100"
MODEL = "resnet32"
BLOCK = f"{DATA_SET}-{MODEL}"
TRAINED = ("erm", "la")
SEEDS = tuple(range(5))
LARGEST, RATIO, CLASSES = 5000, 100, 10
EPOCHS = 200
BATCH = 128
RATE, MOMENTUM, DECAY = 0.1, 0.9, 1e-4
WARM_UP = 5
DROPS = (160, 180)
PADDING = 4
STAGES = (16, 32, 64)
BLOCKS_PER_STAGE = 5


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut without parameters, as for CIFAR in [1].

    Where the size changes the shortcut takes every second pixel and fills new channels with 0.

    References:
        [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR
        (2016), section 4.2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.stride, self.new_channels = stride, outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps of half the size where the stride is 2."""
        shortcut = images[:, :, :: self.stride, :: self.stride]
        shortcut = pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        inner = self.first_norm(self.first(images)).relu()
        return (self.second_norm(self.second(inner)) + shortcut).relu()


def resnet(blocks_per_stage: int = BLOCKS_PER_STAGE) -> nn.Sequential:
    """Residual network for 32 × 32 images: 6 · blocks + 2 layers, 32 of them by default.

    Example:
        >>> sum(isinstance(part, nn.Conv2d | nn.Linear) for part in resnet().modules())
        32
    """
    layers: list[nn.Module] = [
        nn.Conv2d(3, STAGES[0], 3, 1, 1, bias=False),
        nn.BatchNorm2d(STAGES[0]),
        nn.ReLU(),
    ]
    inputs = STAGES[0]
    for outputs in STAGES:
        for _ in range(blocks_per_stage):
            layers.append(BasicBlock(inputs, outputs, 1 if inputs == outputs else 2))
            inputs = outputs
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(STAGES[-1], CLASSES)
    )
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
    return network


def learning_rate(epoch: int) -> float:
    """The learning rate of an epoch, the first being 0.

    Example:
        >>> [round(learning_rate(epoch), 4) for epoch in (0, 4, 5, 159, 160, 180)]
        [0.02, 0.1, 0.1, 0.1, 0.01, 0.001]
    """
    warm = min(1.0, (epoch + 1) / WARM_UP)
    return RATE * warm * 0.1 ** sum(epoch >= drop for drop in DROPS)


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to four pixels either way, zeros coming in, and half of them mirrored.

    Args:
        images: `(rows, channels, height, width)`.
        generator: of the moves, on the device of the images.
    """
    rows, _, height, width = images.shape
    device = images.device

    def positions(size: int) -> Tensor:
        start = torch.randint(2 * PADDING + 1, (rows, 1), generator=generator, device=device)
        return start + torch.arange(size, device=device)

    down, across = positions(height), positions(width)
    mirrored = torch.rand(rows, 1, generator=generator, device=device) < 0.5
    across = torch.where(mirrored, across.flip(1), across)
    wide = pad(images, (PADDING,) * 4)
    row = torch.arange(rows, device=device)[:, None, None]
    return wide.permute(0, 2, 3, 1)[row, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


def _images(device: str) -> tuple[Tensor, np.ndarray, Tensor, np.ndarray]:
    """Training and test images, each channel with mean 0 and variance 1 in training."""
    train, train_y, test, test_y = load_cifar10_jpeg()
    mean, deviation = train.mean((0, 1, 2)) / 255, train.std((0, 1, 2)) / 255

    def scaled(part: np.ndarray) -> Tensor:
        values = torch.from_numpy(part).to(device).permute(0, 3, 1, 2).float() / 255
        center, spread = (
            torch.from_numpy(each).float().to(device)[:, None, None] for each in (mean, deviation)
        )
        return (values - center) / spread

    return scaled(train), train_y, scaled(test), test_y


def fit(
    trained: str, x: Tensor, y: Tensor, counts: Tensor, seed: int, epochs: int, network: nn.Module
) -> nn.Module:
    """Train a network; the last epoch counts."""
    prior = class_prior_from_counts(counts)
    generator = torch.Generator(device=x.device).manual_seed(seed)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY
    )
    network.train()
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(epoch)
        order = torch.randperm(len(x), generator=generator, device=x.device)
        for rows in order.split(BATCH):
            logits = network(augmented(x[rows], generator))
            if trained == "la":
                loss = logit_adjusted_cross_entropy(logits, y[rows], prior)
            else:
                loss = cross_entropy(logits, y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return network


def run(
    trained: str,
    seed: int,
    *,
    device: str = "cuda",
    epochs: int = EPOCHS,
    blocks_per_stage: int = BLOCKS_PER_STAGE,
    largest: int = LARGEST,
    ratio: int = RATIO,
) -> list[dict[str, Any]]:
    """Train one network and test it; the one trained by erm is also tested post hoc.

    Args:
        trained: erm or la.
        seed: of images, first weights and batches.
        device: where to compute.
        epochs, blocks_per_stage, largest, ratio: smaller than the paper's only to try it out.

    Returns:
        Rows as `logit_adjustment.run` gives them: one for la, two for erm.
    """
    if trained not in TRAINED:
        raise ValueError(f"`trained` must be one of {', '.join(TRAINED)}. Got {trained!r}.")
    x, train_y, test_x, test_y = _images(device)
    rows = long_tail_rows(train_y, long_tail_counts(largest, ratio, CLASSES), seed)
    targets = torch.from_numpy(train_y[rows]).to(device)
    counts = torch.bincount(targets).float()
    torch.manual_seed(seed)
    network = resnet(blocks_per_stage).to(device)
    chosen = x[torch.from_numpy(rows).to(device)]
    fit(trained, chosen, targets, counts, seed, epochs, network)
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(part) for part in test_x.split(1000)])
    test_targets = torch.from_numpy(test_y).to(device)
    results = [_row(trained, seed, scores, test_targets, counts, float(trained == "la"))]
    if trained == "erm":
        adjusted = adjust_logits(scores, class_prior_from_counts(counts))
        results.append(_row("post_hoc", seed, adjusted, test_targets, counts, 1.0))
    return results


def _row(
    loss: str, seed: int, scores: Tensor, targets: Tensor, counts: Tensor, to_natural: float
) -> dict[str, Any]:
    """The metrics of scores that `to_natural` times log counts brings back to the natural prior."""
    scores, targets = scores.unsqueeze(0), targets.unsqueeze(0)
    own = torch.bincount(targets[0], minlength=CLASSES)
    weights = {
        "": (counts / counts.sum() / own)[targets],
        "_balanced": (1 / (own * CLASSES))[targets],
    }
    natural = scores + to_natural * counts.log()
    versions = {"": scores, "_natural": natural, "_balanced": natural - counts.log()}
    row: dict[str, Any] = {"data_set": DATA_SET, "model": MODEL, "loss": loss, "seed": seed}
    for suffix, version in versions.items():
        weight = weights["_balanced" if suffix == "_balanced" else ""]
        row[f"ece{suffix}"] = calibration_error(version, targets, weight).item()
        row[f"nll{suffix}"] = log_loss(version, targets, weight).item()
    errors = class_errors(scores, targets, CLASSES)[0]
    row["accuracy"] = 1 - (errors * counts / counts.sum()).sum().item()
    row["balanced_error"] = errors.mean().item()
    names = ("head_error", "middle_error", "tail_error")
    for name, part in zip(names, thirds(CLASSES), strict=True):
        row[name] = errors[part].mean().item()
    row["errors"] = ";".join(f"{error:.3g}" for error in errors.tolist())
    row["chosen"] = f";{RATE};last"
    return row


def compare(
    seeds: Iterable[int] = SEEDS,
    *,
    device: str = "cuda",
    store: Path | None = None,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Train both losses with every seed; hours on one GPU.

    Args:
        seeds: of the repetitions.
        device: where to compute.
        store: a file that keeps what is finished, see `run_trials`.
        progress: whether to show a bar.
    """
    # Read here too when the training happens in other processes: the parent's list of files read
    # is the one that provenance reports.
    load_cifar10_jpeg()
    trials = [
        {"trained": trained, "seed": seed, "device": device}
        for seed in seeds
        for trained in TRAINED
    ]
    cells = run_trials(run, trials, store=store, progress=progress)
    return [row for cell in cells for row in cell]
