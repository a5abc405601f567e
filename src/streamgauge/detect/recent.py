"""The minutes of the last hour or two: what each flow counted, and sums of rows that are asked for.

Every flow's minutes are kept as they came (8 bytes each), because any row may be asked for. Of rows
that are (those that fail, or are silent) a ring of minutes is summed once from these, and then kept
up to date, until nobody has asked for an hour.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Levels

MINUTES_KEPT = 128
_FREE_AFTER = 60
"""Minutes after which nobody asks for a row any more."""


class RecentMinutes:
    """Messages and failures by minute, of all flows."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.newest = -1
        """The newest minute."""
        self._oldest = -1
        """Minutes before it are not kept."""
        self._counts: dict[int, list[tuple[Ints, Floats]]] = {}
        """By minute: numbers of flows, and what they counted, part by part."""
        self._failed: dict[int, list[tuple[Ints, Floats]]] = {}
        self._slot: Ints = np.zeros(64, np.int32)
        """[rows]: one more than the place of a row in what follows; 0: nobody asked."""
        self._row: Ints = np.zeros(16, np.int32)
        self._asked: Ints = np.full(16, -1, np.int64)
        """[slots]: the last minute in which somebody asked; -1: free."""
        self._rings: Floats = np.zeros((2, 16, MINUTES_KEPT), np.float32)
        """[messages or failures, slots, minutes]"""
        self._ring_minute: Ints = np.full(MINUTES_KEPT, -1, np.int64)

    def add(self, new: Arrivals) -> None:
        """Add minutes; those of long ago are left out."""
        self.newest = max(self.newest, int(new.minute.max()))
        self._forget_before(self.newest - MINUTES_KEPT + 1)
        self._turn_rings(self.newest)
        recent = new.minute >= self._oldest
        if not recent.all():
            new = new.part(np.flatnonzero(recent))
        counts = new.counts.astype(np.float32)
        self._keep(self._counts, new.minute, new.flows, counts)
        lost = new.has_failed
        has_lost = bool(lost.any())
        if has_lost:
            self._keep(self._failed, new.minute[lost], new.flows[lost], counts[lost])
        if (self._asked >= 0).any():
            self._sum(self._rings[0], new.minute, new.rows, counts, self._slots())
            if has_lost:
                self._sum(
                    self._rings[1], new.minute[lost], new.rows[lost], counts[lost], self._slots()
                )

    def window(self, rows: Ints, until_minute: int, minutes: int, failed: bool = False) -> Floats:
        """float32 [minutes, rows]: what each of the minutes up to `until_minute` counted."""
        self._follow(rows, until_minute)
        wanted = np.arange(until_minute - minutes + 1, until_minute + 1)
        ring = wanted % MINUTES_KEPT
        slots = self._slots()[rows] - 1
        values: Floats = self._rings[int(failed)][slots[:, None], ring].T
        values[self._ring_minute[ring] != wanted] = 0.0
        return values

    def failing_rows(self, until_minute: int, minutes: int) -> Ints:
        """Rows, ascending, with a failure in one of the minutes up to `until_minute`."""
        is_wanted = np.zeros(self._levels.flow_count, bool)
        for minute in range(until_minute - minutes + 1, until_minute + 1):
            for flows, _ in self._failed.get(minute, ()):
                is_wanted[flows] = True
        is_there = np.zeros(self._levels.row_count, bool)
        is_there[self._levels.flow_rows[np.flatnonzero(is_wanted)]] = True
        is_there[0] = False
        return np.flatnonzero(is_there)

    def dense(self, until_minute: int, minutes: int, failed: bool = False) -> Floats:
        """float32 [minutes, all rows]: the same of every row, summed when asked for."""
        kept = self._failed if failed else self._counts
        values: Floats = np.zeros((minutes, self._levels.row_count), np.float32)
        for place in range(minutes):
            for flows, counts in kept.get(until_minute - minutes + 1 + place, ()):
                for level in self._levels.flow_rows[flows].T:
                    np.add.at(values[place], level, counts)
        values[:, 0] = 0.0
        return values

    def forget_before(self, minute: int) -> None:
        """Nobody asks for older minutes any more; nor for rows for which nobody has asked."""
        if minute <= self._oldest:
            return
        self._forget_before(minute)
        unused = np.flatnonzero((self._asked >= 0) & (self._asked < minute))
        self._slot[self._row[unused]] = 0
        self._asked[unused] = -1

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        kept = [*self._counts.values(), *self._failed.values()]
        entries = sum(len(flows) for parts in kept for flows, _ in parts)
        return 8 * entries + int(self._rings.nbytes + self._slot.nbytes)

    def _forget_before(self, minute: int) -> None:
        if minute > self._oldest:
            self._oldest = minute
            for kept in (self._counts, self._failed):
                for old in [at for at in kept if at < minute]:
                    del kept[old]

    def _keep(
        self,
        kept: dict[int, list[tuple[Ints, Floats]]],
        minute: Ints,
        flows: Ints,
        counts: Floats,
    ) -> None:
        if not len(minute):
            return
        for at in np.unique(minute).tolist():
            here = minute == at
            part = (flows, counts) if here.all() else (flows[here], counts[here])
            parts = kept.setdefault(at, [])
            parts.append(part)
            if len(parts) > _PARTS_BEFORE_SUM:
                kept[at] = [_summed(parts)]

    def _slots(self) -> Ints:
        self._slot = grown(self._slot, self._levels.row_count, 0)
        return self._slot

    def _turn_rings(self, newest: int) -> None:
        wanted = np.arange(newest - MINUTES_KEPT + 1, newest + 1)
        ring = wanted % MINUTES_KEPT
        old = self._ring_minute[ring] != wanted
        if old.any():
            self._rings[:, :, ring[old]] = 0.0
            self._ring_minute[ring[old]] = wanted[old]

    def _follow(self, rows: Ints, minute: int) -> None:
        """Make sure that these rows have rings."""
        slot = self._slots()
        fresh = np.unique(rows[slot[rows] == 0])
        if len(fresh):
            free = np.flatnonzero(self._asked < 0)
            if len(free) < len(fresh):
                self._make_slots(len(fresh) - len(free))
                free = np.flatnonzero(self._asked < 0)
            free = free[: len(fresh)]
            slot[fresh] = free + 1
            self._row[free] = fresh
            self._rings[:, free] = 0.0
            self._fill(fresh)
        self._asked[slot[rows] - 1] = minute

    def _make_slots(self, more: int) -> None:
        size = len(self._row) + more
        self._row, self._asked = grown(self._row, size, 0), grown(self._asked, size, -1)
        larger = np.zeros((2, len(self._row), MINUTES_KEPT), np.float32)
        larger[:, : self._rings.shape[1]] = self._rings
        self._rings = larger

    def _fill(self, rows: Ints) -> None:
        """Sum the rings of `rows` from what is kept of their flows."""
        wanted = self._flows_of(rows)
        slot = np.zeros(self._levels.row_count, np.int32)
        slot[rows] = self._slot[rows]
        for ring, kept in zip(self._rings, (self._counts, self._failed), strict=True):
            for minute, parts in kept.items():
                for flows, counts in parts:
                    at = np.flatnonzero(wanted[flows])
                    minutes = np.full(len(at), minute)
                    at_rows = self._levels.flow_rows[flows[at]]
                    self._sum(ring, minutes, at_rows, counts[at], slot)

    def _flows_of(self, rows: Ints) -> Bools:
        """Which flows [flows] may count in one of these rows."""
        is_wanted = np.zeros(self._levels.flow_count, bool)
        is_wanted[self._levels.flows_of_rows(rows)] = True
        return is_wanted

    def _sum(self, ring: Floats, minute: Ints, rows: Ints, counts: Floats, slot: Ints) -> None:
        flat = ring.reshape(-1)
        for level in rows.T:
            place = slot[level]
            at = np.flatnonzero(place)
            if len(at):
                places = (place[at].astype(np.int64) - 1) * MINUTES_KEPT + minute[at] % MINUTES_KEPT
                np.add.at(flat, places, counts[at])


_PARTS_BEFORE_SUM = 24


def _summed(parts: list[tuple[Ints, Floats]]) -> tuple[Ints, Array]:
    flows = np.concatenate([part for part, _ in parts])
    counts = np.concatenate([part for _, part in parts])
    distinct, place = np.unique(flows, return_inverse=True)
    return distinct, np.bincount(place, counts, len(distinct)).astype(np.float32)
