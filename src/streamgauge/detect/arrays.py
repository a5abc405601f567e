"""Names for array types, and arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Array = NDArray[Any]


def grown(array: Array, rows: int, fill: float) -> Array:
    """`array` with at least `rows` along the first axis (doubling), new places set to `fill`."""
    if rows <= len(array):
        return array
    larger = np.full((max(rows, 2 * len(array)), *array.shape[1:]), fill, array.dtype)
    larger[: len(array)] = array
    return larger
