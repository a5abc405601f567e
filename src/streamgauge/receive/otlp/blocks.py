"""Points of histograms side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes, Floats, Ints
from streamgauge.receive.otlp.cells import HistogramPoint

_OF_CELLS = frozenset({"lower", "upper", "weight"})


@dataclass(frozen=True, slots=True)
class Block:
    """Some of a body's; arrays are [n], those of cells [n_cells]."""

    number: Codes
    """Of their series."""
    ordinal: Ints
    """Places in the body, over points of all kinds."""
    start_ns: NDArray[np.uint64]
    time_ns: NDArray[np.uint64]
    count: Floats
    sum: Floats
    """NaN: not told."""
    size: Ints
    """Cells of each."""
    lower: Floats
    upper: Floats
    weight: Floats

    @classmethod
    def of(cls, points: Sequence[HistogramPoint], ordinals: Sequence[int]) -> Block:
        """Points that were read one by one; at least one."""
        return cls(
            number=np.array([point.number for point in points], np.int32),
            ordinal=np.array(ordinals, np.int64),
            start_ns=np.array([point.start_ns for point in points], np.uint64),
            time_ns=np.array([point.time_ns for point in points], np.uint64),
            count=np.array([point.count for point in points], np.float64),
            sum=np.array([point.sum for point in points], np.float64),
            size=np.array([len(point.cells.weight) for point in points], np.int64),
            lower=np.concatenate([point.cells.lower for point in points]),
            upper=np.concatenate([point.cells.upper for point in points]),
            weight=np.concatenate([point.cells.weight for point in points]),
        )

    def merged(self, other: Block) -> Block:
        """Both, in the order of the body."""
        pairs = {
            one.name: np.concatenate((getattr(self, one.name), getattr(other, one.name)))
            for one in fields(self)
        }
        return Block(**pairs).take(np.argsort(pairs["ordinal"]))

    def take(self, at: NDArray[np.int64]) -> Block:
        """Those at these positions, in their order."""
        cell = spread((np.cumsum(self.size) - self.size)[at], self.size[at])
        return Block(
            **{
                one.name: getattr(self, one.name)[cell if one.name in _OF_CELLS else at]
                for one in fields(self)
            }
        )

    def held(self) -> Floats:
        """What the cells of each hold together [n]."""
        of = np.repeat(np.arange(len(self.size)), self.size)
        found: Floats = np.bincount(of, self.weight, len(self.size)).astype(np.float64)
        return found


def spread(first: Ints, size: Ints, step: int = 1) -> Ints:
    """first, first + step, ... of each [n], as many as its size: [sum of sizes]."""
    before = np.cumsum(size) - size
    found: Ints = np.repeat(first - before * step, size) + np.arange(int(size.sum())) * step
    return found
