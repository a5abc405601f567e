"""What is usual for every row: messages and active minutes per hour of the week.

Fitted at once over all rows from the hours kept:

1. A row's time is its hours from its first message to its last, as far as they were seen; the
   time after its last message is never learned from, so that a silence does not become the habit.
2. Mean → hour of day → weekday → hour of week, each shrunk to the one before by its own amount of
   evidence (gamma-Poisson): with three days it is an hour-of-day habit, with four weeks one of the
   hour of the week. The level of the last two days moves all of it.
3. Dispersion (negative binomial 1/r) by moments over hours, residuals winsorised, corrected for
   the fitted parameters, shrunk to a mild overdispersion while hours are few.
4. The strongest evidence of silence that any quiet stretch of the past reached under this habit:
   what happened before without a fault is no alarm.

Source: gamma-Poisson shrinkage, Gelman et al., Bayesian Data Analysis (3rd ed.), section 2.7;
moments of 1/r, Clark & Perry, Biometrics 45 (1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints, grown
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.nats import minute_nats_of, peak_nats
from streamgauge.detect.shape import (
    WEEK,
    WEEKS,
    by_week,
    dispersion_of,
    drift,
    is_unseen,
    shape,
    weekly,
)
from streamgauge.detect.sums import HOURS_KEPT, Sums

_MOST_AN_HOUR = 1e13
"""Beyond it a count is a mistake, and its square no number of 32 bits."""
_CHUNK = 2048


@dataclass
class Habit:
    """Arrays indexed by row."""

    rate: Floats
    """float32 [rows, 168]: messages an hour; hour 0 of the week is Thursday 00:00 UTC (epoch)."""
    nats: Floats
    """float32 [rows, 168]: evidence against "it still speaks" in a minute without a message."""
    is_known: Array
    """bool [rows, 168]: this hour of the week was seen; else it is guessed from the others."""
    day_learned: Floats
    """float32 [rows, 7]: active minutes from which a day of the week is known: all of the row's,
    but of a day that is far quieter than the others only its own."""
    dispersion: Floats
    """1/r of messages an hour."""
    activity_dispersion: Floats
    """1/r of active minutes an hour."""
    active_minutes: Floats
    """How many minutes with a message were learned from."""
    interval_s: Floats
    """The usual time between its reports."""
    report_minutes: Floats
    """Minutes in which exactly one report is due; 1 unless the sender is regular."""
    is_steady: Floats
    """1 where a report comes in every minute (or regular interval) of its hours, however many
    messages it holds; else 0: what was sure in three afternoons may be an hour's mood."""
    peak_nats: Floats
    """The strongest evidence of silence in the past that was none."""
    active_per_day: Floats
    mean_rate: Floats
    """Messages an hour over all its time."""
    hours: Floats
    """Seen hours that were learned from."""

    @classmethod
    def empty(cls, rows: int = 64) -> Habit:
        """A habit of nothing."""
        zeros = [np.zeros(rows, np.float64) for _ in range(10)]
        return cls(
            np.zeros((rows, WEEK), np.float32),
            np.zeros((rows, WEEK), np.float32),
            np.zeros((rows, WEEK), bool),
            np.zeros((rows, 7), np.float32),
            *zeros,
        )

    def make_room(self, rows: int) -> None:
        """Grow to `rows`."""
        if rows <= len(self.rate):
            return
        for name, array in list(vars(self).items()):
            setattr(self, name, grown(array, rows, 0))

    def learn(self, rows: Ints, sums: Sums, seen: SeenTime, watermark: float) -> None:
        """Fit the habit of `rows` anew; those of a single hour have none yet."""
        rows = rows[sums.last_s[rows] // 3600 > sums.first_hour[rows]]
        for start in range(0, len(rows), _CHUNK):
            self._learn(rows[start : start + _CHUNK], sums, seen, watermark)

    def _learn(self, rows: Ints, sums: Sums, seen: SeenTime, watermark: float) -> None:
        last_hour = int(watermark // 3600)
        first_hour = (last_hour // WEEK - WEEKS + 1) * WEEK
        counts, active = _grids(rows, sums, first_hour, last_hour)
        exposure = _exposure(rows, sums, seen, first_hour, last_hour)
        rate, leverage = shape(counts, exposure)
        rate *= drift(counts, exposure, rate)
        activity, active_leverage = shape(active, exposure)
        activity = np.minimum(activity, 60.0)
        expected = weekly(rate) * exposure
        self.rate[rows] = rate.T
        self.dispersion[rows] = dispersion_of(counts, expected, expected, leverage)
        active_expected = weekly(activity) * exposure
        self.activity_dispersion[rows] = dispersion_of(
            active,
            active_expected,
            active_expected * (1.0 - weekly(activity) / 60.0),
            active_leverage,
        )
        hours = self.hours[rows] = exposure.sum(0)
        self.active_minutes[rows] = active.sum(0)
        self.mean_rate[rows] = counts.sum(0) / np.maximum(hours, 1.0)
        self.active_per_day[rows] = 24.0 * active.sum(0) / np.maximum(hours, 1.0)
        self.day_learned[rows] = _day_learned(active, exposure).T
        bucket = self.report_minutes[rows] = _report_minutes(active, exposure)
        self.interval_s[rows] = 60.0 * _usual_gap_minutes(active, exposure)
        steady = self.is_steady[rows] = _is_steady(active, exposure, bucket, self.dispersion[rows])
        nats = minute_nats_of(activity, rate, hours, bucket)
        self.nats[rows] = nats.T
        self.is_known[rows] = ~is_unseen(counts, exposure).T
        self.peak_nats[rows] = peak_nats(
            active,
            exposure,
            expected,
            weekly(nats),
            bucket * steady,
            self.dispersion[rows],
            self.activity_dispersion[rows],
        )


def _grids(rows: Ints, sums: Sums, first_hour: int, last_hour: int) -> tuple[Floats, Floats]:
    """Messages and active minutes, float32 [hours (whole weeks), rows]."""
    counts = np.zeros((WEEKS * WEEK, len(rows)), np.float32)
    active = np.zeros_like(counts)
    for hour in sums.counts:
        if first_hour <= hour <= last_hour and hour > last_hour - HOURS_KEPT:
            slab = sums.counts[hour]
            there = rows < len(slab)
            counts[hour - first_hour, there] = slab[rows[there]]
            slab = sums.active(hour)
            there = rows < len(slab)
            active[hour - first_hour, there] = slab[rows[there]]
    return np.clip(counts, 0.0, _MOST_AN_HOUR), active


def _exposure(rows: Ints, sums: Sums, seen: SeenTime, first_hour: int, last_hour: int) -> Floats:
    """Seen hours, float32 [hours, rows], of a row's own time: 0 … 1 each."""
    hours = first_hour + np.arange(WEEKS * WEEK)
    share = seen.hours(first_hour, len(hours))
    share[hours > last_hour] = 0.0
    share[hours <= last_hour - HOURS_KEPT] = 0.0
    last = sums.last_s[rows] // 3600
    own = (hours[:, None] >= sums.first_hour[rows]) & (hours[:, None] <= last)
    return (np.minimum(share[:, None], _spoken(rows, sums, hours, last)) * own).astype(np.float32)


def _spoken(rows: Ints, sums: Sums, hours: Ints, last: Floats) -> Floats:
    """The share [hours, rows] of a row's last hour up to its last message; 1 of others.

    What follows may be the beginning of a silence, which must not become the habit. A sender that
    reports once or twice an hour has spoken for all of it.
    """
    until = np.minimum((sums.last_s[rows] + 60.0 - 3600.0 * last) / 3600.0, 1.0)
    spoken = np.ones((len(hours), len(rows)))
    for hour in np.unique(last[np.isfinite(last)]).astype(np.int64):
        if hours[0] <= hour <= hours[-1]:
            active = sums.active(int(hour))
            there = rows < len(active)
            dense = np.zeros(len(rows), bool)
            dense[there] = active[rows[there]] >= 3.0
            at = dense & (last == hour)
            spoken[hour - hours[0], at] = until[at]
    return spoken


def _report_minutes(active: Floats, exposure: Floats) -> Floats:
    """Minutes [rows] in which exactly one report is due; 1 unless a sender is regular.

    Regular: its active minutes an hour vary far less than chance would make them.
    """
    full = (active > 0.0) & (exposure > 0.99)
    hours = np.maximum(full.sum(0), 1)
    mean = np.where(full, active, 0.0).sum(0) / hours
    spread = (np.where(full, active - mean, 0.0) ** 2).sum(0) / hours
    chance = mean * (1.0 - mean / 60.0)
    steady = (full.sum(0) >= 12) & (spread <= 0.2 * chance + 1e-6) & (mean >= 0.9)
    return np.where(steady, np.clip(60.0 / np.maximum(mean, 1.0), 1.0, 60.0), 1.0)


def _day_learned(active: Floats, exposure: Floats) -> Floats:
    """Active minutes [7, rows] that taught what is usual on a day of the week."""
    minutes = by_week(active).sum(0).reshape(7, 24, -1).sum(1)
    hours = by_week(exposure).sum(0).reshape(7, 24, -1).sum(1)
    mean = minutes.sum(0) / np.maximum(hours.sum(0), 1.0)
    is_quiet = (hours > 0.5) & (minutes < 0.5 * mean * hours)
    return np.asarray(np.where(is_quiet, np.maximum(minutes, 1.0), minutes.sum(0)))


def _is_steady(active: Floats, exposure: Floats, bucket: Floats, dispersion: Floats) -> Floats:
    """1.0 [rows] where nearly all its hours were full of reports; fewer do if counts are even."""
    there = (active > 0.0) & (exposure > 0.99)
    full = (there & (active >= 57.0)).sum(0) / np.maximum(there.sum(0), 1)
    is_steady = (full >= 0.97) | ((full >= 0.7) & (dispersion < 0.3)) | (bucket > 1.0)
    return np.asarray(is_steady.astype(float))


def _usual_gap_minutes(active: Floats, exposure: Floats) -> Floats:
    """Minutes [rows] from one active minute to the next, in hours that have one: 1 … 60."""
    there = active > 0.0
    minutes = 60.0 * np.where(there, exposure, 0.0).sum(0)
    return np.asarray(
        np.clip(minutes / np.maximum(np.where(there, active, 0.0).sum(0), 1.0), 1.0, 60.0)
    )
