"""A point of an exponential histogram; its cells are made later, for all points at once (`scaled`).

Source: opentelemetry/proto/metrics/v1/metrics.proto, ExponentialHistogramDataPoint.
"""

from __future__ import annotations

import math
import struct

from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import (
    MAX_CELLS,
    NO_RECORDED_VALUE,
    Buckets,
    HistogramPoint,
    Scaled,
)
from streamgauge.receive.otlp.known import Context, Known

MIN_SCALE, MAX_SCALE = -10, 20
"""At -10 one bucket spans a double's whole range; at 20 a million cover a doubling."""

_ATTRIBUTE, _START, _TIME, _COUNT, _SUM = 0x0A, 0x11, 0x19, 0x21, 0x29
_SCALE, _ZERO_COUNT, _ZERO_THRESHOLD = 0x30, 0x39, 0x71
_POSITIVE, _NEGATIVE, _FLAGS = 0x42, 0x4A, 0x50
_OFFSET, _COUNTS, _COUNTS_ONE_BY_ONE = 0x08, 0x12, 0x10
"""Of Buckets."""

_HEAD = struct.Struct("<BQBQBQBd")
_CONTINUED = bytes(range(0x80, 0x100))
"""All bytes of a number of variable length but the last."""


def read_exponential(
    body: bytes, at: int, end: int, context: Context, known: Known
) -> HistogramPoint:
    """One point in `body[at:end]`; of what stands more than once the last holds, lists are joined.

    What writers put first, in the order of the fields' numbers, is read without looking for it.

    Raises:
        PayloadError: it cannot be read.
    """
    place = _attributes_end(body, at, end)
    lists: dict[int, list[bytes]] = {_ATTRIBUTE: [body[at:place]], _POSITIVE: [], _NEGATIVE: []}
    last, place = _head(body, place, end)
    before = place
    for tag, begin, stop in wire.fields(body, place, end):
        if tag == _ATTRIBUTE:
            lists[tag].append(body[before:stop])
        elif tag in lists:
            lists[tag].append(body[begin:stop])
        else:
            last[tag] = begin
        before = stop
    point = HistogramPoint(known.number(context, b"".join(lists[_ATTRIBUTE])))
    point.take(body, last, _START, _TIME, _COUNT, _SUM)
    if _FLAGS in last:
        point.has_value = not wire.varint(body, last[_FLAGS], end)[0] & NO_RECORDED_VALUE
    scaled = Scaled(
        wire.zigzag(wire.varint(body, last[_SCALE], end)[0]) if _SCALE in last else 0,
        wire.unsigned(body, last[_ZERO_COUNT]) if _ZERO_COUNT in last else 0,
        wire.double(body, last[_ZERO_THRESHOLD]) if _ZERO_THRESHOLD in last else 0.0,
        _buckets(b"".join(lists[_POSITIVE])),
        _buckets(b"".join(lists[_NEGATIVE])),
    )
    point.wrong = _fault(scaled)
    if not point.wrong:
        point.scaled = scaled
    return point


def _attributes_end(body: bytes, at: int, end: int) -> int:
    """Behind the attributes that a point begins with, as far as their lengths have one byte."""
    place = at
    while end - place >= 2 and body[place] == _ATTRIBUTE and body[place + 1] < 0x80:
        stop = place + 2 + body[place + 1]
        if stop > end:
            break
        place = stop
    return place


def _head(body: bytes, at: int, end: int) -> tuple[dict[int, int], int]:
    """Where start, time, count and sum stand, if they follow each other here, and their end."""
    if end - at >= _HEAD.size:
        tags = _HEAD.unpack_from(body, at)[::2]
        if tags == (_START, _TIME, _COUNT, _SUM):
            found = {tag: at + 1 + 9 * place for place, tag in enumerate(tags)}
            return found, at + _HEAD.size
    return {}, at


def _buckets(message: bytes) -> Buckets:
    offset = 0
    packed: list[bytes] = []
    for tag, begin, stop in wire.fields(message, 0, len(message)):
        if tag == _OFFSET:
            offset = wire.zigzag(wire.varint(message, begin, stop)[0])
        elif tag in {_COUNTS, _COUNTS_ONE_BY_ONE}:
            packed.append(message[begin:stop])
    counts = b"".join(packed)
    if counts and counts[-1] > 0x7F:
        raise wire.bad("a list of numbers is cut off")
    return Buckets(offset, counts, len(counts.translate(None, _CONTINUED)))


def _fault(scaled: Scaled) -> str:
    """What is wrong with it; empty: nothing."""
    size = max(scaled.positive.size, scaled.negative.size)
    if not MIN_SCALE <= scaled.scale <= MAX_SCALE:
        return f"its scale is {scaled.scale}; accepted: {MIN_SCALE} to {MAX_SCALE}"
    if size > MAX_CELLS:
        return f"it has {size:,} buckets, limit {MAX_CELLS:,}"
    if not 0 <= scaled.zero_threshold < math.inf:
        return f"its zero_threshold is {scaled.zero_threshold:g}"
    return ""
