"""The habit of rows that have a week of their own, from their hours.

1. A row's time is its hours from its first message to its last, as far as they were seen; the
   time after its last message is never learned from, so that a silence does not become the habit.
2. Mean → hour of day → weekday → hour of week (`shape`), and the level of the last two days.
3. Dispersion (negative binomial 1/r) by moments over hours, residuals winsorised, corrected for
   the fitted parameters, shrunk to what is usual in the fleet (`spread`).
4. The strongest evidence of silence that any quiet stretch of the past reached under this habit:
   what happened before without a fault is no alarm.

Source: gamma-Poisson shrinkage, Gelman et al., Bayesian Data Analysis (3rd ed.), section 2.7;
moments of 1/r, Clark & Perry, Biometrics 45 (1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.habit import MOST_NATS, SCALARS, Habit
from streamgauge.detect.nats import minute_nats_of, peak_nats
from streamgauge.detect.pace import (
    day_learned,
    full_hours,
    is_steady,
    most_active,
    report_minutes,
    usual_gap_minutes,
)
from streamgauge.detect.shape import dispersion_of, drift, is_unseen, shape, times_week


@dataclass(frozen=True, slots=True)
class OwnFit:
    """What rows below may borrow; all [168, rows] but `drift`."""

    slots: Ints
    """The slot [rows] of each row's week."""
    rate: Floats
    """Messages an hour, without the level of the last two days."""
    leverage: Floats
    """How much of it is that very hour itself, 0 … 1."""
    drift: Floats
    """[rows]: the level of the last two days."""
    total: Floats
    """[rows]: messages that were learned from."""


def fit_own(habit: Habit, rows: Ints, counts: Floats, active: Floats, exposure: Floats) -> OwnFit:
    """Fit `rows` anew.

    Args:
        habit: takes what is found.
        rows: which.
        counts: messages, float32 [hours (whole weeks), rows].
        active: minutes with a message, the same.
        exposure: seen hours of a row's own time, the same: 0 … 1 each.
    """
    raw, leverage = shape(counts, exposure)
    level = drift(counts, exposure, raw)
    rate = raw * level
    activity, active_leverage = shape(active, exposure)
    activity = np.minimum(activity, most_active(active, exposure))
    expected = times_week(exposure, rate)
    dispersion = dispersion_of(counts, expected, expected, leverage, habit.usual.counts)
    active_expected = times_week(exposure, activity)
    active_variance = times_week(active_expected, 1.0 - activity / 60.0)
    active_dispersion = dispersion_of(
        active, active_expected, active_variance, active_leverage, habit.usual.activity
    )
    hours, minutes = exposure.sum(0), active.sum(0)
    full, mean, spread, full_share = full_hours(active, exposure)
    bucket = report_minutes(full, mean, spread)
    steady = is_steady(full_share, bucket, dispersion)
    nats = minute_nats_of(activity, rate, hours, bucket)
    peak = peak_nats(active, exposure, rate, nats, bucket * steady, dispersion, active_dispersion)
    total = counts.sum(0)
    slots = _slots(habit, rows)
    share = day_learned(active, exposure) / np.maximum(minutes, 1.0)
    habit.weeks.put(slots, rate, nats, ~is_unseen(counts, exposure), share)
    habit.level[rows], habit.clump[rows] = 1.0, 0.0
    habit.dispersion[rows], habit.activity_dispersion[rows] = dispersion, active_dispersion
    habit.hours[rows], habit.active_minutes[rows] = hours, minutes
    habit.mean_rate[rows] = total / np.maximum(hours, 1.0)
    habit.active_per_day[rows] = 24.0 * minutes / np.maximum(hours, 1.0)
    habit.report_minutes[rows], habit.is_steady[rows] = bucket, steady
    habit.interval_s[rows] = 60.0 * usual_gap_minutes(active, exposure)
    habit.peak_nats[rows] = np.minimum(peak, MOST_NATS)
    habit.fastest_nats[rows] = 1.04 * nats.max(0) + 1e-7
    return OwnFit(slots, raw, leverage, level, total)


def _slots(habit: Habit, rows: Ints) -> Ints:
    """Their slots; those that have none of their own get one."""
    fresh = rows[(habit.week[rows] < 0) | (habit.weeks.owner[habit.week[rows]] != rows)]
    habit.week[fresh] = habit.weeks.more(fresh)
    return habit.week[rows]


def share_week(habit: Habit, rows: Ints, same: Ints) -> None:
    """`rows` count just what the rows `same` do: their habit is the same."""
    habit.week[rows] = habit.week[same]
    for name in SCALARS:
        values = getattr(habit, name)
        values[rows] = values[same]
