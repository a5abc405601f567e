"""By how much counters rose: the difference of what they stand at, over resets and late samples.

Of each series the last two samples are remembered. A newer sample adds its difference to the last
one, or all of itself where it is lower: its sender began anew. A late one between the two adds
what a reset that they hid explains, which is nothing where all three rise. A series that nobody
knew adds nothing with its first sample, unless it is told when it began to count, no earlier than
5 minutes before it was first seen: then it stood at 0 at that time.

All steps are over arrays; Python runs once for each series that is new. `rises` changes nothing:
what it found is taken over by `put` once the body is kept.

Source: DESIGN, "What comes in"; resets as Prometheus' `increase` understands them
(https://prometheus.io/docs/prometheus/latest/querying/functions/#increase).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

MAX_SERIES = 1_000_000
"""Remembered from body to body; of more, the half that was told longest ago is forgotten."""
FULL_WITHIN_NS = 300_000_000_000
UNKNOWN = -1
"""Stands for the time of a sample that nobody remembers."""
STANDING = np.dtype([("series", "<u8"), ("t1", "<i8"), ("v1", "<f8"), ("t2", "<i8"), ("v2", "<f8")])
"""One series on disk: its last sample, and the one before."""


@dataclass(frozen=True, slots=True)
class Rise:
    """What the samples of a body add, and what their counters stand at then."""

    by: Floats
    """[n_samples] in their order."""
    slots: Ints
    """[n_series] distinct."""
    standings: NDArray[np.void]
    """[n_series] STANDING, of these slots."""


class Counters:
    """What counters stand at. Not thread-safe."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._max_series = max_series
        self._slots: dict[int, int] = {}
        self._at = np.zeros(0, STANDING)
        self._used = np.zeros(0, np.int64)
        self._turn = 0
        self.epoch = 0
        """Changes when slots do: whoever keeps slots must ask for them again."""

    def __len__(self) -> int:
        return len(self._slots)

    # -- which slots --------------------------------------------------------------------------

    def make_room(self) -> None:
        """Forget the half that was told longest ago, if there are too many; slots change then."""
        self._turn += 1
        count = len(self._slots)
        if count > self._max_series:
            newest = np.argsort(-self._used[:count], kind="stable")[: self._max_series // 2]
            self._at, self._used = self._at[newest], self._used[newest]
            series = self._at["series"].tolist()
            self._slots = dict(zip(series, range(len(series)), strict=True))
            self.epoch += 1

    def slots_of(self, series: Hashes) -> Ints:
        """The slot of each series, new or not; it stays the same until `make_room`."""
        known = self._slots
        asked = series.tolist()
        found = [known.get(one, UNKNOWN) for one in asked]
        if UNKNOWN in found:
            new = list(dict.fromkeys(a for a, f in zip(asked, found, strict=True) if f < 0))
            self._add(new)
            found = [known[one] for one in asked]
        return np.array(found, np.int64)

    def _add(self, new: list[int]) -> None:
        first, needed = len(self._slots), len(self._slots) + len(new)
        if needed > len(self._at):
            size = max(needed, 2 * len(self._at), 1024)
            self._at = np.concatenate([self._at, np.zeros(size - len(self._at), STANDING)])
            self._used = np.pad(self._used, (0, size - len(self._used)))
        self._at["series"][first:needed] = np.array(new, np.uint64)
        self._at["t1"][first:needed] = self._at["t2"][first:needed] = UNKNOWN
        self._used[first:needed] = self._turn
        self._slots.update(zip(new, range(first, needed), strict=True))

    def begin(self, slots: Ints, start_ns: Ints, time_ns: Ints, first_seen_ns: Ints) -> None:
        """Let new series be known to have stood at 0 when they began, where that was not long ago.

        Args:
            slots: [n] of series that are told when they began.
            start_ns: [n] that time; 0: not told.
            time_ns: [n] of their first sample.
            first_seen_ns: [n] when anything of that name and labels was first seen.
        """
        is_new = (self._at["t1"][slots] == UNKNOWN) & (start_ns > 0) & (start_ns < time_ns)
        is_new &= start_ns >= first_seen_ns - FULL_WITHIN_NS
        at = slots[is_new]
        self._at["t1"][at], self._at["v1"][at] = start_ns[is_new], 0.0

    # -- samples ------------------------------------------------------------------------------

    def rises(self, slots: Ints, time_ns: Ints, value: Floats) -> Rise:
        """What samples add.

        Args:
            slots: [n] whose they are.
            time_ns: [n] in any order.
            value: [n] what the counter stands at; one that is negative or no number says nothing.
        """
        by = np.zeros(len(slots))
        rows = np.flatnonzero(np.isfinite(value) & (value >= 0))
        if not _is_rising(slots[rows]):
            rows = rows[np.lexsort((time_ns[rows], slots[rows]))]
        if len(rows) > 1:
            again = np.zeros(len(rows), bool)
            same = slots[rows[1:]] == slots[rows[:-1]]
            again[1:] = same & (time_ns[rows[1:]] == time_ns[rows[:-1]])
            rows = rows[~again]
        slot, time = slots[rows], time_ns[rows]
        self._used[slot] = self._turn
        is_late = time <= self._at["t1"][slot]
        if is_late.any():
            has_late = np.isin(slot, slot[is_late])
            moved = self._rises_late(slots, time_ns, value, rows[has_late], by)
            rows = rows[~has_late]
            fresh = self._rises_in_order(slots, time_ns, value, rows, by)
            return Rise(
                by, np.concatenate([fresh[0], moved[0]]), np.concatenate([fresh[1], moved[1]])
            )
        return Rise(by, *self._rises_in_order(slots, time_ns, value, rows, by))

    def _rises_in_order(
        self, slots: Ints, time_ns: Ints, value: Floats, rows: Ints, by: Floats
    ) -> tuple[Ints, NDArray[np.void]]:
        """Of samples that all come after what is known; `rows` sorted by slot and time."""
        slot, time, now = slots[rows], time_ns[rows], value[rows]
        if not len(rows):
            return slot, np.zeros(0, STANDING)
        first = np.concatenate([[True], slot[1:] != slot[:-1]])
        before = np.where(first, self._at["v1"][slot], np.concatenate([[0.0], now[:-1]]))
        is_known = ~first | (self._at["t1"][slot] != UNKNOWN)
        by[rows] = np.where(is_known, _risen(before, now), 0.0)
        last = np.concatenate([first[1:], [True]])
        at = slot[last]
        made = self._at[at]
        made["t2"], made["v2"] = made["t1"], made["v1"]
        many = np.flatnonzero(~first[last])
        if len(many):
            one_before = np.flatnonzero(last)[many] - 1
            made["t2"][many], made["v2"][many] = time[one_before], now[one_before]
        made["t1"], made["v1"] = time[last], now[last]
        return at, made

    def _rises_late(
        self, slots: Ints, time_ns: Ints, value: Floats, rows: Ints, by: Floats
    ) -> tuple[Ints, NDArray[np.void]]:
        """Of series of which some sample is older than the last one that is known.

        What is remembered stands among the samples as samples; what was counted between the two is
        taken off again, so that nothing counts twice.
        """
        at = np.unique(slots[rows])
        known = self._at[at]
        of = np.searchsorted(at, slots[rows])
        is_between = (time_ns[rows] > known["t2"][of]) & (time_ns[rows] != known["t1"][of])
        rows, of = rows[is_between], of[is_between]
        has_two = np.flatnonzero(known["t2"] != UNKNOWN)
        group = np.concatenate([of, np.arange(len(at)), has_two])
        row = np.concatenate([rows, np.full(len(at) + len(has_two), -1)])
        time = np.concatenate([time_ns[rows], known["t1"], known["t2"][has_two]])
        now = np.concatenate([value[rows], known["v1"], known["v2"][has_two]])
        order = np.lexsort((time, group))
        group, row, time, now = group[order], row[order], time[order], now[order]
        first = np.concatenate([[True], group[1:] != group[:-1]])
        step = np.where(first, 0.0, _risen(np.concatenate([[0.0], now[:-1]]), now))
        is_past = time <= known["t1"][group]
        counted = np.zeros(len(at))
        counted[has_two] = _risen(known["v2"][has_two], known["v1"][has_two])
        extra = np.bincount(group[is_past], step[is_past], len(at)) - counted
        fresh = ~is_past & (row >= 0)
        by[row[fresh]] = step[fresh]
        late = np.flatnonzero(is_past & (row >= 0))
        newest = np.full(len(at), -1)
        newest[group[late]] = row[late]  # the last one of each: they are sorted by time
        told = np.flatnonzero(newest >= 0)
        by[newest[told]] = np.maximum(extra[told], 0.0)
        return at, _last_two(known, group, time, now)

    def put(self, slots: Ints, standings: NDArray[np.void]) -> None:
        """Let counters stand there."""
        self._at[slots] = standings

    def standing(self, slots: Ints) -> NDArray[np.void]:
        """STANDING of these slots, a copy."""
        found: NDArray[np.void] = self._at[slots]
        return found

    # -- over restarts ------------------------------------------------------------------------

    def dump(self) -> NDArray[np.void]:
        """All of it, those told longest ago first."""
        count = len(self._slots)
        return self._at[np.argsort(self._used[:count], kind="stable")]

    def restore(self, standings: NDArray[np.void]) -> None:
        """These are what their counters stand at now."""
        if len(standings):
            slots = self.slots_of(standings["series"])
            self._at[slots] = standings
            self._used[slots] = self._turn


def _is_rising(values: Ints) -> bool:
    """Whether each is higher than the one before."""
    return bool((values[1:] > values[:-1]).all())


def _risen(before: Floats, now: Floats) -> Floats:
    """From one sample to the next; a lower one began at 0."""
    return np.where(now >= before, now - before, now)


def _last_two(known: NDArray[np.void], group: Ints, time: Ints, now: Floats) -> NDArray[np.void]:
    """What series stand at whose samples, sorted, are these."""
    last = np.flatnonzero(np.concatenate([group[1:] != group[:-1], [True]]))
    before = last - 1
    has_two = (before >= 0) & (group[before] == group[last])
    made = known.copy()
    made["t1"], made["v1"] = time[last], now[last]
    made["t2"] = np.where(has_two, time[before], UNKNOWN)
    made["v2"] = np.where(has_two, now[before], 0.0)
    return made
