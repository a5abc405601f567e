"""CUSUMs of blocks in one direction, and what was counted since each left zero.

Block by block W ← max(0, W + nats of the block). While W is above zero the place is on an
excursion; the evidence against it is not W, which takes blocks for independent of each other, but
the tail of the whole excursion's count under the mood of days (`moods`).

Source: Page, Biometrika 41 (1954).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.blocks import step_nats, tail_nats

_MOST_NATS = 30.0
"""What goes on beyond it must not take long to end."""
_LONGEST_HOURS = 72.0
"""An excursion that has proven nothing for so long is begun anew."""


class Excursions:
    """Arrays by place; a place takes 20 bytes."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self.nats: Floats = np.zeros(64, np.float32)
        self.counted: Floats = np.zeros(64, np.float32)
        self.expected: Floats = np.zeros(64, np.float32)
        self.hours: Floats = np.zeros(64, np.float32)
        self.since: Ints = np.zeros(64, np.int32)
        """The quarter (since the epoch) in which it began."""

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        for name in ("nats", "counted", "expected", "hours", "since"):
            setattr(self, name, grown(getattr(self, name), places, 0))

    def add(
        self,
        places: Ints,
        counted: Floats,
        expected: Floats,
        hours: Floats,
        since: Ints,
        dispersion: Floats,
    ) -> None:
        """One block of each of `places`; all arrays are [places].

        Args:
            places: of which a block is over.
            counted: messages.
            expected: messages, at the place's present level.
            hours: how long the block took.
            since: the quarter in which it began.
            dispersion: a, of the block.
        """
        step = step_nats(counted, expected, self._ratio, dispersion)
        before = self.nats[places]
        after = np.clip(before + step, 0.0, _MOST_NATS)
        after = np.where(self.hours[places] >= _LONGEST_HOURS, 0.0, after)
        goes_on, is_new = after > 0.0, before <= 0.0
        self.nats[places] = after
        for name, value in (("counted", counted), ("expected", expected), ("hours", hours)):
            array = getattr(self, name)
            old = np.where(is_new, 0.0, array[places])
            array[places] = np.where(goes_on, old + value, 0.0)
        self.since[places] = np.where(is_new, since, self.since[places])

    def evidence(self, places: Ints, spread: Floats) -> Floats:
        """Nats [places] of the whole excursion, whose relative variance is `spread` [places].

        Less the logarithm of how many quarters of an hour it may have begun in.
        """
        counted, expected = self.counted[places].astype(float), self.expected[places].astype(float)
        begins = np.log1p(4.0 * self.hours[places].astype(float))
        return np.maximum(tail_nats(counted, expected, spread) - begins, 0.0)

    def ratio(self, places: Ints) -> Floats:
        """Counted over expected [places] since it began."""
        return np.asarray(self.counted[places] / np.maximum(self.expected[places], 1e-9))

    def forget(self, places: Ints) -> None:
        """Begin anew."""
        self.nats[places] = self.counted[places] = 0.0
        self.expected[places] = self.hours[places] = 0.0

    def is_away(self, places: Ints, nats: float) -> Bools:
        """Which [places] have left zero by more than `nats`."""
        return np.asarray(self.nats[places] > nats)
