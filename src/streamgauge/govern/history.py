"""What came in each day, by level: remembered for a year, learned from partitions' growth.

The size of a store in steady state stands still, because old partitions go; what comes in does not.
So the forecast rests on intake, not on size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.usage import Level, PartitionUsage, StoreUsage

DAY_S = 86_400.0
MAX_DAYS = 400
"""Days remembered."""
MAX_GAP_S = 6 * 3600.0
"""Two looks further apart than this tell nothing of the time between: we did not run."""
BACKFILL_S = 2 * DAY_S
"""Growth of a partition that ended longer ago is a backfill, which will not come every day."""
WHOLE_DAY_RATIO = 0.75
"""A day of which so much was seen is scaled to a whole one; of others nothing is said."""
TIMED = (Level.RAW, Level.MINUTE, Level.HOUR, Level.DAY)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of UTC."""

    day: int
    """Days since the epoch."""
    intake_bytes: Mapping[Level, float] = field(default_factory=dict)
    covered_s: float = 0.0
    """How much of it was seen."""
    series: float | None = None
    """How many there were at its end."""


@dataclass(frozen=True, slots=True)
class History:
    """The days, oldest first, and the last look to compare the next one with."""

    days: tuple[Day, ...] = ()
    last_at: float | None = None
    last_bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each partition (`table/name`) at the last look."""


def observed(history: History, usage: StoreUsage, series: float | None) -> History:
    """The history with one more look; the first one reads what partitions tell of the past."""
    if history.last_at is None:
        history = replace(history, days=_days_of_partitions(usage))
        gap_s, grown = 0.0, {}
    else:
        gap_s = max(usage.at - history.last_at, 0.0)
        is_seen = gap_s <= MAX_GAP_S
        grown = growth(history.last_bytes, usage) if is_seen else {}
        gap_s = gap_s if is_seen else 0.0
    return History(
        days=_with(history.days, int(usage.at // DAY_S), grown, gap_s, series),
        last_at=usage.at,
        last_bytes={_key(part): part.size_bytes for part in usage.partitions},
    )


def growth(before: Mapping[str, int], usage: StoreUsage) -> dict[Level, float]:
    """Bytes by which the newest partitions grew; those that were dropped count for nothing."""
    found: dict[Level, float] = dict.fromkeys(TIMED, 0.0)
    for part in usage.partitions:
        if part.level in TIMED and (part.to_s is None or part.to_s > usage.at - BACKFILL_S):
            grown = part.size_bytes - before.get(_key(part), 0)
            found[part.level] += grown
    return found


def intake(history: History, level: Level) -> NDArray[np.float64]:
    """Bytes a day, oldest first; NaN for days of which too little was seen.

    While no day is whole yet, the one running is scaled up, once an hour of it was seen.
    """
    if not history.days:
        return np.empty(0)
    first, last = history.days[0].day, history.days[-1].day
    values = np.full(last - first + 1, np.nan)
    for day in history.days:
        if day.covered_s >= WHOLE_DAY_RATIO * DAY_S:
            values[day.day - first] = _a_day(day, level)
    if np.isnan(values).all() and history.days[-1].covered_s >= 3600.0:
        values[-1] = _a_day(history.days[-1], level)
    known = np.flatnonzero(~np.isnan(values))
    return values[known[0] : known[-1] + 1] if len(known) else np.empty(0)


def series_by_day(history: History) -> NDArray[np.float64]:
    """How many series there were at the end of each day, oldest first; NaN: not known."""
    if not history.days:
        return np.empty(0)
    first = history.days[0].day
    values = np.full(history.days[-1].day - first + 1, np.nan)
    for day in history.days:
        values[day.day - first] = np.nan if day.series is None else day.series
    known = np.flatnonzero(~np.isnan(values))
    return values[known[0] :] if len(known) else np.empty(0)


def _a_day(day: Day, level: Level) -> float:
    """NaN: of the level nothing is known on that day, as no partition of it was whole."""
    grown = day.intake_bytes.get(level)
    return math.nan if grown is None else max(grown, 0.0) * DAY_S / min(day.covered_s, DAY_S)


def _with(
    days: tuple[Day, ...],
    today: int,
    grown: Mapping[Level, float],
    gap_s: float,
    series: float | None,
) -> tuple[Day, ...]:
    is_new = not days or days[-1].day < today
    running = Day(today) if is_new else days[-1]
    sums = dict(running.intake_bytes)
    for level, grown_bytes in grown.items():
        sums[level] = sums.get(level, 0.0) + grown_bytes
    changed = replace(
        running,
        intake_bytes=sums,
        covered_s=running.covered_s + gap_s,
        series=running.series if series is None else series,
    )
    return (*(days if is_new else days[:-1]), changed)[-MAX_DAYS:]


def _days_of_partitions(usage: StoreUsage) -> tuple[Day, ...]:
    """Days that whole partitions cover, each with its share of them; at most the last 60."""
    today = int(usage.at // DAY_S)
    sums: dict[int, dict[Level, float]] = {}
    for part in usage.partitions:
        if part.level not in TIMED or part.from_s is None or part.to_s is None:
            continue
        if part.to_s > usage.at or part.from_s < usage.at - 60 * DAY_S:
            continue
        first, end = int(part.from_s // DAY_S), int(part.to_s // DAY_S)
        for day in range(first, min(end, today)):
            levels = sums.setdefault(day, {})
            levels[part.level] = levels.get(part.level, 0.0) + part.size_bytes / (end - first)
    return tuple(Day(day, levels, DAY_S) for day, levels in sorted(sums.items()))


def _key(part: PartitionUsage) -> str:
    return f"{part.table}/{part.name}"
