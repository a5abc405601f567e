"""Points of gauges and sums: nearly all have one shape, and are read as columns.

Writers put fields in the order of their numbers: start, time, value (eight bytes each), then the
attributes. Points of that shape are gathered for a whole body at once, their numbers and their
series; any other is read field by field.

Source: opentelemetry/proto/metrics/v1/metrics.proto, NumberDataPoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes, Numbers
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import NO_RECORDED_VALUE
from streamgauge.receive.otlp.chosen import choose, known_starts
from streamgauge.receive.otlp.data import Placed, Places
from streamgauge.receive.otlp.known import UNKNOWN, Context, Known
from streamgauge.receive.otlp.points import Offsets
from streamgauge.receive.otlp.refused import Refused

START, TIME, DOUBLE, INT, ATTRIBUTE, FLAGS = 0x11, 0x19, 0x21, 0x31, 0x3A, 0x40
_FIELD = 9
"""Bytes of a tag and a number of fixed size."""
NO_NUMBER = "its value is no number, or neither as_double nor as_int is set"


class Point(NamedTuple):
    """One that was read field by field."""

    number: int
    """Of its series."""
    start_ns: int
    time_ns: int
    value: float
    """NaN: it has none."""
    is_ended: bool = False


@dataclass(slots=True)
class NumberPoints:
    """Where the number points of a body stand."""

    places: Places = field(default_factory=Places)
    apart: list[tuple[int, Point]] = field(default_factory=list)
    """Points that were read elsewhere, with their ordinals."""

    def read(self, body: bytes, known: Known, refused: Refused) -> Numbers:
        """All of them.

        Raises:
            PayloadError: one cannot be read.
        """
        if not self.places.stretches and not self.apart:
            return Numbers()
        placed = self.places.placed()
        heads = _Heads(body, placed)
        series, odd = _series(body, placed, heads.size, known)
        columns = _Columns(series, placed.ordinals, *heads.columns())
        return columns.with_odd(odd).with_more(self.apart).numbers(refused, known)


def _series(
    body: bytes, placed: Placed, head_size: Offsets, known: Known
) -> tuple[Codes, dict[int, Point]]:
    """The series of each point, and those points that are not of the usual shape."""
    is_usual = head_size > 0
    begin = placed.starts + head_size
    end = np.where(is_usual, placed.stops, begin)
    found = known.find(body, placed.contexts, placed.of, begin, end)
    odd: dict[int, Point] = {}
    for at in np.flatnonzero((found == UNKNOWN) | ~is_usual).tolist():
        context, encoded = placed.context(at), body[begin[at] : end[at]]
        if is_usual[at] and known.is_readable(context, encoded, ATTRIBUTE):
            found[at] = known.number(context, encoded)
        else:
            start, stop = int(placed.starts[at]), int(placed.stops[at])
            odd[at] = _read(body, start, stop, context, known)
            found[at] = odd[at].number
    return found, odd


class _Heads:
    """The fixed beginnings of points; arrays are [n_points]."""

    def __init__(self, body: bytes, placed: Placed) -> None:
        self._body, self._starts = body, placed.starts
        self._raw = np.frombuffer(body, np.uint8)
        room = placed.stops - placed.starts
        first, second, third = (self._byte(place * _FIELD) for place in range(3))
        self._has_start = (room >= 3 * _FIELD) & (first == START) & (second == TIME)
        self._has_start &= (third == DOUBLE) | (third == INT)
        has_time = (room >= 2 * _FIELD) & (first == TIME) & ((second == DOUBLE) | (second == INT))
        self.size = np.where(self._has_start, 3 * _FIELD, np.where(has_time, 2 * _FIELD, 0))
        """Bytes; 0: the point has another shape."""

    def _byte(self, offset: int) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self._raw[np.minimum(self._starts + offset, len(self._raw) - 1)]
        return found

    def columns(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]:
        """Start, time, value; zeros, or any number, where the shape is another."""
        count, eights = len(self._starts), wire.eights(self._body)
        if not len(eights):
            return np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count)
        last = len(eights) - 1
        at_start = np.minimum(self._starts + 1, last)
        at_value = np.clip(self._starts + self.size - _FIELD + 1, 0, last)
        start_ns = np.where(self._has_start, eights[at_start], np.uint64(0))
        time_ns = eights[np.maximum(at_value - _FIELD, 0)]
        bits = eights[at_value]
        with np.errstate(invalid="ignore"):
            is_whole = self._raw[at_value - 1] == INT
            value = np.where(is_whole, bits.view("<i8"), bits.view("<f8")).astype(np.float64)
        return start_ns, time_ns, value


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
            whole = wire.unsigned(body, begin)
            value = float(whole - 2**64 if whole >= 2**63 else whole)
        elif tag == FLAGS:
            flags = wire.varint(body, begin, stop)[0]
        before = stop
    number = known.number(context, b"".join(encoded))
    return Point(number, start_ns, time_ns, value, bool(flags & NO_RECORDED_VALUE))


@dataclass(slots=True)
class _Columns:
    """All number points; arrays are [n_points]."""

    series: Codes
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
            np.append(self.series, np.array([point.number for point in points], np.int32)),
            np.concatenate((self.ordinals, ordinals)).astype(np.int64),
            np.append(self.start_ns, np.array([point.start_ns for point in points], np.uint64)),
            np.append(self.time_ns, np.array([point.time_ns for point in points], np.uint64)),
            np.append(self.value, [point.value for point in points]),
            np.append(self.is_ended, [point.is_ended for point in points]),
        )

    def numbers(self, refused: Refused, known: Known) -> Numbers:
        """Those that may be kept."""
        chosen = choose(
            self.series,
            known,
            self.ordinals,
            self.time_ns,
            refused,
            ~np.isfinite(self.value) & ~self.is_ended,
            lambda at: _why(float(self.value[at])),
        )
        gone = self.is_ended[chosen.at]
        told = chosen.at[~gone]
        return Numbers(
            series=known.roster,
            of=chosen.of[~gone],
            time_ns=self.time_ns[told].astype(np.int64),
            start_ns=known_starts(self.start_ns[told], self.time_ns[told]),
            value=self.value[told],
            ended=chosen.of[gone],
            ended_ns=self.time_ns[chosen.at[gone]].astype(np.int64),
        )


def _why(value: float) -> str:
    return NO_NUMBER if math.isnan(value) else f"its value is {value:g}, which cannot be kept"
