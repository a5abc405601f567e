"""How a daily number goes on: a robust line through weeks, drawn many times by bootstrap.

1. Up to two weeks: the mean of the days; no slope, because a weekend looks like one.
2. Beyond: a Theil-Sen line through weekly means, which leaves the weekday out and lets a burst or a
   backfill of one week go by.
3. What remains is drawn again and again, each week ahead with the course of one of the weeks seen:
   a store is full on a Friday. A factor is added for how few days were seen.
4. A fifth of the draws stay at the level of the last three days against the same weekdays before:
   a large customer that came is seen long before weekly means show it, a single burst is not.

Source: Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968);
Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 9 (residuals).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 200
WEEK = 7
MAX_WEEKS = 10
"""Weeks looked back: growth further ago tells little of tomorrow."""
MIN_WEEKS, MIN_DAYS = 3, 5
SPREAD = 0.25
"""Standard deviation, in natural logarithms, of what a single day tells of the days to come."""
RECENT_DAYS = 3
RECENT_SHARE = 0.2
"""Of the draws: enough to move the early end of an interval, which is at one in ten."""
BURST = 3.0
"""A day counts at most this many times the median, while there are too few for weeks."""


def draw_ahead(values: Floats, horizon_days: int, seed: int = 1, draws: int = DRAWS) -> Floats:
    """Ways in which `values` may go on, never below zero.

    Args:
        values: [n_days], oldest first; NaN is unknown. At least one is known.
        horizon_days: days ahead.
        seed: the same seed draws the same.
        draws: how many.

    Returns:
        [draws, horizon_days].
    """
    random = np.random.default_rng(seed)
    known_days = int((~np.isnan(values)).sum())
    weeks = weekly_means(values)
    if len(weeks) >= MIN_WEEKS:
        ahead = _lines(weeks, horizon_days, random, draws)
        ahead[: int(draws * RECENT_SHARE)] = _recent(values, weeks)
        ahead *= _profiles(values, horizon_days, random, draws)
    else:
        ahead = _levels(values[~np.isnan(values)], horizon_days, random, draws)
    factor = np.exp(random.normal(0.0, SPREAD / np.sqrt(known_days), draws))
    return np.maximum(ahead, 0.0) * factor[:, None]


def weekly_means(values: Floats) -> Floats:
    """Means of the last whole weeks, oldest first; weeks of which too little is known are NaN-free.

    A week counts when at least `MIN_DAYS` of its days are known.
    """
    count = min(len(values) // WEEK, MAX_WEEKS)
    weeks = values[len(values) - count * WEEK :].reshape(count, WEEK)
    enough = (~np.isnan(weeks)).sum(axis=1) >= MIN_DAYS
    return np.asarray(np.nanmean(weeks[enough], axis=1)) if enough.any() else np.empty(0)


def theil_sen(y: Floats) -> tuple[Floats, Floats]:
    """Median slopes and intercepts of rows at x = 0, 1, …

    Args:
        y: [n_rows, n].

    Returns:
        Both [n_rows].
    """
    n = y.shape[1]
    x = np.arange(n)
    left, right = np.triu_indices(n, 1)
    slope = np.median((y[:, right] - y[:, left]) / (x[right] - x[left]), axis=1)
    return slope, np.median(y - slope[:, None] * x, axis=1)


def _lines(weeks: Floats, horizon: int, random: np.random.Generator, draws: int) -> Floats:
    slope, start = theil_sen(weeks[None, :])
    fitted = start[0] + slope[0] * np.arange(len(weeks))
    left_over = weeks - fitted
    again = fitted + random.choice(left_over, (draws, len(weeks)))
    slopes, starts = theil_sen(again)
    ahead = len(weeks) - 1 + (np.arange(horizon) + 4) / WEEK  # a week's mean stands at its middle
    return np.asarray(starts[:, None] + slopes[:, None] * ahead)


def _profiles(values: Floats, horizon: int, random: np.random.Generator, draws: int) -> Floats:
    """[draws, horizon] factors around 1: the course within one of the weeks seen, week by week."""
    count = min(len(values) // WEEK, MAX_WEEKS)
    weeks = values[len(values) - count * WEEK :].reshape(count, WEEK)
    weeks = weeks[(~np.isnan(weeks)).sum(axis=1) >= MIN_DAYS]
    mean = np.nanmean(weeks, axis=1, keepdims=True)
    profiles = np.nan_to_num(weeks / np.where(mean > 0, mean, np.nan), nan=1.0)
    chosen = random.integers(len(profiles), size=(draws, -(-horizon // WEEK)))
    return np.asarray(profiles[chosen].reshape(draws, -1)[:, :horizon])


def _recent(values: Floats, weeks: Floats) -> float:
    """The level of the last days, each compared with the same weekday of the weeks before."""
    known = np.flatnonzero(~np.isnan(values))[-RECENT_DAYS:]
    before = np.stack([values[known - WEEK * back] for back in range(1, MIN_WEEKS)])
    usual = np.median(before, axis=0)  # NaN where one of them is
    ratios = values[known] / np.where(usual > 0, usual, np.nan)
    ratios = ratios[np.isfinite(ratios)]
    return float(weeks[-1] * np.median(ratios)) if len(ratios) else float(weeks[-1])


def _levels(known: Floats, horizon: int, random: np.random.Generator, draws: int) -> Floats:
    calm = np.minimum(known, BURST * np.median(known)) if len(known) > 2 else known
    means = random.choice(calm, (draws, len(calm))).mean(axis=1)
    return np.repeat(means[:, None], horizon, axis=1)
