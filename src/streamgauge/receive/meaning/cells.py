"""Which value stands for a histogram's cell.

The geometric middle: within a cell of scale 5 it falls into the very bucket of our rollups, and in
a coarser one it is wrong by the least factor. The first cell has no lower bound and the last one
may have no upper: there the sum tells more, where it is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_OF_LAST = 100.0
"""How far beyond its lower bound the last cell's values may lie, as the sum has it."""


def middles(lower: Floats, upper: Floats) -> Floats:
    """A value for each cell [n]; seconds, never negative, never infinite."""
    low, high = np.maximum(lower, 0.0), np.maximum(upper, 0.0)
    with np.errstate(invalid="ignore"):
        middle = np.where(low > 0, np.sqrt(low * high), high / 2)
    return np.where(np.isfinite(high), middle, low)


def middles_by_sum(lower: Floats, upper: Floats, weight: Floats, total: float) -> Floats:
    """The same, the last cell's value as the sum of all leaves it, if that can be."""
    values = middles(lower, upper)
    if not np.isfinite(total) or not len(upper) or np.isfinite(upper[-1]) or weight[-1] <= 0:
        return values
    rest = (total - float(weight[:-1] @ values[:-1])) / weight[-1]
    values[-1] = min(max(rest, values[-1]), values[-1] * MOST_OF_LAST)
    return values
