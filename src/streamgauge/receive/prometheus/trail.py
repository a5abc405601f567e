"""Remembers how series came: a sender tells the same ones in the same order at every scrape.

So what stands in a body is compared with what stood around its first series the last time, all at
once: where only the samples differ, nothing need be looked up. Bodies are kept for that as long as
one of their series has not come again since, within a bound of bytes. Threads may share it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes, Ints
from streamgauge.receive.prometheus.samples import TIME, VALUE, VALUE_TO_END, windows

MAX_BYTES = 32_000_000
"""Of all bodies that are kept; of one series they have some 200."""
NOBODY = -1
"""Stands for the number of a series that is not told by one sample, as usual."""
_SHIFT = 32
"""A place is the number of a page, and above these bits the place on it."""
_MASK = (1 << _SHIFT) - 1
Bools = NDArray[np.bool_]
Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Series side by side in a body; arrays are [n_series]."""

    numbers: Codes
    ends: Ints
    """Where each ends, and its sample does, in bytes from the body's begin."""
    is_zero: Bools
    """Whether its sample has no value, which is 0."""

    def known(self) -> Stretch:
        """Without those that are nobody's."""
        is_known = self.numbers >= 0
        if is_known.all():
            return self
        return Stretch(self.numbers[is_known], self.ends[is_known], self.is_zero[is_known])


NO_STRETCH = Stretch(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, bool))


def side_by_side(parts: list[Stretch]) -> Stretch:
    """All of them."""
    if len(parts) == 1:
        return parts[0]
    return Stretch(
        np.concatenate([NO_STRETCH.numbers, *(one.numbers for one in parts)]),
        np.concatenate([NO_STRETCH.ends, *(one.ends for one in parts)]),
        np.concatenate([NO_STRETCH.is_zero, *(one.is_zero for one in parts)]),
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """A body that is kept; a stretch of it ends where one stands that is told otherwise."""

    body: Octets
    told: Stretch

    def alike(self, first: int, body: Octets, at: int) -> Stretch:
        """How many of these from the first on stand there too, from `at` on."""
        begin = int(self.told.ends[first - 1]) if first else 0
        ends = self.told.ends[first:] - begin
        length = min(len(self.body) - begin, len(body) - at)
        count = int(np.searchsorted(ends, length, "right"))
        odd = np.flatnonzero(self.told.numbers[first : first + count] < 0)
        count = int(odd[0]) if len(odd) else count
        if not count:
            return NO_STRETCH
        ends, is_zero = ends[:count], self.told.is_zero[first : first + count]
        count = self._same(begin, body[at : at + int(ends[-1])], ends, is_zero)
        numbers = self.told.numbers[first : first + count]
        return Stretch(numbers, ends[:count] + at, is_zero[:count])

    def _same(self, begin: int, body: Octets, ends: Ints, is_zero: Bools) -> int:
        """How many are the same but for values and times."""
        differs = body != self.body[begin : begin + len(body)]
        windows(differs, TIME)[ends - TIME] = False
        windows(differs, VALUE)[ends[~is_zero] - VALUE_TO_END] = False
        place = int(differs.argmax())
        return int(np.searchsorted(ends, place, "right")) if differs[place] else len(ends)


class Trail:
    """By the numbers of series."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pages: dict[int, _Page] = {}
        self._last: dict[int, int] = {}
        """Of each page, how many series came last on it."""
        self.size_bytes = self._next = 0
        self._places = np.full(1024, NOBODY, np.int64)
        self._lock = threading.Lock()

    @property
    def page_count(self) -> int:
        """Bodies that are kept."""
        return len(self._pages)

    def follow(self, body: Octets, at: int, number: int) -> Stretch:
        """What stands in a body from `at` on, which begins with that series; none: look it up."""
        places = self._places
        place = int(places[number]) if number < len(places) else NOBODY
        page = self._pages.get(place >> _SHIFT)
        return page.alike(place & _MASK, body, at) if page is not None else NO_STRETCH

    def keep(self, body: Octets, told: Stretch) -> None:
        """Remember a body; `told` is all of it, with NOBODY for what is told otherwise."""
        is_known = told.numbers >= 0
        if len(body) > self._max_bytes // 4 or not is_known.any():
            return
        numbers, at = told.numbers[is_known], np.flatnonzero(is_known)
        with self._lock:
            page, self._next = self._next, self._next + 1
            places = self._room_for(int(numbers.max()))
            before = places[numbers] >> _SHIFT
            mine = at + (page << _SHIFT)
            places[numbers] = mine
            is_last = places[numbers] == mine
            self._pages[page], self._last[page] = _Page(body, told), int(is_last.sum())
            self.size_bytes += len(body)
            self._forget(before[is_last])

    def _room_for(self, number: int) -> Ints:
        size = len(self._places)
        if number >= size:
            more = np.full(max(number + 1 - size, size), NOBODY, np.int64)
            self._places = np.concatenate([self._places, more])
        return self._places

    def _forget(self, before: Ints) -> None:
        """Forget pages of which nothing came last, and the oldest ones of too many."""
        pages, counts = np.unique(before, return_counts=True)
        for page, count in zip(pages.tolist(), counts.tolist(), strict=True):
            if page in self._last:
                self._last[page] -= count
                if not self._last[page]:
                    self._drop(page)
        while self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._pages)))

    def _drop(self, page: int) -> None:
        del self._last[page]
        self.size_bytes -= len(self._pages.pop(page).body)
