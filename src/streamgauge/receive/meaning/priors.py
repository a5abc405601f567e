"""The points before the points of a body: where their cells stand, and whether they are the same.

They lie in one array: those of the body as they are, and those that are remembered behind them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.samples import Bools, Floats, Ints, Shaped, spread
from streamgauge.receive.meaning.shapes import Shape

_Kind = TypeVar("_Kind", bound=np.generic)
_NONE = Shape(0, math.nan, np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Priors:
    """One for each point."""

    begin: Ints
    """[n] where its cells begin."""
    sizes: Ints
    """[n] of its cells; 0: it has none, or there is no point before."""
    sum: Floats
    """[n] seconds; NaN: not told."""
    time_ns: Ints
    """[n]"""
    lower: Floats
    """[n_cells of the body + those that are remembered] seconds."""
    upper: Floats
    weight: Floats

    @staticmethod
    def of(told: Shaped, is_first: Bools, known: Sequence[Shape | None]) -> Priors:
        """Those of a body.

        Args:
            told: [n] points, those of a histogram together, the oldest first.
            is_first: [n] which begin a histogram.
            known: [n_histograms] where they stood; None: nobody remembers it.
        """
        before = [one or _NONE for one in known]
        sizes = np.array([len(one.weight) for one in before], np.int64)
        begin = len(told.weight) + np.cumsum(sizes) - sizes
        return Priors(
            _shifted(told.starts, is_first, begin),
            _shifted(told.sizes, is_first, sizes),
            _shifted(told.sum, is_first, np.array([one.sum for one in before])),
            _shifted(told.time_ns, is_first, np.array([one.time_ns for one in before], np.int64)),
            np.concatenate([told.lower, *(one.lower for one in before)]),
            np.concatenate([told.upper, *(one.upper for one in before)]),
            np.concatenate([told.weight, *(one.weight for one in before)]),
        )

    def are_alike(self, told: Shaped) -> Bools:
        """Which points have the cells of the one before [n], and any at all."""
        found: Bools = (told.sizes == self.sizes) & (told.sizes > 0)
        if not found.any():
            return found
        inside, sizes = np.repeat(found, told.sizes), told.sizes[found]
        before = spread(self.begin[found], sizes)
        is_same: Bools = self.upper[before] == told.upper[inside]
        is_same &= self.lower[before] == told.lower[inside]
        found[found] = np.logical_and.reduceat(is_same, np.cumsum(sizes) - sizes)
        return found

    def shape(self, at: int) -> Shape:
        """The one before a point."""
        cells = slice(int(self.begin[at]), int(self.begin[at] + self.sizes[at]))
        lower, upper, weight = self.lower[cells], self.upper[cells], self.weight[cells]
        return Shape(int(self.time_ns[at]), float(self.sum[at]), lower, upper, weight)


def _shifted(told: NDArray[_Kind], is_first: Bools, before: NDArray[_Kind]) -> NDArray[_Kind]:
    """Of the point before each [n]."""
    found = np.empty_like(told)
    found[1:] = told[:-1]
    found[is_first] = before
    return found
