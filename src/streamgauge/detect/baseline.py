"""What each place counted in its running block, and the level at which it runs lately.

A block is over when ten messages were expected in it: a quarter of an hour for the busy, some
hours for the small. The level is a factor of the habit: its logarithm is followed by a Kalman
filter whose noise is the place's own (`moods`), and falls back to nothing within days, as the
habit follows.

Source: local level model, Durbin & Koopman, Time Series Analysis by State Space Methods, chapter 2.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.moods import PART_QUARTERS, PARTS, Moods

LEAST_EXPECTED = 10.0
_HOUR_A_QUARTER = 0.25
_FORGOTTEN_H = 36.0
_MOST = 1.2
_DOUBT = 0.1
"""Variance of the level of a place that is new."""
_PART_HOURS = 6.0
_BLOCKS_HELD, _BLOCKS_MOST = 30.0, 1500.0
_WINSORISED = 9.0
_LIKE, _EVEN_ENOUGH, _EVEN_GAIN = 0.35, 0.8, 0.02
"""Eight of ten quarters within a third of what is expected are worth judging by themselves."""
_LEAST_OF_PART = 20.0


class Baseline:
    """Arrays by place; a place takes 60 bytes."""

    def __init__(self) -> None:
        self.in_time: Floats = np.zeros(64, np.float32)
        self.late: Floats = np.zeros(64, np.float32)
        self.expected: Floats = np.zeros(64, np.float32)
        self.hours: Floats = np.zeros(64, np.float32)
        self.since: Ints = np.zeros(64, np.int32)
        self.log_level: Floats = np.zeros(64, np.float32)
        self.doubt: Floats = np.zeros(64, np.float32)
        """Variance of `log_level`; 0 until it is asked for the first time."""
        self._dispersion: Floats = np.zeros(64, np.float32)
        self._blocks: Floats = np.zeros(64, np.float32)
        self._even: Floats = np.zeros(64, np.float32)
        self._part: Floats = np.zeros(64, np.float32)
        self._part_expected: Floats = np.zeros(64, np.float32)
        self._before: Floats = np.zeros(64, np.float32)
        self._before_doubt: Floats = np.zeros(64, np.float32)
        self._is_part_told: Bools = np.zeros(64, bool)

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        for name, array in list(vars(self).items()):
            setattr(self, name, grown(array, places, 0))

    def add(
        self, in_time: Floats, late: Floats, expected: Floats, is_even: Bools, quarter: int
    ) -> Ints:
        """A quarter of every place, [places]; answers the places of which a block is over.

        Where the hour is not like the ones around it (`is_even`), or quarters of the place are not
        like each other, a block ends with the hour: the habit does not know its quarters.
        """
        size = len(in_time)
        self._learn_quarters(in_time + late, expected)
        is_new = self.hours[:size] == 0.0
        self.since[:size] = np.where(is_new, quarter, self.since[:size])
        self.in_time[:size] += in_time
        self.late[:size] += late
        self.expected[:size] += expected
        self.hours[:size] += np.where(expected > 0.0, _HOUR_A_QUARTER, 0.0)
        self._part[:size] += in_time + late
        self._part_expected[:size] += expected
        may_end = is_even & (self._even[:size] >= _EVEN_ENOUGH) | (quarter % 4 == 3)
        return np.flatnonzero(may_end & (self.expected[:size] >= LEAST_EXPECTED))

    def _learn_quarters(self, counted: Floats, expected: Floats) -> None:
        """How like what is expected a quarter is, 0 … 1, [places]: hourly batches are far off."""
        at = np.flatnonzero(expected >= LEAST_EXPECTED)
        at_level = expected[at] * self.level(at)
        likeness = np.abs(counted[at] - at_level) <= _LIKE * at_level
        self._even[at] += _EVEN_GAIN * (likeness - self._even[at])

    def level(self, places: Ints) -> Floats:
        """How [places] run lately, as a factor of the habit."""
        return np.asarray(np.exp(self.log_level[places]))

    def dispersion(self, places: Ints, habitual: Floats) -> Floats:
        """1/r [places] of an hour around the level of these days.

        Begun with that of the habit, which holds the moods of days and all that went wrong too, and
        never above it.
        """
        own = np.where(self._blocks[places] > 0.0, self._dispersion[places], habitual)
        return np.asarray(np.clip(np.minimum(own, habitual), 1e-4, 20.0))

    def _learn_dispersion(
        self, places: Ints, counted: Floats, expected: Floats, hours: Floats, hourly: Floats
    ) -> None:
        """A block each of [places], at its level; `hourly` is what is known of them."""
        square = ((counted - expected) / np.maximum(expected, 1.0)) ** 2
        most = _WINSORISED * (hourly / np.maximum(hours, 0.25) + 1.0 / np.maximum(expected, 1.0))
        own = (np.minimum(square, most) - 1.0 / np.maximum(expected, 1.0)) * hours
        before = self._blocks[places]
        begun = np.where(before > 0.0, self._dispersion[places], hourly)
        blocks = np.minimum(np.maximum(before, _BLOCKS_HELD) + 1.0, _BLOCKS_MOST)
        self._dispersion[places] = begun + (own - begun) / blocks
        self._blocks[places] = blocks

    def settle(
        self,
        places: Ints,
        is_usual: Bools,
        is_open: Bools,
        hourly: Floats,
        dispersion: Floats,
        moods: Moods,
        quarter: int,
    ) -> None:
        """The running block of `places` is over; those that are usual tell of the level.

        Args:
            places: [n].
            is_usual: [n] not on an excursion.
            is_open: [n] told to be unusual, or about to be: teaches nothing.
            hourly: [n] dispersion of an hour.
            dispersion: [n] of the block.
            moods: how levels change.
            quarter: of an hour, that ended.
        """
        counted, expected = self.in_time[places] + self.late[places], self.expected[places]
        hours = self.hours[places]
        at = np.flatnonzero(~is_open)
        at_level = expected[at] * self.level(places[at])
        self._learn_dispersion(places[at], counted[at], at_level, hours[at], hourly[at])
        before = self.doubt[places]
        wander = moods.variance(places)[:, quarter // PART_QUARTERS % PARTS] * hours / _PART_HOURS
        doubt = np.minimum(np.where(before == 0.0, _DOUBT, before) + wander, _DOUBT)
        level = self.log_level[places] * np.exp(-hours / _FORGOTTEN_H)
        seen = np.clip(np.log((counted + 0.5) / (expected + 0.5)) - level, -_MOST, _MOST)
        noise = 1.0 / np.maximum(expected, 1.0) + dispersion
        gain = np.where(is_usual, doubt / (doubt + noise), 0.0)
        self.log_level[places] = level + gain * seen
        self.doubt[places] = (1.0 - gain) * doubt
        for array in (self.in_time, self.late, self.expected, self.hours):
            array[places] = 0.0

    def begin_level(self, places: Ints) -> None:
        """What was lately does not hold any more: run at the habit's level."""
        self.log_level[places], self.doubt[places] = 0.0, _DOUBT

    def end_part(self, quarter: int, told: Ints, dispersion: Floats, moods: Moods) -> None:
        """A part of the day ended before this quarter; `told` are the places to learn from."""
        part = (quarter // PART_QUARTERS - 1) % PARTS
        expected = self._part_expected[told].astype(float)
        is_told = (expected >= _LEAST_OF_PART) & self._is_part_told[told]
        at = told[is_told]
        expected = expected[is_told]
        change = np.log((self._part[at] + 1.0) / (expected + 1.0)) - self._before[at]
        chance = 1.0 / expected + dispersion[is_told] / _PART_HOURS + self._before_doubt[at]
        moods.take(part, at, change, chance)
        self._part[:] = self._part_expected[:] = 0.0
        self._before[:], self._before_doubt[:] = self.log_level, self.doubt
        self._is_part_told[:] = self.doubt > 0.0
