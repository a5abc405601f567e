"""Numbers pairs of numbers in the order they are first seen: an open-addressed hash in arrays.

Looked up and added all at once; a pair costs 8 bytes and 8 to 16 of slots. Numbers are below 2^31,
so that a pair is one number of 62 bits and nothing is ever taken for something else.

Source: open addressing with linear probing and multiplicative hashing, Knuth, The Art of Computer
Programming 3, 6.4.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Ints, grown

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LOW = (1 << 31) - 1
_LEAST_BITS = 8


class PairNumbers:
    """The number of every pair ever seen."""

    def __init__(self) -> None:
        self.count = 0
        self._keys: Ints = np.zeros(64, np.int64)
        """By number."""
        self._bits = _LEAST_BITS
        self._slots: Ints = np.full(1 << _LEAST_BITS, -1, np.int32)
        """The number that stands there; -1: none."""

    def number(self, left: Ints, right: Ints) -> Ints:
        """The number [n] of each pair; those never seen get the next ones, in their order."""
        keys = _keys_of(left, right)
        found = self._find(keys)
        if (found < 0).any():
            is_new = found < 0
            self._add(keys[is_new])
            found[is_new] = self._find(keys[is_new])
        return found

    def find(self, left: Ints, right: Ints) -> Ints:
        """The number [n] of each pair; -1: never seen."""
        return self._find(_keys_of(left, right))

    def pairs(self, numbers: Ints) -> tuple[Ints, Ints]:
        """The left and the right of each, int64 [n]."""
        keys = self._keys[numbers]
        return keys >> 31, keys & _LOW

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return int(self._keys.nbytes + self._slots.nbytes)

    def _find(self, keys: Ints) -> Ints:
        at = self._home(keys)
        found = self._slots[at]
        missed = np.flatnonzero((found >= 0) & (self._keys[found] != keys))
        while len(missed):  # as often as the longest run of slots, which is short
            at[missed] = (at[missed] + 1) & (len(self._slots) - 1)
            here = self._slots[at[missed]]
            found[missed] = here
            missed = missed[(here >= 0) & (self._keys[here] != keys[missed])]
        return found

    def _add(self, keys: Ints) -> None:
        fresh, first = np.unique(keys, return_index=True)
        fresh = fresh[np.argsort(first)]
        before, self.count = self.count, self.count + len(fresh)
        self._keys = grown(self._keys, self.count, 0)
        self._keys[before : self.count] = fresh
        if 2 * self.count > len(self._slots):
            self._bits = (2 * self.count).bit_length()
            self._slots = np.full(1 << self._bits, -1, np.int32)
            before = 0
        self._place(np.arange(before, self.count, dtype=np.int32))

    def _place(self, numbers: Ints) -> None:
        at = self._home(self._keys[numbers])
        while len(numbers):
            free = self._slots[at] < 0
            self._slots[at[free]] = numbers[free]
            # Of several that want one slot, one has it.
            left = self._slots[at] != numbers
            numbers, at = numbers[left], (at[left] + 1) & (len(self._slots) - 1)

    def _home(self, keys: Ints) -> Array:
        mixed = (keys.view(np.uint64) * _MULTIPLIER) >> np.uint64(64 - self._bits)
        return mixed.view(np.int64)


def _keys_of(left: Ints, right: Ints) -> Ints:
    keys = left.astype(np.int64) << 31
    keys |= right
    return keys
