"""Remembers what series mean, so that each is read once, and its numbers go by arrays.

A shelf is a table with a row for each series. It only grows; a full one is left for an empty one,
and a body goes on with the shelf it began with. Threads may share it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from enum import IntEnum
from itertools import repeat
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.influx.book import Pool
from streamgauge.receive.influx.series import MESSAGES_TAGS, QUEUE_TAGS
from streamgauge.receive.meaning import names
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.reading import Manner, Reading
from streamgauge.receive.measured import Form, Roster, Series
from streamgauge.receive.schema import constant_tag, pooled_tag

Rows = NDArray[np.int32]
Codes = NDArray[np.int32]

MAX_SERIES = 200_000
_FEW_WORDS = 500
_TAG_COUNT = len(MESSAGES_TAGS)
POINT_TAGS = ("measurement", "tags")


Read = Callable[[Series, Manner], Reading]


class Kind(IntEnum):
    """What becomes of the numbers of a series."""

    NOTHING = 0
    POINT = 1
    QUEUE = 2
    COUNTER = 3
    """Adds what it rose by."""
    DELTA = 4
    """Adds all of it."""
    BUCKET = 5
    """Of a classic histogram."""
    DURATION = 6
    """One of its own; or a histogram that has its buckets with it."""


_COUNTING = (Kind.COUNTER, Kind.DELTA, Kind.BUCKET, Kind.DURATION)
_DTYPE = np.dtype(
    [
        ("target", "u1"),
        ("kind", "u1"),
        ("form", "u1"),
        ("factor", "f8"),
        ("identity", "u8"),
        ("teller", "u8"),
        ("upper", "f8"),
        ("family", "u8"),
        ("head", "i4"),
    ]
)


class Shelf:
    """Series by row."""

    def __init__(self, read: Read, max_series: int = MAX_SERIES) -> None:
        self._read, self._max_series = read, max_series
        self._pools = {
            "messages": [Pool() for _ in MESSAGES_TAGS],
            "queue": [Pool() for _ in QUEUE_TAGS],
            "points": [Pool() for _ in POINT_TAGS],
        }
        self._by_id: dict[Manner, dict[int, int]] = {}
        self._by_series: dict[Manner, dict[Series, int]] = {}
        self._by_place: WeakKeyDictionary[Roster, dict[Manner, Rows]] = WeakKeyDictionary()
        """Rows of what decoders remember: an array says them all at once."""
        self._held: list[Series] = []
        """Those whose ids are known: an id is not given again while its object is held."""
        self.at = np.zeros(1024, _DTYPE)
        """What holds for each row; its head is the first row of the same classic histogram."""
        self._heads: dict[tuple[int, Target, tuple[str, ...]], int] = {}
        self._codes = np.zeros((_TAG_COUNT, 1024), np.int32)
        self._slots, self._epoch = np.zeros(0, np.int64), -1
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether an empty one should take its place."""
        return len(self._held) > self._max_series

    def rows_of(self, series: Sequence[Series], of: Codes, manner: Manner) -> Rows:
        """The row of the series of each point, `of` [n_points] indexes into `series`."""
        if not isinstance(series, Roster):
            return self.rows(series, manner)[of]
        known = self._by_place.get(series, {}).get(manner)
        if known is None or len(known) < len(series):
            known = self._room_for(series, manner)
        found = known[of]
        if found.min(initial=0) < 0:
            with self._lock:
                by_series = self._by_series.setdefault(manner, {})
                for place in np.unique(of[found < 0]).tolist():
                    known[place] = self._find_or_add(series[place], manner, by_series)
            found = known[of]
        return found

    def _room_for(self, roster: Roster, manner: Manner) -> Rows:
        """The row of each place of a roster, -1 until it is asked for."""
        with self._lock:
            kept = self._by_place.setdefault(roster, {})
            known = kept.get(manner, np.zeros(0, np.int32))
            if len(known) < len(roster):
                more = np.full(max(2 * len(roster), 1024) - len(known), -1, np.int32)
                known = kept[manner] = np.concatenate([known, more])
            return known

    def _find_or_add(self, one: Series, manner: Manner, by_series: dict[Series, int]) -> int:
        known = by_series.get(one)
        if known is None:
            known = by_series[one] = self._add(one, self._read(one, manner), manner)
        return known

    def rows(self, series: Sequence[Series], manner: Manner) -> Rows:
        """The row of each series, reading those that are new."""
        by_id = self._by_id.setdefault(manner, {})
        found = list(map(by_id.get, map(id, series), repeat(-1)))
        if -1 in found:
            with self._lock:
                self._find_slowly(series, found, manner, by_id)
        return np.array(found, np.int32)

    def _find_slowly(
        self, series: Sequence[Series], found: list[int], manner: Manner, by_id: dict[int, int]
    ) -> None:
        by_series = self._by_series.setdefault(manner, {})
        for place, row in enumerate(found):
            if row >= 0:
                continue
            one = series[place]
            known = self._find_or_add(one, manner, by_series)
            if self._held[known] is not one:
                by_id.pop(id(self._held[known]), None)
                self._held[known] = one
            by_id[id(one)] = known
            found[place] = known

    def _add(self, series: Series, reading: Reading, manner: Manner) -> int:
        row = len(self._held)
        if row >= len(self.at):
            self.at = np.concatenate([self.at, np.zeros(len(self.at), _DTYPE)])
            self._codes = np.pad(self._codes, ((0, 0), (0, self._codes.shape[1])))
        kind, head = _kind_of(reading, manner), row
        if kind is Kind.BUCKET:
            family = (reading.family, reading.target, reading.words)
            head = self._heads.setdefault(family, row)
        if head == row:
            pools = self._pools[table_of(reading.target)]
            codes = [pool.codes((w,))[0] for pool, w in zip(pools, reading.words, strict=True)]
            self._codes[: len(codes), row] = codes
        else:
            self._codes[:, row] = self._codes[:, head]
        self.at[row] = (
            reading.target,
            kind,
            reading.form,
            reading.factor,
            reading.identity,
            reading.teller,
            reading.upper * reading.factor,
            reading.family,
            head,
        )
        self._held.append(series)
        return row

    def slots_at(self, epoch: int) -> NDArray[np.int64]:
        """Where counters keep the slot of each row, -1 until they know it; theirs to fill.

        To be asked under the lock of the counters; `epoch` says whether slots are still the same.
        """
        size = len(self.at)
        if epoch != self._epoch or len(self._slots) < size:
            slots = np.full(size, -1, np.int64)
            if epoch == self._epoch:
                slots[: len(self._slots)] = self._slots
            self._slots, self._epoch = slots, epoch
        return self._slots

    def series(self, row: int) -> Series:
        """The series of a row."""
        return self._held[row]

    def tags(self, table: str, rows: Rows) -> list[pa.DictionaryArray]:
        """The tag columns of a table, `rows` [n_rows]."""
        return [self._tag(pool, slot, rows) for slot, pool in enumerate(self._pools[table])]

    def _tag(self, pool: Pool, slot: int, rows: Rows) -> pa.DictionaryArray:
        codes = self._codes[slot][rows]
        if len(pool.words) == 1:
            return constant_tag(pool.words[0], len(codes))
        if len(pool.words) <= _FEW_WORDS:
            return pooled_tag(codes, pool.array())
        words = pool.array()
        occurs = np.zeros(len(words), bool)
        occurs[codes] = True
        position = np.cumsum(occurs, dtype=np.int32) - 1
        return pooled_tag(position[codes], words.take(pa.array(np.flatnonzero(occurs))))


def counts_of(kinds: NDArray[np.uint8]) -> list[int]:
    """How many of these are of each `Kind`."""
    found: list[int] = np.bincount(kinds, minlength=len(Kind)).tolist()
    return found


def is_counting(counts: list[int]) -> bool:
    """Whether any of them adds to messages or durations."""
    return any(counts[kind] for kind in _COUNTING)


def _kind_of(reading: Reading, manner: Manner) -> Kind:
    if reading.target in names.HISTOGRAMS:
        is_bucket = not manner.is_histogram and not math.isnan(reading.upper * reading.factor)
        return Kind.BUCKET if is_bucket else Kind.DURATION
    if reading.target in names.RISING:
        return Kind.DELTA if reading.form is Form.DELTA else Kind.COUNTER
    if reading.target in names.QUEUE_COLUMNS:
        return Kind.QUEUE
    return Kind.POINT if reading.target is Target.POINT else Kind.NOTHING


def table_of(target: Target) -> str:
    """Where the numbers of a target go."""
    if target in {Target.POINT, Target.DROPPED}:
        return "points"
    return "queue" if target in names.QUEUE_COLUMNS else "messages"
