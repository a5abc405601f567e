"""A point of a histogram whose buckets have bounds of the sender's choice.

Source: opentelemetry/proto/metrics/v1/metrics.proto, HistogramDataPoint.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import numpy as np

from streamgauge.receive.measured import Floats
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import MAX_CELLS, NO_RECORDED_VALUE, Cells, HistogramPoint
from streamgauge.receive.otlp.known import Context, Known, Unkept

_UNKNOWN = Unkept("", "")


class _Tag(IntEnum):
    START = 0x11
    TIME = 0x19
    COUNT = 0x21
    SUM = 0x29
    COUNTS = 0x32
    COUNTS_ONE_BY_ONE = 0x31
    BOUNDS = 0x3A
    BOUNDS_ONE_BY_ONE = 0x39
    ATTRIBUTE = 0x4A
    FLAGS = 0x50


def read_histogram(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> HistogramPoint:
    """One point in `body[at:end]`.

    Raises:
        PayloadError: it cannot be read.
    """
    point = HistogramPoint(_UNKNOWN)
    encoded: list[bytes] = []
    counts: list[bytes] = []
    bounds: list[bytes] = []
    for tag, begin, stop in wire.fields(body, at, end):
        match tag:
            case _Tag.ATTRIBUTE:
                encoded.append(wire.framed(body[begin:stop], tag))
            case _Tag.COUNTS | _Tag.COUNTS_ONE_BY_ONE:
                counts.append(body[begin:stop])
            case _Tag.BOUNDS | _Tag.BOUNDS_ONE_BY_ONE:
                bounds.append(body[begin:stop])
            case _:
                _take(point, tag, body, begin, stop)
    point.series = known.series(context, b"".join(encoded))
    _lay_out(point, b"".join(counts), b"".join(bounds))
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


def _lay_out(point: HistogramPoint, counts: bytes, bounds: bytes) -> None:
    """Give the point its cells; without any, one that has it all."""
    if len(counts) % 8 or len(bounds) % 8:
        raise wire.bad("a list of numbers is cut off")
    if not counts and not bounds:
        weight = np.array([point.count], np.float64)
    else:
        weight = np.frombuffer(counts, "<u8").astype(np.float64)
    if len(weight) > MAX_CELLS:
        point.wrong = f"it has {len(weight):,} buckets, limit {MAX_CELLS:,}"
    elif len(weight) != len(bounds) // 8 + 1:
        point.wrong = f"it has {len(weight)} bucket_counts and {len(bounds) // 8} explicit_bounds"
    elif (borders := _borders(bounds)) is None:
        point.wrong = "its explicit_bounds do not increase"
    else:
        point.cells = Cells(borders[:-1], borders[1:], weight)
        point.check()


@lru_cache(256)
def _borders(bounds: bytes) -> Floats | None:
    """Where cells end, from minus infinity to infinity; None where they are in no order."""
    borders = np.concatenate(([-np.inf], np.frombuffer(bounds, "<f8"), [np.inf]))
    is_rising = bool((np.diff(borders) > 0).all())
    return borders if is_rising else None
