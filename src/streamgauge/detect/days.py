"""Which customers have days off, and when their own days begin and open.

From the week of the habit alone. A customer's day begins an hour before the one opposite of the
centre of what it sends (an office's at midnight), so that no time zone has to be told; a day off is
one that brings less than half of the median day. Pure.

Source: mean directions, Mardia & Jupp, Directional Statistics, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints

WEEK = 168
_QUIET_DAY = 0.5
_LEAST_SWING = 0.15
"""Length of the mean direction: the day of who sends more evenly has no beginning."""
_OPENED, _WELL_OPEN = 0.1, 0.25
"""Shares of a working day that have come by then."""


@dataclass(frozen=True, slots=True)
class Days:
    """Of each customer; all [customers], hours of the week from Thursday 00:00 UTC."""

    has_off: Bools
    begins: Ints
    """Hour of the (UTC) day in which its day begins."""
    off_place: Ints
    """Hour of the week in which its quietest day begins."""
    off_ratio: Floats
    """What that day brings of a median one."""
    opens: Ints
    """Hours after its day began by which it usually sends."""
    decides: Ints
    """The same by which it surely does."""
    works: Bools
    """[customers, 7]: whether the day that begins so many days after `begins` is no day off."""

    def day_of(self, began: Ints, at: Ints) -> Ints:
        """Which day [n] of `works` began in an hour, of customers `at`."""
        return np.asarray((began - self.begins[at]) % WEEK // 24)


def days_of(rates: Floats) -> Days:
    """What weeks tell.

    Args:
        rates: messages an hour [customers, 168].
    """
    n = len(rates)
    hour = np.arange(24)
    by_hour = rates.reshape(n, 7, 24).mean(axis=1)
    mean = (by_hour * np.exp(2j * np.pi * (hour + 0.5) / 24.0)).sum(axis=1)
    swing = np.abs(mean) / np.maximum(by_hour.sum(axis=1), 1e-9)
    begins = np.rint(np.angle(mean) * 12.0 / np.pi + 11.0).astype(np.int64) % 24
    place = (begins[:, None] + np.arange(WEEK)) % WEEK
    own = np.take_along_axis(rates, place, axis=1).reshape(n, 7, 24)
    sums = own.sum(axis=2)
    median = np.median(sums, axis=1)
    works = sums >= _QUIET_DAY * median[:, None]
    working = (own * works[:, :, None]).sum(axis=1)
    share = np.cumsum(working, axis=1) / np.maximum(working.sum(axis=1), 1e-9)[:, None]
    quietest = sums.argmin(axis=1)
    return Days(
        ~works.all(axis=1) & (swing >= _LEAST_SWING),
        begins,
        (begins + 24 * quietest) % WEEK,
        sums.min(axis=1) / np.maximum(median, 1e-9),
        (share >= _OPENED).argmax(axis=1),
        (share >= _WELL_OPEN).argmax(axis=1),
        works,
    )
