"""The ledger of every unit and of the levels above: hour by hour, what was due and what ended.

How much is due of what was received is learned: messages may be delivered to three integrations, or
six of ten may be left out without a word. Levels add up their units, so that 0.5 % that is lost of
everybody's is seen where it is not seen of anybody's.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Levels
from streamgauge.detect.loss_balance import HOURS_NEEDED, Balance
from streamgauge.detect.loss_units import MOST, Closed, Units

_KEPT = 0.9942
"""As in `loss_balance`."""


class Books:
    """Units (`of_units`, places are units) and levels (`of_levels`, places are `place_of` groups).

    Levels have a place if units count in them: customers, integrations, the platform, and what a
    customer sends to an integration from several sources.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.units = Units(levels)
        self.of_units, self.of_levels = Balance(), Balance()
        self._received: Floats = np.zeros(64, np.float32)
        self._ended: Floats = np.zeros(64, np.float32)
        self._pairing: Ints = np.zeros(64, np.int8)
        self._place_of: Ints = np.full(64, -1, np.int32)
        self.group_at: Ints = np.zeros(64, np.int32)
        """The group [places] of each place of `of_levels`."""
        self.level_count = 0
        self._sources: Ints = np.zeros(64, np.int32)
        """By group of (tenant, integration): how many units it has."""
        self._known_units = 0
        self.closed_until = -1

    def ratio(self, units: Ints) -> Floats:
        """Ends due [units] for each message received."""
        received = np.maximum(self._received[units], 1e-9)
        return np.asarray(self._ended[units] / received, np.float64)

    def place_of(self, group: int) -> int:
        """The place of a group in `of_levels`; -1: it has none."""
        return int(self._place_of[group]) if group < len(self._place_of) else -1

    def unit_count(self, group: int) -> int:
        """How many units a (tenant, integration) has."""
        return int(self._sources[group])

    def add(self, new: Arrivals) -> None:
        """Add messages to their hours."""
        self.units.add(new)

    def close(self, hour: int) -> tuple[Ints, Ints]:
        """Weigh an hour, or what came late to it; returns the units and levels that it changed."""
        closed = self.units.take(hour)
        self._make_room(closed)
        at = closed.units
        due = np.minimum(self.ratio(at) * closed.received, MOST)
        due = np.where(self._received[at] > 0.0, due, closed.ends)
        is_late = hour <= self.closed_until
        self.closed_until = max(hour, self.closed_until)
        is_known = self.of_units.hours[at] >= HOURS_NEEDED
        changed = self._close_levels(closed, due, is_known, hour, is_late)
        weighed = self._received[at] > 0.0
        units, m, e, p = at[weighed], due[weighed], closed.ends[weighed], closed.passed[weighed]
        believed = np.where(self.of_units.is_held[at], 0.0, 1.0)
        ends = self.of_units.winsorised(at, due, closed.ends)
        if is_late:
            self.of_units.correct(units, m, e)
        else:
            self.of_units.close(units, hour, m, e, p)
        kept = 1.0 if is_late else _KEPT
        factor = np.where(believed > 0.0, kept, 1.0)
        self._received[at] = factor * self._received[at] + believed * closed.received
        self._ended[at] = factor * self._ended[at] + believed * np.where(
            weighed & ~is_late, ends, closed.ends
        )
        return units, changed

    def accept(self, unit: int, share: float) -> None:
        """So much less (or more) ends is usual from now on."""
        self._ended[unit] *= 1.0 - share

    def _close_levels(
        self, closed: Closed, due: Floats, is_known: Bools, hour: int, is_late: bool
    ) -> Ints:
        groups = self.units.groups[closed.units[is_known]]
        if not len(groups):
            return np.zeros(0, np.int64)
        parts = [closed.ends[is_known], due[is_known], closed.passed[is_known]]
        sums = [np.zeros(self.level_count) for _ in parts]
        several = np.where(self._sources[np.maximum(groups[:, 2], 0)] > 1, groups[:, 2], -1)
        platform = np.full(len(groups), self._levels.platform())
        for level in (several, groups[:, 1], groups[:, 3], platform):
            there = level >= 0
            places = self._place_of[level[there]]
            for number, part in enumerate(parts):
                sums[number] += np.bincount(places, part[there], self.level_count)
        ends, wanted, passed = (np.minimum(total, MOST) for total in sums)
        at = np.flatnonzero((ends > 0.0) | (wanted > 0.0))
        if is_late:
            self.of_levels.correct(at, wanted[at], ends[at])
        else:
            self.of_levels.close(at, hour, wanted[at], ends[at], passed[at])
        return at

    def _make_room(self, closed: Closed) -> None:
        count = self.units.count
        self.of_units.make_room(count)
        for name in ("_received", "_ended", "_pairing"):
            setattr(self, name, grown(getattr(self, name), count, 0))
        self._know_places(self._known_units, count)
        self._known_units = count
        other = (self._pairing[closed.units] != closed.pairing) & (self._pairing[closed.units] != 0)
        changed = closed.units[other]
        self.of_units.forget(changed)
        self._received[changed] = self._ended[changed] = 0.0
        self._pairing[closed.units] = closed.pairing

    def _know_places(self, first: int, count: int) -> None:
        fresh = self.units.groups[first:count]
        platform = self._levels.platform()
        if not len(fresh) or platform is None:
            return
        size = len(self._levels.groups)
        self._place_of = grown(self._place_of, size, -1)
        self._sources = grown(self._sources, size, 0)
        bound = fresh[fresh[:, 2] >= 0, 2]
        np.add.at(self._sources, bound, 1)
        several = bound[self._sources[bound] > 1]
        wanted = np.unique(np.concatenate([fresh[:, 1], fresh[:, 3], several, [platform]]))
        wanted = wanted[wanted >= 0]
        wanted = wanted[self._place_of[wanted] < 0]
        total = self.level_count + len(wanted)
        self._place_of[wanted] = np.arange(self.level_count, total)
        self.group_at = grown(self.group_at, total, 0)
        self.group_at[self.level_count : total] = wanted
        self.level_count = total
        self.of_levels.make_room(total)
