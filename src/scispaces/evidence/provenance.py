"""Where a number came from: code, data, packages, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

# The packages whose version can change a number.
NUMERIC_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "matplotlib", "numba", "pot")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def imported_modules() -> dict[str, str]:
    """Return the hash of every module of ours that this process has imported."""
    files = {
        name: getattr(module, "__file__", None)
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "scispaces"
    }
    return {name: sha256(Path(file)) for name, file in sorted(files.items()) if file}


def data_read() -> dict[str, str]:
    """Return the hash of every registered data file that this process has read."""
    datasets = sys.modules.get("scispaces.datasets")
    return dict(sorted(datasets.files_read().items())) if datasets else {}


def packages() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a number."""
    versions = {name: metadata.version(name) for name in NUMERIC_PACKAGES}
    return {"python": platform.python_version(), **versions}


def device() -> str:
    """Return the accelerator that torch would use in this process, or `cpu`."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "cpu"


@cache
def hardware() -> dict[str, Any]:
    """Return the processor's name and the number of cores this process may use."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {"processor": processor, "cores": len(os.sched_getaffinity(0))}


def commit(root: Path) -> str:
    """Return the git commit of the checkout, with `-dirty` if the sources differ from it."""
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run([*describe, "--exclude=*"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
