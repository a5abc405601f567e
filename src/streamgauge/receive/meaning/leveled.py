"""Buckets of classic histograms as arrays: as they came, and those that came all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.buckets import BUCKET
from streamgauge.receive.meaning.levels import Groups
from streamgauge.receive.meaning.samples import Bools, Floats, Hashes, Ints, Samples
from streamgauge.receive.meaning.shelf import Rows, Shelf


@dataclass(frozen=True, slots=True)
class Buckets:
    """Samples of classic histograms, by histogram, time and bound; arrays are [n_samples]."""

    family: Hashes
    time_ns: Ints
    upper: Floats
    value: Floats
    rows: Rows
    starts: Ints
    """[n_groups] where the samples of a histogram and a time begin."""
    sizes: Ints

    @staticmethod
    def sorted(shelf: Shelf, samples: Samples) -> Buckets:
        """In that order."""
        at = shelf.at[samples.rows]
        order = np.lexsort((at["upper"], samples.time_ns, at["family"]))
        family, time_ns = at["family"][order], samples.time_ns[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = (family[1:] != family[:-1]) | (time_ns[1:] != time_ns[:-1])
        starts = np.flatnonzero(is_first)
        return Buckets(
            family,
            time_ns,
            at["upper"][order],
            samples.value[order],
            samples.rows[order],
            starts,
            np.diff(starts, append=len(order)),
        )

    def as_groups(self) -> Groups:
        """Without what they are of."""
        times = self.time_ns[self.starts]
        return Groups(self.starts, self.sizes, times, self.upper, self.value)

    def as_told(self, chosen: Bools) -> NDArray[np.void]:
        """BUCKET of these samples [n_samples]."""
        made = np.empty(int(chosen.sum()), BUCKET)
        made["family"], made["upper"] = self.family[chosen], self.upper[chosen]
        made["t"], made["v"] = self.time_ns[chosen], self.value[chosen]
        made["is_told"] = 1
        return made


@dataclass(frozen=True, slots=True)
class Leveled:
    """Classic histograms whose buckets all came at once, side by side."""

    rows: Rows
    """[n_histograms]"""
    time_ns: Ints
    keys: Hashes
    sizes: Ints
    """[n_histograms] of buckets."""
    upper: Floats
    """[n_buckets] ascending within each."""
    by: Floats
    """[n_buckets] what is at most that bound rose by so much."""
    is_wait: Bools
    """[n_histograms]"""

    def where(self, chosen: Bools) -> Leveled:
        """Those of them."""
        inside = np.repeat(chosen, self.sizes)
        return Leveled(
            self.rows[chosen],
            self.time_ns[chosen],
            self.keys[chosen],
            self.sizes[chosen],
            self.upper[inside],
            self.by[inside],
            self.is_wait[chosen],
        )
