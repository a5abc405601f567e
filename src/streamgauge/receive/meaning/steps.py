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

from collections.abc import Callable, Sequence

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

    def after(self) -> list[tuple[int, Shape]]:
        """Histograms, and where they stand; nothing of the body is held by it."""
        if not len(self.keys):
            return []
        first = np.flatnonzero(self.is_first)
        is_last = np.append(self.is_first[1:], True)
        last, keys = self.told.where(is_last), self.keys[is_last].tolist()
        is_same = np.logical_and.reduceat(self._is_alike, first) & (last.sizes <= FEW_CELLS)
        if is_same.all():
            return list(zip(keys, _with_bounds(last, self._known), strict=True))
        same = iter(_with_bounds(last.where(is_same), self._known_of(is_same)))
        others = (one.without_empty() for one in last.where(~is_same).shapes())
        shapes = (next(same if is_in else others) for is_in in is_same.tolist())
        return list(zip(keys, shapes, strict=True))

    def _known_of(self, chosen: Bools) -> list[Shape | None]:
        """Of these histograms [n_histograms]."""
        return [self._known[at] for at in np.flatnonzero(chosen).tolist()]


def _with_bounds(told: Shaped, known: Sequence[Shape | None]) -> list[Shape]:
    """As they are remembered [n], with the bounds of those before, which are the same ones."""
    weight, starts, ends = told.weight, told.starts.tolist(), np.cumsum(told.sizes).tolist()
    together = zip(known, told.time_ns.tolist(), told.sum.tolist(), starts, ends, strict=True)
    return [
        Shape(time_ns, total, one.lower, one.upper, weight[start:end].copy())
        for one, time_ns, total, start, end in together
        if one
    ]


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
