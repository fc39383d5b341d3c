"""What the checks of several chapters share: fifty digits, reproducible draws, agreement."""

import functools
import itertools
import random
from collections.abc import Callable
from typing import Any

import mpmath
from hypothesis import HealthCheck, Phase, settings

DIGITS = 50
TIGHT = 1e-40

# The same draws in every run, so that a build is reproducible; no search for a smaller example,
# so that a failing check is as quick as a passing one (the mutation harness fails hundreds).
brief = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def high_precision(check: Callable[..., None]) -> Callable[..., None]:
    """Run a check with fifty significant digits."""

    @functools.wraps(check)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with mpmath.workdps(DIGITS):
            check(*args, **kwargs)

    return wrapped


def draw(count: int, seed: int, spread: float = 2.0) -> list[Any]:
    """Reproducible normal scores as mpmath numbers."""
    generator = random.Random(seed)
    return [mpmath.mpf(generator.gauss(0.0, spread)) for _ in range(count)]


def draw_unit(count: int, seed: int) -> list[Any]:
    """Reproducible numbers strictly between 0 and 1."""
    generator = random.Random(seed)
    return [mpmath.mpf(generator.uniform(0.05, 0.95)) for _ in range(count)]


def assert_agree(left: Any, right: Any, tolerance: float = TIGHT) -> None:
    """Assert that two finite numbers agree, relative to the larger of them and 1."""
    assert mpmath.isfinite(left)
    assert mpmath.isfinite(right)
    scale = max(1, abs(left), abs(right))
    assert abs(left - right) <= tolerance * scale, f"{left} and {right} differ"


def assert_rising(*terms: Any) -> None:
    """Assert that the terms rise from the first to the last, up to rounding."""
    for smaller, larger in itertools.pairwise(terms):
        assert smaller <= larger + TIGHT * max(1, abs(larger)), f"{smaller} exceeds {larger}"
