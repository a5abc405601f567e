"""Holidays: customers that are as quiet as on their day off, though it is a working day, together.

Alone, a customer that has not opened today may be silent or free. Every five minutes, of all whose
week has days off (`days`) and that work today:

1. X messages came since its day began; E are usual, F on its day off. It is *free* or *open* when
   the negative binomial likelihood of F against E is 3 nats or more one way, free also since an
   hour after it began, open only since then. Once open it is so for the day: who spoke this
   morning and then stopped is silent.
2. k of the n that are either, and usually open within two hours of each other, are free. It is a
   holiday for those k if they are two or more, a fifth of the n, and the binomial tail of k of n is
   worth 7 nats, by how often one of them is free by itself.
3. Until a quarter of its usual day has passed, one that is free is held while others may open.
4. Those on holiday, and those held, are judged by what they bring on their day off: of the rest
   they are excused. When the day is over their quiet counts anew.

Source: Beta-binomial mean of a rare share, Gelman et al., Bayesian Data Analysis (3rd ed.), 2.4.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.day_off_words import Free, holiday
from streamgauge.detect.days import WEEK, Days, days_of
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.silence import SilenceEvidence
from streamgauge.model.finding import Finding

_LOOK_S = 300.0
_LEARN_HOURS = 6
_KEPT_HOURS = 26
_SURE_NATS = 3.0
_TAIL_NATS = 7.0
_FEWEST, _LEAST_SHARE = 2, 0.2
_REFUTED_BY = 4
"""So many of its like are open: it is no holiday."""
_NEAR_HOURS = 2
_LEVEL_VARIANCE = 0.08
"""Relative variance of a day's messages, beside that of its hours: levels wander."""
_PRIOR_FREE, _PRIOR_DAYS = 0.5, 25.0
"""Days on which a customer is free by itself: as if half a one of 25 had been seen."""


