"""What all of transport shares: arrays and tensors, the checks at the door, threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

Array = NDArray[Any]
ArrayLike = Array | Tensor

LARGEST_COST = 1e200  # sums and differences of costs must not overflow


def as_array(name: str, values: Any, axes: int) -> Array:
    """A finite, C-contiguous float32 or float64 array of so many axes, or a sentence why not.

    Tensors come from any device, without their gradient; float32 stays float32.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype is torch.bfloat16 else values).numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`{name}` must hold real numbers. Got dtype {array.dtype}.")
    if array.ndim != axes:
        raise ValueError(f"`{name}` must have {axes} axes. Got shape {array.shape}.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    refuse_where(name, array, ~np.isfinite(array), "be finite")
    return np.ascontiguousarray(array)


def as_masses(name: str, values: Any, length: int | None = None) -> Array:
    """Masses in float64: not negative, not all 0."""
    masses = as_array(name, values, 1).astype(np.float64)
    if length is not None and len(masses) != length:
        raise ValueError(f"`{name}` must have {length} elements. Got {len(masses)}.")
    refuse_where(name, masses, masses < 0, "not be negative")
    if not 0 < masses.sum() < np.inf:
        raise ValueError(f"`{name}` must have a positive, finite sum. Got {masses.sum():.6g}.")
    return masses


def as_vectors(name: str, values: Any) -> Array:
    """Vectors (words, dimensions), at least one of each, in float32 or float64."""
    vectors = as_array(name, values, 2)
    if 0 in vectors.shape:
        raise ValueError(f"`{name}` must hold at least one vector. Got shape {vectors.shape}.")
    if vectors.dtype == np.float64:
        # Squares must neither overflow nor vanish; those of float32 do neither in float64.
        sizes = np.abs(vectors)
        refuse_where(name, vectors, sizes > 1e100, "be at most 1e100 in size")
        if 0 < sizes.max() < 1e-100:
            raise ValueError(f"`{name}` must not all be below 1e-100. Got {sizes.max():.3g}.")
    return vectors


def refuse_where(name: str, array: Array, wrong: Array, must: str) -> None:
    """Raise the sentence that names the first wrong value and where it stands."""
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        where = place[0] if len(place) == 1 else place
        raise ValueError(f"`{name}` must {must}. Got {array[place]:.6g} at index {where}.")


def like(original: Any, array: Array | float) -> Any:
    """A result as the caller keeps his data: a tensor on his device, or numpy and float."""
    if isinstance(original, Tensor):
        return torch.as_tensor(array, dtype=torch.float64, device=original.device)
    return array


def starts_of(lengths: Sequence[int] | Array) -> NDArray[np.int64]:
    """Where each of several pieces laid end to end starts, and where the last one ends."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def threads_for(n_jobs: int) -> int:
    """Threads to use: `n_jobs`, or for -1 as many as torch does, which OMP_NUM_THREADS sets."""
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        raise ValueError(f"`n_jobs` must be -1 or a positive integer. Got {n_jobs!r}.")
    return torch.get_num_threads() if n_jobs == -1 else n_jobs


def in_threads(
    task: Callable[[int, int], None], work: Array, n_jobs: int, progress: bool, what: str
) -> None:
    """Call task(first, last) for pieces of about equal work that cover all the problems.

    Threads of Python do: the tasks are compiled and release its lock. They also survive a fork
    and leave other libraries' thread pools alone.
    """
    threads = threads_for(n_jobs)
    pieces = min(len(work), max(4 * threads if threads > 1 else 1, 100 if progress else 1))
    done = np.cumsum(work, dtype=np.float64)
    if len(work) == 0:
        return
    cuts = np.searchsorted(done, np.linspace(0, done[-1], pieces + 1)[1:-1], side="right")
    edges = np.unique(np.concatenate([[0], cuts, [len(work)]]))
    spans = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    left = iter(spans)  # shared: each thread takes the next piece, until there is none
    with tqdm(total=len(work), desc=what, disable=not progress) as bar:

        def run() -> None:
            for first, last in left:
                task(first, last)
                bar.update(last - first)

        # The caller works too. It has a core already, and a core that sleeps takes long to wake.
        with ThreadPoolExecutor(threads) as pool:
            others = [pool.submit(run) for _ in range(min(threads, len(spans)) - 1)]
            run()
            for other in others:
                other.result()
