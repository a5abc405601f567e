"""How regular a sender is, from its active minutes an hour; grids are [hours, rows]."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.shape import by_week

_NEARLY_FULL = 54.0
_PRIOR_MINUTES = 120.0


def report_minutes(hours: Floats, mean: Floats, spread: Floats) -> Floats:
    """Minutes [rows] in which exactly one report is due; 1 unless a sender is regular.

    Regular: its active minutes an hour vary far less than chance would make them.

    Args:
        hours: full hours [rows] with a message.
        mean: active minutes of these hours.
        spread: their variance.
    """
    chance = mean * (1.0 - mean / 60.0)
    steady = (hours >= 12) & (spread <= 0.2 * chance + 1e-6) & (mean >= 0.9)
    return np.where(steady, np.clip(60.0 / np.maximum(mean, 1.0), 1.0, 60.0), 1.0)


def is_steady(full: Floats, bucket: Floats, dispersion: Floats) -> Floats:
    """1.0 [rows] where nearly all its hours were full of reports; fewer do if counts are even.

    Args:
        full: the share of its hours in which nearly all minutes had a report.
        bucket: see `report_minutes`.
        dispersion: 1/r of messages an hour.
    """
    steady = (full >= 0.97) | ((full >= 0.7) & (dispersion < 0.3)) | (bucket > 1.0)
    return np.asarray(steady.astype(float))


def full_hours(active: Floats, exposure: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Seen hours [rows] with a message, their mean, variance, and the share with 57 of 60."""
    there = (active > 0.0) & (exposure > 0.99)
    count = there.sum(0)
    hours = np.maximum(count, 1)
    mean = np.where(there, active, 0.0).sum(0) / hours
    spread = (np.where(there, active - mean, 0.0) ** 2).sum(0) / hours
    return count, mean, spread, (there & (active >= 57.0)).sum(0) / hours


def usual_gap_minutes(active: Floats, exposure: Floats) -> Floats:
    """Minutes [rows] from one active minute to the next, in hours that have one: 1 … 60."""
    there = active > 0.0
    minutes = 60.0 * np.where(there, exposure, 0.0).sum(0)
    return np.asarray(
        np.clip(minutes / np.maximum(np.where(there, active, 0.0).sum(0), 1.0), 1.0, 60.0)
    )


def day_learned(active: Floats, exposure: Floats) -> Floats:
    """Active minutes [7, rows] that taught what is usual on a day of the week."""
    minutes = by_week(active).sum(0).reshape(7, 24, -1).sum(1)
    hours = by_week(exposure).sum(0).reshape(7, 24, -1).sum(1)
    mean = minutes.sum(0) / np.maximum(hours.sum(0), 1.0)
    is_quiet = (hours > 0.5) & (minutes < 0.5 * mean * hours)
    return np.asarray(np.where(is_quiet, np.maximum(minutes, 1.0), minutes.sum(0)))


def most_active(active: Floats, exposure: Floats) -> Floats:
    """Active minutes [168, rows] that no hour of the week is taken to have more of.

    That none of its 60 minutes was missed last week tells little: what all nearly full hours missed
    is a prior worth two hours, at each hour of the day.

    Source: beta-binomial shrinkage, Gelman et al., Bayesian Data Analysis (3rd ed.), 2.4.
    """
    is_full = (exposure > 0.99) & (active >= _NEARLY_FULL)
    missed = np.where(is_full, 60.0 - active, 0.0).reshape(-1, 24, active.shape[1]).sum(0)
    minutes = 60.0 * is_full.reshape(-1, 24, active.shape[1]).sum(0)
    usual = missed.sum(0) / np.maximum(minutes.sum(0), 1.0)
    share = (missed + _PRIOR_MINUTES * usual) / (minutes + _PRIOR_MINUTES)
    return np.asarray(np.tile(60.0 * (1.0 - share), (7, 1)))
