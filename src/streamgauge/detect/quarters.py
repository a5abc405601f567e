"""What every flow counted in the quarters of an hour that are not judged yet.

A quarter is judged some minutes after its end. What comes later, but within two hours, is not
lost: it counts in the quarter judged next. So a sender whose lines are late, or come all at once,
has sent as many in the end as it should. Before the first judgement older minutes and hours go to
totals of six hours, from which it is learned how much a level changes in a day (`moods`).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals

QUARTER_MINUTES = 15
QUARTER_S = 900.0
HELD = 4
"""Quarters that are open at once: the next to be judged, the running one, and stamps ahead."""
_LATE_QUARTERS = 8
_PARTS_KEPT = 48
_PART_MINUTES = 360
_MOST = 1e13
"""A count beyond it is a mistake."""


class Quarters:
    """Counts of flows; a flow takes 20 bytes."""

    def __init__(self) -> None:
        self._counts: Floats = np.zeros((64, HELD), np.float32)
        self._late: Floats = np.zeros(64, np.float32)
        self._quarter: Ints = np.full(HELD, -1, np.int64)
        self._parts: dict[int, Floats] | None = {}
        self.closed: int | None = None
        """The last quarter (since the epoch) that was judged."""

    def learn(self, hours: Arrivals) -> None:
        """Take hours of which the single minutes are not known any more."""
        self._add_parts(hours.minute, hours.flows, hours.counts)

    def observe(self, new: Arrivals) -> None:
        """Take what was inserted, in any order."""
        if not len(new):
            return
        counts = np.clip(new.counts, 0.0, _MOST)
        quarter = new.minute // QUARTER_MINUTES
        self._make_room(int(new.flows.max()) + 1)
        for now in np.unique(quarter):
            at = quarter == now
            self._add(int(now), new.flows[at], counts[at])
        if self._parts is not None:
            self._add_parts(new.minute, new.flows, counts)

    def close(self, quarter: int) -> tuple[Ints, Floats, Floats]:
        """Judge a quarter: the flows that counted anything, in time, and late before it."""
        self.closed = quarter
        slot = quarter % HELD
        in_time = self._counts[:, slot] if self._quarter[slot] == quarter else 0.0 * self._late
        flows = np.flatnonzero((in_time > 0.0) | (self._late > 0.0))
        sums = in_time[flows].astype(np.float64), self._late[flows].astype(np.float64)
        self._late[flows] = 0.0
        if self._quarter[slot] == quarter:
            self._counts[flows, slot] = 0.0
            self._quarter[slot] = -1
        return flows, *sums

    def take_parts(self) -> dict[int, Floats]:
        """Totals [flows] of past parts of six hours, by number since the epoch.

        Asked once; then no more are kept.
        """
        parts, self._parts = self._parts or {}, None
        return parts

    def _add(self, quarter: int, flows: Ints, counts: Floats) -> None:
        slot = quarter % HELD
        if self.closed is not None and quarter <= self.closed:
            if quarter > self.closed - _LATE_QUARTERS:
                np.add.at(self._late, flows, counts.astype(np.float32))
            return
        if quarter < self._quarter[slot]:
            return  # of a history: it is in the totals of parts
        if quarter > self._quarter[slot]:
            self._counts[:, slot] = 0.0
            self._quarter[slot] = quarter
        np.add.at(self._counts[:, slot], flows, counts.astype(np.float32))

    def _add_parts(self, minute: Ints, flows: Ints, counts: Floats) -> None:
        if self._parts is None or not len(minute):
            return
        parts = minute // _PART_MINUTES
        newest = max([int(parts.max()), *self._parts])
        size = int(flows.max()) + 1
        for part in np.unique(parts):
            if part <= newest - _PARTS_KEPT:
                continue
            at = parts == part
            total = grown(self._parts.get(int(part), np.zeros(64, np.float32)), size, 0)
            total[:size] += np.bincount(flows[at], counts[at], size).astype(np.float32)
            self._parts[int(part)] = total
        for part in [part for part in self._parts if part <= newest - _PARTS_KEPT]:
            del self._parts[part]

    def _make_room(self, flows: int) -> None:
        self._counts = grown(self._counts, flows, 0)
        self._late = grown(self._late, flows, 0)


def totals(parts: dict[int, Floats], flows: int) -> tuple[int, Array]:
    """The first whole part, and an array [parts, flows] of all, oldest first, without gaps.

    The first and the last part are left out: they may not be whole.
    """
    if len(parts) < 3:
        return 0, np.zeros((0, flows), np.float32)
    first, end = min(parts) + 1, max(parts)
    table = np.zeros((end - first, flows), np.float32)
    for part, total in parts.items():
        if first <= part < end:
            table[part - first, : min(len(total), flows)] = total[:flows]
    return first, table
