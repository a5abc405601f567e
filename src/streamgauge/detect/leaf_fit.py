"""The habit of rows that borrow the week of the row above: a level, how clumped, how regular.

From the hours with a message alone; what the others amount to is known from the week above:

1. Level: its messages / what the week above lets expect in its own time; the last two days move it.
2. Minutes with a message: clumps of `clump` messages come by chance, so of C minutes an hour
   C·(1 - exp(-rate/(C·clump))) have one; clump = Σ messages / Σ -C·ln(1 - active/C).
3. Dispersion by moments as in `own_fit`: Σ(x-μ)² = Σμ² over all hours + what hours with a message
   make of it.
4. Past quiet as in `own_fit`, by sums over the week.

Source: moments of 1/r, Clark & Perry, Biometrics 45 (1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints
from streamgauge.detect.habit import MOST_NATS, Habit, active_minutes_of
from streamgauge.detect.nats import minute_nats_of, silence_nats
from streamgauge.detect.own_fit import OwnFit
from streamgauge.detect.pace import is_steady, report_minutes
from streamgauge.detect.spread import shrunk
from streamgauge.detect.weeks import WEEK

_RECENT_HOURS = 48.0


@dataclass(frozen=True, slots=True)
class SeenHours:
    """Which hours were seen, from the first hour of a whole week on."""

    share: Floats
    """[hours]: 0 … 1."""
    before: Floats
    """[hours + 1]: seen hours before each."""
    by_place: Floats
    """float32 [hours + 1, 168]: the same by hour of the week."""

    @classmethod
    def of(cls, share: Floats) -> SeenHours:
        """Sum it up."""
        before = np.concatenate([[0.0], np.cumsum(share)])
        by_place = np.zeros((len(share) + 1, WEEK), np.float32)
        at = np.arange(len(share))
        by_place[at + 1, at % WEEK] = share
        return cls(share, before, np.cumsum(by_place, axis=0))


@dataclass(frozen=True, slots=True)
class LeafHours:
    """Hours with a message, by row and then by hour; those of a row follow each other."""

    leaf: Ints
    """[n]: place of the row."""
    hour: Ints
    """[n]: hours since the first of `SeenHours`."""
    count: Floats
    active: Floats
    """Minutes with a message."""


def fit_leaves(
    habit: Habit,
    rows: Ints,
    above: OwnFit,
    column: Ints,
    hours: LeafHours,
    seen: SeenHours,
    spoken: tuple[Ints, Ints, Floats],
) -> None:
    """Fit `rows` anew.

    Args:
        habit: takes what is found.
        rows: which.
        above: the weeks.
        column: which of them [rows] each row borrows.
        hours: with a message.
        seen: hours.
        spoken: the first and the last hour [rows] of each row's own time, and which part of the
            last one is (0 … 1).
    """
    with np.errstate(over="ignore"):
        _Fit(habit, rows, above, column, hours, seen, spoken).put()


class _Fit:
    def __init__(
        self,
        habit: Habit,
        rows: Ints,
        above: OwnFit,
        column: Ints,
        hours: LeafHours,
        seen: SeenHours,
        spoken: tuple[Ints, Ints, Floats],
    ) -> None:
        self._habit, self._rows, self._above, self._column = habit, rows, above, column
        self._leaf, self._hour = hours.leaf, hours.hour
        self._x, self._a = hours.count.astype(np.float64), hours.active.astype(np.float64)
        self._place = hours.hour % WEEK
        self._seen = seen
        self._first, self._last, self._spoken = spoken
        self._share = self._exposure()
        self._minutes = self._sum(self._a)
        self._total = self._sum(self._x)
        self._weights = self._weights_since(self._first)
        self._hours = self._weights.sum(axis=1, dtype=np.float64)
        self._n = np.bincount(self._leaf, minlength=len(rows))

    def put(self) -> None:
        rows, habit = self._rows, self._habit
        raw = self._above.rate[:, self._column].T.astype(np.float32)
        level = self._level(raw)
        rate = raw * level[:, None]
        dispersion = self._count_dispersion(rate)
        bucket, steady = self._regularity(dispersion)
        clump = self._clump(bucket)
        activity = active_minutes_of(rate, clump[:, None], bucket[:, None])
        active_dispersion = self._active_dispersion(activity)
        nats = minute_nats_of(activity.T, rate.T, self._hours, bucket).T
        peak = self._peak(rate, nats, bucket * steady, dispersion, active_dispersion)
        habit.week[rows] = self._above.slots[self._column]
        habit.level[rows] = level / self._above.drift[self._column]
        habit.clump[rows] = clump
        habit.dispersion[rows], habit.activity_dispersion[rows] = dispersion, active_dispersion
        habit.hours[rows], habit.active_minutes[rows] = self._hours, self._minutes
        hours = np.maximum(self._hours, 1.0)
        habit.mean_rate[rows] = self._total / hours
        habit.active_per_day[rows] = 24.0 * self._minutes / hours
        habit.report_minutes[rows], habit.is_steady[rows] = bucket, steady
        there = self._sum(self._share)
        habit.interval_s[rows] = 60.0 * np.clip(
            60.0 * there / np.maximum(self._minutes, 1.0), 1.0, 60.0
        )
        habit.peak_nats[rows] = np.minimum(peak, MOST_NATS)
        habit.fastest_nats[rows] = 1.1 * nats.max(axis=1) + 1e-7

    def _sum(self, values: Array) -> Floats:
        return np.bincount(self._leaf, values, len(self._rows)).astype(np.float64)

    def _exposure(self) -> Floats:
        """Seen part [n] of each hour with a message."""
        is_last = self._hour == self._last[self._leaf]
        own = np.where(is_last, self._spoken[self._leaf], 1.0)
        return np.minimum(self._seen.share[self._hour], own)

    def _weights_since(self, first: Ints) -> Floats:
        """Seen hours [rows, 168] of each hour of the week, up to the last message."""
        by_place, last = self._seen.by_place, self._last
        weights = by_place[last + 1] - by_place[np.minimum(first, last)]
        rows = np.arange(len(last))
        cut = np.maximum(self._seen.share[last] - self._spoken, 0.0)
        weights[rows, last % WEEK] -= cut.astype(np.float32)
        return weights

    def _level(self, raw: Floats) -> Floats:
        expected = (raw * self._weights).sum(axis=1, dtype=np.float64)
        an_hour = expected / np.maximum(self._hours, 1e-9)
        level = (self._total + 0.5) / np.maximum(expected, np.maximum(an_hour, 1e-12))
        seen = self._seen.before
        since = np.searchsorted(seen, seen[self._last + 1] - _RECENT_HOURS, side="left")
        since = np.maximum(since, self._first)
        recent = self._sum(self._x * (self._hour >= since[self._leaf]))
        lately = level * (raw * self._weights_since(since)).sum(axis=1, dtype=np.float64)
        hold = 5.0 + 6.0 * level * an_hour
        return np.asarray(level * np.clip((recent + hold) / (lately + hold), 0.2, 5.0))

    def _count_dispersion(self, rate: Floats) -> Floats:
        expected = rate[self._leaf, self._place] * self._share
        part = np.minimum(self._total / np.maximum(self._above.total[self._column], 1.0), 1.0)
        own = self._above.leverage[self._place, self._column[self._leaf]]
        leverage = np.minimum(part[self._leaf] * own, 0.8)
        mean_leverage = self._above.leverage.mean(axis=0)[self._column] * part
        return self._dispersion(
            self._x,
            expected,
            expected,
            leverage,
            rate,
            rate,
            mean_leverage,
            self._habit.usual.counts,
        )

    def _active_dispersion(self, activity: Floats) -> Floats:
        here = activity[self._leaf, self._place]
        expected = here * self._share
        variance = expected * (1.0 - here / 60.0)
        none = np.zeros(len(self._rows))
        return self._dispersion(
            self._a,
            expected,
            variance,
            none[self._leaf],
            activity,
            activity * (1.0 - activity / 60.0),
            none,
            self._habit.usual.activity,
        )

    def _dispersion(
        self,
        x: Floats,
        expected: Floats,
        variance: Floats,
        leverage: Floats,
        week: Floats,
        week_variance: Floats,
        week_leverage: Floats,
        usual: float,
    ) -> Floats:
        """1/r [rows]; `x` to `leverage` are of hours with a message [n], the rest of all hours."""
        square = (week**2 * self._weights).sum(axis=1, dtype=np.float64)
        by_chance = (week_variance * self._weights).sum(axis=1, dtype=np.float64)
        left_out = ((x - expected) / (1.0 - leverage)) ** 2
        capped = np.minimum(left_out, 9.0 * expected**2 + 4.0 * variance + 4.0)
        times = np.minimum(1.0 / (1.0 - np.minimum(week_leverage, 0.8)) ** 2, 9.0)
        quiet = np.maximum(square - self._sum(expected**2), 0.0)
        excess = self._sum(capped) + times * quiet - by_chance
        spread = week_variance + usual * week.astype(np.float64) ** 2
        return shrunk(excess, square, (spread**2 * self._weights).sum(axis=1), usual)

    def _regularity(self, dispersion: Floats) -> tuple[Floats, Floats]:
        """See `pace.report_minutes` and `pace.is_steady`."""
        is_full = self._share > 0.99
        count = self._sum(is_full)
        hours = np.maximum(count, 1.0)
        mean = self._sum(self._a * is_full) / hours
        spread = self._sum((self._a - mean[self._leaf]) ** 2 * is_full) / hours
        full = self._sum(is_full & (self._a >= 57.0)) / hours
        bucket = report_minutes(count, mean, spread)
        return bucket, is_steady(full, bucket, dispersion)

    def _clump(self, bucket: Floats) -> Floats:
        """Messages [rows] that come at once."""
        most = 60.0 / bucket
        least_missed = 0.5 / (most * self._n + 1.0)
        missed = np.maximum(1.0 - self._a / most[self._leaf], least_missed[self._leaf])
        times = self._sum(-most[self._leaf] * np.log(missed))
        return np.clip(self._total / np.maximum(times, 1e-9), 1e-3, 1e13)

    def _peak(
        self,
        rate: Floats,
        nats: Floats,
        bucket: Floats,
        dispersion: Floats,
        active_dispersion: Floats,
    ) -> Floats:
        """The strongest evidence [rows] of a run of silent hours between two messages."""
        an_hour = silence_nats(
            rate,
            60.0 * nats,
            nats * bucket[:, None],
            dispersion[:, None],
            active_dispersion[:, None],
        )
        before = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(an_hour, axis=1)], axis=1)
        after = np.flatnonzero((np.diff(self._leaf) == 0) & (np.diff(self._hour) > 1)) + 1
        found = np.zeros(len(rate))
        leaf, start, end = self._leaf[after], self._hour[after - 1] + 1, self._hour[after]
        week = before[leaf, -1]
        gap = (end // WEEK) * week + before[leaf, end % WEEK]
        gap -= (start // WEEK) * week + before[leaf, start % WEEK]
        seen = self._seen.before[end] - self._seen.before[start]
        np.maximum.at(found, leaf, gap * seen / (end - start))
        return found
