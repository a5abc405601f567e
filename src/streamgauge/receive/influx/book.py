"""Remembers series over bodies, so that each distinct key is read once.

A *shelf* is a table with one row a series: its kind, and codes for its tags' values. It only ever
grows; when it is full, the most recently used half is put on a new one, and a body that is being
parsed goes on with the shelf it began with. That makes it a bounded least-recently-used cache
that threads share, and parsing stays a pure function of the body.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import blake2b
from secrets import randbits

import numpy as np
import polars as pl
import pyarrow as pa
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
_SLOT_COUNT = 1 << 20
_SALT = randbits(63)
_ADDED_AT_ONCE = 5_000
"""New series between which other bodies get their turn."""
_SLOTS = len(MESSAGES_TAGS)
"""Tag columns of the widest table; those of every series follow."""
MEASUREMENT, ALL_TAGS, TENANT = _SLOTS, _SLOTS + 1, _SLOTS + 2


NewSeries = tuple[str, int, SeriesMeaning]
"""Key, its hash, what it means."""


class Pool:
    """Distinct strings of one tag column, by code."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._codes: dict[str, int] = {}
        self._array: pa.StringArray = pa.array([], pa.string())

    def codes(self, words: Sequence[str]) -> list[int]:
        """The code of each word, new or not."""
        known, found = self._codes, []
        for word in words:
            code = known.get(word)
            if code is None:
                code = known[word] = len(self.words)
                self.words.append(word)
            found.append(code)
        return found

    def array(self) -> pa.StringArray:
        """The words so far."""
        array = self._array
        if len(array) < len(self.words):
            array = self._array = pa.array(self.words.copy(), pa.string())
        return array


def _identity_of(measurement: str, tags: str) -> int:
    """64 bits that are the same in every process, since the guard keeps them over restarts."""
    text = f"{measurement},{tags}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


