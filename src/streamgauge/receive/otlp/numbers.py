"""Points of gauges and sums: nearly all have one shape, and are read as columns.

Writers put fields in the order of their numbers: start, time, value (eight bytes each), then the
attributes. A point of that shape costs one look-up by the bytes of its attributes, and its numbers
are gathered for all points of a body at once; any other is read field by field.

Source: opentelemetry/proto/metrics/v1/metrics.proto, NumberDataPoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Numbers, Series
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import NO_RECORDED_VALUE
from streamgauge.receive.otlp.chosen import choose, known_starts
from streamgauge.receive.otlp.known import Context, Known, Unkept
from streamgauge.receive.otlp.refused import Refused

START, TIME, DOUBLE, INT, ATTRIBUTE, FLAGS = 0x11, 0x19, 0x21, 0x31, 0x3A, 0x40
_FIELD = 9
"""Bytes of a tag and a number of fixed size."""
NO_NUMBER = "its value is no number, or neither as_double nor as_int is set"

Offsets = NDArray[np.int64]


class Stretch(NamedTuple):
    """Points of one metric that follow each other."""

    context: Context
    first_ordinal: int
    """Of the body's points of all kinds, 0 for the first."""
    point_count: int


class Point(NamedTuple):
    """One that was read field by field."""

    series: Series | Unkept
    start_ns: int
    time_ns: int
    value: float
    """NaN: it has none."""
    is_ended: bool = False


@dataclass(slots=True)
class NumberPoints:
    """Where the number points of a body stand."""

    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    apart: list[tuple[int, Point]] = field(default_factory=list)
    """Points that were read elsewhere, with their ordinals."""

    def read(self, body: bytes, known: Known, refused: Refused) -> Numbers:
        """All of them.

        Raises:
            PayloadError: one cannot be read.
        """
        if not self.starts and not self.apart:
            return Numbers()
        heads = _Heads(body, np.array(self.starts, np.int64), np.array(self.stops, np.int64))
        series, odd = self._series(body, known, heads.size)
        start_ns, time_ns, value = heads.columns()
        columns = _Columns(series, self._ordinals(), start_ns, time_ns, value)
        return columns.with_odd(odd).with_more(self.apart).numbers(refused)

    def _series(
        self, body: bytes, known: Known, head_size: Offsets
    ) -> tuple[list[Series | Unkept], dict[int, Point]]:
        """The series of each point, and those points that are not of the usual shape."""
        rests = (np.array(self.starts) + head_size).tolist()
        sizes = head_size.tolist()
        series: list[Series | Unkept] = []
        odd: dict[int, Point] = {}
        at = 0
        for context, _, count in self.stretches:
            find = context.series.get
            stops = self.stops[at : at + count]
            pieces = [body[a:b] for a, b in zip(rests[at : at + count], stops, strict=True)]
            found = [find(piece) for piece in pieces]
            for place, one in enumerate(found, at):
                if sizes[place] and one is not None:
                    series.append(one)
                elif sizes[place] and wire.is_list_of(pieces[place - at], ATTRIBUTE):
                    series.append(known.series(context, pieces[place - at]))
                else:
                    point = _read(body, self.starts[place], self.stops[place], context, known)
                    odd[place] = point
                    series.append(point.series)
            at += count
        return series, odd

    def _ordinals(self) -> Offsets:
        ranges = [
            np.arange(one.first_ordinal, one.first_ordinal + one.point_count)
            for one in self.stretches
        ]
        return np.concatenate([np.zeros(0, np.int64), *ranges])


