"""From each point of cumulative histograms to the next, for all points of a body at once.

1. The points stand by histogram and time; those that are not later than the one before are left
   out: it has told them already.
2. The point before is that of the body, or else the one that is remembered (`priors`).
3. Nearly all have the cells of the one before: then what they gained are differences of arrays.
   Where a cell is lower its sender began anew, and all of the point counts.
4. Only where cells changed is a pair looked at by itself (`Shape.risen_from`). What one adds
   depends on no other, so that they are no more than the changes that the body holds.

Nothing is moved on here: `after` says where histograms stand then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from streamgauge.receive.meaning.priors import Priors
from streamgauge.receive.meaning.samples import Bools, Floats, Hashes, Ints, Shaped, spread
from streamgauge.receive.meaning.shapes import FEW_CELLS, Shape

_NEVER = np.iinfo(np.int64).min


class Steps:
    """Those of a body."""

    def __init__(self, told: Shaped, keys: Hashes, find: Callable[[int], Shape | None]) -> None:
        """Look at all of them.

        Args:
            told: points in any order; of those of one histogram and time the first one counts.
            keys: of their histograms.
            find: where a histogram stands; None: nobody remembers it.
        """
        told, keys = _in_order(told, keys)
        found = [find(key) for key in keys[_first(keys)].tolist()]
        is_new = _is_new(told, keys, found)
        self.told = told.where(is_new)
        """[n] points that count, those of a histogram together, the oldest first."""
        self.keys = keys[is_new]
        """[n] of their histograms."""
        self.is_first = _first(self.keys)
        """[n] which are a histogram's first ones in the body."""
        has_some = np.logical_or.reduceat(is_new, np.flatnonzero(_first(keys)))
        self._known = [one for one, has in zip(found, has_some.tolist(), strict=True) if has]
        self.has_before = np.ones(len(self.keys), bool)
        """[n] which are not the first ones ever."""
        self.has_before[self.is_first] = [one is not None for one in self._known]
        self._priors = Priors.of(self.told, self.is_first, self._known)
        self._is_alike = self._priors.are_alike(self.told) & self.has_before

    def risen(self) -> tuple[Floats, Floats]:
        """What each cell gained [n_cells] since the point before, and each sum [n].

        All of the point, where none is before or its sender began anew; a sum that is NaN is not
        known.
        """
        told, priors, is_alike = self.told, self._priors, self._is_alike
        by, total = told.weight.copy(), told.sum.copy()
        if is_alike.any():
            inside, sizes = np.repeat(is_alike, told.sizes), told.sizes[is_alike]
            now, before = by[inside], priors.weight[spread(priors.begin[is_alike], sizes)]
            is_anew = np.logical_or.reduceat(now < before, np.cumsum(sizes) - sizes)
            by[inside] = now - np.where(np.repeat(is_anew, sizes), 0.0, before)
            total[is_alike] -= np.where(is_anew, 0.0, priors.sum[is_alike])
        is_odd = self.has_before & ~is_alike
        if is_odd.any():
            places, begin = np.flatnonzero(is_odd).tolist(), told.starts[is_odd].tolist()
            for at, start, shape in zip(places, begin, told.where(is_odd).shapes(), strict=True):
                cells = slice(start, start + len(shape.weight))
                by[cells], total[at] = shape.risen_from(priors.shape(at))
        return by, total

    def after(self) -> Iterator[tuple[int, Shape]]:
        """Histograms, and where they stand; nothing of the body is held by it."""
        if not len(self.keys):
            return
        first = np.flatnonzero(self.is_first)
        is_last = np.append(self.is_first[1:], True)
        has_same_cells = np.logical_and.reduceat(self._is_alike, first).tolist()
        last = self.told.where(is_last)
        together = zip(
            self.keys[is_last].tolist(), last.shapes(), self._known, has_same_cells, strict=True
        )
        for key, shape, before, is_same in together:
            yield key, _kept(shape, before if is_same else None)


def _kept(shape: Shape, before: Shape | None) -> Shape:
    """As it is remembered, with the bounds of the one before where they are the same ones."""
    if before is None or len(shape.weight) > FEW_CELLS:
        return shape.without_empty()
    return Shape(shape.time_ns, shape.sum, before.lower, before.upper, shape.weight.copy())


def _in_order(told: Shaped, keys: Hashes) -> tuple[Shaped, Hashes]:
    """By histogram and time; as they came, where each histogram has one point."""
    ordered = np.sort(keys)
    if (ordered[1:] != ordered[:-1]).all():
        return told, keys
    order: Ints = np.lexsort((told.time_ns, keys))
    return told.at(order), keys[order]


def _first(keys: Hashes) -> Bools:
    """Which begin a histogram [n]; its points stand together."""
    found = np.ones(len(keys), bool)
    found[1:] = keys[1:] != keys[:-1]
    return found


def _is_new(told: Shaped, keys: Hashes, found: Sequence[Shape | None]) -> Bools:
    """Which are later than the one before [n]."""
    first = _first(keys)
    stood_ns = np.array([one.time_ns if one else _NEVER for one in found], np.int64)
    is_new: Bools = told.time_ns > stood_ns[np.cumsum(first) - 1]
    is_new[1:] &= first[1:] | (told.time_ns[1:] != told.time_ns[:-1])
    return is_new
