"""A point of an exponential histogram: at its own scale, nothing is lost by others' bounds.

A bucket with index i of scale s holds what is above b^i and at most b^(i+1), b = 2^(2^-s). Those of
negative values are the same mirrored. Buckets that hold nothing are left out.

Source: opentelemetry/proto/metrics/v1/metrics.proto, ExponentialHistogramDataPoint; OpenTelemetry
metrics data model, "ExponentialHistogram".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Floats
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import MAX_CELLS, NO_RECORDED_VALUE, Cells, HistogramPoint
from streamgauge.receive.otlp.known import Context, Known

MIN_SCALE, MAX_SCALE = -10, 20
"""At -10 one bucket spans a double's whole range; at 20 a million cover a doubling."""
_TINY = 5e-324


_ATTRIBUTE, _START, _TIME, _COUNT, _SUM = 0x0A, 0x11, 0x19, 0x21, 0x29
_SCALE, _ZERO_COUNT, _ZERO_THRESHOLD = 0x30, 0x39, 0x71
_POSITIVE, _NEGATIVE, _FLAGS = 0x42, 0x4A, 0x50
_OFFSET, _COUNTS, _COUNTS_ONE_BY_ONE = 0x08, 0x12, 0x10
"""Of Buckets."""


@dataclass(slots=True)
class _Scaled:
    """What lays the buckets out."""

    scale: int
    zero_count: int
    zero_threshold: float
    positive: bytes
    negative: bytes


def read_exponential(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> HistogramPoint:
    """One point in `body[at:end]`; of what stands more than once the last holds, lists are joined.

    Raises:
        PayloadError: it cannot be read.
    """
    lists: dict[int, list[bytes]] = {_ATTRIBUTE: [], _POSITIVE: [], _NEGATIVE: []}
    last: dict[int, int] = {}
    before = at
    for tag, begin, stop in wire.fields(body, at, end):
        if tag == _ATTRIBUTE:
            lists[tag].append(body[before:stop])
        elif tag in lists:
            lists[tag].append(body[begin:stop])
        else:
            last[tag] = begin
        before = stop
    point = HistogramPoint(known.series(context, b"".join(lists[_ATTRIBUTE])))
    point.take(body, last, _START, _TIME, _COUNT, _SUM)
    if _FLAGS in last:
        point.has_value = not wire.varint(body, last[_FLAGS], end)[0] & NO_RECORDED_VALUE
    scaled = _Scaled(
        wire.zigzag(wire.varint(body, last[_SCALE], end)[0]) if _SCALE in last else 0,
        wire.unsigned(body, last[_ZERO_COUNT]) if _ZERO_COUNT in last else 0,
        wire.double(body, last[_ZERO_THRESHOLD]) if _ZERO_THRESHOLD in last else 0.0,
        b"".join(lists[_POSITIVE]),
        b"".join(lists[_NEGATIVE]),
    )
    _lay_out(point, scaled)
    return point


def _lay_out(point: HistogramPoint, scaled: _Scaled) -> None:
    """Give the point its cells: negative ones, zeros, positive ones."""
    positive, negative = _read_buckets(scaled.positive), _read_buckets(scaled.negative)
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
        if tag == _OFFSET:
            offset = wire.zigzag(wire.varint(buckets, begin, stop)[0])
        elif tag in {_COUNTS, _COUNTS_ONE_BY_ONE}:
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
