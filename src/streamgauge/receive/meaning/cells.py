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


def middles_by_sum(
    lower: Floats, upper: Floats, weight: Floats, starts: NDArray[np.int64], total: Floats
) -> Floats:
    """The same for many histograms, their last cells' values as the sums leave them.

    Args:
        lower: [n_cells] of all of them, side by side.
        upper: [n_cells]
        weight: [n_cells]
        starts: [n_histograms] where the cells of each begin; it has at least one.
        total: [n_histograms] sum of their values; NaN: not told.
    """
    values = middles(lower, upper)
    last = np.append(starts[1:], len(upper)) - 1
    is_open = np.isinf(upper[last]) & (weight[last] > 0) & np.isfinite(total)
    others = np.add.reduceat(weight * values, starts) - weight[last] * values[last]
    rest = np.where(is_open, total - others, 0.0) / np.where(is_open, weight[last], 1.0)
    least = values[last]
    values[last] = np.where(is_open, np.clip(rest, least, least * MOST_OF_LAST), least)
    return values
