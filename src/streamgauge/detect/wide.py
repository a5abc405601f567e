"""Hours of the rows that all customers count in: integrations and the platform, kept row by row.

They are few, and would otherwise take a look at everybody's hours. Beyond a number of integrations
(an id sent as integration) new ones are known by their customers only.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.past import some_minutes

MAX_ROWS = 4096
_PLATFORM, _INTEGRATION = 3, 5
"""Places in `Levels.flow_rows`."""


class WideHours:
    """Messages, failures and active minutes by hour, of at most `MAX_ROWS` rows."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._place: Ints = np.zeros(64, np.int32)
        """[rows]: one more than its place; 0: it has none."""
        self._looked = 1
        """Rows that were looked at."""
        self.rows: Ints = np.zeros(0, np.int32)
        """By place."""
        self._counts: dict[int, Floats] = {}
        self._failed: dict[int, Floats] = {}
        self._minutes: dict[int, Array] = {}

    def add(self, new: Arrivals) -> None:
        """Add minutes, or hours."""
        self._index()
        places, at = self._places(new.rows)
        if not len(at):
            return
        counts = new.counts[at].astype(np.float32)
        has_failed = new.has_failed[at]
        hour = new.minute[at] // 60
        if new.active_minutes is None:
            minutes = np.left_shift(np.uint64(1), (new.minute[at] % 60).astype(np.uint64))
        else:
            seed = hour + 7919 * new.flows[at].astype(np.int64)
            minutes = some_minutes(new.active_minutes[at], seed)
        for now in np.unique(hour).tolist():
            here = np.flatnonzero(hour == now)
            self._sum(self._counts, now, places[here], counts[here])
            lost = here[has_failed[here]]
            if len(lost):
                self._sum(self._failed, now, places[lost], counts[lost])
            bits = self._slab(self._minutes, now, np.uint64)
            np.bitwise_or.at(bits, places[here], minutes[here])

    def forget_before(self, hour: int) -> None:
        """Drop older hours."""
        for kept in (self._counts, self._failed, self._minutes):
            for old in [at for at in kept if at < hour]:
                del kept[old]

    def grids(self, rows: Ints, first_hour: int, hours: int) -> tuple[Floats, Floats]:
        """Messages and active minutes, float32 [hours, rows]; of rows with a place."""
        found = np.zeros((2, hours, len(rows)), np.float32)
        places = self._place[rows] - 1
        for grid, kept in zip(found, (self._counts, self._minutes), strict=True):
            for hour, slab in kept.items():
                if 0 <= hour - first_hour < hours:
                    there = places < len(slab)
                    values = slab[places[there]]
                    is_bits = values.dtype == np.uint64
                    grid[hour - first_hour, there] = np.bitwise_count(values) if is_bits else values
        return found[0], found[1]

    def has(self, rows: Ints) -> Bools:
        """Which [rows] have a place."""
        self._index()
        return np.asarray(self._place[rows] > 0)

    def counts(self, rows: Ints, hours: Ints) -> Floats:
        """Messages and failures, float32 [2, hours, rows]; of rows with a place."""
        found = np.zeros((2, len(hours), len(rows)), np.float32)
        places = self._place[rows] - 1
        for grid, kept in zip(found, (self._counts, self._failed), strict=True):
            for at, hour in enumerate(hours.tolist()):
                slab = kept.get(hour)
                if slab is not None:
                    there = places < len(slab)
                    grid[at, there] = slab[places[there]]
        return found

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        kept = (self._counts, self._failed, self._minutes)
        return sum(slab.nbytes for slabs in kept for slab in slabs.values()) + self._place.nbytes

    def _index(self) -> None:
        """Give places to new rows."""
        if self._looked == self._levels.row_count:
            return
        fresh = np.arange(self._looked, self._levels.row_count)
        self._looked = self._levels.row_count
        self._place = grown(self._place, self._looked, 0)
        levels = self._levels.group_level[self._levels.row_group[fresh]]
        wide = fresh[np.isin(levels, [Level.PLATFORM, Level.INTEGRATION])]
        wide = wide[: max(MAX_ROWS - len(self.rows), 0)]
        self._place[wide] = len(self.rows) + 1 + np.arange(len(wide))
        self.rows = np.concatenate([self.rows, wide.astype(np.int32)])

    def _places(self, rows: Ints) -> tuple[Ints, Ints]:
        """Places, and of which arrival each is one."""
        columns = [rows[:, _PLATFORM], rows[:, _INTEGRATION]]
        at = [np.arange(len(rows))] * 2
        few = np.flatnonzero(rows[:, _PLATFORM] == 0)  # of flows that are not watched one by one
        if len(few):
            columns += [rows[few, 0], rows[few, 1]]
            at += [few, few]
        places, arrival = self._place[np.concatenate(columns)], np.concatenate(at)
        there = places > 0
        return places[there].astype(np.int64) - 1, arrival[there]

    def _sum(self, slabs: dict[int, Floats], hour: int, places: Ints, values: Floats) -> None:
        np.add.at(self._slab(slabs, hour, np.float32), places, values.astype(np.float32))

    def _slab(self, slabs: dict[int, Array], hour: int, dtype: type) -> Array:
        slab = slabs.get(hour)
        if slab is None:
            slab = slabs[hour] = np.zeros(len(self.rows), dtype)
        elif len(slab) < len(self.rows):
            slab = slabs[hour] = np.concatenate([slab, np.zeros(len(self.rows) - len(slab), dtype)])
        return slab
