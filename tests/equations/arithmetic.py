"""exp, log and their kin for whatever a formula is fed: sympy, torch or mpmath numbers.

One transcription of a printed equation can then be checked symbolically, to fifty digits and
against autograd.
"""

from typing import Any

import mpmath
import sympy
import torch


def _dispatch(name: str) -> Any:
    def function(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return getattr(torch, name)(value)
        if isinstance(value, sympy.Basic):
            return getattr(sympy, name)(value)
        return getattr(mpmath, name)(value)

    return function


exp = _dispatch("exp")
log = _dispatch("log")
sqrt = _dispatch("sqrt")


def product(factors: Any) -> Any:
    """Product of the factors, 1 if there are none."""
    result: Any = 1
    for factor in factors:
        result = result * factor
    return result
