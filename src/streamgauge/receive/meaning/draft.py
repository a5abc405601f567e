"""A body's points by what becomes of them: arrays, before anything is known about counters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import ENDED
from streamgauge.receive.influx.stamps import stamps_refused
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.reading import Manner
from streamgauge.receive.meaning.rising import Rising
from streamgauge.receive.meaning.samples import NO_SAMPLES, Samples, Shaped
from streamgauge.receive.meaning.shelf import Kind, Rows, Shelf, counts_of, is_counting
from streamgauge.receive.meaning.tables import Pointed, points_table, queue_table
from streamgauge.receive.measured import Histograms, Measured, Numbers

MAX_AHEAD_S = 3600.0
_STATES = (Target.BACKLOG, Target.OLDEST_AGE, Target.CONSUMERS, Target.IN_FLIGHT)
"""What a queue is in; the other two of its numbers are counters."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Kinds = NDArray[np.uint8]
"""`Kind`"""


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of a table."""

    table: pa.Table
    rows: Rows
    """[n_rows] on the shelf, of their series."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One body."""

    shelf: Shelf
    db: str
    numbers: Samples
    histograms: Histograms
    histogram_rows: Rows
    """[n_histogram_points]"""
    is_late: NDArray[np.bool_]
    """[n_points] of numbers, then of histograms: whose time stamps are refused."""
    stamps: Ints
    """[n_points]"""
    kinds: Kinds
    """[n_points] what becomes of them, for all but their time stamps."""
    good: Kinds
    """[n_points] what becomes of them; nothing of those that are late."""
    ended: Samples | None = None
    """States of queues that go no further, each with `ENDED` as its value."""

    @property
    def counts(self) -> bool:
        """Whether anything in it adds to messages or durations."""
        return is_counting(counts_of(self.kinds))

    @property
    def ended_count(self) -> int:
        """States of queues that go no further."""
        return 0 if self.ended is None else len(self.ended.rows)

    def only(self, chosen: Bools) -> Draft:
        """With these of the numbers, and no histograms."""
        at = np.flatnonzero(chosen)
        numbers = self.numbers.where(at)
        return replace(
            self,
            numbers=numbers,
            histograms=Histograms(),
            histogram_rows=self.histogram_rows[:0],
            is_late=self.is_late[at],
            stamps=self.stamps[at],
            kinds=self.kinds[at],
            good=self.good[at],
        )

    def queue(self) -> Told:
        """States of queues."""
        chosen = self.numbers_of(Kind.QUEUE)
        if self.ended is not None:
            chosen = chosen.and_then(self.ended)
        rows, target = chosen.rows, self.shelf.at["target"][chosen.rows]
        value = chosen.value * self.shelf.at["factor"][rows]
        table = queue_table(self.shelf, self.db, rows, chosen.time_ns, target, value)
        return Told(table, rows)

    def points(self) -> Told:
        """What is kept as it came."""
        told = self.numbers_of(Kind.POINT)
        rows = told.rows
        plain = Pointed(rows, told.time_ns, told.value, np.zeros(len(rows), np.int32), ["value"])
        table = points_table(self.shelf, self.db, plain)
        shapes = self._shape_points()
        if shapes is None:
            return Told(table, rows)
        joined = pa.concat_tables([table, shapes.table]).unify_dictionaries().combine_chunks()
        return Told(joined, np.concatenate([rows, shapes.rows]))

    def _shape_points(self) -> Told | None:
        """Histograms of others: count, sum, and what is at most each bound."""
        at = self._histograms_of(Kind.POINT)
        if not len(at):
            return None
        told = self.histograms
        fields, codes, values, of = ["count", "sum"], [], [], []
        for place in at.tolist():
            cells = slice(int(told.cells[place]), int(told.cells[place + 1]))
            bounds = [_bound(bound) for bound in told.upper[cells].tolist()]
            rising = np.cumsum(told.weight[cells]).tolist()
            named = {"count": told.count[place], **dict(zip(bounds, rising, strict=True))}
            if not np.isnan(told.sum[place]):
                named["sum"] = told.sum[place]
            for name, value in named.items():
                fields.append(name)
                codes.append(len(fields) - 1)
                values.append(value)
                of.append(place)
        words = list(dict.fromkeys(fields))
        code_of = {word: code for code, word in enumerate(words)}
        places = np.array(of)
        pointed = Pointed(
            self.histogram_rows[places],
            told.time_ns[places],
            np.array(values, np.float64),
            np.array([code_of[fields[code]] for code in codes], np.int32),
            words,
        )
        return Told(points_table(self.shelf, self.db, pointed), pointed.rows)

    def rise(self, rising: Rising) -> None:
        """Tell what adds to messages and durations."""
        deltas, counters = self.numbers_of(Kind.DELTA), self.numbers_of(Kind.COUNTER)
        rising.note_tellers(np.concatenate([deltas.rows, counters.rows]))
        if len(deltas.rows):
            rising.add_deltas(deltas)
        if len(counters.rows):
            rising.add_counters(counters)
        if len(self.histogram_rows):
            rising.add_histograms(self._shaped())
        singles, buckets = self.numbers_of(Kind.DURATION), self.numbers_of(Kind.BUCKET)
        if len(singles.rows):
            rising.add_durations(singles)
        if len(buckets.rows):
            rising.add_buckets(buckets)

    def numbers_of(self, kind: Kind) -> Samples:
        """Those of a kind whose time stamps are good."""
        at = np.flatnonzero(self.good[: len(self.numbers.rows)] == kind)
        return self.numbers.where(at) if len(at) else NO_SAMPLES

    def newest(self) -> tuple[int, int, str, float] | None:
        """The newest point that counts by what it rose: row, time, field, value; None: none is."""
        at = np.flatnonzero(self.good[: len(self.numbers.rows)] >= Kind.COUNTER)
        if len(at):
            place = at[np.argmax(self.numbers.time_ns[at])]
            told = self.numbers
            return int(told.rows[place]), int(told.time_ns[place]), "value", told.value[place]
        at = self._histograms_of(Kind.DURATION)
        if not len(at):
            return None
        place = at[np.argmax(self.histograms.time_ns[at])]
        time_ns, count = self.histograms.time_ns[place], self.histograms.count[place]
        return int(self.histogram_rows[place]), int(time_ns), "count", count

    def _histograms_of(self, kind: Kind) -> Ints:
        return np.flatnonzero(self.good[len(self.numbers.rows) :] == kind)

    def _shaped(self) -> Shaped:
        chosen = self._histograms_of(Kind.DURATION)
        told, sizes = self.histograms, np.diff(self.histograms.cells)
        is_in = np.zeros(len(sizes), bool)
        is_in[chosen] = True
        inside = np.repeat(is_in, sizes)
        rows, sizes = self.histogram_rows[chosen], sizes[chosen]
        factor = self.shelf.at["factor"][rows]
        by_cell = np.repeat(factor, sizes)
        return Shaped(
            rows,
            told.time_ns[chosen],
            told.start_ns[chosen],
            told.sum[chosen] * factor,
            sizes,
            told.lower[inside] * by_cell,
            told.upper[inside] * by_cell,
            told.weight[inside],
        )


