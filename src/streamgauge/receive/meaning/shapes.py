"""By how much cumulative histograms rose, cell by cell.

Of each histogram its last point is remembered. A lower cell means that its sender began anew, and
then all of the new point counts. Cells may have become coarser (an exponential histogram gives up
a scale): what was in the finer ones is taken off the coarser. A late point adds nothing: the next
one has told it already.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAX_SHAPES = 200_000
"""Histograms that are remembered; of more, the half that was told longest ago is forgotten."""
FEW_CELLS = 24
"""So many are kept with those that are empty: to compare is faster then."""
_NEAR = 1e-9
_HEADER = struct.Struct("<QqdI")


class Shape(NamedTuple):
    """A histogram's point; cells ascending, [n_cells]."""

    time_ns: int
    sum: float
    """NaN: not told."""
    lower: Floats
    upper: Floats
    weight: Floats

    def risen_from(self, before: Shape) -> tuple[Floats, float]:
        """What each cell gained, never negative, and what the sum did (NaN: not known)."""
        if len(before.weight) == len(self.weight) and np.array_equal(before.upper, self.upper):
            prior: Floats | None = before.weight
        else:
            prior = before.merged_to(self.lower, self.upper)
        gained = self.sum - before.sum
        if prior is None:
            total = float(self.weight.sum() - before.weight.sum())
            if total < 0:
                return self.weight, self.sum
            return _shared_out(total, self.weight), gained
        if (self.weight < prior).any():
            return self.weight, self.sum
        return self.weight - prior, gained

    def merged_to(self, lower: Floats, upper: Floats) -> Floats | None:
        """What these cells [n] held; None where one of ours lies in no single one of them."""
        if not len(self.weight):
            return np.zeros(len(upper))
        at = np.searchsorted(upper, _below(self.upper))
        if at.max(initial=0) >= len(upper) or (_above(self.lower) < lower[at]).any():
            return None
        merged: Floats = np.bincount(at, self.weight, len(upper)).astype(np.float64)
        return merged

    def with_sum(self, total: float) -> Shape:
        """The same, of another sum."""
        return Shape(self.time_ns, total, self.lower, self.upper, self.weight)

    def without_empty(self) -> Shape:
        """The same, to be kept."""
        full = self.weight > 0
        if len(full) <= FEW_CELLS:  # in any case a copy: the body it came with is not to be held
            full[:] = True
        return Shape(self.time_ns, self.sum, self.lower[full], self.upper[full], self.weight[full])


def _below(values: Floats) -> Floats:
    return values - np.abs(np.where(np.isfinite(values), values, 0.0)) * _NEAR


def _above(values: Floats) -> Floats:
    return values + np.abs(np.where(np.isfinite(values), values, 0.0)) * _NEAR


def _shared_out(total: float, weight: Floats) -> Floats:
    """Whole numbers in proportion to `weight` that sum to `total`."""
    share = np.cumsum(weight) * (total / max(weight.sum(), 1.0))
    return np.diff(np.rint(share), prepend=0.0)


class Shapes:
    """The last point of each cumulative histogram. Not thread-safe."""

    def __init__(self, max_shapes: int = MAX_SHAPES) -> None:
        self._max_shapes = max_shapes
        self._shapes: dict[int, Shape] = {}
        """Those told longest ago first."""

    def __len__(self) -> int:
        return len(self._shapes)

    def find(self, key: int) -> Shape | None:
        """Where a histogram stands."""
        return self._shapes.get(key)

    def put(self, key: int, shape: Shape | None) -> None:
        """Let a histogram stand there; None: nobody remembers it."""
        self._shapes.pop(key, None)
        if shape is not None:
            self._shapes[key] = shape
        if len(self._shapes) > self._max_shapes:
            for old in list(self._shapes)[: self._max_shapes // 2]:
                del self._shapes[old]

    def items(self) -> list[tuple[int, Shape]]:
        """All of them."""
        return list(self._shapes.items())


def packed(shapes: list[tuple[int, Shape]]) -> bytes:
    """As bytes, for `unpacked`."""
    return b"".join(
        _HEADER.pack(key, one.time_ns, one.sum, len(one.weight))
        + b"".join(cells.astype("<f8", copy=False).tobytes() for cells in one[2:])
        for key, one in shapes
    )


def unpacked(data: bytes) -> Iterator[tuple[int, Shape]]:
    """What `packed` was given."""
    at = 0
    while at < len(data):
        key, time_ns, total, size = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        cells = np.frombuffer(data, "<f8", 3 * size, at).reshape(3, size).copy()
        at += cells.nbytes
        yield key, Shape(time_ns, total, cells[0], cells[1], cells[2])
