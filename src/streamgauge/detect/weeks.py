"""Weeks of rows in one byte an hour: logarithms in fine steps, so a few percent off at the most."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown

WEEK = 168
_RATE_STEPS = 21.0
"""An octave: 1.7 % off at the most; what is below a 4,000th of the busiest hour is nothing."""
_NATS_STEPS = 12.0
"""2.9 % off at the most."""
_LAST = 255
_MOST_NATS = 32.0


class Weeks:
    """Slots of one week each: 393 bytes."""

    def __init__(self) -> None:
        self.count = 0
        self.owner: Ints = np.full(16, -1, np.int32)
        """The row whose own week it is."""
        self._scale: Floats = np.zeros(16, np.float32)
        self._rate: Array = np.zeros((16, WEEK), np.uint8)
        self._nats: Array = np.zeros((16, WEEK), np.uint8)
        self._known: Array = np.zeros((16, WEEK // 8), np.uint8)
        self._day_share: Floats = np.zeros((16, 7), np.float32)

    def more(self, owners: Ints) -> Ints:
        """The numbers of new slots, one for each row."""
        before, self.count = self.count, self.count + len(owners)
        self.owner = grown(self.owner, self.count, -1)
        self.owner[before : self.count] = owners
        self._scale = grown(self._scale, self.count, 0)
        self._rate, self._nats = grown(self._rate, self.count, 0), grown(self._nats, self.count, 0)
        self._known = grown(self._known, self.count, 0)
        self._day_share = grown(self._day_share, self.count, 0)
        return np.arange(before, self.count)

    def put(
        self, slots: Ints, rate: Floats, nats: Floats, is_known: Bools, day_share: Floats
    ) -> None:
        """Keep weeks: all [168 or 7, slots]."""
        most = np.maximum(rate.max(axis=0), 1e-30)
        codes = _coded(rate, most, _RATE_STEPS)
        # On the whole nothing is lost: what the codes add up to is what the rates did.
        decoded = _RATES[codes]
        self._scale[slots] = rate.sum(axis=0) / np.maximum(decoded.sum(axis=0), 1e-30)
        self._rate[slots] = codes.T
        self._nats[slots] = _coded(nats, _MOST_NATS, _NATS_STEPS).T
        self._known[slots] = np.packbits(is_known, axis=0).T
        self._day_share[slots] = day_share.T

    def rate(self, slots: Ints, place: int | Ints) -> Floats:
        """Messages an hour [slots] in an hour of the week."""
        return np.asarray(self._scale[slots] * _RATES[self._rate[slots, place]])

    def rates(self, slots: Ints) -> Floats:
        """The same of the whole week, [slots, 168]."""
        return np.asarray(self._scale[slots, None] * _RATES[self._rate[slots]])

    def nats(self, slots: Ints, place: int | Ints) -> Floats:
        """Evidence [slots] of a minute without a message."""
        return np.asarray(np.float32(_MOST_NATS) * _NATS[self._nats[slots, place]])

    def is_known(self, slots: Ints, place: int | Ints) -> Bools:
        """Whether that hour of the week was seen."""
        bits = self._known[slots, np.asarray(place) >> 3]
        return np.asarray((bits >> (7 - (np.asarray(place) & 7)).astype(np.uint8)) & 1 == 1)

    def day_share(self, slots: Ints, day: int | Ints) -> Floats:
        """Which part [slots] of what was learned tells of that day of the week."""
        return np.asarray(self._day_share[slots, day])

    @property
    def nbytes(self) -> int:
        """What the slots in use take."""
        kept = (self.owner, self._scale, self._rate, self._nats, self._known, self._day_share)
        return sum(self.count * (array.nbytes // len(array)) for array in kept)


def _decoded(steps: float) -> Floats:
    """What each code is of the largest number."""
    octaves = (np.arange(1, _LAST + 1) - _LAST) / steps
    return np.concatenate([[0.0], np.exp2(octaves)]).astype(np.float32)


_RATES, _NATS = _decoded(_RATE_STEPS), _decoded(_NATS_STEPS)


def _coded(values: Floats, most: Floats | float, steps_an_octave: float) -> Array:
    with np.errstate(divide="ignore"):
        steps = np.rint(steps_an_octave * np.log2(values / most)) + _LAST
    return np.asarray(np.clip(np.nan_to_num(steps, neginf=0.0), 0, _LAST).astype(np.uint8))
