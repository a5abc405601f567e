"""A point of an exponential histogram: at its own scale, nothing is lost by others' bounds.

A bucket with index i of scale s holds what is above b^i and at most b^(i+1), b = 2^(2^-s). Those of
negative values are the same mirrored. Buckets that hold nothing are left out.

Source: opentelemetry/proto/metrics/v1/metrics.proto, ExponentialHistogramDataPoint; OpenTelemetry
metrics data model, "ExponentialHistogram".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Floats
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import MAX_CELLS, NO_RECORDED_VALUE, Cells, HistogramPoint
from streamgauge.receive.otlp.known import Context, Known, Unkept

MIN_SCALE, MAX_SCALE = -10, 20
"""At -10 one bucket spans a double's whole range; at 20 a million cover a doubling."""
_UNKNOWN = Unkept("", "")
_TINY = 5e-324


class _Tag(IntEnum):
    ATTRIBUTE = 0x0A
    START = 0x11
    TIME = 0x19
    COUNT = 0x21
    SUM = 0x29
    SCALE = 0x30
    ZERO_COUNT = 0x39
    POSITIVE = 0x42
    NEGATIVE = 0x4A
    FLAGS = 0x50
    ZERO_THRESHOLD = 0x71


class _Buckets(IntEnum):
    OFFSET = 0x08
    COUNTS = 0x12
    COUNTS_ONE_BY_ONE = 0x10


@dataclass(slots=True)
class _Scaled:
    """What lays the buckets out."""

    scale: int = 0
    zero_count: int = 0
    zero_threshold: float = 0.0
    positive: list[bytes] = field(default_factory=list)
    negative: list[bytes] = field(default_factory=list)


def read_exponential(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> HistogramPoint:
    """One point in `body[at:end]`.

    Raises:
        PayloadError: it cannot be read.
    """
    point, scaled = HistogramPoint(_UNKNOWN), _Scaled()
    encoded: list[bytes] = []
    for tag, begin, stop in wire.fields(body, at, end):
        if tag == _Tag.ATTRIBUTE:
            encoded.append(wire.framed(body[begin:stop], tag))
        else:
            _take(point, tag, body, begin, stop)
            _take_scaled(scaled, tag, body, begin, stop)
    point.series = known.series(context, b"".join(encoded))
    _lay_out(point, scaled)
    return point


def _take(point: HistogramPoint, tag: int, body: bytes, begin: int, stop: int) -> None:
    match tag:
        case _Tag.START:
            point.start_ns = wire.unsigned(body, begin)
        case _Tag.TIME:
            point.time_ns = wire.unsigned(body, begin)
        case _Tag.COUNT:
            point.count = wire.unsigned(body, begin)
        case _Tag.SUM:
            point.sum = wire.double(body, begin)
        case _Tag.FLAGS:
            point.has_value = not wire.varint(body, begin, stop)[0] & NO_RECORDED_VALUE
        case _:
            pass


def _take_scaled(scaled: _Scaled, tag: int, body: bytes, begin: int, stop: int) -> None:
    match tag:
        case _Tag.SCALE:
            scaled.scale = wire.zigzag(wire.varint(body, begin, stop)[0])
        case _Tag.ZERO_COUNT:
            scaled.zero_count = wire.unsigned(body, begin)
        case _Tag.ZERO_THRESHOLD:
            scaled.zero_threshold = wire.double(body, begin)
        case _Tag.POSITIVE:
            scaled.positive.append(body[begin:stop])
        case _Tag.NEGATIVE:
            scaled.negative.append(body[begin:stop])
        case _:
            pass


def _lay_out(point: HistogramPoint, scaled: _Scaled) -> None:
    """Give the point its cells: negative ones, zeros, positive ones."""
    positive = _read_buckets(b"".join(scaled.positive))
    negative = _read_buckets(b"".join(scaled.negative))
    size = max(len(positive[1]), len(negative[1]))
    if not MIN_SCALE <= scaled.scale <= MAX_SCALE:
        point.wrong = f"its scale is {scaled.scale}; accepted: {MIN_SCALE} to {MAX_SCALE}"
    elif size > MAX_CELLS:
        point.wrong = f"it has {size:,} buckets, limit {MAX_CELLS:,}"
    elif not 0 <= scaled.zero_threshold < np.inf:
        point.wrong = f"its zero_threshold is {scaled.zero_threshold:g}"
    else:
        above, below = _cells(*positive, scaled.scale), _cells(*negative, scaled.scale)
        if np.isinf(np.concatenate((above.lower, below.lower))).any():
            point.wrong = "it has a bucket beyond the greatest number"
        else:
            point.cells = _joined(above, below, scaled)
            point.check()


def _joined(above: Cells, below: Cells, scaled: _Scaled) -> Cells:
    zero = np.full(1 if scaled.zero_count else 0, scaled.zero_threshold)
    return Cells(
        np.concatenate((-below.upper[::-1], -zero, above.lower)),
        np.concatenate((-below.lower[::-1], zero, above.upper)),
        np.concatenate((below.weight[::-1], zero * 0 + scaled.zero_count, above.weight)),
    )


def _read_buckets(buckets: bytes) -> tuple[int, NDArray[np.uint64]]:
    """Index of the first bucket, and the counts."""
    offset = 0
    packed: list[bytes] = []
    for tag, begin, stop in wire.fields(buckets, 0, len(buckets)):
        if tag == _Buckets.OFFSET:
            offset = wire.zigzag(wire.varint(buckets, begin, stop)[0])
        elif tag in {_Buckets.COUNTS, _Buckets.COUNTS_ONE_BY_ONE}:
            packed.append(buckets[begin:stop])
    return offset, wire.varints(b"".join(packed))


def _cells(offset: int, counts: NDArray[np.uint64], scale: int) -> Cells:
    """Of positive values; those that hold something."""
    at = np.flatnonzero(counts)
    index = (at + offset).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        lower = _border(index, scale)
        upper = np.maximum(_border(index + 1, scale), _TINY)
    return Cells(lower, upper, counts[at].astype(np.float64))


def _border(index: Floats, scale: int) -> Floats:
    border: Floats = np.exp2(np.ldexp(index, -scale))
    return border