def _bound(upper: float) -> str:
    return "+Inf" if upper == float("inf") else f"{upper:g}"


def draft_of(
    measured: Measured, shelf: Shelf, db: str, received_at_ns: int, *, is_line: bool = False
) -> Draft:
    """A body's points with what their series mean."""
    numbers, told = measured.numbers, measured.histograms
    rows = shelf.rows_of(numbers.series, numbers.of, Manner(db, is_line=is_line))
    shaped = shelf.rows_of(told.series, told.of, Manner(db, is_histogram=True))
    stamps, kinds = numbers.time_ns, shelf.at["kind"][rows]
    if len(shaped):
        stamps = np.concatenate([stamps, told.time_ns])
        kinds = np.concatenate([kinds, shelf.at["kind"][shaped]])
    is_late = stamps_refused(stamps, received_at_ns, MAX_AHEAD_S)
    value = numbers.value.astype(np.float64, copy=False)
    return Draft(
        shelf,
        db,
        Samples(rows, numbers.time_ns, numbers.start_ns, value),
        told,
        shaped,
        is_late,
        stamps,
        kinds,
        kinds * ~is_late if is_late.any() else kinds,
        _ended(numbers, shelf, db, received_at_ns) if len(numbers.ended) else None,
    )


def _ended(numbers: Numbers, shelf: Shelf, db: str, received_at_ns: int) -> Samples | None:
    """Counters that end stand where they stood: should they come again, they go on from there."""
    rows = shelf.rows_of(numbers.series, numbers.ended, Manner(db))
    is_state = np.isin(shelf.at["target"][rows], _STATES)
    is_state &= ~stamps_refused(numbers.ended_ns, received_at_ns, MAX_AHEAD_S)
    rows, time_ns = rows[is_state], numbers.ended_ns[is_state]
    if not len(rows):
        return None
    return Samples(rows, time_ns, np.zeros(len(rows), np.int64), np.full(len(rows), ENDED))