class DayOff:
    """Who is free today, and which part of each row's messages is not expected because of it."""

    def __init__(
        self, levels: Levels, habit: Habit, seen: SeenTime, evidence: SilenceEvidence
    ) -> None:
        self._levels, self._habit, self._seen = levels, habit, seen
        self._evidence = evidence
        self._groups: Ints = np.zeros(0, np.int64)
        """Of customers."""
        self._rows: Ints = np.zeros(0, np.int64)
        """The row [customers] that tells whether it speaks."""
        self._place: Ints = np.zeros(0, np.int32)
        """[rows]: one more than its customer's place; 0: none."""
        self._counts: dict[int, Floats] = {}
        """By hour: messages [customers]."""
        self._days: Days | None = None
        self._learned_hour = -WEEK
        self._looked_s = -np.inf
        self._began: Ints = np.zeros(0, np.int64)
        """The hour [customers] in which its day began."""
        self._is_open: Bools = np.zeros(0, bool)
        self._is_free: Bools = np.zeros(0, bool)
        self._is_holiday: Bools = np.zeros(0, bool)
        self._free_days, self._all_days = _PRIOR_FREE, _PRIOR_DAYS
        self._share: Floats = np.zeros(0)
        """[rows]; empty: nobody is excused."""
        self._free: list[Free] = []
        self.version = 0
        """Grows when quiet counts anew."""

    def observe(self, arrivals: Arrivals) -> None:
        """Take what was inserted."""
        if not len(arrivals):
            return
        self._index()
        hours = arrivals.minute // 60
        oldest = max(int(hours.max()), max(self._counts, default=0)) - _KEPT_HOURS
        for level in arrivals.rows.T:
            place = self._place[level]
            at = np.flatnonzero((place > 0) & (hours > oldest))
            for hour in np.unique(hours[at]).tolist():
                here = at[hours[at] == hour]
                slab = grown(self._counts.get(hour, np.zeros(64)), len(self._rows), 0.0)
                np.add.at(slab, place[here] - 1, arrivals.counts[here])
                self._counts[hour] = slab
        for old in [hour for hour in self._counts if hour <= oldest]:
            del self._counts[old]

    def judge(self, watermark: float) -> None:
        """Look at all customers, now and then."""
        if 0.0 <= watermark - self._looked_s < _LOOK_S:
            return
        self._looked_s = watermark
        self._index()
        hour = int(watermark // 3600)
        if not 0 <= hour - self._learned_hour < _LEARN_HOURS:
            self._learn(hour)
        days = self._days
        if days is None or not days.has_off.any():
            return
        self._look(days, np.flatnonzero(days.has_off), watermark)

    def share_of(self, rows: Ints) -> Floats:
        """Which part of the messages [rows] is not expected today, 0 … 1."""
        found = np.zeros(len(rows))
        known = rows < len(self._share)
        found[known] = self._share[rows[known]]
        return found

    def is_holiday(self, group: int) -> bool:
        """Whether a group's customer is on holiday, as far as it is known."""
        tenant = self._levels.tenants_of_groups(np.array([group]))
        at = np.flatnonzero(self._levels.tenants_of_groups(self._groups) == tenant)
        return bool(len(at) and tenant[0] >= 0 and self._is_holiday[at[0]])

    def findings(self, now: float) -> list[Finding]:
        """One for all that are on holiday."""
        return [holiday(self._free, now)] if self._free else []

    def _index(self) -> None:
        tenants = np.flatnonzero(
            self._levels.group_level[: self._levels.group_count] == Level.TENANT
        )
        rows = self._levels.primary_rows[tenants]
        if len(self._place) < self._levels.row_count or not np.array_equal(rows, self._rows):
            self._groups, self._rows = tenants, rows
            self._place = np.zeros(self._levels.row_count, np.int32)
            self._place[rows] = np.arange(1, len(rows) + 1)
            self._began = grown(self._began, len(rows), -1)
            for name in ("_is_open", "_is_free", "_is_holiday"):
                setattr(self, name, grown(getattr(self, name), len(rows), 0))

    def _learn(self, hour: int) -> None:
        """Anew from the habit; whose week is not known has no day off."""
        self._learned_hour = hour
        slots = self._habit.week[self._rows]
        rates = self._habit.weeks.rates(np.maximum(slots, 0)) * (slots >= 0)[:, None]
        self._days = days_of(rates) if len(rates) else None

    def _look(self, days: Days, at: Ints, watermark: float) -> None:
        rows, hour = self._rows[at], int(watermark // 3600)
        passed = (hour - days.begins[at]) % 24
        began = hour - passed
        self._end_days(at, began, watermark)
        works = days.works[at, days.day_of(began, at)]
        works &= self._habit.is_known(rows, (began + days.opens[at]) % WEEK)
        sums = self._since(rows, at, began, days, watermark)
        dispersion = self._habit.dispersion[rows]
        whole, later = (_nats_of_free(since, passed, dispersion) for since in sums)
        self._is_open[at] |= later <= -_SURE_NATS
        is_free = works & (np.maximum(whole, later) >= _SURE_NATS) & ~self._is_open[at]
        came, usual, free = sums[0]
        self._is_free[at] = is_free
        opens = (days.begins + days.opens)[at] % 24
        is_holiday, is_refuted = self._common(opens, is_free, works & self._is_open[at])
        self._is_holiday[at] = is_holiday
        is_held = is_free & ~is_holiday & ~is_refuted & (passed < days.decides[at])
        ratio = free / np.maximum(usual, 1e-9)
        excused = np.where(is_holiday | is_held, np.clip(1.0 - ratio, 0.0, 1.0), 0.0)
        self._excuse(at, excused, hour)
        is_told = is_holiday & (passed >= days.opens[at])
        since = 3600.0 * (began + days.opens[at])
        self._free = [
            Free(self._levels.groups[int(self._groups[at[i]])].tenant or "", *numbers)
            for i, *numbers in zip(
                np.flatnonzero(is_told).tolist(),
                *(values[is_told].tolist() for values in (since, came, usual, free)),
                strict=True,
            )
        ]

    def _rate(self, rows: Ints, hour: Ints) -> Floats:
        return self._habit.rate(rows, hour % WEEK)

    def _end_days(self, at: Ints, began: Ints, watermark: float) -> None:
        """Whose day is another one now."""
        is_new = self._began[at] != began
        ended = at[is_new & (self._began[at] >= 0)]
        decided = self._is_open[ended] | self._is_free[ended]
        self._all_days += float(decided.sum())
        self._free_days += float((self._is_free[ended] & ~self._is_holiday[ended]).sum())
        rested = ended[self._is_holiday[ended]]
        if len(rested):
            tenants = self._levels.tenants_of_groups(self._groups[rested])
            flows = self._levels.flows_of_tenants(tenants)
            rows = np.unique(self._levels.flow_rows[flows])
            levels = self._levels.group_level[self._levels.row_group[rows]]
            is_own = (levels != Level.PLATFORM) & (levels != Level.INTEGRATION) & (rows > 0)
            self._evidence.count_from(rows[is_own], watermark)
            self.version += 1
        self._began[at] = began
        for state in (self._is_open, self._is_free, self._is_holiday):
            state[at[is_new]] = False

    def _since(
        self, rows: Ints, at: Ints, began: Ints, days: Days, watermark: float
    ) -> tuple[Floats, Floats]:
        """Messages [at] since the day began, and since an hour later.

        Each [3, at]: that came, are usual, and are usual on its day off.
        """
        by_hour = np.zeros((24, 3, len(rows)))
        for passed in range(24):
            hour = began + passed
            start = np.minimum(3600.0 * hour, watermark)
            end = np.minimum(3600.0 * (hour + 1), watermark)
            share = self._seen.seconds(start, end) / 3600.0
            usual = self._rate(rows, hour) * share
            free = self._rate(rows, days.off_place[at] + passed) * share
            by_hour[passed, 1:] = usual, free
            for one in np.unique(hour).tolist():
                slab = self._counts.get(one)
                if slab is not None:
                    here = hour == one
                    by_hour[passed, 0, here] = grown(slab, len(self._rows), 0.0)[at[here]]
        later = by_hour[1:].sum(axis=0)
        whole = later + by_hour[0]
        for since in (whole, later):  # of one day off each hour tells little
            since[2] = np.maximum(since[2], days.off_ratio[at] * since[1])
        return whole, later

    def _common(self, opens: Ints, is_free: Bools, is_open: Bools) -> tuple[Bools, Bools]:
        """For whom it is a holiday, and for whom it is none."""
        near = range(-_NEAR_HOURS, _NEAR_HOURS + 1)
        free, open_ = (
            np.sum([np.roll(np.bincount(opens[which], minlength=24), k) for k in near], axis=0)
            for which in (is_free, is_open)
        )
        k, n = free[opens], (free + open_)[opens]
        often = self._free_days / self._all_days
        tail = np.where(k > 0, betainc(np.maximum(k, 1), np.maximum(n - k, 0) + 1.0, often), 1.0)
        nats = -np.log(np.maximum(tail, 1e-300))
        is_many = (k >= _FEWEST) & (k >= _LEAST_SHARE * n)
        is_refuted = (n - k >= _REFUTED_BY) & (k < _LEAST_SHARE * n)
        return is_free & is_many & (nats >= _TAIL_NATS), is_refuted

    def _excuse(self, at: Ints, excused: Floats, hour: int) -> None:
        """Shares by row, of what is usual in this hour."""
        if not excused.any():
            self._share = np.zeros(0)
            return
        tenants = self._levels.tenants_of_groups(self._groups[at])
        of_tenant = np.zeros(int(tenants.max()) + 1)
        of_tenant[tenants] = excused
        rows = self._levels.flow_rows[: self._levels.flow_count]
        of_flow = self._levels.tenants_of_flows(np.arange(len(rows)))
        known = of_flow < len(of_tenant)
        part = np.where(known, of_tenant[np.minimum(of_flow, len(of_tenant) - 1)], 0.0)
        weight = self._rate(rows[:, 0], np.full(len(rows), hour)) + 1e-9
        size, every = self._levels.row_count, rows.shape[1]
        total = np.bincount(rows.ravel(), np.repeat(weight, every), size)
        less = np.bincount(rows.ravel(), np.repeat(weight * part, every), size)
        self._share = less / np.maximum(total, 1e-12)
        self._share[0] = 0.0


def _nats_of_free(since: Floats, passed: Ints, dispersion: Floats) -> Floats:
    """Of the likelihood [n] of messages if it is free over that if it is not.

    Args:
        since: messages [3, n] that came, are usual, and are usual on its day off.
        passed: hours [n] since the day began.
        dispersion: 1/r [n] of messages an hour.
    """
    variance = dispersion / np.maximum(passed, 1.0) + _LEVEL_VARIANCE
    came, usual = since[0], np.maximum(since[1], 1e-9)
    free = np.clip(since[2] + 1.0, 1e-9, usual)  # a few messages come on any day
    less = np.log((1.0 + variance * free) / (1.0 + variance * usual))
    return np.asarray(came * np.log(free / usual) - (came + 1.0 / variance) * less)
