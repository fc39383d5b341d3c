"""Compilation of this package's loops by numba, kept on disk between sessions.

Numba compiles a function again when the file that defines it changes, not when a function it
calls, in another file, does. Here the folder of the compiled code is named after a digest of all
the loops' sources, so that no change is ever missed.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

config: Any = numba.config  # its settings come from the environment, unknown to type checkers

_HERE = Path(__file__).parent


def _folder() -> str:
    digest = hashlib.sha256()
    for source in sorted(_HERE.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    if config.CACHE_DIR:
        return os.path.join(config.CACHE_DIR, name)
    if os.access(_HERE, os.W_OK):
        return str(_HERE / "__pycache__" / name)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "scispaces", name)


_FOLDER = _folder()


def kernel(**options: Any) -> Callable[[Function], Function]:
    """Compile a function, free of Python's lock; options are those of `numba.njit`."""

    def compiled(function: Function) -> Function:
        before = config.CACHE_DIR
        config.CACHE_DIR = _FOLDER  # looked at while the next line runs, and not after
        try:
            # A division by zero gives infinity, as in numpy: to ask each time costs the vectors.
            return njit(nogil=True, cache=True, error_model="numpy", **options)(function)
        finally:
            config.CACHE_DIR = before

    return compiled