class _Heads:
    """The fixed beginnings of points; arrays are [n_points]."""

    def __init__(self, body: bytes, starts: Offsets, stops: Offsets) -> None:
        self._raw, self._starts = np.frombuffer(body, np.uint8), starts
        room = stops - starts
        first, second, third = (self._byte(place * _FIELD) for place in range(3))
        self._has_start = (room >= 3 * _FIELD) & (first == START) & (second == TIME)
        self._has_start &= (third == DOUBLE) | (third == INT)
        has_time = (room >= 2 * _FIELD) & (first == TIME) & ((second == DOUBLE) | (second == INT))
        self.size = np.where(self._has_start, 3 * _FIELD, np.where(has_time, 2 * _FIELD, 0))
        """Bytes; 0: the point has another shape."""

    def _byte(self, offset: int) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self._raw[np.minimum(self._starts + offset, len(self._raw) - 1)]
        return found

    def _eights(self, at: Offsets) -> NDArray[np.uint8]:
        """The eight bytes after each tag [n, 8]; any eight where there is no tag."""
        inside = np.clip(at + 1, 0, max(len(self._raw) - 8, 0))
        return np.ascontiguousarray(self._raw[inside[:, None] + np.arange(8)])

    def columns(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]:
        """Start, time, value; zeros where the shape is another."""
        count = len(self._starts)
        if len(self._raw) < _FIELD:
            return np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count)
        end = self._starts + self.size
        start_ns = self._eights(self._starts).view("<u8")[:, 0]
        start_ns = np.where(self._has_start, start_ns, np.uint64(0))
        time_ns = self._eights(end - 2 * _FIELD).view("<u8")[:, 0].copy()
        bits = self._eights(end - _FIELD)
        tag = self._raw[np.clip(end - _FIELD, 0, len(self._raw) - 1)]
        with np.errstate(invalid="ignore"):
            value = np.where(tag == INT, bits.view("<i8")[:, 0], bits.view("<f8")[:, 0])
        return start_ns, time_ns, value.astype(np.float64)


def _read(body: bytes, at: int, end: int, context: Context, known: Known) -> Point:
    start_ns = time_ns = flags = 0
    value = math.nan
    encoded: list[bytes] = []
    before = at
    for tag, begin, stop in wire.fields(body, at, end):
        if tag == ATTRIBUTE:
            encoded.append(body[before:stop])
        elif tag == START:
            start_ns = wire.unsigned(body, begin)
        elif tag == TIME:
            time_ns = wire.unsigned(body, begin)
        elif tag == DOUBLE:
            value = wire.double(body, begin)
        elif tag == INT:
            number = wire.unsigned(body, begin)
            value = float(number - 2**64 if number >= 2**63 else number)
        elif tag == FLAGS:
            flags = wire.varint(body, begin, stop)[0]
        before = stop
    series = known.series(context, b"".join(encoded))
    return Point(series, start_ns, time_ns, value, bool(flags & NO_RECORDED_VALUE))


@dataclass(slots=True)
class _Columns:
    """All number points; arrays are [n_points]."""

    series: list[Series | Unkept]
    ordinals: Offsets
    start_ns: NDArray[np.uint64]
    time_ns: NDArray[np.uint64]
    value: NDArray[np.float64]
    is_ended: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    def with_odd(self, odd: Mapping[int, Point]) -> _Columns:
        """With what was read field by field in its places."""
        self.is_ended = np.zeros(len(self.series), bool)
        for at, point in odd.items():
            self.start_ns[at], self.time_ns[at] = point.start_ns, point.time_ns
            self.value[at], self.is_ended[at] = point.value, point.is_ended
        return self

    def with_more(self, apart: Sequence[tuple[int, Point]]) -> _Columns:
        """With further points behind them."""
        if not apart:
            return self
        ordinals, points = zip(*apart, strict=True)
        return _Columns(
            self.series + [point.series for point in points],
            np.concatenate((self.ordinals, ordinals)).astype(np.int64),
            np.append(self.start_ns, np.array([point.start_ns for point in points], np.uint64)),
            np.append(self.time_ns, np.array([point.time_ns for point in points], np.uint64)),
            np.append(self.value, [point.value for point in points]),
            np.append(self.is_ended, [point.is_ended for point in points]),
        )

    def numbers(self, refused: Refused) -> Numbers:
        """Those that may be kept."""
        chosen = choose(
            self.series,
            self.ordinals,
            self.time_ns,
            refused,
            ~np.isfinite(self.value) & ~self.is_ended,
            lambda at: _why(float(self.value[at])),
        )
        gone = self.is_ended[chosen.at]
        told = chosen.at[~gone]
        return Numbers(
            series=chosen.series,
            of=chosen.of[~gone],
            time_ns=self.time_ns[told].astype(np.int64),
            start_ns=known_starts(self.start_ns[told], self.time_ns[told]),
            value=self.value[told],
            ended=chosen.of[gone],
            ended_ns=self.time_ns[chosen.at[gone]].astype(np.int64),
        )


def _why(value: float) -> str:
    return NO_NUMBER if math.isnan(value) else f"its value is {value:g}, which cannot be kept"
