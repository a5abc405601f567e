"""From a look at the store and the history of intake to what is shown: levels, disk, series."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from streamgauge.govern.forecast import Held, forecast_count, forecast_disk
from streamgauge.govern.history import DAY_S, TIMED, History, intake, series_by_day
from streamgauge.model.budget import LevelBudget, Resource
from streamgauge.model.usage import Level, StoreUsage

USUAL_PARTITION_DAYS: Mapping[Level, float] = {
    Level.RAW: 1.0,
    Level.MINUTE: 7.0,
    Level.HOUR: 30.0,
    Level.DAY: 360.0,
}
"""Where no partition is there yet to tell."""


def disk_of(
    usage: StoreUsage,
    limit_bytes: float,
    give_up_above: float,
    history: History,
    kept_s: Mapping[Level, float],
) -> Resource:
    """The disk: what is used, what there is, and when so much is used that some must go.

    Args:
        usage: what is held now.
        limit_bytes: the room there is.
        give_up_above: the share of it from which on something is given up.
        history: what came in.
        kept_s: retention by level, as it is now.
    """
    levels = [_held(usage, history, level, kept_s[level]) for level in TIMED]
    fixed = usage.bytes_of(Level.OTHER)
    full, ahead = forecast_disk(levels, fixed, give_up_above * limit_bytes)
    return Resource("disk", float(usage.total_bytes), float(limit_bytes), full, ahead)


def series_of(history: History, used: float, limit: float) -> Resource:
    """The series: how many there are, how many fit the memory, and when they are too many."""
    full, ahead = forecast_count(series_by_day(history), used, limit)
    return Resource("series", used, limit, full, ahead)


def intake_a_day(history: History) -> dict[Level, float]:
    """Bytes that come in a day, the mean of the last week; levels that are not known lack."""
    found = {}
    for level in TIMED:
        values = intake(history, level)
        known = values[~np.isnan(values)][-7:]
        if len(known):
            found[level] = float(known.mean())
    return found


def levels_of(
    usage: StoreUsage,
    intake_bytes: Mapping[Level, float],
    configured_s: Mapping[Level, float],
    kept_s: Mapping[Level, float],
) -> list[LevelBudget]:
    """Every level, raw lines first."""
    return [
        LevelBudget(
            level=level,
            size_bytes=usage.bytes_of(level),
            row_count=sum(part.row_count for part in usage.partitions if part.level is level),
            bytes_per_day=intake_bytes.get(level),
            retention_s=configured_s.get(level, math.inf),
            kept_s=kept_s.get(level, math.inf),
            since_s=min(
                (p.from_s for p in usage.partitions if p.level is level and p.from_s is not None),
                default=None,
            ),
        )
        for level in (*TIMED, Level.OTHER)
    ]


def _held(usage: StoreUsage, history: History, level: Level, kept_s: float) -> Held:
    parts = [part for part in usage.partitions if part.level is level]
    ends = np.array([math.inf if part.to_s is None else part.to_s for part in parts], np.float64)
    lengths = [
        (part.to_s - part.from_s) / DAY_S
        for part in parts
        if part.to_s is not None and part.from_s is not None
    ]
    partition_days = float(np.median(lengths)) if lengths else USUAL_PARTITION_DAYS[level]
    return Held(
        intake_bytes=intake(history, level),
        now_bytes=float(usage.bytes_of(level)),
        going_bytes=np.array([part.size_bytes for part in parts], np.float64),
        going_in_days=(ends + kept_s - usage.at) / DAY_S,
        retention_days=kept_s / DAY_S,
        partition_days=partition_days,
        into_partition_days=(usage.at / DAY_S) % partition_days,
    )
