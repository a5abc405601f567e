"""A body of OTLP metrics in protobuf → what it measures, and the points that are refused.

1. `_Walk` goes through resources, scopes and metrics, and notes where their points stand.
2. `numbers` reads all points of gauges and sums at once, `histograms` those with bounds;
   `exponential` and `summaries` read theirs one by one.
3. Series come from `known`: those of earlier bodies are not read again.

Never raises for a bad point, which is told in `refused`; a body that is no such message is refused
as a whole. Memory is bounded by the limits below, whatever comes.

Source: opentelemetry/proto/metrics/v1/metrics.proto 1.x; OpenTelemetry metrics data model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from streamgauge.model.batch import RejectedLine
from streamgauge.model.errors import PayloadError
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Form, Measured
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.data import MAX_POINTS, Data, Stretch
from streamgauge.receive.otlp.exponential import read_exponential
from streamgauge.receive.otlp.histogram_points import HistogramPoints
from streamgauge.receive.otlp.known import Known, Measuring, Memory, Unkept
from streamgauge.receive.otlp.numbers import NumberPoints
from streamgauge.receive.otlp.points import Found
from streamgauge.receive.otlp.refused import Refused, stamp_reason
from streamgauge.receive.otlp.summaries import read_summary

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
_DELTA, _CUMULATIVE = 1, 2


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
    measured = Measured(numbers, walk.histograms.read(body, walk.known, walk.refused))
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
        found = Data()
        for begin, stop in data:
            found.read(self._body, begin, stop, MAX_POINTS - self.point_count)
        measuring = _measuring(kind, name, unit, found, resource, scope)
        self._points(kind, found, measuring)
        self.point_count += found.count

    def _points(self, kind: int, found: Data, measuring: Measuring) -> None:
        if not found.count:
            return
        if kind == _Kind.SUMMARY:
            self._summary_points(found, measuring)
            return
        context = self.known.context(measuring)
        if kind == _Kind.EXPONENTIAL:
            for ordinal, place in enumerate(_pairs(found.places()), self.point_count):
                self.histograms.add(
                    read_exponential, self._body, place, context, self.known, ordinal
                )
        else:
            places = self.histograms.places if kind == _Kind.HISTOGRAM else self.numbers.places
            places.stretches.append(Stretch(context, self.point_count, *found.places()))

    def _summary_points(self, found: Data, measuring: Measuring) -> None:
        for ordinal, (at, stop) in enumerate(_pairs(found.places()), self.point_count):
            points = read_summary(self._body, at, stop, measuring, self.known)
            if not points:
                continue
            first = points[0]
            series = self.known.member(first.number)
            if isinstance(series, Unkept):
                self.refused.add(ordinal, series, series.reason)
            elif self.refused.is_late(first.time_ns):
                reason = stamp_reason(first.time_ns)
                self.refused.add(ordinal, series, reason, RefusalReason.STAMP)
            else:
                self.numbers.apart += [(ordinal, point) for point in points]


def _pairs(places: Found) -> Iterator[tuple[int, int]]:
    starts, stops = places
    return zip(starts.tolist(), stops.tolist(), strict=True)


def _measuring(
    kind: int, name: str, unit: str, data: Data, resource: bytes, scope: bytes
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
