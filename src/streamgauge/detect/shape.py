"""The shape of a row's week, from hours: mean → hour of day → weekday → hour of week.

Each is shrunk to the one before by its own amount of evidence, so that three days give a habit of
the hour of day and four weeks one of the hour of the week; and how clumped the counts around it.

Sources: gamma-Poisson shrinkage, Gelman et al., Bayesian Data Analysis (3rd ed.), section 2.7;
moments of 1/r, Clark & Perry, Biometrics 45 (1989).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats
from streamgauge.detect.spread import shrunk
from streamgauge.detect.sums import HOURS_KEPT

WEEK = 168
WEEKS = HOURS_KEPT // WEEK + 1
_PRIOR_MESSAGES = 2.0
"""What is known of the weekday weighs as much as this many messages, and as one hour."""
_FAR_LESS = 0.1
_LONG_QUIET = 30.0
"""Messages that were expected of a stretch without any which no lower level explains."""
_MONDAY_TO_THURSDAY = [4, 5, 6, 0]
"""Days of the epoch's weeks, which begin on a Thursday."""


def by_week(grid: Floats) -> Floats:
    """Hours [weeks x 168, rows] as [weeks, 168, rows]."""
    return grid.reshape(-1, WEEK, grid.shape[1])


def times_week(grid: Floats, week: Floats) -> Floats:
    """Hours [weeks x 168, rows], each times what its hour of the week is worth, [168, rows]."""
    return (by_week(grid) * week).reshape(grid.shape)


def shape(grid: Floats, exposure: Floats) -> tuple[Floats, Floats]:
    """Expected per hour of the week, [168, rows]: step 2 of the module's list.

    The second answer is how much of each expectation is that very hour itself (0 … 1): what was
    fitted to an hour looks closer to it than the next one will be.
    """
    x, e = by_week(grid).sum(0), by_week(exposure).sum(0)
    mean = (x.sum(0) + 0.5) / np.maximum(e.sum(0), 1.0)
    by_hour, through_day = _by_hour(grid, exposure, mean)
    expected = (np.tile(by_hour, (7, 1)) * e).reshape(7, 24, -1).sum(1)
    of_day = x.reshape(7, 24, -1).sum(1)
    hold = 3.0 + 0.5 * mean
    weekday, own_day = (of_day + hold) / (expected + hold), (of_day + 3.0) / (expected + 3.0)
    weekday = np.where(own_day < 0.5, own_day, weekday)  # one quiet Saturday is known as such
    guess = np.tile(by_hour, (7, 1)) * np.repeat(weekday, 24, axis=0)
    weight = _PRIOR_MESSAGES / guess + 1.0
    own = (x + weight * guess) / (e + weight)
    # An hour that brought next to nothing, as the evening before a day off, is known from one week.
    alone = (x + 3.0) / (e + 3.0 / guess)
    own = np.where(alone < _FAR_LESS * guess, np.minimum(own, alone), own)
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


def drift(counts: Floats, exposure: Floats, rate: Floats) -> Floats:
    """How the last two days of a row compare with its habit, [rows], 0.2 … 5.

    A holiday, or a silence that is over, is no lower level: quiet in which far more was expected
    is left out.
    """
    expected = times_week(exposure, rate)
    age = np.cumsum(exposure[::-1], axis=0)[::-1]  # seen hours from here to the end
    recent = (age <= 48.0) & ~_is_long_quiet(counts, expected)
    hold = 5.0 + 6.0 * expected.sum(0) / np.maximum(exposure.sum(0), 1.0)
    ratio = ((counts * recent).sum(0) + hold) / ((expected * recent).sum(0) + hold)
    return np.asarray(np.clip(ratio, 0.2, 5.0))


def _is_long_quiet(counts: Floats, expected: Floats) -> Bools:
    """Which hours [hours, rows] are of a stretch without a message that many were expected in."""
    is_quiet = counts <= 0.0
    total = np.cumsum(expected, axis=0, dtype=np.float64)
    before = np.maximum.accumulate(np.where(is_quiet, 0.0, total), axis=0)
    # The total at the end of each stretch, carried back to its hours.
    after = np.where(is_quiet, np.inf, total - expected)
    after[-1] = np.where(is_quiet[-1], total[-1], after[-1])
    after = np.minimum.accumulate(after[::-1], axis=0)[::-1]
    return np.asarray(is_quiet & (after - before >= _LONG_QUIET))


def dispersion_of(
    x: Floats, expected: Floats, variance: Floats, leverage: Floats, usual: float
) -> Floats:
    """1/r [rows] by moments of left-out residuals, see `spread`.

    Args:
        x: counts [hours, rows].
        expected: the same, as fitted.
        variance: what chance alone would give each hour.
        leverage: [168, rows], see `_shape`.
        usual: of the fleet.
    """
    square = (expected**2).astype(np.float64)
    left_out = (by_week(x - expected) / (1.0 - leverage)).reshape(x.shape) ** 2
    excess = np.minimum(left_out, 9.0 * square + 4.0 * variance + 4.0) - variance
    spread = variance + usual * square
    return shrunk(excess.sum(0), square.sum(0), (spread**2).sum(0), usual)


def is_unseen(counts: Floats, exposure: Floats) -> Array:
    """Which hours [168, rows] of the week are only guessed from others.

    Even senders are no riddle; nor is a Monday to Thursday to whoever knows two of them.
    """
    known = by_week(exposure).sum(0).reshape(7, 24, -1) >= 0.5
    known[_MONDAY_TO_THURSDAY] |= known[_MONDAY_TO_THURSDAY].sum(0) >= 2
    return np.asarray(~known.reshape(WEEK, -1) & ~_is_flat(counts, exposure))


def _is_flat(counts: Floats, exposure: Floats) -> Array:
    """Whether [rows] it speaks evenly around the clock: unseen hours are then no riddle."""
    x = by_week(counts).sum(0).reshape(7, 24, -1).sum(0)
    e = by_week(exposure).sum(0).reshape(7, 24, -1).sum(0)
    hours = (e > 0.5).sum(0)
    per_six_x = x.reshape(4, 6, -1).sum(1)
    per_six_e = e.reshape(4, 6, -1).sum(1)
    mean = x.sum(0) / np.maximum(e.sum(0), 1.0)
    lowest = np.where(
        per_six_e > 1.0, (per_six_x + np.sqrt(per_six_x) + 1.0) / np.maximum(per_six_e, 1.0), np.inf
    ).min(0)
    return np.asarray((hours >= 22) & (lowest >= 0.6 * mean) & (x.sum(0) >= 50.0))
