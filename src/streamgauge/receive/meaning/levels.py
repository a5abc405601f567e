"""Classic histograms whose buckets all stand at one time, as arrays: nearly all of them, always.

A level is a histogram's buckets side by side. Bodies that tell all buckets of a level at a later
time move it on; whatever else comes is put together bucket by bucket (`buckets`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Groups:
    """Samples of histograms, each with all that was told of it at one time, side by side."""

    starts: Ints
    """[n_groups]"""
    sizes: Ints
    time_ns: Ints
    """[n_groups]"""
    upper: Floats
    """[n_samples] ascending in each group."""
    value: Floats

    @property
    def is_first(self) -> Bools:
        """Which samples [n_samples] begin a group."""
        found = np.zeros(len(self.upper), bool)
        found[self.starts] = True
        return found

    def where(self, chosen: Bools) -> Groups:
        """Those of them; itself, if all are."""
        if chosen.all():
            return self
        inside = np.repeat(chosen, self.sizes)
        sizes = self.sizes[chosen]
        starts = np.cumsum(sizes) - sizes
        return Groups(starts, sizes, self.time_ns[chosen], self.upper[inside], self.value[inside])


@dataclass(frozen=True, slots=True)
class Before:
    """Where levels stood."""

    numbers: Ints
    time_ns: Ints
    at: Ints
    """Positions of their buckets."""
    value: Floats


class Levels:
    """By number. Not thread-safe."""

    def __init__(self) -> None:
        self._upper, self._value = np.zeros(1024), np.zeros(1024)
        self._end = 0
        self._begin = np.zeros(128, np.int64)
        self._size, self._time = self._begin.copy(), self._begin.copy()
        self.used = self._begin.copy()
        """Grows with every body that tells of a level."""
        self.count = 0

    def add(self, upper: Floats) -> int:
        """A new level with these bounds, ascending; its number."""
        number, end = self.count, self._end + len(upper)
        if number >= len(self._begin):
            for name in ("_begin", "_size", "_time", "used"):
                setattr(self, name, np.pad(getattr(self, name), (0, number)))
        if end > len(self._upper):
            self._upper = np.pad(self._upper, (0, max(end, len(self._upper))))
            self._value = np.pad(self._value, (0, max(end, len(self._value))))
        self._upper[self._end : end] = upper
        self._begin[number], self._size[number] = self._end, len(upper)
        self.count, self._end = number + 1, end
        return number

    def has_bounds(self, number: int, upper: Floats) -> bool:
        """Whether these are a level's bounds."""
        return np.array_equal(self.level(number)[1], upper)

    def level(self, number: int) -> tuple[int, Floats, Floats]:
        """Time, bounds and values of a level."""
        at = slice(self._begin[number], self._begin[number] + self._size[number])
        return int(self._time[number]), self._upper[at], self._value[at]

    def put(self, number: int, time_ns: int, value: Floats) -> Before:
        """Let a level stand there; returns where it stood."""
        before = self._before(np.array([number]))
        self._time[number], self._value[before.at] = time_ns, value
        return before

    def follow(self, numbers: Ints, groups: Groups, turn: int) -> tuple[Bools, Floats, Before]:
        """Move levels on, those of which all buckets came at a later time.

        Args:
            numbers: [n_groups] distinct.
            groups: what was told of each.
            turn: of the body.

        Returns:
            Which groups were such [n_groups]; by how much their buckets rose [their samples],
            rising with the bounds; and where their levels stood.
        """
        is_whole = (self._size[numbers] == groups.sizes) & (self._time[numbers] < groups.time_ns)
        chosen, told = numbers[is_whole], groups.where(is_whole)
        at = self._positions(chosen)
        by = told.value - self._value[at]
        if len(chosen):
            has_begun = np.minimum.reduceat(by, told.starts) < 0
            if has_begun.any():
                by = np.where(np.repeat(has_begun, told.sizes), told.value, by)
            is_odd = self._upper[at] != told.upper
            is_odd[1:] |= (by[1:] < by[:-1]) & ~told.is_first[1:]
            if is_odd.any():
                is_fit = ~np.logical_or.reduceat(is_odd, told.starts)
                by = by[np.repeat(is_fit, told.sizes)]
                is_whole[is_whole] = is_fit
                chosen, told = numbers[is_whole], groups.where(is_whole)
        before = self._before(chosen)
        self._value[before.at] = told.value
        self._time[chosen], self.used[chosen] = told.time_ns, turn
        return is_whole, by, before

    def take_back(self, before: Before, only: Ints | None = None) -> None:
        """Let levels stand where they stood; `only` some of their numbers, if given."""
        chosen = np.ones(len(before.numbers), bool)
        if only is not None:
            chosen = np.isin(before.numbers, only)
        inside = np.repeat(chosen, self._size[before.numbers])
        self._time[before.numbers[chosen]] = before.time_ns[chosen]
        self._value[before.at[inside]] = before.value[inside]

    def _before(self, numbers: Ints) -> Before:
        at = self._positions(numbers)
        return Before(numbers, self._time[numbers], at, self._value[at])

    def _positions(self, numbers: Ints) -> Ints:
        """Of the buckets of levels, side by side."""
        sizes = self._size[numbers]
        skipped = np.repeat(self._begin[numbers] - (np.cumsum(sizes) - sizes), sizes)
        found: Ints = np.arange(len(skipped)) + skipped
        return found
