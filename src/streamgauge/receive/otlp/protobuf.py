"""A body of OTLP metrics in protobuf → what it measures, and the points that are refused.

1. `_Walk` goes through resources, scopes and metrics, and notes where their points stand.
2. `numbers` reads all points of gauges and sums at once; `histograms`, `exponential` and
   `summaries` read theirs one by one.
3. Series come from `known`: those of earlier bodies are not read again.

Never raises for a bad point, which is told in `refused`; a body that is no such message is refused
as a whole. Memory is bounded by the limits below, whatever comes.

Source: opentelemetry/proto/metrics/v1/metrics.proto 1.x; OpenTelemetry metrics data model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from streamgauge.model.batch import RejectedLine
from streamgauge.model.errors import PayloadError
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Form, Measured
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import MAX_POINT_BYTES, HistogramPoint, Read
from streamgauge.receive.otlp.exponential import read_exponential
from streamgauge.receive.otlp.histogram_points import HistogramPoints
from streamgauge.receive.otlp.histograms import read_histogram
from streamgauge.receive.otlp.known import Context, Known, Measuring, Memory, Unkept
from streamgauge.receive.otlp.numbers import NumberPoints, Stretch
from streamgauge.receive.otlp.refused import Refused, stamp_reason
from streamgauge.receive.otlp.summaries import read_summary

MAX_POINTS = 250_000
"""Of one body; also of the resources, scopes and metrics in it. A collector sends 8,192 at once."""
MAX_CELLS = 2_000_000
"""Buckets of one body."""

_MEMORY = Memory()


class _Kind(IntEnum):
    """Tags of a Metric's data."""

    GAUGE = 0x2A
    SUM = 0x3A
    HISTOGRAM = 0x4A
    EXPONENTIAL = 0x52
    SUMMARY = 0x5A


