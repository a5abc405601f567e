"""What a queue's consumers sustained while they had to: the most, by how many they were.

A report counts if there was work for half a minute or more in it and in the one before: what comes
out then is all that can. Five minutes of such reports in a row, of equally many consumers, are
sustained.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.capacity_laws import fit

_WORK_S = 30.0
_SUSTAINED_S = 300.0
_GAP_MINUTES = 10
_KEPT_MINUTES = 28 * 24 * 60
_MOST_COUNTS = 64
_MOST_PER_S = 1e12
_UNTOLD = -1
"""The number of consumers where nobody tells it."""
_PROVEN = 0.97


class Seen(NamedTuple):
    """A rate that was sustained, and when."""

    per_s: float
    minute: int


class Feasible(NamedTuple):
    """What can be taken out of a queue."""

    per_s: float
    is_proven: bool
    """Nothing near it, or above, was ever reached without work waiting: it is a limit, not merely
    the most that was asked for."""
    basis: str
    """`sustained` or `scalability law`."""


class QueueCapacity:
    """Of one queue; some numbers, and one pair for each number of consumers."""

    def __init__(self) -> None:
        self._best: dict[int, Seen] = {}
        self._free = Seen(0.0, -_KEPT_MINUTES)
        """The most that came out in five minutes though nothing waited."""
        self._run: list[tuple[float, float]] = []
        self._run_is_busy = False
        self._last = (-1, np.nan, np.nan)
        self.consumers = _UNTOLD
        self.in_per_s = np.nan
        """Of late: half of it is of the last ten minutes."""
        self._came: Floats = np.zeros((3, 24))
        """Of each of the last hours: its number since the epoch, messages, and seconds seen."""

    def note(
        self,
        minute: int,
        backlog: float,
        age_s: float,
        rates: tuple[float, float],
        consumers: float,
    ) -> None:
        """Take a report, later than the last one; NaN is not reported."""
        last_minute, last_backlog, last_age_s = self._last
        self._last = (minute, backlog, age_s)
        count = int(consumers) if np.isfinite(consumers) and 0 <= consumers < 1e6 else _UNTOLD
        span_s = 60.0 * (minute - last_minute)
        in_per_s, out_per_s = rates
        if last_minute < 0 or not 0.0 < span_s <= 60.0 * _GAP_MINUTES:
            self._run, self.consumers = [], count
            return
        if np.isfinite(in_per_s):
            self.in_per_s = _moved(self.in_per_s, in_per_s, span_s / 600.0)
            self._come(minute // 60, in_per_s, span_s)
        if count != self.consumers:
            self._run, self.consumers = [], count
        if not np.isfinite(out_per_s):
            self._run = []
            return
        work = min(backlog, last_backlog) >= _WORK_S * out_per_s
        waits = min(age_s, last_age_s) >= _WORK_S
        is_busy = bool(min(backlog, last_backlog) > 0.0 and (work or waits))
        if is_busy is not self._run_is_busy:
            self._run, self._run_is_busy = [], is_busy
        self._sustain(minute, out_per_s, span_s)

    def came_per_s(self, before_hour: int) -> tuple[Ints, Floats]:
        """Hours of the last day seen for half their time, and messages a second in them."""
        hours, count, span_s = self._came
        is_seen = (span_s >= 1800.0) & (hours < before_hour) & (hours >= before_hour - 24)
        return hours[is_seen].astype(np.int64), count[is_seen] / span_s[is_seen]

    def feasible(self) -> Feasible | None:
        """What the consumers that there are could sustain; None: they never had to."""
        known = {count: seen for count, seen in self._best.items() if count != 0}
        if not known or self.consumers == 0:
            return None
        per_s, basis = self._at(known), "sustained"
        if per_s is None:
            law = fit(np.array(list(known), float), np.array([s.per_s for s in known.values()]))
            nearest = min(known, key=lambda count: abs(count - self.consumers))
            if law is not None:
                per_s, basis = law.per_second(self.consumers), "scalability law"
            else:
                # Fewer do no more than their share; that more do more was not seen.
                per_s = known[nearest].per_s * min(self.consumers / max(nearest, 1), 1.0)
        is_proven = self._free.per_s < _PROVEN * per_s
        return Feasible(max(per_s, self._free.per_s), is_proven, basis)

    def _at(self, known: dict[int, Seen]) -> float | None:
        if self.consumers in known:
            return known[self.consumers].per_s
        if self.consumers == _UNTOLD or _UNTOLD in known:
            return max(seen.per_s for seen in known.values())
        return None

    def _come(self, hour: int, in_per_s: float, span_s: float) -> None:
        at = hour % 24
        if self._came[0, at] != hour:
            self._came[:, at] = hour, 0.0, 0.0
        self._came[1:, at] += min(in_per_s, _MOST_PER_S) * span_s, span_s

    def _sustain(self, minute: int, out_per_s: float, span_s: float) -> None:
        self._run.append((out_per_s * span_s, span_s))
        while len(self._run) > 1 and sum(s for _, s in self._run) - self._run[0][1] >= _SUSTAINED_S:
            del self._run[0]
        total_s = sum(span for _, span in self._run)
        if total_s < _SUSTAINED_S:
            return
        per_s = sum(count for count, _ in self._run) / total_s
        if not self._run_is_busy:
            if per_s >= self._free.per_s or minute - self._free.minute > _KEPT_MINUTES:
                self._free = Seen(per_s, minute)
            return
        old = self._best.get(self.consumers)
        has_room = old is not None or len(self._best) < _MOST_COUNTS
        is_most = old is None or per_s >= old.per_s or minute - old.minute > _KEPT_MINUTES
        if per_s > 0.0 and has_room and is_most:
            self._best[self.consumers] = Seen(per_s, minute)


def _moved(old: float, new: float, halves: float) -> float:
    """An average in which the old weighs half after one of `halves`."""
    if not np.isfinite(old):
        return new
    return float(new + (old - new) * 0.5**halves)
