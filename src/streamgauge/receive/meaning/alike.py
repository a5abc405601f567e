"""Cumulative histograms that only rose since the time before, taken all at once.

That is nearly every point: later than the one before, of the same cells, none of them lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamgauge.receive.meaning.samples import Bools, Floats, Hashes, Shaped
from streamgauge.receive.meaning.shapes import Shape


@dataclass(frozen=True, slots=True)
class Alike:
    """Those of a body."""

    told: Shaped
    """[n_alike]"""
    before: Sequence[Shape]
    """[n_alike] where they stood."""

    @property
    def by(self) -> Floats:
        """What each cell gained, [n_cells]."""
        found: Floats = self.told.weight - np.concatenate([one.weight for one in self.before])
        return found

    @property
    def gained(self) -> Floats:
        """What each sum gained, [n_alike]; NaN: not known."""
        found: Floats = self.told.sum - np.array([one.sum for one in self.before])
        return found

    def after(self) -> list[Shape]:
        """Where they stand, [n_alike]; nothing of the body is held by it."""
        times, sums = self.told.time_ns.tolist(), self.told.sum.tolist()
        weight, start, found = self.told.weight, 0, []
        for before, time_ns, total in zip(self.before, times, sums, strict=True):
            end = start + len(before.weight)
            kept = weight[start:end].copy()
            found.append(Shape(time_ns, total, before.lower, before.upper, kept))
            start = end
        return found


def find_alike(told: Shaped, keys: Hashes, found: Sequence[Shape | None]) -> tuple[Bools, Alike]:
    """Which of a body's points are so [n], and these.

    Args:
        told: [n] points.
        keys: [n] of their histograms; one that comes more than once is never among them.
        found: [n] where each histogram stands; None: nobody remembers it.
    """
    sizes = np.array([len(one.weight) if one else 0 for one in found], np.int64)
    times = np.array([one.time_ns if one else 0 for one in found], np.int64)
    is_alike: Bools = (sizes == told.sizes) & (sizes > 0) & (told.time_ns > times)
    is_alike &= _is_alone(keys)
    chosen, before = told.where(is_alike), _where(found, is_alike)
    if not before:
        return is_alike, Alike(chosen, before)
    is_cell_alike = chosen.weight >= np.concatenate([one.weight for one in before])
    is_cell_alike &= chosen.lower == np.concatenate([one.lower for one in before])
    is_cell_alike &= chosen.upper == np.concatenate([one.upper for one in before])
    is_good = np.logical_and.reduceat(is_cell_alike, chosen.starts)
    is_alike[is_alike] = is_good
    return is_alike, Alike(chosen.where(is_good), _where(before, is_good))


def _where(shapes: Sequence[Shape | None], chosen: Bools) -> list[Shape]:
    return [one for one, is_in in zip(shapes, chosen.tolist(), strict=True) if one and is_in]


def _is_alone(keys: Hashes) -> Bools:
    """Which of them occur once [n]."""
    _, of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found: Bools = counts[of] == 1
    return found
