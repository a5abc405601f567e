"""How long the messages of a level usually take: its 95 % and 99 % buckets, and how often beyond.

Per place, with every whole hour: the quantiles are followed by Robbins-Monro steps in buckets; how
many messages were slow (`MARGIN` beyond a quantile) has a mean and a variance over hours, as the
messages of one hour are slow together. Slow hours that are usual, such as a busy noon, are habit.

Source: Robbins & Monro, Ann. Math. Stat. 22 (1951); beta-binomial moments, Griffiths, Biometrics 29
(1973).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown

LEVELS = (0.95, 0.99)
MARGIN = 16.0
"""Buckets: a message is slow when it takes 41 % longer than the quantile."""
QUICK_BUCKET = -33.0
"""Half a second: what takes less is no trouble, however much longer than usual it is."""
_LOWEST_BUCKET = -640.0
"""A microsecond, about: shorter is all the same."""
_A_SHARE = 150.0
"""Buckets a quantile moves for each share it is wrong by: a wide distribution's density."""
_MOST_STEP = 32.0
_SLOWEST_GAIN = 0.04
_LEAST_AN_HOUR = 20.0
_LOWEST_SHARE = (0.01, 0.003)
_PRIOR_HOURS = 6.0
_PRIOR_RHO = 0.005
_LONGEST_HOURS = 14 * 24.0


class LatencyHabit:
    """Arrays by place, [places, 2] for the two quantiles; a place takes 60 bytes."""

    def __init__(self) -> None:
        self.bucket: Floats = np.full((64, 2), np.nan, np.float32)
        """OpenTelemetry's scale 5; NaN: no message yet."""
        self.limit: Floats = np.full(64, np.nan, np.float32)
        """A bucket that somebody fixed instead of the first quantile; NaN: none."""
        self.hours: Floats = np.zeros(64, np.float32)
        """Whole hours that were learned from."""
        self._mean: Floats = np.zeros((64, 2), np.float32)
        self._excess: Floats = np.zeros((64, 2), np.float32)
        self._count: Floats = np.zeros(64, np.float32)
        self._above: Floats = np.zeros((64, 2), np.float32)
        self._slow: Floats = np.zeros((64, 2), np.float32)
        self.per_hour: Floats = np.zeros(64, np.float32)

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        for name, array in list(vars(self).items()):
            fill = np.nan if name in {"bucket", "limit"} else 0.0
            setattr(self, name, grown(array, places, fill))

    def begin(self, place: Ints, bucket: Floats, count: Floats) -> None:
        """Take the quantiles of what came, [n], for places that have none."""
        is_new = np.isnan(self.bucket[place, 0])
        place, bucket, count = place[is_new], bucket[is_new], count[is_new]
        if not len(place):
            return
        order = np.lexsort((bucket, place))
        place, bucket, count = place[order], bucket[order], count[order]
        total = np.cumsum(count)
        first = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
        before = np.append(0.0, total)[first]
        whole = np.diff(np.append(before, total[-1]))
        for which, level in enumerate(LEVELS):
            at = np.searchsorted(total, before + level * whole - 1e-9)
            found = np.maximum(bucket[np.minimum(at, len(bucket) - 1)], _LOWEST_BUCKET)
            self.bucket[place[first], which] = found

    def threshold(self, places: Ints) -> Floats:
        """The bucket beyond which a message is slow, [places, 2]."""
        found = np.fmax(self.bucket[places] + MARGIN, QUICK_BUCKET)
        fixed = self.limit[places]
        found[:, 0] = np.where(np.isnan(fixed), found[:, 0], fixed)
        return np.asarray(found)

    def add(self, size: int, place: Ints, bucket: Floats, count: Floats) -> tuple[Floats, Floats]:
        """Sum messages [n] by place: all of them [places], and the slow ones [places, 2]."""
        total = np.bincount(place, count, size).astype(float)
        slow = np.zeros((size, 2))
        limits = self.threshold(place)
        for which in range(2):
            is_slow = bucket > limits[:, which]
            slow[:, which] = np.bincount(place[is_slow], count[is_slow], size)
            is_above = bucket > self.bucket[place, which]
            above = np.bincount(place[is_above], count[is_above], size)
            self._above[:size, which] += above
        self._count[:size] += total
        self._slow[:size] += slow
        return total, slow

    def end_hour(self, is_learned: Bools) -> None:
        """An hour is over; learn from it where `is_learned` [places]."""
        size = len(is_learned)
        at = np.flatnonzero(is_learned & (self._count[:size] >= _LEAST_AN_HOUR))
        count = self._count[at][:, None].astype(float)
        weight = np.maximum(1.0 / (self.hours[at] + 1.0), 1.0 / _LONGEST_HOURS)[:, None]
        gain = np.maximum(1.0 / (self.hours[at] + 1.0), _SLOWEST_GAIN)[:, None]
        wrong = self._above[at] / count - (1.0 - np.array(LEVELS))
        step = np.clip(gain * _A_SHARE * np.array([1.0, 2.0]) * wrong, -_MOST_STEP, _MOST_STEP)
        self.bucket[at] = np.maximum(self.bucket[at] + step, _LOWEST_BUCKET)
        share = self._slow[at] / count
        mean = self._mean[at] + weight * (share - self._mean[at])
        square = (share - mean) ** 2 - mean * (1.0 - mean) / count
        self._mean[at] = mean
        self._excess[at] += weight * (square - self._excess[at])
        self.per_hour[at] += weight[:, 0] * (count[:, 0] - self.per_hour[at])
        self.hours[at] = np.minimum(self.hours[at] + 1.0, _LONGEST_HOURS)
        self._count[:size] = self._slow[:size] = self._above[:size] = 0.0

    def usual(self, places: Ints) -> tuple[Floats, Floats]:
        """The share of slow messages on the safe side, and rho, [places, 2] each."""
        hours = self.hours[places][:, None]
        known = hours / (hours + _PRIOR_HOURS)
        mean = known * self._mean[places] + (1.0 - known) * (1.0 - np.array(LEVELS))
        excess = np.maximum(self._excess[places], 0.0)
        share = np.clip(mean + np.sqrt(excess), _LOWEST_SHARE, 0.9)
        rho = known * excess / (mean * (1.0 - mean)) + (1.0 - known) * _PRIOR_RHO
        return share, np.clip(rho, 1e-3, 0.5)

    def forget(self, place: int) -> None:
        """What it was is over: learn anew from what comes."""
        self.bucket[place] = np.nan
        self.hours[place] = self._mean[place] = self._excess[place] = 0.0
