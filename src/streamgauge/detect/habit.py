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
from streamgauge.detect.sums import HOURS_KEPT, Sums

WEEK = 168
_WEEKS = HOURS_KEPT // WEEK + 1
_PRIOR_MESSAGES = 2.0
"""What is known of the weekday weighs as much as this many messages, and as one hour."""
_PRIOR_DISPERSION = 0.05
_DISPERSION_HOURS = 10.0
"""1/r of a row without history, and how many hours it weighs."""
_MONDAY_TO_THURSDAY = [4, 5, 6, 0]
"""Days of the epoch's weeks, which begin on a Thursday."""
_MOST_AN_HOUR = 1e13
"""Beyond it a count is a mistake, and its square no number of 32 bits."""
_SURE_NATS = 4.6
"""A report comes 99 times of 100."""
_CHUNK = 2048


@dataclass
class Habit:
    """Arrays indexed by row."""

    rate: Floats
    """float32 [rows, 168]: messages an hour; hour 0 of the week is Thursday 00:00 UTC (epoch)."""
    nats: Floats
    """float32 [rows, 168]: evidence against "it still speaks" in a minute without a message."""
    is_unseen: Array
    """bool [rows, 168]: this hour of the week is only guessed from the others."""
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
    peak_nats: Floats
    """The strongest evidence of silence in the past that was none."""
    active_per_day: Floats
    mean_rate: Floats
    """Messages an hour over all its time."""

    @classmethod
    def empty(cls, rows: int = 64) -> Habit:
        """A habit of nothing."""
        zeros = [np.zeros(rows, np.float64) for _ in range(8)]
        return cls(
            np.zeros((rows, WEEK), np.float32),
            np.zeros((rows, WEEK), np.float32),
            np.ones((rows, WEEK), bool),
            *zeros,
        )

    def make_room(self, rows: int) -> None:
        """Grow to `rows`."""
        for name, array in list(vars(self).items()):
            setattr(self, name, grown(array, rows, 1 if name == "is_unseen" else 0))

    def learn(self, rows: Ints, sums: Sums, seen: SeenTime, watermark: float) -> None:
        """Fit the habit of `rows` anew; those of a single hour have none yet."""
        rows = rows[sums.last_s[rows] // 3600 > sums.first_hour[rows]]
        for start in range(0, len(rows), _CHUNK):
            self._learn(rows[start : start + _CHUNK], sums, seen, watermark)

    def _learn(self, rows: Ints, sums: Sums, seen: SeenTime, watermark: float) -> None:
        last_hour = int(watermark // 3600)
        first_hour = (last_hour // WEEK - _WEEKS + 1) * WEEK
        counts, active = _grids(rows, sums, first_hour, last_hour)
        exposure = _exposure(rows, sums, seen, first_hour, last_hour)
        rate, leverage = _shape(counts, exposure)
        rate *= _drift(counts, exposure, rate)
        activity, active_leverage = _shape(active, exposure)
        activity = np.minimum(activity, 60.0)
        expected = _weekly(rate) * exposure
        self.rate[rows] = rate.T
        self.dispersion[rows] = _dispersion(counts, expected, expected, leverage)
        active_expected = _weekly(activity) * exposure
        self.activity_dispersion[rows] = _dispersion(
            active,
            active_expected,
            active_expected * (1.0 - _weekly(activity) / 60.0),
            active_leverage,
        )
        hours = exposure.sum(0)
        self.active_minutes[rows] = active.sum(0)
        self.mean_rate[rows] = counts.sum(0) / np.maximum(hours, 1.0)
        self.active_per_day[rows] = 24.0 * active.sum(0) / np.maximum(hours, 1.0)
        bucket = self.report_minutes[rows] = _report_minutes(active, exposure)
        self.interval_s[rows] = 60.0 * _usual_gap_minutes(active, exposure)
        nats = _minute_nats(activity, rate, hours, bucket)
        self.nats[rows] = nats.T
        self.is_unseen[rows] = _is_unseen(counts, exposure).T
        self.peak_nats[rows] = _peak(
            active,
            exposure,
            expected,
            _weekly(nats),
            bucket,
            self.dispersion[rows],
            self.activity_dispersion[rows],
        )


def _grids(rows: Ints, sums: Sums, first_hour: int, last_hour: int) -> tuple[Floats, Floats]:
    """Messages and active minutes, float32 [hours (whole weeks), rows]."""
    counts = np.zeros((_WEEKS * WEEK, len(rows)), np.float32)
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
    hours = first_hour + np.arange(_WEEKS * WEEK)
    share = seen.hours(first_hour, len(hours))
    share[hours > last_hour] = 0.0
    share[hours <= last_hour - HOURS_KEPT] = 0.0
    last = sums.last_s[rows] // 3600
    own = (hours[:, None] >= sums.first_hour[rows]) & (hours[:, None] <= last)
    return (share[:, None] * own).astype(np.float32)


def _by_week(grid: Floats) -> Floats:
    return grid.reshape(_WEEKS, WEEK, -1)


def _weekly(shape: Floats) -> Floats:
    return np.tile(shape, (_WEEKS, 1))


def _shape(grid: Floats, exposure: Floats) -> tuple[Floats, Floats]:
    """Expected per hour of the week, [168, rows]: step 2 of the module's list.

    The second answer is how much of each expectation is that very hour itself (0 … 1): what was
    fitted to an hour looks closer to it than the next one will be.
    """
    x, e = _by_week(grid).sum(0), _by_week(exposure).sum(0)
    mean = (x.sum(0) + 0.5) / np.maximum(e.sum(0), 1.0)
    by_hour, through_day = _by_hour(grid, exposure, mean)
    expected = (np.tile(by_hour, (7, 1)) * e).reshape(7, 24, -1).sum(1)
    hold = 3.0 + 0.5 * mean
    weekday = (x.reshape(7, 24, -1).sum(1) + hold) / (expected + hold)
    guess = np.tile(by_hour, (7, 1)) * np.repeat(weekday, 24, axis=0)
    weight = _PRIOR_MESSAGES / guess + 1.0
    own = (x + weight * guess) / (e + weight)
    # Hours around which nothing was ever seen: half a message in all of that time at the most.
    around_x, around_e = _around(x), _around(e)
    quiet = (around_x <= 0.0) & (around_e > 2.5)
    fitted = np.where(quiet, np.minimum(own, 0.5 / np.maximum(around_e, 1.0)), own)
    leverage = (1.0 + weight * np.tile(through_day, (7, 1))) / (e + weight)
    return np.asarray(fitted), np.minimum(leverage, 0.8)


def _by_hour(grid: Floats, exposure: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Expected per hour of day, [24, rows], between the row's mean and that hour's own.

    The mean weighs 1/v messages, where v is the relative variance between the hours of the day
    (of logarithms, less what chance and clumps explain). Where the hours around were far quieter,
    they are believed: a quiet night of a small sender is known as a whole. The second answer is
    how much one seen hour weighs in it.

    Source: empirical Bayes gamma-Poisson, Efron & Hastie, chapter 6.
    """
    x, e = grid.reshape(-1, 24, grid.shape[1]), exposure.reshape(-1, 24, grid.shape[1])
    total, hours = x.sum(0), e.sum(0)
    own = total / np.maximum(hours, 0.5)
    square = (own**2 * hours).sum(0)
    excess = ((x - own * e) ** 2).sum((0, 1)) - total.sum(0)
    clumps = np.clip(excess / np.maximum(square, 1e-9), 0.0, 4.0)
    there = hours > 0.5
    log_own = np.log((total + 0.5) / np.maximum(hours, 0.5)) - np.log(mean)
    sampling = 1.0 / (total + 0.5) + clumps / np.maximum(hours, 0.5)
    known = np.maximum(there.sum(0), 1)
    centre = np.where(there, log_own, 0.0).sum(0) / known
    spread = np.where(there, (log_own - centre) ** 2 - sampling, 0.0).sum(0) / known
    prior = 1.0 / np.clip(spread, 0.02, 4.0)
    fitted = (total + prior) / (hours + prior / mean)
    around = (_around(total) + prior) / (_around(hours) + prior / mean)
    fitted = np.where(around < 0.5 * fitted, around, fitted)
    return np.asarray(fitted), 1.0 / (hours + prior / mean)


def _around(hours: Floats) -> Floats:
    """Sums over two hours before and after, on the circle of the first axis."""
    return np.asarray(sum(np.roll(hours, k, axis=0) for k in range(-2, 3)))


def _drift(counts: Floats, exposure: Floats, rate: Floats) -> Floats:
    """How the last two days of a row compare with its habit, [rows], 0.2 … 5."""
    expected = _weekly(rate) * exposure
    age = np.cumsum(exposure[::-1], axis=0)[::-1]  # seen hours from here to the end
    recent = age <= 48.0
    hold = 5.0 + 6.0 * expected.sum(0) / np.maximum(exposure.sum(0), 1.0)
    ratio = ((counts * recent).sum(0) + hold) / ((expected * recent).sum(0) + hold)
    return np.asarray(np.clip(ratio, 0.2, 5.0))


def _dispersion(x: Floats, expected: Floats, variance: Floats, leverage: Floats) -> Floats:
    """1/r [rows] by moments of left-out residuals.

    Args:
        x: counts [hours, rows].
        expected: the same, as fitted.
        variance: what chance alone would give each hour.
        leverage: [168, rows], see `_shape`.
    """
    hours = (expected > 0.0).sum(0)
    square = expected**2
    left_out = ((x - expected) / _weekly(1.0 - leverage)) ** 2
    excess = np.minimum(left_out, 9.0 * square + 4.0 * variance + 4.0) - variance
    weight = _DISPERSION_HOURS * square.sum(0) / np.maximum(hours, 1)
    found = np.maximum(excess.sum(0), 0.0) + _PRIOR_DISPERSION * weight
    return np.asarray(np.clip(found / np.maximum(square.sum(0) + weight, 1e-12), 1e-4, 20.0))


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


def _usual_gap_minutes(active: Floats, exposure: Floats) -> Floats:
    """Minutes [rows] from one active minute to the next, in hours that have one: 1 … 60."""
    there = active > 0.0
    minutes = 60.0 * np.where(there, exposure, 0.0).sum(0)
    return np.asarray(
        np.clip(minutes / np.maximum(np.where(there, active, 0.0).sum(0), 1.0), 1.0, 60.0)
    )


def _minute_nats(activity: Floats, rate: Floats, hours: Floats, bucket: Floats) -> Floats:
    """Nats [168, rows] of a minute without a message, from "was there one in this minute at all".

    The share of active minutes is never taken for surer than history allows (Jeffreys: half a miss
    in all of it), less if minutes hold many messages each (geometric counts: 1/(1 + mean)).
    """
    buckets = 60.0 * hours / bucket
    share = np.minimum(activity * bucket / 60.0, 1.0) * (buckets + 0.5) / (buckets + 1.0)
    dense = share > 0.99
    extra = np.where(dense & (bucket <= 1.0), np.log1p(rate / 60.0), 0.0)
    return (-np.log1p(-share) + extra) / bucket


def _is_unseen(counts: Floats, exposure: Floats) -> Array:
    """Which hours [168, rows] of the week are only guessed from others.

    Even senders are no riddle; nor is a Monday to Thursday to whoever knows two of them.
    """
    known = _by_week(exposure).sum(0).reshape(7, 24, -1) >= 0.5
    known[_MONDAY_TO_THURSDAY] |= known[_MONDAY_TO_THURSDAY].sum(0) >= 2
    return np.asarray(~known.reshape(WEEK, -1) & ~_is_flat(counts, exposure))


def _is_flat(counts: Floats, exposure: Floats) -> Array:
    """Whether [rows] it speaks evenly around the clock: unseen hours are then no riddle."""
    x = _by_week(counts).sum(0).reshape(7, 24, -1).sum(0)
    e = _by_week(exposure).sum(0).reshape(7, 24, -1).sum(0)
    hours = (e > 0.5).sum(0)
    per_six_x = x.reshape(4, 6, -1).sum(1)
    per_six_e = e.reshape(4, 6, -1).sum(1)
    mean = x.sum(0) / np.maximum(e.sum(0), 1.0)
    lowest = np.where(
        per_six_e > 1.0, (per_six_x + np.sqrt(per_six_x) + 1.0) / np.maximum(per_six_e, 1.0), np.inf
    ).min(0)
    return np.asarray((hours >= 22) & (lowest >= 0.6 * mean) & (x.sum(0) >= 50.0))


def negative_binomial_nats(expected: Floats, dispersion: Floats) -> Floats:
    """-ln P(no event) when `expected` of them were: r·ln(1 + expected/r), r = 1/dispersion."""
    return np.asarray(np.log1p(expected * dispersion) / dispersion)


def silence_nats(
    expected: Floats,
    minute_nats: Floats,
    report_nats: Floats,
    dispersion: Floats,
    activity_dispersion: Floats,
) -> Floats:
    """Evidence of a stretch without a message: the weaker of the two tests.

    Args:
        expected: messages expected in it.
        minute_nats: evidence of its minutes without a message.
        report_nats: evidence of one report missing; where a report is all but sure, how many
            messages it would have held does not matter.
        dispersion: 1/r of messages an hour.
        activity_dispersion: 1/r of active minutes an hour.
    """
    minutes = negative_binomial_nats(minute_nats, activity_dispersion)
    counts = negative_binomial_nats(expected, dispersion)
    return np.where(report_nats >= _SURE_NATS, minutes, np.minimum(counts, minutes))


def _peak(
    active: Floats,
    exposure: Floats,
    expected: Floats,
    nats: Floats,
    bucket: Floats,
    dispersion: Floats,
    activity_dispersion: Floats,
) -> Floats:
    """The strongest evidence [rows] of a run of silent hours between two messages."""
    evidence = silence_nats(
        expected, 60.0 * nats * exposure, nats * bucket, dispersion, activity_dispersion
    )
    speaks = active > 0.0
    total = np.cumsum(np.where(speaks, 0.0, evidence), axis=0)
    since = total - np.maximum.accumulate(np.where(speaks, total, 0.0), axis=0)
    ended = speaks & (np.arange(len(total))[:, None] > 0)
    before = np.vstack([np.zeros_like(since[:1]), since[:-1]])
    return np.asarray(np.where(ended, before, 0.0).max(0))
