"""The innermost loops: the least of a row, and fetching memory ahead of its use."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from scispaces.transport._jit import kernel


def _least(_context: Any, first: Any, second: Any) -> Any:
    """The lesser of two floats of one type, neither of them NaN.

    Python's own `min` minds NaN and the sign of zero, which keeps a compiler from taking the
    minimum of eight numbers at once: ten times slower.
    """

    def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        lower = builder.fcmp_ordered("<", values[0], values[1], flags=("fast",))
        return builder.select(lower, values[0], values[1], flags=("fast",))

    if first != second:
        raise TypeError(f"`least` must get two floats of one type. Got {first} and {second}.")
    return first(first, second), generate


def _fetch(_context: Any, array: Any, place: Any) -> Any:
    """Ask for the cache line of `array[place]`, without waiting for it."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = target.make_array(signature.args[0])(target, builder, values[0]).data
        number = ir.IntType(32)
        pointer = builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To be read (0), into the second cache (2), as data (1).
        builder.call(function, [pointer, number(0), number(2), number(1)])
        return target.get_dummy_value()

    return types.none(array, types.intp), generate


least: Any = intrinsic(_least)
fetch: Any = intrinsic(_fetch)


@kernel(fastmath=True)
def least_sum(row: np.ndarray, other: np.ndarray, best: float) -> float:
    """The least of `best` and all row[j] + other[j]."""
    for j in range(len(other)):
        best = least(best, row[j] + other[j])
    return best


@kernel()
def place_of_sum(row: np.ndarray, other: np.ndarray, value: float) -> int:
    """The first j with row[j] + other[j] == value; there must be one."""
    j = 0
    while row[j] + other[j] != value:
        j += 1
    return j
