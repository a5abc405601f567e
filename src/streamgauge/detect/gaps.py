"""Which time was seen (DESIGN section 6): the watermark, seen minutes, and usual gaps.

A minute is seen if a line of anyone who reports to us is stamped in it, whenever it came. What our
own collectors look up says nothing of those who report: it is the clock only until somebody does,
as where queues alone are watched. Time past the newest line is not seen. A fleet that sends a line
every half hour has many minutes without one: a gap no longer than its usual gaps counts as seen.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Bools, Floats, Ints
from streamgauge.detect.arrivals import EARLIEST_HOUR
from streamgauge.detect.sums import HOURS_KEPT
from streamgauge.model.feed import Delta

_SPAN = (HOURS_KEPT + 7 * 24) * 60
_USUAL = 0.995
"""Gaps up to this quantile of all gaps are usual."""


class SeenTime:
    """The minutes in which anyone spoke, and what follows from them."""

    def __init__(self) -> None:
        self._base = 0
        """The first minute that is kept; a multiple of 60."""
        self._lines: Bools = np.zeros(_SPAN, bool)
        self._newest_s = 0.0
        self._prefix: Floats | None = None
        self._version = 0
        self.usual_gap_minutes = 1
        self.coverage = 0.0
        """Share of minutes with a line, of the last two days."""
        self._is_heard = False
        self.refilled = 0
        """Grows when a minute before the newest one proves to have been seen."""

    def observe(self, delta: Delta) -> bool:
        """Add what was inserted; returns whether somebody reported any of it."""
        newest_s, minutes = _newest(delta.minutes, max(delta.newest_ns / 1e9, 0.0))
        collected_s, collected = _newest(delta.queues, 0.0)
        if newest_s > 0.0:
            if not self._is_heard:
                self._forget()
            self._is_heard = True
            # Some of these queues may have been reported, as somebody was just heard.
            collected = collected[collected <= newest_s // 60]
            self.add(np.unique(np.concatenate([minutes, collected])), newest_s)
        elif not self._is_heard:
            self.add(np.unique(collected), collected_s)
        return newest_s > 0.0

    def learn(self, minutes: Ints) -> None:
        """Somebody reported in these minutes."""
        self._is_heard |= len(minutes) > 0
        self.add(minutes)

    def add(self, minutes: Ints, newest_s: float = 0.0) -> None:
        """Lines are stamped in these minutes; the newest of them at `newest_s`."""
        minutes = np.asarray(minutes, np.int64)
        if newest_s >= EARLIEST_HOUR * 3600:
            minutes = np.append(minutes, int(newest_s // 60))
            self._newest_s = max(self._newest_s, newest_s)
        minutes = minutes[minutes >= EARLIEST_HOUR * 60]
        if not len(minutes):
            return
        self._make_room(int(minutes.max()))
        places = minutes[minutes >= self._base] - self._base
        fresh = places[~self._lines[places]]
        if len(fresh):
            self.refilled += int(bool(self._lines[int(fresh.min()) :].any()))
            self._lines[places] = True
            self._prefix = None

    def watermark(self, now: float) -> float:
        """Epoch seconds of the newest line not after `now`; -inf if there is none."""
        if self._newest_s <= now:
            return self._newest_s or -np.inf
        until = min(max(int(now // 60) + 1 - self._base, 0), _SPAN)
        lines = np.flatnonzero(self._lines[:until])
        return min(now, float(lines[-1] + 1 + self._base) * 60.0) if len(lines) else -np.inf

    def learn_gaps(self) -> None:
        """Learn which gaps between lines are usual, and count those as seen."""
        self._prefix = None
        lines = np.flatnonzero(self._lines)
        if len(lines) < 3:
            self.usual_gap_minutes = 1
            return
        gaps = np.diff(lines)
        recent = lines[lines > lines[-1] - 2880]
        # A few minutes say nothing about days.
        self.coverage = len(recent) / max(lines[-1] - recent[0] + 1, 60)
        # The few longest gaps of a short history are no habit; of 3 days of minutes none counts.
        self.usual_gap_minutes = int(np.quantile(gaps, _USUAL, method="lower"))

    def seconds(self, start_s: Floats, end_s: float | Floats) -> Floats:
        """Seen seconds between `start_s` and `end_s` (arrays or numbers), watermark or not."""
        return np.asarray(np.maximum(self._upto(end_s) - self._upto(start_s), 0.0))

    def hours(self, first_hour: int, count: int) -> Floats:
        """Seen share [count] of each hour from `first_hour` on, 0 … 1."""
        edges = (first_hour + np.arange(count + 1)) * 3600.0
        return np.asarray(np.diff(self._upto(edges)) / 3600.0)

    def minutes(self, first_minute: int, count: int) -> Bools:
        """Which [count] minutes from `first_minute` on were seen."""
        edges = (first_minute + np.arange(count + 1)) * 60.0
        return np.asarray(np.diff(self._upto(edges)) > 0.0)

    def density(self) -> float:
        """Share of minutes with a line, from the first to the newest; 0 until ten were."""
        lines = np.flatnonzero(self._lines)
        return len(lines) / (lines[-1] - lines[0] + 1) if len(lines) >= 10 else 0.0

    def first_minute(self) -> int | None:
        """The oldest minute with a line that is kept."""
        first = int(self._lines.argmax())
        return first + self._base if self._lines[first] else None

    def filled(self) -> tuple[int, Bools]:
        """The first minute that is kept, and which from there on were seen."""
        return self._base, self._filled()

    def upto(self, at_s: float | Floats, prefix: Array) -> Array:
        """Seconds before `at_s`, by sums [minutes + 1] from the first minute that is kept."""
        place = np.asarray(at_s, float) / 60.0 - self._base
        place = np.minimum(np.maximum(place, 0.0), _SPAN - 1.0)  # clip, without its detour
        whole = place.astype(np.int64)
        below = prefix[whole]
        return np.asarray(below + (place - whole) * (prefix[whole + 1] - below))

    def version(self) -> int:
        """Grows with everything newly seen."""
        self._sums()
        return self._version

    def _upto(self, at_s: float | Floats) -> Array:
        return self.upto(at_s, self._sums())

    def _sums(self) -> Array:
        if self._prefix is None:
            self._prefix = np.concatenate([[0.0], np.cumsum(self._filled())]) * 60.0
            self._version += 1
        return self._prefix

    def _filled(self) -> Bools:
        if self.usual_gap_minutes <= 1:
            return self._lines
        lines = np.flatnonzero(self._lines)
        if not len(lines):
            return self._lines
        gap_of = np.diff(lines, append=lines[-1] + 1)
        owner = np.searchsorted(lines, np.arange(lines[0], lines[-1] + 1), side="right") - 1
        filled = self._lines.copy()
        filled[lines[0] : lines[-1] + 1] |= gap_of[owner] <= self.usual_gap_minutes
        return filled

    def _forget(self) -> None:
        """Begin anew: what collectors saw is no clock for those who report."""
        self._base, self._newest_s, self._prefix = 0, 0.0, None
        self._lines[:] = False
        self.usual_gap_minutes, self.coverage = 1, 0.0

    def _make_room(self, minute: int) -> None:
        if self._base == 0 or minute - self._base >= 2 * _SPAN:
            self._base = (minute - HOURS_KEPT * 60) // 60 * 60
            self._lines[:] = False
        shift = minute - self._base - _SPAN + 60 * 24
        if shift > 0:
            shift = -(-shift // 60) * 60
            self._lines = np.concatenate([self._lines[shift:], np.zeros(shift, bool)])
            self._base += shift
            self._prefix = None


def _newest(table: pa.Table, newest_s: float) -> tuple[float, Ints]:
    """The newest stamp of a table's rows, epoch seconds, or `newest_s`; and their minutes."""
    if not table.num_rows:
        return newest_s, np.zeros(0, np.int64)
    last_s = float(table["last_ns"].to_numpy().max()) / 1e9
    return max(newest_s, last_s), table["minute"].to_numpy()