_KINDS = frozenset(int(kind) for kind in _Kind)
_FIRST, _SECOND, _NAME, _UNIT = 0x0A, 0x12, 0x0A, 0x1A
_POINT, _TEMPORALITY, _MONOTONIC = 0x0A, 0x10, 0x18
_DELTA, _CUMULATIVE = 1, 2
_READERS: dict[int, Read] = {
    _Kind.HISTOGRAM: read_histogram,
    _Kind.EXPONENTIAL: read_exponential,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as it was understood."""

    measured: Measured
    point_count: int
    """All data points, also those that are refused or say that they have no value."""
    refused_count: int
    refused: Sequence[RejectedLine]
    """The first hundred of them; a line is a series, its number the point's place in the body."""


def decode(body: bytes, received_at_ns: int, memory: Memory = _MEMORY) -> Decoded:
    """Understand an ExportMetricsServiceRequest.

    Args:
        body: protobuf, unzipped.
        received_at_ns: now; points more than an hour ahead of it are refused.
        memory: of what earlier bodies said.

    Raises:
        PayloadError: it is no such message, or holds too much.
    """
    walk = _Walk(body, memory.known(), Refused(received_at_ns))
    walk.request()
    numbers = walk.numbers.read(body, walk.known, walk.refused)
    measured = Measured(numbers, walk.histograms.gather(walk.refused))
    return Decoded(measured, walk.point_count, walk.refused.count, walk.refused.told)


class _Walk:
    """Through one body."""

    def __init__(self, body: bytes, known: Known, refused: Refused) -> None:
        self._body, self.known, self.refused = body, known, refused
        self.numbers, self.histograms = NumberPoints(), HistogramPoints()
        self.point_count = self._part_count = 0

    def request(self) -> None:
        """Everything."""
        for at, stop in self._parts(0, len(self._body), _FIRST):
            resource = self._joined(at, stop)
            for scope_at, scope_stop in self._parts(at, stop, _SECOND):
                scope = self._joined(scope_at, scope_stop)
                for metric in self._parts(scope_at, scope_stop, _SECOND):
                    self._metric(*metric, resource, scope)

    def _parts(self, at: int, end: int, wanted: int) -> list[tuple[int, int]]:
        """Where the messages of one tag stand."""
        found = []
        for tag, begin, stop in wire.fields(self._body, at, end):
            if tag == wanted:
                found.append((begin, stop))
                self._part_count += 1
                if self._part_count > MAX_POINTS:
                    raise PayloadError(
                        f"more than {MAX_POINTS:,} resources, scopes and metrics in one request: "
                        "send fewer at once"
                    )
        return found

    def _joined(self, at: int, end: int) -> bytes:
        """The Resource or scope of a message; parts of it may stand apart."""
        parts = wire.fields(self._body, at, end)
        return b"".join(self._body[begin:stop] for tag, begin, stop in parts if tag == _FIRST)

    def _metric(self, at: int, end: int, resource: bytes, scope: bytes) -> None:
        name = unit = ""
        kind = 0
        data: list[tuple[int, int]] = []
        for tag, begin, stop in wire.fields(self._body, at, end):
            if tag == _NAME:
                name = wire.text(self._body, begin, stop)
            elif tag == _UNIT:
                unit = wire.text(self._body, begin, stop)
            elif tag in _KINDS:  # of several kinds the last is meant
                data = [*data, (begin, stop)] if tag == kind else [(begin, stop)]
                kind = tag
        found = _Data()
        for begin, stop in data:
            found.read(self._body, begin, stop, MAX_POINTS - self.point_count)
        measuring = _measuring(kind, name, unit, found, resource, scope)
        self._points(kind, found, measuring)
        self.point_count += len(found.starts)

    def _points(self, kind: int, found: _Data, measuring: Measuring) -> None:
        if kind in _READERS:
            self._histogram_points(_READERS[kind], found, self.known.context(measuring))
        elif kind == _Kind.SUMMARY:
            self._summary_points(found, measuring)
        elif found.starts:
            context = self.known.context(measuring)
            self.numbers.starts += found.starts
            self.numbers.stops += found.stops
            self.numbers.stretches.append(Stretch(context, self.point_count, len(found.starts)))

    def _histogram_points(self, read: Read, found: _Data, context: Context) -> None:
        for ordinal, (at, stop) in enumerate(found.places, self.point_count):
            size = stop - at
            if size > MAX_POINT_BYTES:
                reason = f"it has {size:,} bytes, limit {MAX_POINT_BYTES:,}"
                point = HistogramPoint(Unkept(context.measuring.name, reason))
            else:
                point = read(self._body, at, stop, context, self.known)
            self.histograms.add(point, ordinal)
            if self.histograms.cell_count > MAX_CELLS:
                raise PayloadError(f"more than {MAX_CELLS:,} buckets in one request: send fewer")

    def _summary_points(self, found: _Data, measuring: Measuring) -> None:
        for ordinal, (at, stop) in enumerate(found.places, self.point_count):
            points = read_summary(self._body, at, stop, measuring, self.known)
            if not points:
                continue
            first = points[0]
            if isinstance(first.series, Unkept):
                self.refused.add(ordinal, first.series, first.series.reason)
            elif self.refused.is_late(first.time_ns):
                reason = stamp_reason(first.time_ns)
                self.refused.add(ordinal, first.series, reason, RefusalReason.STAMP)
            else:
                self.numbers.apart += [(ordinal, point) for point in points]


class _Data:
    """The data of a metric: where its points stand, and what holds for all of them."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.stops: list[int] = []
        self.temporality, self.is_monotonic = 0, False

    @property
    def places(self) -> list[tuple[int, int]]:
        """Where each point begins and ends."""
        return list(zip(self.starts, self.stops, strict=True))

    def read(self, body: bytes, at: int, end: int, room: int) -> None:
        """One message of data.

        Raises:
            PayloadError: it cannot be read, or has more than `room` points.
        """
        at = self._hurry(body, at, end, room)
        for tag, begin, stop in wire.fields(body, at, end):
            if tag == _POINT:
                self.starts.append(begin)
                self.stops.append(stop)
            elif tag == _TEMPORALITY:
                self.temporality = wire.varint(body, begin, stop)[0]
            elif tag == _MONOTONIC:
                self.is_monotonic = bool(wire.varint(body, begin, stop)[0])
            if len(self.starts) > room:
                raise PayloadError(
                    f"more than {MAX_POINTS:,} data points in one request: send fewer at once"
                )

    def _hurry(self, body: bytes, at: int, end: int, room: int) -> int:
        """The points at the beginning, one more than there is room for at most; where it stopped.

        The same as `fields`, without a call for each: lengths here have one byte or two.
        """
        starts, stops = self.starts, self.stops
        for _ in range(room + 1 - len(starts)):
            if end - at < 3 or body[at] != _POINT:
                break
            size, place = body[at + 1], at + 2
            if size > 0x7F:
                more = body[place]
                if more > 0x7F:
                    break
                size, place = size & 0x7F | more << 7, place + 1
            if place + size > end:
                break
            starts.append(place)
            at = place + size
            stops.append(at)
        return at


def _measuring(
    kind: int, name: str, unit: str, data: _Data, resource: bytes, scope: bytes
) -> Measuring:
    """What all points of a metric have in common, and whether any can be kept."""
    form, refused = Form.GAUGE, "" if name else "its metric has no name"
    if kind not in {_Kind.GAUGE, _Kind.SUMMARY}:
        if data.temporality == _DELTA:
            form = Form.DELTA
        elif data.temporality != _CUMULATIVE:
            refused = refused or "its metric does not say its aggregation_temporality"
        elif kind != _Kind.SUM or data.is_monotonic:
            form = Form.CUMULATIVE
    return Measuring(resource, scope, name, unit, form, refused)
