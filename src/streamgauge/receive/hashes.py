"""Sorted arrays of hashes as sets that answer for whole arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def contains(ordered: Hashes, asked: Hashes) -> NDArray[np.bool_]:
    """Which of `asked` [n] are in `ordered`, ascending."""
    if not len(ordered):
        return np.zeros(len(asked), bool)
    at = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[at] == asked
    return found
