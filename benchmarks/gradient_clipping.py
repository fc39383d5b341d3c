"""Clipping of the gradients of a model, ours and torch's, in one run.

    python -m benchmarks.gradient_clipping --models transformer lstm --threads 1

The gradients have the shapes of a language model of the GPT-2 family (12 layers, 82 tensors of
width 256) and of a two-layer LSTM. How turns are taken and ratios formed is told in
`benchmarks/turns.py`. Clipping alone is compared with torch's function in both of its
forms, clipping and a step of plain SGD with `ClippedSGD`.
"""

import argparse
import statistics

import torch
from torch import Tensor

from benchmarks.turns import Arm, ratio, take_turns
from scispaces.optim import ClippedSGD, clip_gradients_

THRESHOLD = 1.0
# Sizes of the two models.
WIDTH, LAYERS, WORDS, PLACES = 256, 12, 8192, 256
LSTM_WORDS, EMBEDDING, HIDDEN = 10_000, 200, 512


def shapes(model: str) -> list[tuple[int, ...]]:
    """Shapes of the parameters of a model: transformer or lstm.

    Example:
        >>> len(shapes("transformer")), len(shapes("lstm"))
        (148, 11)
    """
    if model == "lstm":
        gates = 4 * HIDDEN
        recurrent = [
            shape
            for wide in (EMBEDDING, HIDDEN)
            for shape in ((gates, wide), (gates, HIDDEN), (gates,), (gates,))
        ]
        return [(LSTM_WORDS, EMBEDDING), *recurrent, (LSTM_WORDS, HIDDEN), (LSTM_WORDS,)]
    if model != "transformer":
        raise ValueError(f"`model` must be transformer or lstm. Got {model!r}.")
    norm = [(WIDTH,), (WIDTH,)]
    attention = [(3 * WIDTH, WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), (WIDTH,)]
    wide = [(4 * WIDTH, WIDTH), (4 * WIDTH,), (WIDTH, 4 * WIDTH), (WIDTH,)]
    return [
        (WORDS, WIDTH),
        (PLACES, WIDTH),
        *(LAYERS * [*norm, *attention, *norm, *wide]),
        *norm,
    ]


def parameters(model: str) -> list[Tensor]:
    """Parameters with gradients, drawn at random."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes(model)]
    for parameter in drawn:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return drawn


def arms(model: str) -> dict[str, Arm]:
    """Every contestant, each with tensors of its own; they are clipped again and again."""
    torch_clip = torch.nn.utils.clip_grad_norm_
    own = [parameters(model) for _ in range(6)]
    plain = torch.optim.SGD(own[4], lr=1e-9, foreach=True)
    ours = ClippedSGD(own[5], lr=1e-9, threshold=THRESHOLD)

    def clip_and_step() -> None:
        torch_clip(own[4], THRESHOLD, foreach=True)
        plain.step()

    return {
        "ours, hard": lambda: clip_gradients_(own[0], THRESHOLD),
        "ours, soft": lambda: clip_gradients_(own[1], THRESHOLD, form="soft"),
        "torch, foreach": lambda: torch_clip(own[2], THRESHOLD, foreach=True),
        "torch, one by one": lambda: torch_clip(own[3], THRESHOLD, foreach=False),
        "torch, clip and SGD": clip_and_step,
        "ClippedSGD": ours.step,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=["transformer", "lstm"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for model in options.models:
        times = take_turns(arms(model), options.repeats, options.threads)
        entries = sum(torch.Size(shape).numel() for shape in shapes(model))
        print(f"\n{model}, {len(shapes(model))} tensors, {entries:,} entries")
        print(f"{'':24}{'ms':>10}{'× ours, hard':>14}{'× ClippedSGD':>14}")
        for name, values in times.items():
            print(
                f"{name:24}{1e3 * statistics.median(values):10.2f}"
                f"{ratio(times, 'ours, hard', name):14.2f}{ratio(times, 'ClippedSGD', name):14.2f}"
            )


if __name__ == "__main__":
    main()
