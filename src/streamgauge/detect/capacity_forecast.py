"""When the busiest hour of the week will reach what can be handled.

1. Growth: the median of all ratios between the busiest hours of days whole weeks apart, so that no
   weekend counts as one (Theil-Sen by season).
2. The busiest hour of the last seven days grows on by it until it meets the capacity.
3. The interval: how far one-week-ahead forecasts of the same kind were off in the past, the 90 %
   quantile of n with the correction (n + 1)/n, is how far this one may be off.

Source: Hirsch, Slack & Smith, Water Resources Research 18 (1982); Vovk, Gammerman & Shafer,
Algorithmic Learning in a Random World (2005), chapter 2, split conformal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamgauge.detect.arrays import Floats

DAYS_NEEDED = 14
_WEEK = 7
_COVERED = 0.9
_FARTHEST_DAYS = 365.0
_LEAST_GROWTH = 1e-4
"""A day; 0.07 % a week is none."""


class Reach(NamedTuple):
    """When a load meets a capacity, from the end of its last day on."""

    peak: float
    """The busiest hour of the last seven days, in the unit of the peaks."""
    growth_per_day: float
    """0.01 is 1 % a day."""
    days: float | None
    """None: not within a year, as it does not grow."""
    early_days: float | None
    late_days: float | None
    """9 of 10 such intervals hold it; None: not within a year."""


def reach(peaks: Floats, capacity: float) -> Reach | None:
    """When the peaks will be at `capacity`.

    Args:
        peaks: of each day up to yesterday, oldest first; NaN or 0 where nothing is known.
        capacity: in the unit of the peaks.

    Returns: None if fewer than two weeks are known.
    """
    known = np.isfinite(peaks) & (peaks > 0.0)
    if known.sum() < DAYS_NEEDED or not known[-_WEEK:].any() or not capacity > 0.0:
        return None
    logs = np.where(known, np.log(np.where(known, peaks, 1.0)), np.nan)
    growth = _growth(logs)
    if growth is None:
        return None
    peak = float(np.exp(np.nanmax(logs[-_WEEK:])))
    room, off = float(np.log(capacity / peak)), _off(logs, growth)
    return Reach(
        peak,
        growth,
        _days(room, growth),
        _days(room - off, growth),
        _days(room + off, growth),
    )


def _growth(logs: Floats) -> float | None:
    slopes = []
    for weeks in range(1, len(logs) // _WEEK + 1):
        lag = weeks * _WEEK
        steps = (logs[lag:] - logs[:-lag]) / lag
        slopes.append(steps[np.isfinite(steps)])
    every = np.concatenate(slopes) if slopes else np.zeros(0)
    return float(np.median(every)) if len(every) else None


def _off(logs: Floats, growth: float) -> float:
    steps = np.abs(logs[_WEEK:] - logs[:-_WEEK] - _WEEK * growth)
    steps = np.sort(steps[np.isfinite(steps)])
    if not len(steps):
        return 0.0
    place = int(np.ceil((len(steps) + 1) * _COVERED)) - 1
    return float(steps[min(place, len(steps) - 1)])


def _days(room: float, growth: float) -> float | None:
    if room <= 0.0:
        return 0.0
    if growth < _LEAST_GROWTH or room / growth > _FARTHEST_DAYS:
        return None
    return room / growth
