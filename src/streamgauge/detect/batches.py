"""Rows that send in batches: when the next one starts, and how late it must be to mean something.

A rate an hour says nothing useful of one run a day. From active minutes by the hour (bits where the
single minutes are known):

1. A run starts where an active minute follows 20 minutes or more without one.
2. The period is the one of `PERIODS` that the median time between starts is near. The row is a
   batch sender if starts keep to one phase of it (standard deviation under a tenth), hardly any is
   missed on the days on which it runs, and runs take no more than a fifth of it.
3. The spread of starts is shrunk to that of the period, as if five more had been seen.
4. Evidence of a start that is late by x spreads is -ln of a t tail (n + 20 degrees of freedom).
   A job that missed m of its K starts before gives each no more than -ln((m + 1/2) / (K + 1)); one
   that missed none, as many nats as it has messages a run, if that is more: of a few, by chance,
   none may come.

Nothing counts while it idles. Days of the week on which it never ran are no days to wait for it.

Source: posterior predictive of a normal with unknown variance, Gelman et al., Bayesian Data
Analysis (3rd ed.), section 3.2; mean directions, Mardia & Jupp, Directional Statistics, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints

PERIODS = np.array([60, 120, 180, 240, 360, 480, 720, 1440])
"""Minutes."""
_IDLE_MINUTES = 20
_FEWEST_STARTS = 5
_ENOUGH_STARTS = 12
"""Seen by the minute: then those known by the hour are not needed."""
_PRIOR_STARTS = 5.0
_DEGREES = 20.0
_MOST_SPREAD = 0.1
_LONGEST_RUN = 0.2
_FEWEST_KEPT = 0.8
_RUNS_ON_DAY = 0.6
_DAY = 1440
_FAR = -10_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """When one row's runs start."""

    period_s: float
    offset_s: float
    """Of the epoch, modulo the period."""
    spread_s: float
    degrees: float
    most_nats: float
    """Of one start that is missed."""
    sure_s: float
    """So long after its start a run has always gone on."""
    days: tuple[bool, ...]
    """By day of the week of the epoch (0 is Thursday)."""


def schedule_of(active: Floats, bits: Array, first_hour: int, per_hour: float) -> Schedule | None:
    """When a row's runs start; None: it is no batch sender.

    Args:
        active: active minutes [hours], up to and without the running hour.
        bits: uint64 [hours], bit m for minute m; 0 where only the number is known.
        first_hour: number of the first of these hours since the epoch.
        per_hour: messages, over all hours.
    """
    is_on = _minutes(active, bits)
    guessed = np.flatnonzero((bits == 0) & (active > 0.0))
    sure_from = 60 * (int(guessed[-1]) + 1 if len(guessed) else 0)
    starts, lengths = _runs(is_on[sure_from:])
    starts = starts + sure_from
    if len(starts) < _ENOUGH_STARTS:
        starts, lengths = _runs(is_on)
    if len(starts) < _FEWEST_STARTS:
        return None
    gaps = np.diff(starts)
    period = int(PERIODS[np.abs(np.log(PERIODS / np.median(gaps))).argmin()])
    if abs(np.median(gaps) / period - 1.0) > _MOST_SPREAD:
        return None
    if np.median(lengths) > _LONGEST_RUN * period:
        return None
    return _fitted(starts, lengths, period, first_hour, per_hour)


def _fitted(
    starts: Ints, lengths: Ints, period: int, first_hour: int, per_hour: float
) -> Schedule | None:
    angle = 2.0 * np.pi * (starts % period) / period
    centre = np.angle(np.exp(1j * angle).mean())
    off = np.angle(np.exp(1j * (angle - centre))) * period / (2.0 * np.pi)
    own = float(np.sqrt((off**2).mean()))
    if own > _MOST_SPREAD * period:
        return None
    offset = centre * period / (2.0 * np.pi)
    slots = np.unique(np.rint((starts - offset) / period).astype(np.int64))
    due = np.arange(slots[0], slots[-1] + 1)  # its silence now is not its habit
    day = ((offset + due * period) // _DAY + first_hour // 24).astype(np.int64) % 7
    came = np.isin(due, slots)
    days = _days(day, came) if period == _DAY else np.ones(7, bool)
    expected = days[day]
    count, missed = int(expected.sum()), int((expected & ~came).sum())
    if count < _FEWEST_STARTS or missed > (1.0 - _FEWEST_KEPT) * count:
        return None
    usual = np.clip(period / 120.0, 1.0, 6.0)
    n = len(starts)
    a_run = per_hour * period / 60.0 * 7.0 / max(int(days.sum()), 1)
    spread = (n * own**2 + _PRIOR_STARTS * usual**2) / (n + _PRIOR_STARTS) * (1.0 + 1.0 / n)
    return Schedule(
        period_s=60.0 * period,
        offset_s=60.0 * float((offset + 60.0 * first_hour) % period),
        spread_s=60.0 * max(float(np.sqrt(spread)), 0.7),
        degrees=n + _DEGREES,
        most_nats=_most_nats(missed, count, a_run),
        sure_s=60.0 * (0.6 * float(lengths.min()) - 2.0 * own),
        days=tuple(bool(one) for one in days),
    )


def _most_nats(missed: int, count: int, messages: float) -> float:
    """Of one start that is missed, see the module; `messages` are those of a run."""
    by_starts = float(-np.log((missed + 0.5) / (count + 1.0)))
    return by_starts if missed else max(by_starts, messages)


def _days(day: Ints, came: Bools) -> Bools:
    """On which days of the week it runs; days never seen are none to wait for."""
    seen, ran = np.bincount(day, minlength=7), np.bincount(day, came, 7)
    return np.asarray((seen > 0) & (ran >= _RUNS_ON_DAY * seen))


def _minutes(active: Floats, bits: Array) -> Bools:
    """Which minutes were active; where only their number is known, next to active hours."""
    place = np.arange(60, dtype=np.uint64)
    is_on = ((bits[:, None] >> place) & np.uint64(1)).astype(bool)
    unknown = (bits == 0) & (active > 0.0)
    number = np.minimum(active, 60.0).astype(np.int64)
    before = np.concatenate([[False], active[:-1] > 0.0])
    after = np.concatenate([active[1:] > 0.0, [False]])
    begin = np.where(before, 0, np.where(after, 60 - number, (60 - number) // 2))
    minute = np.arange(60)
    guessed = (minute >= begin[:, None]) & (minute < (begin + number)[:, None])
    # Between two active hours nobody knows: the run may as well have gone on.
    guessed |= (before & after & (number >= 40))[:, None]
    return np.where(unknown[:, None], guessed, is_on).ravel()


def _runs(is_on: Bools) -> tuple[Ints, Ints]:
    """Starts and lengths of whole runs; the first and the last may be cut short."""
    on = np.flatnonzero(is_on)
    if not len(on):
        return on, on
    begins = np.diff(on, prepend=_FAR) >= _IDLE_MINUTES
    starts = on[begins]
    ends = np.append(on[np.flatnonzero(begins)[1:] - 1], on[-1])
    whole = slice(1 if starts[0] == 0 else 0, None)
    return starts[whole], (ends - starts + 1)[whole]
