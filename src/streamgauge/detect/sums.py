"""What was counted, where each question finds it: stamps by row, minutes of the last hours by flow,
hours of wide rows, and the hours that habits are fitted from (`past`).

Everything is a sum or a set of bits, so it does not matter in which order or in how many parts it
arrived.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, placed
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Levels
from streamgauge.detect.live_gaps import LiveGaps
from streamgauge.detect.past import HOURS_KEPT, KeptHours, Past
from streamgauge.detect.reasons import Reasons
from streamgauge.detect.recent import RecentMinutes
from streamgauge.detect.row_hours import RowHours
from streamgauge.detect.stamps import Stamps, distinct
from streamgauge.detect.wide import WideHours

__all__ = ["HOURS_KEPT", "Sums"]

_MINUTES_ASKED_FOR = 120
_FILTERED_KEPT_HOURS = 7 * 24
_PARTS_BEFORE_SUM = 64


class Sums:
    """Counts of every row: messages, failures, active minutes, first and last stamp."""

    def __init__(self, levels: Levels, past: Past | None = None) -> None:
        self._levels = levels
        self.stamps = Stamps(levels)
        self.recent = RecentMinutes(levels)
        self.wide = WideHours(levels)
        self.past: Past = past if past is not None else KeptHours()
        self.hours = RowHours(levels, self.past, self.wide)
        self.newest_hour = 0
        self.version = 0
        """Grows with everything added: the same version has the same sums."""
        self.newest_failed_minute = -1
        self.reasons = Reasons(levels)
        self.live_gaps = LiveGaps()
        self._guessed_until_hour = 0
        """Of hours before it only the number of active minutes is known; which is made up."""
        self._filtered: dict[int, list[tuple[Ints, Floats]]] = {}
        """By hour: numbers of flows, and how much of theirs was filtered."""
        self._arrived: list[Ints] = []
        self._failed: list[Ints] = []

    @property
    def last_s(self) -> Floats:
        """Epoch seconds [rows] of the newest message."""
        return self.stamps.last_s

    @property
    def tail_s(self) -> Floats:
        """See `Stamps.tail_s`."""
        return self.stamps.tail_s

    @property
    def tail_square(self) -> Floats:
        """See `Stamps.tail_square`."""
        return self.stamps.tail_square

    @property
    def span_s(self) -> Floats:
        """See `Stamps.span_s`."""
        return self.stamps.span_s

    @property
    def first_hour(self) -> Ints:
        """Hours since the epoch [rows] of the first message that is kept."""
        return self.stamps.first_hour

    def add_minutes(self, new: Arrivals) -> Ints:
        """Add minutes; returns the flows (unique) whose older hours changed."""
        if not len(new):
            return np.zeros(0, np.int32)
        self.newest_hour = max(self.newest_hour, int(new.minute.max()) // 60)
        self.version += 1
        self.stamps.make_room()
        self._note_failures(new)
        self._note_filtered(new)
        touched = distinct(new.rows, self._levels.row_count)
        self._arrived.append(touched)
        self.live_gaps.observe(new, touched, self.last_s)
        self.stamps.add(new, self.newest_hour - HOURS_KEPT, touched)
        self.recent.add(new)
        return self._add_to_hours(new)

    def add_hours(self, new: Arrivals) -> None:
        """Add hours of which the single minutes are not known."""
        if not len(new) or new.active_minutes is None:
            return
        self.newest_hour = max(self.newest_hour, int(new.minute.max()) // 60)
        self.stamps.make_room()
        touched = distinct(new.rows, self._levels.row_count)
        self.stamps.add(new, self.newest_hour - HOURS_KEPT, touched)
        new = _part(new, new.minute // 60 > self.newest_hour - HOURS_KEPT)
        self.past.learn(new)
        if len(new):
            newest = int(new.minute.max()) // 60
            self._guessed_until_hour = max(self._guessed_until_hour, newest + 1)
        self.wide.add(new)

    def hours_of(self, rows: Ints, first: int, end: int) -> tuple[Floats, Array]:
        """Active minutes and their bits [hours, rows] of some rows, from hour `first` to `end`.

        Bits are 0 where only the number of minutes is known.
        """
        flows = self._levels.flows_of_rows(rows)
        place = placed(rows, self._levels.row_count)
        bits: Array = np.zeros((end - first) * len(rows), np.uint64)
        for part in self.past.hours(flows, first, end - 1):
            at = (part.hour - first).astype(np.int64) * len(rows)
            for level in self._levels.flow_rows[part.flow].T:
                there = np.flatnonzero(place[level])
                cell = at[there] + place[level[there]] - 1
                np.bitwise_or.at(bits, cell, part.minutes[there])
        bits = bits.reshape(end - first, len(rows))
        active = np.bitwise_count(bits).astype(np.float32)
        bits[: max(self._guessed_until_hour - first, 0)] = 0
        return active, bits

    def filtered_since(self, rows: list[int], since_s: float, until_s: float) -> float:
        """Messages of these rows that filters took out; of the first hour, by its share of time."""
        wanted = np.array(rows)
        total = 0.0
        for hour, parts in self._filtered.items():
            begin, end = 3600.0 * hour, min(3600.0 * (hour + 1), until_s)
            if end <= max(begin, since_s):
                continue
            share = (end - max(begin, since_s)) / (end - begin)
            for flows, counts in parts:
                is_in = np.isin(self._levels.flow_rows[flows], wanted)
                total += share * float((is_in.sum(axis=1) * counts).sum())
        return total

    def take_arrived(self) -> Ints:
        """The rows (unique) to which minutes were added since the last call."""
        parts, self._arrived = self._arrived, []
        if len(parts) <= 1:
            return parts[0] if parts else np.zeros(0, np.int64)
        return distinct(np.concatenate(parts), self._levels.row_count)

    def take_failed(self) -> Ints:
        """The flows, each once, that failed since the last call."""
        parts, self._failed = self._failed, []
        return np.unique(np.concatenate([np.zeros(0, np.int32), *parts]))

    def window_of(
        self, rows: Ints, until_minute: int, minutes: int, failed: bool = False
    ) -> Floats:
        """float32 [minutes, rows]: what each of the minutes up to `until_minute` counted."""
        return self.recent.window(rows, until_minute, minutes, failed)

    def window(self, until_minute: int, minutes: int, failed: bool = False) -> Floats:
        """The same of all rows: of many it takes long."""
        return self.recent.dense(until_minute, minutes, failed)

    def forget_old(self, watermark: float) -> None:
        """Drop what nobody asks for any more."""
        oldest = self.newest_hour - HOURS_KEPT + 1
        self.past.forget_before(oldest)
        self.wide.forget_before(oldest)
        for hour in [at for at in self._filtered if at < self.newest_hour - _FILTERED_KEPT_HOURS]:
            del self._filtered[hour]
        self.recent.forget_before(int(watermark // 60) - _MINUTES_ASKED_FOR)

    def _note_failures(self, new: Arrivals) -> None:
        at = new.has_failed
        if at.any() and new.reason is not None:
            self.newest_failed_minute = max(self.newest_failed_minute, int(new.minute[at].max()))
            reason = new.reason.filter(pa.array(at))
            self._failed.append(new.flows[at])
            self.reasons.add(new.minute[at], new.flows[at], reason, new.counts[at])

    def _note_filtered(self, new: Arrivals) -> None:
        if not new.is_filtered.any():
            return
        hours = new.minute // 60
        for hour in np.unique(hours[new.is_filtered]).tolist():
            at = new.is_filtered & (hours == hour)
            parts = self._filtered.setdefault(hour, [])
            parts.append((new.flows[at], new.counts[at]))
            if len(parts) > _PARTS_BEFORE_SUM:
                self._filtered[hour] = [_summed(parts)]

    def _add_to_hours(self, new: Arrivals) -> Ints:
        hours = new.minute // 60
        new = _part(new, hours > self.newest_hour - HOURS_KEPT)
        self.past.add(new)
        self.wide.add(new)
        return np.unique(new.flows[new.minute // 60 < self.newest_hour - 1])


def _part(new: Arrivals, which: Bools) -> Arrivals:
    return new if which.all() else new.part(np.flatnonzero(which))


def _summed(parts: list[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    flows = np.concatenate([part for part, _ in parts])
    flow, place = np.unique(flows, return_inverse=True)
    counts = np.bincount(place, np.concatenate([part for _, part in parts]), len(flow))
    return flow, counts.astype(np.float64)
