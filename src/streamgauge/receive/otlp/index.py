"""Finds the series of many points at once, by the very bytes of their attributes.

A table of what `known` remembers: a hash says where an entry may stand, and the bytes themselves
whether it is the one. It is never changed: one with more entries takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes

_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Spreads the numbers of owners over 64 bits. Source: Knuth, TAOCP 3, 6.4, the golden ratio."""
_ROOM_BITS = 3
"""A table has eight places an entry, or up to sixteen: few entries share one."""


class Entry(NamedTuple):
    """One of them."""

    encoded: bytes
    owner: int
    """Within what the bytes mean it."""
    number: int
    """What it is found for."""


class Index:
    """Entries by their bytes and owners. Threads may share it."""

    def __init__(self, entries: Sequence[Entry] = (), before: Index | None = None) -> None:
        """All entries of another index, and more, which are no entries of it."""
        encoded = pl.Series([entry.encoded for entry in entries], dtype=pl.Binary())
        owner = np.array([entry.owner for entry in entries], np.int32)
        number = np.array([entry.number for entry in entries], np.int32)
        if before is not None:
            encoded = pl.concat([before.encoded, encoded], rechunk=True)
            owner = np.concatenate((before.owner, owner))
            number = np.concatenate((before.number, number))
        key = _keys(encoded, owner)
        order = np.argsort(key)
        self._key: NDArray[np.uint64] = key[order]
        self.encoded: pl.Series = encoded.gather(order)
        self.owner: Codes = owner[order]
        self.number: Codes = number[order]
        bits = len(order).bit_length() + _ROOM_BITS
        self._shift = np.uint64(64 - bits)
        self._places = np.zeros(1 << bits, np.int32)
        self._places[self._key >> self._shift] = np.arange(len(order), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._key)

    def find(self, pieces: pl.Series, owner: Codes) -> Codes:
        """The numbers of pieces [n] of their owners [n]; -1: there is no such entry."""
        if not len(self._key):
            return np.full(len(owner), -1, np.int32)
        key = _keys(pieces, owner)
        at = self._places[key >> self._shift]
        rest = np.flatnonzero(self._key[at] != key)
        if len(rest):
            last = len(self._key) - 1
            at[rest] = np.minimum(np.searchsorted(self._key, key[rest]), last)
        is_it = (self.encoded.gather(at) == pieces).to_numpy() & (self.owner[at] == owner)
        return np.where(is_it, self.number[at], np.int32(-1))


def _keys(pieces: pl.Series, owner: Codes) -> NDArray[np.uint64]:
    """[n] hashes, the same within this process."""
    hashes: NDArray[np.uint64] = pieces.hash().to_numpy()
    return hashes ^ owner.astype(np.uint64) * _ODD


def cut(body: bytes, begin: NDArray[np.int64], end: NDArray[np.int64]) -> pl.Series:
    """The pieces `body[begin:end]` [n], in order and apart from each other; nothing is copied."""
    bounds = np.empty(2 * len(begin), np.int64)
    bounds[0::2], bounds[1::2] = begin, end
    if not len(bounds):
        return pl.Series(dtype=pl.Binary())
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(body)]
    alternating = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(bounds) - 1, buffers)
    return pl.Series(values=alternating).gather_every(2)
