"""What is usual for one queue by hour of the week: four weeks of hourly extremes.

A nightly batch that builds two hours of backlog is habit; two hours at noon are not. Codes of two
bytes an hour hold the greatest age and backlog; 2.2 kB a queue with what stood at each hour's end.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints

_DAYS = 28
_HOURS = _DAYS * 24
_ENDS = 168
_DAYS_NEEDED = 3
_DAYS_SURE = 7
_NOT_HABIT_YET_HOURS = 12
_MOST = 254.0
_STEPS = 4.0
"""Codes for a doubling: 19 % wide."""
_LOAD_GAIN = 0.1
_MOST_KEPT = 1e15


def code_of(value: float) -> int:
    """1 … 255 for a number from 0 on; 0 is not known."""
    if not np.isfinite(value):
        return 0
    return 1 + int(min(_STEPS * np.log2(1.0 + max(value, 0.0)), _MOST))


def value_of(code: float) -> float:
    """The upper end of a code."""
    return float(2.0 ** (code / _STEPS) - 1.0)


class QueueWeek:
    """Hours since the epoch go in; what is usual in an hour comes out."""

    def __init__(self) -> None:
        self._ages: Array = np.zeros(_HOURS, np.uint8)
        self._backlogs: Array = np.zeros(_HOURS, np.uint8)
        self._newest = -1
        self._ends: Floats = np.full(_ENDS, np.nan, np.float32)
        self._newest_end = -1
        self._loads: Floats = np.full(24, np.nan, np.float32)

    def learn(self, minute: int, age_s: float, backlog: float, in_per_s: float) -> None:
        """Take a report that belongs to no incident; NaN is not reported."""
        hour = minute // 60
        if hour > self._newest:
            _clear(self._ages, self._newest + 1, hour, 0)
            _clear(self._backlogs, self._newest + 1, hour, 0)
            self._newest = hour
        if hour <= self._newest - _HOURS:
            return
        at = hour % _HOURS
        self._ages[at] = max(self._ages[at], code_of(age_s))
        self._backlogs[at] = max(self._backlogs[at], code_of(backlog))
        if np.isfinite(in_per_s):
            known, in_per_s = self._loads[hour % 24], min(max(in_per_s, 0.0), _MOST_KEPT)
            gain = _LOAD_GAIN if np.isfinite(known) else 1.0
            self._loads[hour % 24] = gain * in_per_s + (0.0 if gain == 1.0 else (1 - gain) * known)

    def end(self, minute: int, backlog: float) -> None:
        """Note what waits; the last of an hour stays for a week."""
        hour = minute // 60
        if hour > self._newest_end:
            _clear(self._ends, self._newest_end + 1, hour, np.nan)
            self._newest_end = hour
        if hour > self._newest_end - _ENDS and np.isfinite(backlog):
            self._ends[hour % _ENDS] = min(max(backlog, 0.0), _MOST_KEPT)

    def grown(self, since_hour: int) -> float:
        """By how much the backlog grew since the start of an hour; 0 where nothing is known."""
        hours = np.arange(max(since_hour - 1, self._newest_end - _ENDS + 1), self._newest_end + 1)
        ends = self._ends[hours % _ENDS]
        known = np.flatnonzero(np.isfinite(ends))
        if not len(known):
            return 0.0
        first = ends[known[0]] if hours[known[0]] < since_hour else 0.0
        return float(ends[known[-1]] - first)

    def usual_age_s(self, minute: int) -> tuple[float, bool] | None:
        """The greatest age that is usual in this hour, and whether a week is known."""
        return self._usual(self._ages, minute // 60)

    def usual_backlog(self, minute: int) -> tuple[float, bool] | None:
        """The same for the backlog; None: fewer than three days are known of this hour."""
        return self._usual(self._backlogs, minute // 60)

    def load(self, from_hour: int, hours: int) -> Floats:
        """Messages a second that usually come in each of the next hours; NaN: not known."""
        return np.asarray(self._loads[np.arange(from_hour, from_hour + hours) % 24], np.float64)

    def _usual(self, codes: Array, hour: int) -> tuple[float, bool] | None:
        """Of days, the second greatest of this hour and those beside it (of a young queue the
        greatest), or what was on this weekday; and no less than what most hours of day reach.
        """
        ages = np.arange(1, _DAYS + 1)
        places = (hour - 24 * ages[:, None] + np.array([-1, 0, 1])) % _HOURS
        valid = hour - 24 * ages > self._newest - _HOURS
        days = np.where(valid, codes[places].max(axis=1), 0)
        known = int((days > 0).sum())
        if known < _DAYS_NEEDED:
            return None
        ranked = np.sort(days)[::-1]
        best = ranked[1] if known >= _DAYS_SURE else ranked[0]
        weekday = days[6::7].max()
        settled = codes.copy()
        settled[(np.arange(hour - _NOT_HABIT_YET_HOURS, hour + 1)) % _HOURS] = 0
        by_hour = settled.reshape(_DAYS, 24).max(axis=0)
        common = np.median(by_hour[by_hour > 0]) if (by_hour > 0).any() else 0.0
        return value_of(max(float(best), float(weekday), float(common))), known >= _DAYS_SURE


def _clear(ring: Array, first: int, last: int, value: float) -> None:
    """Set the places of new hours."""
    count = min(last - first + 1, len(ring))
    hours: Ints = np.arange(last - count + 1, last + 1)
    ring[hours % len(ring)] = value
