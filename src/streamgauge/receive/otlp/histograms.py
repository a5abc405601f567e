"""A point of a histogram whose buckets have bounds of the sender's choice.

Nearly all have one shape, as fields are written in the order of their numbers: start, time, count,
sum, the counts, the bounds, the attributes, least and greatest. Any other is read field by field.

Source: opentelemetry/proto/metrics/v1/metrics.proto, HistogramDataPoint.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

from streamgauge.receive.measured import Floats, Series
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import MAX_CELLS, NO_RECORDED_VALUE, Cells, HistogramPoint
from streamgauge.receive.otlp.known import Context, Known, Unkept

_START, _TIME, _COUNT, _SUM = 0x11, 0x19, 0x21, 0x29
_COUNTS, _BOUNDS, _ATTRIBUTE = 0x32, 0x3A, 0x4A
_COUNTS_ONE_BY_ONE, _BOUNDS_ONE_BY_ONE = 0x31, 0x39
_FLAGS, _MIN, _MAX = 0x50, 0x59, 0x61

_HEAD = struct.Struct("<BQBQBQBd")
_EXTREMES_BYTES = 18
"""Of least and greatest with their tags."""


def read_histogram(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> HistogramPoint:
    """One point in `body[at:end]`.

    Raises:
        PayloadError: it cannot be read.
    """
    return _usual(body, at, end, context, known) or _any(body, at, end, context, known)


def _usual(body: bytes, at: int, end: int, context: Context, known: Known) -> HistogramPoint | None:
    """A point of the usual shape; None: it has another."""
    place = at + _HEAD.size
    if place >= end:
        return None
    start, start_ns, time, time_ns, count, told, total, sum_ = _HEAD.unpack_from(body, at)
    if (start, time, count, total) != (_START, _TIME, _COUNT, _SUM):
        return None
    counts = _list(body, place, end, _COUNTS)
    bounds = _list(body, counts[1], end, _BOUNDS)
    series = _series(body, bounds[1], end, context, known)
    if series is None or not counts[0] or not bounds[0]:
        return None
    point = HistogramPoint(series, start_ns, time_ns, told, sum_)
    _lay_out(point, body[counts[0] : counts[1]], body[bounds[0] : bounds[1]])
    return point


def _list(body: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where a list begins and ends whose length has one byte or two; 0 and `at`: there is none."""
    if end - at < 3 or body[at] != tag:
        return 0, at
    size, begin = body[at + 1], at + 2
    if size > 0x7F:
        size, begin = size & 0x7F | body[at + 2] << 7, at + 3
        if body[at + 2] > 0x7F:
            return 0, at
    return (begin, begin + size) if begin + size <= end else (0, at)


def _series(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> Series | Unkept | None:
    """By the attributes, which may have least and greatest behind them; None: or something else."""
    cut = end - _EXTREMES_BYTES
    if cut >= at and body[cut] == _MIN and body[cut + 9] == _MAX:
        end = cut
    encoded = body[at:end]
    found = context.series.get(encoded)
    if found is None and wire.is_list_of(encoded, _ATTRIBUTE):
        found = known.series(context, encoded)
    return found


def _any(body: bytes, at: int, end: int, context: Context, known: Known) -> HistogramPoint:
    """Field by field; of what stands more than once the last holds, lists are joined."""
    lists: dict[int, list[bytes]] = {_COUNTS: [], _BOUNDS: [], _ATTRIBUTE: []}
    last: dict[int, int] = {}
    before = at
    for tag, begin, stop in wire.fields(body, at, end):
        if tag == _ATTRIBUTE:
            lists[tag].append(body[before:stop])
        elif tag in {_COUNTS, _COUNTS_ONE_BY_ONE}:
            lists[_COUNTS].append(body[begin:stop])
        elif tag in {_BOUNDS, _BOUNDS_ONE_BY_ONE}:
            lists[_BOUNDS].append(body[begin:stop])
        else:
            last[tag] = begin
        before = stop
    point = HistogramPoint(known.series(context, b"".join(lists[_ATTRIBUTE])))
    point.take(body, last, _START, _TIME, _COUNT, _SUM)
    if _FLAGS in last:
        point.has_value = not wire.varint(body, last[_FLAGS], end)[0] & NO_RECORDED_VALUE
    _lay_out(point, b"".join(lists[_COUNTS]), b"".join(lists[_BOUNDS]))
    return point


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
        point.cells = Cells(*borders, weight)


@lru_cache(256)
def _borders(bounds: bytes) -> tuple[Floats, Floats] | None:
    """Lower and upper ends of cells, from minus infinity to infinity; None: in no order."""
    borders = np.concatenate(([-np.inf], np.frombuffer(bounds, "<f8"), [np.inf]))
    is_rising = bool((borders[1:] > borders[:-1]).all())
    return (borders[:-1], borders[1:]) if is_rising else None
