"""What is delivered by the hour, of the platform and of each integration, for five weeks."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Channel, Levels
from streamgauge.model.flow import Scope

_DAYS = 35
_HOURS = _DAYS * 24
_PLATFORM, _INTEGRATION = 3, 5
"""Places in `Levels.flow_rows`."""
MAX_INTEGRATIONS = 1000
"""Beyond it new ones have no forecast; 3.4 kB each."""
_MOST = 1e15


class Loads:
    """A ring of hours for each scope: float32 [scopes, hours]."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._place_of: dict[int, int] = {}
        """By row: the platform's and integrations' rows of what is delivered."""
        self._hours: Floats = np.zeros((8, _HOURS), np.float32)
        self.newest_hour = -1

    def add(self, new: Arrivals) -> None:
        """Add what was delivered."""
        platform = self._levels.platform()
        if not len(new) or platform is None:
            return
        out_row = self._levels.channel_rows[platform, Channel.OUT]
        is_out = (new.rows[:, _PLATFORM] == out_row) & ~new.has_failed & (out_row >= 0)
        if not is_out.any():
            return
        hours, counts = new.minute[is_out] // 60, np.clip(new.counts[is_out], 0.0, _MOST)
        self._go_to(int(hours.max()))
        rows = new.rows[is_out]
        for place in (_PLATFORM, _INTEGRATION):
            self._add(rows[:, place].astype(np.int64), hours, counts)

    def scopes(self) -> dict[Scope, int]:
        """The place of each scope."""
        groups, names = self._levels.row_group, self._levels.groups
        return {names[int(groups[row])].scope: place for row, place in self._place_of.items()}

    def per_s(self, place: int, hours: Ints) -> Floats:
        """Messages a second in each of some hours of the last weeks."""
        return np.asarray(self._hours[place, hours % _HOURS] / 3600.0, np.float64)

    def peaks_per_s(self, place: int, hour: int) -> Floats:
        """The busiest hour of each of 34 whole days before `hour`, messages a second [days]."""
        first = hour // 24 - (_DAYS - 1)
        hours = np.arange(24 * first, 24 * (hour // 24))
        values = np.where(
            hours > self.newest_hour - _HOURS, self._hours[place, hours % _HOURS], 0.0
        )
        return np.asarray(values.reshape(-1, 24).max(axis=1) / 3600.0, np.float64)

    def _add(self, rows: Ints, hours: Ints, counts: Floats) -> None:
        keys, inverse = np.unique((hours << 32) | rows, return_inverse=True)
        sums = np.bincount(inverse, counts)
        for key, count in zip(keys.tolist(), sums.tolist(), strict=True):
            hour, row = key >> 32, key & 0xFFFF_FFFF
            place = self._place(row) if row else None
            if place is not None and hour > self.newest_hour - _HOURS:
                held = float(self._hours[place, hour % _HOURS])
                self._hours[place, hour % _HOURS] = min(held + count, _MOST)

    def _place(self, row: int) -> int | None:
        place = self._place_of.get(row)
        if place is None and len(self._place_of) <= MAX_INTEGRATIONS:
            place = self._place_of[row] = len(self._place_of)
            self._hours = grown(self._hours, place + 1, 0)
        return place

    def _go_to(self, hour: int) -> None:
        if hour > self.newest_hour:
            fresh = np.arange(max(self.newest_hour + 1, hour - _HOURS + 1), hour + 1)
            self._hours[:, fresh % _HOURS] = 0.0
            self.newest_hour = hour
