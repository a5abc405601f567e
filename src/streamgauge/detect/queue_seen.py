"""What was reported of one queue: its last reports, and the habit learned from older ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.capacity_seen import QueueCapacity
from streamgauge.detect.queue_week import QueueWeek
from streamgauge.model.finding import Finding

FIELDS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers")
_KEPT = 64
_BUCKETS = 128


@dataclass
class Queue:
    """What was reported of one queue."""

    tags: tuple[str, str, str, str]
    minutes: list[int] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    """One array [5] in the order of `FIELDS` for each of `minutes`; NaN: not reported."""
    ages: Floats = field(default_factory=lambda: np.zeros(_BUCKETS))
    backlogs: Floats = field(default_factory=lambda: np.zeros(_BUCKETS))
    week: QueueWeek = field(default_factory=QueueWeek)
    capacity: QueueCapacity = field(default_factory=QueueCapacity)
    learned_until: int = -1
    measured_until: int = -1
    open_since: float | None = None
    why: str = ""
    good_minutes: int = 0
    judged_minute: int = -1
    told: Finding | None = None
    is_fresh: bool = False
    """Whether something was reported since the last turn."""

    def put(self, minute: int, values: Floats) -> None:
        """Take the last values of a minute; older reports than are kept are dropped."""
        if self.minutes and minute < self.minutes[0] and len(self.minutes) >= _KEPT:
            return
        self.is_fresh = True
        if not self.minutes or minute >= self.minutes[-1]:
            self.week.end(minute, float(values[0]))
        place = int(np.searchsorted(self.minutes, minute))
        if place < len(self.minutes) and self.minutes[place] == minute:
            known = self.values[place]
            self.values[place] = np.where(np.isnan(values), known, values)
        else:
            self.minutes.insert(place, minute)
            self.values.insert(place, values)
        if len(self.minutes) > 2 * _KEPT:
            self.measure()
            self.learn(self.minutes[-_KEPT])
            del self.minutes[:-_KEPT], self.values[:-_KEPT]

    def measure(self) -> None:
        """Note what came in and went out in reports that were not measured yet."""
        for place in range(bisect_right(self.minutes, self.measured_until), len(self.minutes)):
            minute, values = self.minutes[place], self.values[place]
            self.measured_until, rates = minute, self._step(place)
            self.capacity.note(minute, float(values[0]), float(values[1]), rates, float(values[4]))

    def learn(self, before_minute: int) -> None:
        """Add the minutes up to `before_minute` to the habit, unless an incident is open."""
        first = bisect_right(self.minutes, self.learned_until)
        for place in range(first, bisect_left(self.minutes, before_minute)):
            minute, values = self.minutes[place], self.values[place]
            self.learned_until = minute
            rates = self._step(place)
            if self.open_since is None or 60 * minute < self.open_since:
                _count(self.ages, values[1])
                _count(self.backlogs, values[0])
                self.week.learn(minute, float(values[1]), float(values[0]), rates[0])

    def _step(self, place: int) -> tuple[float, float]:
        """In and out, messages a second, since the report before one; NaN: not known."""
        if place == 0:
            return np.nan, np.nan
        span = 60.0 * (self.minutes[place] - self.minutes[place - 1])
        steps = (self.values[place] - self.values[place - 1])[2:4] / span
        steps[steps < 0.0] = np.nan  # a counter that fell was restarted
        return float(steps[0]), float(steps[1])

    def column(self, name: str, minutes: int) -> Floats:
        """The last reports of one field, oldest first, of the last `minutes` reports."""
        values = self.values[-minutes:]
        return np.array([v[FIELDS.index(name)] for v in values])

    def trend_per_s(self, reports: int) -> float:
        """By how much the backlog changes, messages a second, over the last `reports`."""
        at = 60.0 * np.array(self.minutes[-reports:], np.float64)
        return slope(self.column("backlog", reports), at)

    def rates(self) -> tuple[float | None, float | None]:
        """In and out, messages a second, over the last minutes; None where not reported."""
        return self._rate("in_total"), self._rate("out_total")

    def _rate(self, name: str) -> float | None:
        values, minutes = self.column(name, 6), np.array(self.minutes[-6:])
        there = np.isfinite(values)
        if there.sum() < 2:
            return None
        step = np.diff(values[there])
        # A counter that fell was restarted: that step tells nothing.
        span = np.diff(minutes[there])[step >= 0.0].sum()
        return float(step[step >= 0.0].sum() / (60.0 * span)) if span else None


def usual_age_s(queue: Queue) -> float:
    """What the age of the oldest message usually stays under in this hour."""
    return _usual(queue.week.usual_age_s(queue.minutes[-1]), queue.ages)


def usual_backlog(queue: Queue) -> float:
    """What the backlog usually stays under in this hour."""
    return _usual(queue.week.usual_backlog(queue.minutes[-1]), queue.backlogs)


def _usual(of_hour: tuple[float, bool] | None, histogram: Floats) -> float:
    """Of this hour of the week where a week is known of it; else no less than at all hours."""
    if of_hour is None:
        return _quantile(histogram)
    return of_hour[0] if of_hour[1] else max(of_hour[0], _quantile(histogram))


def slope(values: Floats, at: Floats) -> float:
    """Theil-Sen slope of `values` over `at` (distinct); 0 for fewer than two known values."""
    known = np.isfinite(values)
    values, at = values[known], at[known]
    i, j = np.triu_indices(len(values), 1)
    return float(np.median((values[j] - values[i]) / (at[j] - at[i]))) if len(i) else 0.0


def _bucket(value: float) -> int:
    return int(np.clip(2.0 * np.log2(1.0 + max(value, 0.0)), 0, _BUCKETS - 1))


def _count(histogram: Floats, value: float) -> None:
    if np.isfinite(value):
        histogram[_bucket(float(value))] += 1.0


def _quantile(histogram: Floats) -> float:
    """The value that 99.5 of 100 minutes stay under."""
    reached = np.cumsum(histogram) >= 0.995 * histogram.sum()
    return float(2.0 ** ((np.argmax(reached) + 1) / 2.0) - 1.0)
