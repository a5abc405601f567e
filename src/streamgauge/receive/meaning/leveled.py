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
    """Samples of classic histograms, those of one together, by time and bound.

    Arrays are [n_samples].
    """

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
        """In that order; as they came, where each histogram was told once, bound by bound."""
        family, upper = shelf.at["family"][samples.rows], shelf.at["upper"][samples.rows]
        starts = _starts(family, samples.time_ns)
        is_less = upper[1:] <= upper[:-1]
        is_less[starts[1:] - 1] = False
        if is_less.any() or len(set(family[starts].tolist())) < len(starts):
            order = np.lexsort((upper, samples.time_ns, family))
            family, upper, samples = family[order], upper[order], samples.where(order)
            starts = _starts(family, samples.time_ns)
        sizes = np.append(starts[1:], len(family)) - starts
        return Buckets(family, samples.time_ns, upper, samples.value, samples.rows, starts, sizes)

    @property
    def rank(self) -> Ints:
        """How many groups of the same histogram stand before each [n_groups]."""
        keys = self.family[self.starts]
        is_first = np.ones(len(keys), bool)
        is_first[1:] = keys[1:] != keys[:-1]
        place = np.arange(len(keys))
        return place - np.maximum.accumulate(np.where(is_first, place, 0))

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
        """Those of them; itself, if all are."""
        if chosen.all():
            return self
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


def _starts(family: Hashes, time_ns: Ints) -> Ints:
    """Where the samples of a histogram and a time begin, as they stand."""
    is_first = np.ones(len(family), bool)
    is_first[1:] = (family[1:] != family[:-1]) | (time_ns[1:] != time_ns[:-1])
    return np.flatnonzero(is_first)
