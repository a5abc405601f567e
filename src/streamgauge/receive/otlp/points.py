"""Where the points of a metric stand in a body, found by their lengths.

Most points of a metric begin alike: with two numbers of fixed size, start and time, or time and
value. All places that look like that are found at once, and taken as far as each point ends where
the next begins; so the lengths alone decide, whatever the bytes between them look like. What is
left is followed point by point.

Source: opentelemetry/proto/metrics/v1/metrics.proto: points are field 1 of every kind of data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.otlp import wire

POINT = 0x0A
"""Tag of a point; its length follows, in one byte or two unless it is large."""
_FIELD = 9
"""Bytes of a tag and a number of fixed size."""
_WINDOW = 1 << 18
"""Bytes that are searched at once: bounds the memory it takes, and stays in the cache."""
MIN_BYTES = 4_096
"""Of data with less than that all points are followed one by one: quicker for a few."""

Offsets = NDArray[np.int64]
Found = tuple[Offsets, Offsets]
"""Where points begin, without tag and length, and where they end."""


def find_alike(body: bytes, at: int, end: int, most: int, window: int = _WINDOW) -> list[Found]:
    """The points at the beginning of `body[at:end]`, as far as they begin like the first.

    Args:
        body: with some data of a metric.
        at: where a point may stand.
        end: of the data.
        most: stop when there are more.
        window: bytes to look at together.
    """
    raw = np.frombuffer(body, np.uint8)
    found: list[Found] = []
    while most >= 0:
        starts, stops = _in_window(raw, at, min(end, at + window), end)
        if not len(starts):
            break
        found.append((starts, stops))
        at, most = int(stops[-1]), most - len(starts)
    return found


def _in_window(raw: NDArray[np.uint8], at: int, until: int, end: int) -> Found:
    """Those that begin before `until`; none, if at `at` there is another."""
    nothing = np.zeros(0, np.int64)
    begin = at + 2 if end - at > 2 and raw[at + 1] < 0x80 else at + 3
    if begin + _FIELD >= end or raw[at] != POINT or raw[begin] & 7 != wire.FIXED64:
        return nothing, nothing
    starts = np.flatnonzero(raw[begin:until] == raw[begin]) + begin
    starts = starts[: np.searchsorted(starts, end - _FIELD)]
    starts = starts[raw[starts + _FIELD] == raw[begin + _FIELD]]
    one, two, three = (raw[starts - back] for back in (1, 2, 3))
    is_short = two == POINT
    size = np.where(is_short, one, (two & 0x7F) | one.astype(np.int64) << 7)
    is_point = (one < 0x80) & (is_short | (three == POINT) & (two > 0x7F))
    begins = starts - np.where(is_short, 2, 3)
    is_point &= (begins >= at) & (starts + size <= end)
    if not is_point.all():
        starts, size, begins = starts[is_point], size[is_point], begins[is_point]
    stops = starts + size
    if not len(begins) or begins[0] != at:
        return nothing, nothing
    if (begins[1:] != stops[:-1]).any():
        chosen = _following(begins, stops)
        return starts[chosen], stops[chosen]
    return starts, stops


def _following(begins: Offsets, stops: Offsets) -> list[int]:
    """From the first on, those that begin where the one before ends."""
    following = np.searchsorted(begins, stops)
    is_next = np.append(begins, -1)[following] == stops
    chosen, at = [0], 0
    while is_next[at]:
        at = int(following[at])
        chosen.append(at)
    return chosen


def follow(body: bytes, at: int, end: int, most: int) -> tuple[list[int], list[int], int]:
    """The points at the beginning, `most` at most: starts, stops, and where it went no further.

    The same as `wire.fields`, without a call for each: lengths here have one byte or two.
    """
    starts: list[int] = []
    stops: list[int] = []
    for _ in range(most):
        if end - at < 3 or body[at] != POINT:
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
    return starts, stops, at
