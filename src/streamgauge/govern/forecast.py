"""When a resource runs out: what is held, what goes, what comes, drawn many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.govern.trend import Floats, draw_ahead
from streamgauge.model.budget import Interval, Projection

DAY_S = 86_400.0
HORIZON_DAYS = 400
"""How far is looked ahead."""
EARLY, LIKELY, LATE = 0.1, 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Held:
    """One level as it is, and how it is kept."""

    intake_bytes: Floats
    """[n_days] bytes a day, oldest first; NaN is unknown."""
    now_bytes: float
    going_bytes: Floats
    """[n] of each partition held, …"""
    going_in_days: Floats
    """… and when retention drops it, days from now; infinite: never."""
    retention_days: float
    partition_days: float
    """Retention drops this many days at once."""
    into_partition_days: float
    """How much of the running partition has passed."""


def path_of(level: Held, horizon_days: int, seed: int) -> Floats:
    """Bytes of a level at the end of each day ahead, [draws, horizon_days].

    A day's intake goes `retention_days` after its partition has ended; what goes at the very end of
    a day counts as held, since that is when most is.
    """
    days: Floats = np.arange(1, horizon_days + 1, dtype=np.float64) - 1e-6
    gone = np.array([level.going_bytes[level.going_in_days <= day].sum() for day in days])
    left = np.maximum(level.now_bytes - gone, 0.0)
    known = level.intake_bytes[~np.isnan(level.intake_bytes)]
    if not len(known):
        return left[None, :]
    coming = np.cumsum(draw_ahead(level.intake_bytes, horizon_days, seed), axis=1)
    dropped = np.concatenate([np.zeros((len(coming), 1)), coming], axis=1)
    return np.asarray(left + coming - dropped[:, _days_gone(level, days)])


def _days_gone(level: Held, days: Floats) -> NDArray[np.int64]:
    """How many of the days ahead have been dropped by the end of each of them."""
    if not np.isfinite(level.retention_days):
        return np.zeros(len(days), np.int64)
    last_end = np.floor(
        (days + level.into_partition_days - level.retention_days) / level.partition_days
    )
    ended = last_end * level.partition_days - level.into_partition_days
    return np.clip(np.floor(ended + 1e-3), 0, len(days)).astype(np.int64)


def forecast_disk(
    levels: Sequence[Held], fixed_bytes: float, limit_bytes: float, horizon_days: int = HORIZON_DAYS
) -> tuple[Interval | None, Projection | None]:
    """When the sum of the levels and what is fixed meets the limit.

    None where no level's intake is known.
    """
    if not any((~np.isnan(level.intake_bytes)).any() for level in levels):
        return None, None
    total: Floats = np.full((1, horizon_days), float(fixed_bytes))
    for seed, level in enumerate(levels, start=1):
        total = total + path_of(level, horizon_days, seed)
    return until_full(total, limit_bytes), projection(total)


def forecast_count(
    values: Floats, now: float, limit: float, horizon_days: int = HORIZON_DAYS
) -> tuple[Interval | None, Projection | None]:
    """When a number that only grows (series) meets its limit, from its value at each day's end."""
    new = np.diff(values)
    if not (~np.isnan(new)).any():
        return None, None
    ahead = now + np.cumsum(draw_ahead(np.maximum(new, 0.0), horizon_days), axis=1)
    return until_full(ahead, limit), projection(ahead)


def until_full(paths: Floats, limit: float) -> Interval:
    """Seconds until paths [draws, days] meet the limit: early, likely and late."""
    over = paths >= limit
    first = np.where(over.any(axis=1), over.argmax(axis=1) + 1.0, np.inf)
    days = np.quantile(first, [EARLY, LIKELY, LATE], method="higher")
    early, likely, late = (float(value) * DAY_S for value in days)
    return Interval(early, likely, late)


def projection(paths: Floats) -> Projection:
    """What nine in ten stay below, the middle, and what nine in ten exceed, by day."""
    early, likely, late = np.quantile(paths, [1 - EARLY, LIKELY, 1 - LATE], axis=0)
    return Projection(tuple(early.tolist()), tuple(likely.tolist()), tuple(late.tolist()))
