"""Points of a body that may add to messages, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.shapes import Shape
from streamgauge.receive.meaning.shelf import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Samples:
    """Points with one number; arrays are [n]."""

    rows: Rows
    time_ns: Ints
    start_ns: Ints
    value: Floats

    def where(self, chosen: NDArray[np.bool_] | Ints) -> Samples:
        """Those of them."""
        return Samples(
            self.rows[chosen], self.time_ns[chosen], self.start_ns[chosen], self.value[chosen]
        )

    def and_then(self, others: Samples) -> Samples:
        """With others behind them."""
        return Samples(
            np.concatenate([self.rows, others.rows]),
            np.concatenate([self.time_ns, others.time_ns]),
            np.concatenate([self.start_ns, others.start_ns]),
            np.concatenate([self.value, others.value]),
        )


NO_SAMPLES = Samples(
    np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
)


@dataclass(frozen=True, slots=True)
class Shaped:
    """Points with a histogram each, side by side."""

    rows: Rows
    """[n]"""
    time_ns: Ints
    start_ns: Ints
    sum: Floats
    """[n] seconds; NaN: not told."""
    sizes: Ints
    """[n] of cells."""
    lower: Floats
    """[n_cells] seconds; cells ascend within each."""
    upper: Floats
    weight: Floats

    @property
    def starts(self) -> Ints:
        """[n] where the cells of each begin."""
        found: Ints = np.cumsum(self.sizes) - self.sizes
        return found

    def where(self, chosen: Bools) -> Shaped:
        """Those of them."""
        if chosen.all():
            return self
        inside = np.repeat(chosen, self.sizes)
        return Shaped(
            self.rows[chosen],
            self.time_ns[chosen],
            self.start_ns[chosen],
            self.sum[chosen],
            self.sizes[chosen],
            self.lower[inside],
            self.upper[inside],
            self.weight[inside],
        )

    def at(self, order: Ints) -> Shaped:
        """Those at these places, in that order."""
        sizes = self.sizes[order]
        inside = spread(self.starts[order], sizes)
        return Shaped(
            self.rows[order],
            self.time_ns[order],
            self.start_ns[order],
            self.sum[order],
            sizes,
            self.lower[inside],
            self.upper[inside],
            self.weight[inside],
        )

    def shapes(self) -> Iterator[Shape]:
        """One by one."""
        starts, sizes = self.starts.tolist(), self.sizes.tolist()
        told = zip(self.time_ns.tolist(), self.sum.tolist(), starts, sizes, strict=True)
        for time_ns, total, start, size in told:
            cells = slice(start, start + size)
            lower, upper, weight = self.lower[cells], self.upper[cells], self.weight[cells]
            yield Shape(time_ns, total, lower, upper, weight)


@dataclass(frozen=True, slots=True)
class Risen:
    """What histograms add, side by side."""

    rows: Rows
    """[n]"""
    time_ns: Ints
    keys: list[int]
    """[n]"""
    sum: Floats
    """[n] of the values that are added; NaN: not told."""
    sizes: Ints
    """[n] of cells; each has at least one."""
    lower: Floats
    """[n_cells] seconds."""
    upper: Floats
    by: Floats
    """[n_cells]"""
    is_wait: Bools
    """[n]"""

    def where(self, chosen: Bools) -> Risen:
        """Those of them."""
        if chosen.all():
            return self
        inside = np.repeat(chosen, self.sizes)
        return Risen(
            self.rows[chosen],
            self.time_ns[chosen],
            [self.keys[at] for at in np.flatnonzero(chosen).tolist()],
            self.sum[chosen],
            self.sizes[chosen],
            self.lower[inside],
            self.upper[inside],
            self.by[inside],
            self.is_wait[chosen],
        )


def spread(first: Ints, sizes: Ints) -> Ints:
    """first, first + 1, ... of each [n], as many as its size: [sum of sizes]."""
    found: Ints = np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    found += np.arange(len(found))
    return found
