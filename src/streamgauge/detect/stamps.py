"""When each row was first and last heard, and where in a minute its stamps stand."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Levels

_NEVER = np.iinfo(np.int32).max
_TAILS_NEEDED = 10
_MANY_MINUTES = 10
"""A part that spans as many is history: tails and spans are learned from all of it."""


class Stamps:
    """Arrays by row, 28 bytes each."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.last_s: Floats = np.full(64, -np.inf)
        """Epoch seconds [rows] of the newest message."""
        self.tail_s: Floats = np.full(64, 60.0, np.float32)
        """Usual seconds [rows] from the newest message of a minute to that minute's end: the
        reporting interval of a sender that reports several times a minute."""
        self.tail_square: Floats = np.full(64, 3600.0, np.float32)
        """The same [rows], squared: tells whether those seconds are always the same."""
        self.span_s: Floats = np.zeros(64, np.float32)
        """Usual seconds [rows] between the first and the last stamp of a minute: what is left of
        the minute is the reporting interval, whether its start or its end is stamped."""
        self._first_in_minute_s: Floats = np.full(64, np.inf, np.float32)
        """Seconds [rows] into the minute of `last_s` at which its first message is stamped."""
        self.first_hour: Ints = np.full(64, _NEVER, np.int32)
        """[rows]"""

    def make_room(self) -> None:
        """Grow to all rows."""
        rows = self._levels.row_count
        self.last_s = grown(self.last_s, rows, -np.inf)
        self.tail_s = grown(self.tail_s, rows, 60.0)
        self.tail_square = grown(self.tail_square, rows, 3600.0)
        self.span_s = grown(self.span_s, rows, 0.0)
        self._first_in_minute_s = grown(self._first_in_minute_s, rows, np.inf)
        self.first_hour = grown(self.first_hour, rows, _NEVER)

    def add(self, new: Arrivals, oldest_hour: int, touched: Ints) -> None:
        """Add minutes, or hours; those before `oldest_hour` are not a row's own time.

        Args:
            new: what was inserted.
            oldest_hour: since the epoch.
            touched: all rows of `new`, ascending, each once.
        """
        minute, rows = new.minute, new.rows
        if new.active_minutes is None and int(minute.max() - minute.min()) >= _MANY_MINUTES:
            self._learn_tails(rows, new.last_s, minute)
            self._learn_spans(rows, new.last_s - new.first_s, minute, new.counts)
        self._note_first_hours(rows, minute // 60, oldest_hour)
        self._note_last(new, touched)

    def _note_first_hours(self, rows: Ints, hours: Ints, oldest_hour: int) -> None:
        # What is first for a row is first for the lowest of its flow's rows, too.
        earlier = np.flatnonzero((hours < self.first_hour[rows[:, 0]]) & (hours > oldest_hour))
        if len(earlier):
            hours = hours[earlier].astype(np.int32)
            for level in rows[earlier].T:
                np.minimum.at(self.first_hour, level, hours)

    def _note_last(self, new: Arrivals, touched: Ints) -> None:
        later = new.last_s >= self.last_s[new.rows[:, 0]]
        every = bool(later.all())
        rows = new.rows if every else new.rows[later]
        stamps = new.last_s if every else new.last_s[later]
        firsts = new.first_s if every else new.first_s[later]
        if not len(rows):
            return
        if not every:
            touched = distinct(rows, self._levels.row_count)
        old = self.last_s[touched]
        for level in rows.T:
            np.maximum.at(self.last_s, level, stamps)
        self._learn_ended(touched, old, self.last_s[touched])
        second = (firsts % 60.0).astype(np.float32)
        minute = stamps // 60.0
        for level in rows.T:
            is_newest = minute == self.last_s[level] // 60.0
            np.minimum.at(self._first_in_minute_s, level[is_newest], second[is_newest])

    def _learn_ended(self, touched: Ints, old: Floats, new: Floats) -> None:
        """The stamp that was newest when a later minute began was the last one of its minute."""
        with np.errstate(invalid="ignore"):  # of the very first message there is no older one
            is_next = new // 60 > old // 60
            ended = is_next & (new - old < 7200.0)
        second = old[ended] % 60.0
        at, tail = touched[ended], 60.0 - second
        self.tail_s[at] += 0.05 * (tail - self.tail_s[at])
        self.tail_square[at] += 0.05 * (tail**2 - self.tail_square[at])
        spans = second - self._first_in_minute_s[at]
        known = np.isfinite(spans)
        at = at[known]
        self.span_s[at] += 0.2 * (np.clip(spans[known], 0.0, 60.0) - self.span_s[at])
        self._first_in_minute_s[touched[is_next]] = np.inf

    def _learn_tails(self, rows: Ints, stamps: Floats, minute: Ints) -> None:
        """Learn the seconds left after the last message of a minute, from many minutes at once."""
        ended = minute < minute.max()
        size = self._levels.row_count
        tails = 60.0 - stamps[ended] % 60.0
        total, square, count = np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
        for level in rows[ended].T:  # one after the other: a start brings millions of minutes
            total += np.bincount(level, tails, size)
            square += np.bincount(level, tails**2, size)
            count += np.bincount(level, minlength=size)
        known = np.flatnonzero(count >= _TAILS_NEEDED)
        self.tail_s[known] = total[known] / count[known]
        self.tail_square[known] = square[known] / count[known]

    def _learn_spans(self, rows: Ints, spans: Floats, minute: Ints, counts: Floats) -> None:
        """Learn how much of a minute the stamps span, from the last hour of many minutes at once.

        Rows of a level hold several outcomes: the rare ones, stamped once, hardly weigh.
        """
        newest = minute.max()
        ended = (minute < newest) & (minute >= newest - 60)
        flat, times = rows[ended].ravel(), rows.shape[1]
        size, weights = self._levels.row_count, np.repeat(counts[ended], times)
        total = np.bincount(flat, np.repeat(spans[ended], times) * weights, size)
        weight = np.bincount(flat, weights, size)
        known = np.flatnonzero(
            (np.bincount(flat, minlength=size) >= _TAILS_NEEDED) & (weight > 0.0)
        )
        self.span_s[known] = total[known] / weight[known]


def distinct(rows: Ints, size: int) -> Ints:
    """`np.unique(rows)` of numbers below `size`, without sorting millions of them."""
    is_there = np.zeros(size, bool)
    is_there[rows] = True
    return np.flatnonzero(is_there)
