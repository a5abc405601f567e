"""Names for array types, and arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Array = NDArray[Any]
_ROWS_AT_ONCE = 4096


def grown(array: Array, rows: int, fill: float) -> Array:
    """`array` with at least `rows` along the first axis (doubling), new places set to `fill`.

    Filled with zero, what holds nothing but zeros takes no memory: the system gives it when
    something is written.
    """
    if rows <= len(array):
        return array
    shape = (max(rows, 2 * len(array)), *array.shape[1:])
    if fill:
        larger = np.full(shape, fill, array.dtype)
        larger[: len(array)] = array
        return larger
    larger = np.zeros(shape, array.dtype)
    for start in range(0, len(array), _ROWS_AT_ONCE):
        some = slice(start, min(start + _ROWS_AT_ONCE, len(array)))
        if array[some].any():
            larger[some] = array[some]
    return larger


def first_seen(values: Array) -> tuple[Array, Ints, Ints]:
    """The distinct values in the order they first occur.

    Returns: the distinct values, where each occurs first, and the number [n] of each value's
    distinct one.
    """
    distinct, first, place = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return distinct[order], first[order], number[place]


def placed(rows: Ints, size: int) -> Ints:
    """Int32 [size]: one more than the place of each of `rows`, 0 elsewhere.

    Where nothing stands it takes no memory, and no time: the system gives pages when they are used.
    """
    place: Ints = np.zeros(size, np.int32)
    place[rows] = np.arange(1, len(rows) + 1)
    return place
