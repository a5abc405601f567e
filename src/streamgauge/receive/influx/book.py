"""Remembers series over bodies, so that each distinct key is read once.

A *shelf* is a table with one row a series: its kind, and codes for its tags' values. It only ever
grows; when it is full, the most recently used half is put on a new one, and a body that is being
parsed goes on with the shelf it began with. That makes it a bounded least-recently-used cache
that threads share, and parsing stays a pure function of the body.
"""

from __future__ import annotations

import threading
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.series import (
    MESSAGES_TAGS,
    QUEUE_TAGS,
    SeriesKind,
    SeriesMeaning,
    understand,
)

Rows = NDArray[np.int32]

MAX_SERIES = 200_000
MAX_KEY_CHARACTERS = 32_000_000
_SLOTS = len(MESSAGES_TAGS)
"""Tag columns of the widest table; those of every series follow."""
MEASUREMENT, ALL_TAGS, TENANT = _SLOTS, _SLOTS + 1, _SLOTS + 2


class Pool:
    """Distinct strings of one tag column, by code."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, word: str) -> int:
        """The code of `word`, new or not."""
        found = self._codes.get(word)
        if found is None:
            found = self._codes[word] = len(self.words)
            self.words.append(word)
        return found


class Shelf:
    """Series by row; rows are [n] int32 in every call."""

    def __init__(self) -> None:
        self._own = {
            SeriesKind.REFUSED: [],
            SeriesKind.MESSAGES: [Pool() for _ in MESSAGES_TAGS],
            SeriesKind.QUEUE: [Pool() for _ in QUEUE_TAGS],
            SeriesKind.POINTS: [],
        }
        self._common = [Pool(), Pool(), Pool()]
        self._rows: dict[str, int] = {}
        self._key_characters = 0
        self._kind = np.zeros(1024, np.uint8)
        self._codes = np.zeros((_SLOTS + 3, 1024), np.int32)
        self._identity = np.zeros(1024, np.uint64)
        self._used = np.zeros(1024, np.int64)
        self._turn = 0
        self._lock = threading.Lock()

    def find(self, keys: list[str]) -> Rows:
        """Rows of `keys`, reading those that are new."""
        found = np.fromiter(map(self._rows.get, keys, repeat(-1)), np.int32, len(keys))
        new = np.flatnonzero(found < 0)
        if len(new):
            series = [(keys[at], understand(keys[at])) for at in new.tolist()]
            with self._lock:
                found[new] = self._add(series)
        self._turn += 1
        self._used[found] = self._turn
        return found

    def kinds(self, rows: Rows) -> NDArray[np.uint8]:
        """SeriesKind of each row."""
        return self._kind[rows]

    def codes(self, rows: Rows, slot: int) -> NDArray[np.int32]:
        """Codes in the pool of that tag column."""
        codes: NDArray[np.int32] = self._codes[slot][rows]
        return codes

    def words(self, kind: SeriesKind, slot: int) -> list[str]:
        """What the codes of that tag column stand for."""
        pool = self._common[slot - _SLOTS] if slot >= _SLOTS else self._own[kind][slot]
        return pool.words

    def identities(self, rows: Rows) -> NDArray[np.uint64]:
        """A hash of each series, the same for the same tags in another order."""
        return self._identity[rows]

    def is_full(self) -> bool:
        """Whether a new shelf is due."""
        return len(self._rows) > MAX_SERIES or self._key_characters > MAX_KEY_CHARACTERS

    def half(self) -> Shelf:
        """A new shelf with the series used last, half as many as fit, by number and by size."""
        with self._lock:
            keys = np.array(list(self._rows), object)
            newest = np.argsort(-self._used[: len(keys)], kind="stable")
            size = np.cumsum([len(key) for key in keys[newest]])
            kept = newest[(size <= MAX_KEY_CHARACTERS // 2)][: MAX_SERIES // 2]
            shelf = Shelf()
            shelf._add([(keys[row], self._meaning(int(row))) for row in kept])
            return shelf

    def _meaning(self, row: int) -> SeriesMeaning:
        kind = SeriesKind(int(self._kind[row]))
        codes = self._codes[:, row].tolist()
        words = tuple(pool.words[codes[slot]] for slot, pool in enumerate(self._own[kind]))
        common = [pool.words[code] for pool, code in zip(self._common, codes[_SLOTS:], strict=True)]
        return SeriesMeaning(kind, words, *common)

    def _add(self, series: list[tuple[str, SeriesMeaning]]) -> list[int]:
        self._grow(len(self._rows) + len(series))
        return [self._add_one(key, meaning) for key, meaning in series]

    def _add_one(self, key: str, meaning: SeriesMeaning) -> int:
        known = self._rows.get(key)
        if known is not None:
            return known
        row = len(self._rows)
        self._kind[row] = meaning.kind
        self._identity[row] = hash((meaning.measurement, meaning.tags)) & 0xFFFF_FFFF_FFFF_FFFF
        own = self._own[meaning.kind]
        self._codes[: len(own), row] = [
            pool.code(word) for pool, word in zip(own, meaning.words, strict=True)
        ]
        common = (meaning.measurement, meaning.tags, meaning.tenant)
        self._codes[_SLOTS:, row] = [
            pool.code(word) for pool, word in zip(self._common, common, strict=True)
        ]
        self._key_characters += len(key)
        self._rows[key] = row
        return row

    def _grow(self, needed: int) -> None:
        if needed <= len(self._kind):
            return
        extra = max(needed, 2 * len(self._kind)) - len(self._kind)
        self._kind = np.pad(self._kind, (0, extra))
        self._codes = np.pad(self._codes, ((0, 0), (0, extra)))
        self._identity = np.pad(self._identity, (0, extra))
        self._used = np.pad(self._used, (0, extra))


class Book:
    """The shelf in use."""

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._lock = threading.Lock()

    def shelf(self) -> Shelf:
        """Where the next body looks its series up."""
        with self._lock:
            if self._shelf.is_full():
                self._shelf = self._shelf.half()
            return self._shelf


def compact(codes: NDArray[np.int32], words: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """The same strings with only those words that occur."""
    if len(words) > 8 * len(codes) + 1024:
        few, packed = np.unique(codes, return_inverse=True)
        return packed.astype(np.int32), [words[code] for code in few.tolist()]
    occurs = np.zeros(len(words), bool)
    occurs[codes] = True
    used = np.flatnonzero(occurs)
    position = np.empty(len(words), np.int32)
    position[used] = np.arange(len(used), dtype=np.int32)
    return position[codes], [words[code] for code in used.tolist()]
