"""Forward and backward time and extra memory of ZLPR, ours and others', in one run.

    python -m benchmarks.zlpr --shapes 32x100 64x50000 --threads 1 --json times.json

The arms take turns in random order, so that a busy moment of the machine, or memory that one
arm gave back, hits all of them alike; medians are printed. One thread is timed by the processor
time it used, several by the clock.
Extra memory is the highest sum of live allocations during one call, over the size of the logits.
"""

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks import rivals
from scispaces.losses import focal_loss, zlpr_loss, zlpr_loss_from_indices

Call = Callable[[Tensor], Tensor]


def arms(
    rows: int, classes: int, dtype: torch.dtype = torch.float32, compiled: bool = False
) -> tuple[Tensor, dict[str, Call]]:
    """Logits, and every contestant as a function of them; three positives a row."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(rows, classes, generator=generator) - 3
    index = torch.rand(rows, min(classes, 4096), generator=generator).argsort(-1)[:, :3]
    index = index * (classes // min(classes, 4096))
    labels = torch.zeros(rows, classes, dtype=dtype).scatter_(1, index, 1.0)
    flags, smooth = labels.bool(), 0.9 * labels + 0.05
    calls: dict[str, Call] = {
        "ours, indices": partial(_second, zlpr_loss_from_indices, index),
        "ours, bool": partial(_second, zlpr_loss, flags),
        "ours, float": partial(_second, zlpr_loss, labels),
        "ours, soft": partial(_second, zlpr_loss, smooth),
        "bert4torch dense": partial(_second, rivals.bert4torch_dense, labels),
        "bert4torch sparse (wrong)": partial(_second, rivals.bert4torch_sparse, index),
        "timm": partial(_second, rivals.timm_masked, labels),
        "naive (wrong)": partial(_second, rivals.naive, labels),
        "BCEWithLogits": partial(_second, rivals.binary_cross_entropy, labels),
        "focal, ours": partial(_second, focal_loss, flags),
        "focal, torchvision": partial(_second, rivals.torchvision_focal, labels),
    }
    if compiled:
        for name in ("bert4torch dense", "timm", "BCEWithLogits"):
            calls[f"compiled {name}"] = torch.compile(calls[name])
    return logits.to(dtype), calls


def forward_backward(call: Call, logits: Tensor) -> None:
    """One step of a training loop, as far as the loss goes."""
    call(logits.detach().requires_grad_()).backward()


def measure(logits: Tensor, calls: dict[str, Call], repeats: int) -> dict[str, float]:
    """Median seconds of forward and backward, the calls taking turns."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for turn in range(repeats + 1):
        for name in order.sample(list(calls), len(calls)):
            start = clock()
            forward_backward(calls[name], logits)
            if turn:  # the first turn warms up
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def forward_backward_ratio(
    ours: str, rival: str, rows: int, classes: int, repeats: int = 5
) -> float:
    """How many times faster than the rival ours is, by the names in `arms`."""
    logits, calls = arms(rows, classes)
    times = measure(logits, {name: calls[name] for name in (ours, rival)}, repeats)
    return times[rival] / times[ours]


def extra_memory(call: Call, logits: Tensor) -> float:
    """Peak of what forward and backward allocate, over the size of the logits."""
    leaf = logits.detach().requires_grad_()
    call(leaf).backward()
    leaf.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call(leaf).backward()
    live = peak = 0
    events = profiler.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak / (logits.numel() * logits.element_size())


def table(
    shapes: Iterable[str], repeats: int, arms: Callable[[int, int], tuple[Tensor, dict[str, Call]]]
) -> dict[str, dict[str, dict[str, float]]]:
    """For every shape, written 32x100, and every arm: median microseconds and extra memory."""
    result = {}
    for shape in shapes:
        rows, classes = map(int, shape.split("x"))
        logits, calls = arms(rows, classes)
        turns = repeats * (20 if logits.numel() < 100_000 else 1)
        times = measure(logits, calls, turns)
        result[f"{rows} x {classes}"] = {
            name: {"microseconds": 1e6 * seconds, "memory": extra_memory(calls[name], logits)}
            for name, seconds in times.items()
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--shapes", nargs="+", default=["32x100", "256x1000", "64x50000"], metavar="ROWSxCLASSES"
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float64"])
    parser.add_argument("--compiled", action="store_true", help="also torch.compile of rivals")
    parser.add_argument("--json", metavar="PATH", help="write the numbers there too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    of_dtype = partial(arms, dtype=getattr(torch, options.dtype), compiled=options.compiled)
    result = table(options.shapes, options.repeats, of_dtype)
    for shape, rows in result.items():
        ours = rows["ours, indices"]["microseconds"]
        print(f"\n{shape} {options.dtype}, {options.threads} thread(s)")
        print(f"{'':28}{'µs':>12}{'× ours':>9}{'memory':>9}")
        for name, row in rows.items():
            ratio = row["microseconds"] / ours
            print(f"{name:28}{row['microseconds']:12,.0f}{ratio:9.2f}{row['memory']:9.2f}")
    if options.json:
        machine = {"processor": platform.processor(), "cores": os.cpu_count()}
        settings = {"threads": options.threads, "dtype": options.dtype, "torch": torch.__version__}
        with open(options.json, "w") as file:
            json.dump({"machine": machine, "settings": settings, "table": result}, file, indent=1)


def _second(function: Callable[..., Tensor], labels: Tensor, logits: Tensor) -> Tensor:
    return function(logits, labels)


if __name__ == "__main__":
    main()
