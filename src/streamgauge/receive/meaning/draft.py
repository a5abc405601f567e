"""A body's points by what becomes of them: arrays, before anything is known about counters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.influx.stamps import stamps_refused
from streamgauge.receive.meaning import names
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.reading import Manner
from streamgauge.receive.meaning.rising import Rising, is_bucket
from streamgauge.receive.meaning.samples import Samples, Shaped
from streamgauge.receive.meaning.shelf import Rows, Shelf
from streamgauge.receive.meaning.tables import Pointed, points_table, queue_table
from streamgauge.receive.measured import Form, Histograms, Measured

MAX_AHEAD_S = 3600.0
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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

    @property
    def counts(self) -> bool:
        """Whether anything in it adds to messages or durations."""
        target = self.shelf.at["target"]
        wanted = (*names.RISING, *names.HISTOGRAMS)
        numbers = np.isin(target[self.numbers.rows], wanted).any()
        return bool(numbers or np.isin(target[self.histogram_rows], names.HISTOGRAMS).any())

    def only(self, chosen: Bools) -> Draft:
        """With these of the numbers, and no histograms."""
        numbers = self.numbers.where(chosen)
        at = np.flatnonzero(chosen)
        return replace(
            self,
            numbers=numbers,
            histograms=Histograms(),
            histogram_rows=self.histogram_rows[:0],
            is_late=self.is_late[at],
            stamps=self.stamps[at],
        )

    def queue(self) -> Told:
        """States of queues."""
        target = self.shelf.at["target"][self.numbers.rows]
        chosen = np.flatnonzero(np.isin(target, list(names.QUEUE_COLUMNS)) & self._numbers_good())
        rows = self.numbers.rows[chosen]
        value = self.numbers.value[chosen] * self.shelf.at["factor"][rows]
        times = self.numbers.time_ns[chosen]
        return Told(queue_table(self.shelf, self.db, rows, times, target[chosen], value), rows)

    def points(self) -> Told:
        """What is kept as it came."""
        target = self.shelf.at["target"][self.numbers.rows]
        chosen = np.flatnonzero((target == Target.POINT) & self._numbers_good())
        rows, times = self.numbers.rows[chosen], self.numbers.time_ns[chosen]
        value = self.numbers.value[chosen]
        plain = Pointed(rows, times, value, np.zeros(len(rows), np.int32), ["value"])
        table = points_table(self.shelf, self.db, plain)
        shapes = self._shape_points()
        if shapes is None:
            return Told(table, rows)
        joined = pa.concat_tables([table, shapes.table]).unify_dictionaries().combine_chunks()
        return Told(joined, np.concatenate([rows, shapes.rows]))

    def _shape_points(self) -> Told | None:
        """Histograms of others: count, sum, and what is at most each bound."""
        at = self._chosen_histograms((Target.POINT,))
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
        shelf, rows = self.shelf.at, self.numbers.rows
        target, form, good = shelf["target"][rows], shelf["form"][rows], self._numbers_good()
        is_rising = np.isin(target, names.RISING) & good
        shaped = self._shaped()
        tellers = rows[is_rising & (target == Target.COUNT)]
        rising.note_tellers(tellers)
        is_delta = form == Form.DELTA
        if (is_rising & is_delta).any():
            rising.add_deltas(self.numbers.where(is_rising & is_delta))
        if (is_rising & ~is_delta).any():
            rising.add_counters(self.numbers.where(is_rising & ~is_delta))
        rising.add_histograms(shaped)
        is_single = np.isin(target, names.HISTOGRAMS) & np.isnan(shelf["upper"][rows]) & good
        if is_single.any():
            rising.add_durations(self.numbers.where(is_single))
        buckets = is_bucket(self.shelf, self.numbers.rows) & good
        if buckets.any():
            rising.add_buckets(self.numbers.where(buckets))

    def newest(self) -> tuple[int, int, str, float] | None:
        """The newest point that counts by what it rose: row, time, field, value; None: none is."""
        wanted = (*names.RISING, *names.HISTOGRAMS)
        target = self.shelf.at["target"][self.numbers.rows]
        at = np.flatnonzero(np.isin(target, wanted) & self._numbers_good())
        if len(at):
            place = at[np.argmax(self.numbers.time_ns[at])]
            told = self.numbers
            return int(told.rows[place]), int(told.time_ns[place]), "value", told.value[place]
        at = self._chosen_histograms(names.HISTOGRAMS)
        if not len(at):
            return None
        place = at[np.argmax(self.histograms.time_ns[at])]
        time_ns, count = self.histograms.time_ns[place], self.histograms.count[place]
        return int(self.histogram_rows[place]), int(time_ns), "count", count

    def _numbers_good(self) -> Bools:
        return ~self.is_late[: len(self.numbers.rows)]

    def _chosen_histograms(self, targets: tuple[Target, ...]) -> Ints:
        is_wanted = np.isin(self.shelf.at["target"][self.histogram_rows], targets)
        return np.flatnonzero(is_wanted & ~self.is_late[len(self.numbers.rows) :])

    def _shaped(self) -> Shaped:
        chosen = self._chosen_histograms(names.HISTOGRAMS)
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
    shaped = shelf.rows(told.series, Manner(db, is_histogram=True))
    stamps = np.concatenate([numbers.time_ns, told.time_ns])
    return Draft(
        shelf,
        db,
        Samples(rows, numbers.time_ns, numbers.start_ns, numbers.value.astype(np.float64)),
        told,
        shaped[told.of],
        stamps_refused(stamps, received_at_ns, MAX_AHEAD_S),
        stamps,
    )