class Shelf:
    """Series by row; rows are [n] int32 in every call."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._max_series = max_series
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
        self._hash = np.zeros(1024, np.uint64)
        """Of each row's key. It is set before the row can be found, and never changes."""
        self._row_at = np.zeros(_SLOT_COUNT, np.int32)
        self._turn = 0
        self._lock = threading.Lock()

    def find(self, keys: pa.StringArray) -> Rows:
        """The row of each key, reading those that are new.

        A key is known by a hash of 64 bits, salted per process; nearly all are found in one step
        over the whole array, and the rest by their text.
        """
        series = pl.Series(keys)
        hashes = series.hash(_SALT).to_numpy()
        slots = (hashes & np.uint64(_SLOT_COUNT - 1)).astype(np.int64)
        rows: Rows = self._row_at[slots]
        missing = np.flatnonzero(self._hash[rows] != hashes)
        if len(missing):
            rows[missing] = self._find_slowly(series.gather(missing).to_list(), hashes[missing])
            self._row_at[slots[missing]] = rows[missing]
        self._turn += 1
        self._used[rows] = self._turn
        return rows

    def _find_slowly(self, keys: list[str], hashes: NDArray[np.uint64]) -> Rows:
        distinct_keys = list(dict(zip(keys, hashes.tolist(), strict=True)).items())
        for start in range(0, len(distinct_keys), _ADDED_AT_ONCE):
            some = distinct_keys[start : start + _ADDED_AT_ONCE]
            new = [(key, of, understand(key)) for key, of in some if key not in self._rows]
            if new:
                with self._lock:
                    self._add(new)
        return np.fromiter(map(self._rows.__getitem__, keys), np.int32, len(keys))

    def kinds(self, rows: Rows) -> NDArray[np.uint8]:
        """SeriesKind of each row."""
        return self._kind[rows]

    def codes(self, rows: Rows, slot: int) -> NDArray[np.int32]:
        """Codes in the pool of that tag column."""
        codes: NDArray[np.int32] = self._codes[slot][rows]
        return codes

    def words(self, kind: SeriesKind, slot: int) -> list[str]:
        """What the codes of that tag column stand for."""
        return self.pool(kind, slot).words

    def pool(self, kind: SeriesKind, slot: int) -> Pool:
        """The words of that tag column."""
        return self._common[slot - _SLOTS] if slot >= _SLOTS else self._own[kind][slot]

    def identities(self, rows: Rows) -> NDArray[np.uint64]:
        """A hash of each series, the same for the same tags in another order."""
        return self._identity[rows]

    @property
    def series_count(self) -> int:
        """Series that are known."""
        return len(self._rows)

    def is_full(self) -> bool:
        """Whether a new shelf is due."""
        return len(self._rows) > self._max_series or self._key_characters > MAX_KEY_CHARACTERS

    def half(self) -> Shelf:
        """A new shelf with the series used last, half as many as fit, by number and by size."""
        with self._lock:
            keys = np.array(list(self._rows), object)
            newest = np.argsort(-self._used[: len(keys)], kind="stable")
            size = np.cumsum([len(key) for key in keys[newest]])
            kept = newest[(size <= MAX_KEY_CHARACTERS // 2)][: self._max_series // 2]
            shelf = Shelf(self._max_series)
            shelf._add([(keys[row], int(self._hash[row]), self._meaning(int(row))) for row in kept])
            return shelf

    def _meaning(self, row: int) -> SeriesMeaning:
        kind = SeriesKind(int(self._kind[row]))
        codes = self._codes[:, row].tolist()
        words = tuple(pool.words[codes[slot]] for slot, pool in enumerate(self._own[kind]))
        common = [pool.words[code] for pool, code in zip(self._common, codes[_SLOTS:], strict=True)]
        return SeriesMeaning(kind, words, *common)

    def _add(self, series: list[NewSeries]) -> None:
        """Give each key that is not there yet a row; column by column, as that is faster."""
        series = [one for one in series if one[0] not in self._rows]
        if not series:
            return
        first = len(self._rows)
        self._grow(first + len(series))
        keys, hashes, meanings = zip(*series, strict=True)
        rows = range(first, first + len(series))
        self._hash[first : rows.stop] = np.array(hashes, np.uint64)
        self._kind[first : rows.stop] = [meaning.kind for meaning in meanings]
        self._identity[first : rows.stop] = [
            _identity_of(meaning.measurement, meaning.tags) for meaning in meanings
        ]
        common = ((one.measurement, one.tags, one.tenant) for one in meanings)
        for slot, words in enumerate(zip(*common, strict=True)):
            self._codes[_SLOTS + slot, first : rows.stop] = self._common[slot].codes(words)
        for kind, pools in self._own.items():
            self._add_own(kind, pools, meanings, first)
        self._key_characters += sum(map(len, keys))
        self._rows.update(zip(keys, rows, strict=True))

    def _add_own(
        self, kind: SeriesKind, pools: list[Pool], meanings: tuple[SeriesMeaning, ...], first: int
    ) -> None:
        """The tag columns that only series of one kind have."""
        at = [index for index, one in enumerate(meanings) if one.kind == kind]
        if not at or not pools:
            return
        columns = zip(*(meanings[index].words for index in at), strict=True)
        for slot, (pool, words) in enumerate(zip(pools, columns, strict=True)):
            self._codes[slot, first + np.array(at)] = pool.codes(words)

    def _grow(self, needed: int) -> None:
        if needed <= len(self._kind):
            return
        extra = max(needed, 2 * len(self._kind)) - len(self._kind)
        self._kind = np.pad(self._kind, (0, extra))
        self._codes = np.pad(self._codes, ((0, 0), (0, extra)))
        self._identity = np.pad(self._identity, (0, extra))
        self._used = np.pad(self._used, (0, extra))
        self._hash = np.pad(self._hash, (0, extra))


class Book:
    """The shelf in use."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._shelf = Shelf(max_series)
        self._lock = threading.Lock()
        self._renewal: threading.Thread | None = None

    def shelf(self) -> Shelf:
        """Where the next body looks its series up.

        A full shelf serves on while a thread of its own makes the next one: that takes a second or
        two, and no sender must wait for it.
        """
        with self._lock:
            if self._renewal is None and self._shelf.is_full():
                self._renewal = threading.Thread(target=self._renew, name="series-shelf")
                self._renewal.start()
            return self._shelf

    def wait_for_renewal(self) -> None:
        """Return when no new shelf is being made."""
        renewal = self._renewal
        if renewal is not None:
            renewal.join()

    def _renew(self) -> None:
        shelf = self._shelf
        try:
            shelf = shelf.half()
        finally:
            with self._lock:
                self._shelf, self._renewal = shelf, None


def distinct(rows: Rows) -> tuple[NDArray[np.int32], Rows]:
    """Codes of `rows`, and the distinct rows they stand for."""
    occurs = np.zeros(int(rows.max()) + 1, bool)
    occurs[rows] = True
    series = np.flatnonzero(occurs).astype(np.int32)
    position = np.empty(len(occurs), np.int32)
    position[series] = np.arange(len(series), dtype=np.int32)
    return position[rows], series


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
