"""Prometheus's native histograms → counts by bucket.

Source: prometheus/docs, docs/specs/native_histograms.md: buckets of schema s have the bounds
2^(i * 2^-s); spans say which buckets are told; schema -53 has bounds of its own.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from streamgauge.receive.measured import Form
from streamgauge.receive.prometheus.samples import STALE_BITS

MAX_CELLS = 4_096
"""Of one histogram; Prometheus itself is usually told to keep 160."""

MAX_BYTES = 65_536
"""Of one histogram as it is sent."""

_CUSTOM = -53
_SCHEMAS = range(-4, 9)
_GAUGE = 3


class Span(Protocol):
    """`length` buckets, `offset` after the end of the span before it."""

    offset: int
    length: int


class HistogramMessage(Protocol):
    """`wire.Histogram`, as far as it is read here."""

    count_int: int
    count_float: float
    sum: float
    schema: int
    zero_threshold: float
    zero_count_int: int
    zero_count_float: float
    negative_spans: Sequence[Span]
    negative_deltas: Sequence[int]
    negative_counts: Sequence[float]
    positive_spans: Sequence[Span]
    positive_deltas: Sequence[int]
    positive_counts: Sequence[float]
    reset_hint: int
    timestamp: int
    custom_values: Sequence[float]


class BadHistogram(Exception):
    """It contradicts itself, or has more cells than are taken."""


@dataclass(frozen=True, slots=True)
class Native:
    """One point, with its cells side by side."""

    time_ms: int
    form: Form
    count: float
    sum: float
    lower: list[float]
    upper: list[float]
    weight: list[float]
    is_stale: bool = False


def check_histogram(body: bytes) -> None:
    """Whether one so large is read at all.

    Raises:
        BadHistogram: it is not.
    """
    if len(body) > MAX_BYTES:
        raise BadHistogram(f"{len(body):,} bytes; at most {MAX_BYTES:,} are taken")


def read_native(message: HistogramMessage) -> Native:
    """One `Histogram`.

    Raises:
        BadHistogram: it cannot be understood.
    """
    is_stale = struct.unpack("<Q", struct.pack("<d", message.sum))[0] == STALE_BITS
    form = Form.GAUGE if message.reset_hint == _GAUGE else Form.CUMULATIVE
    cells = [] if is_stale else [cell for cell in _cells(message) if cell[2]]
    count = message.count_float or float(message.count_int)
    lower, upper, weight = (
        ([*column] for column in zip(*cells, strict=True)) if cells else ([],) * 3
    )
    return Native(message.timestamp, form, count, message.sum, lower, upper, weight, is_stale)


def _cells(message: HistogramMessage) -> list[tuple[float, float, float]]:
    """Lower bound, upper bound and count of each bucket, ascending."""
    positive = _buckets(message.positive_spans, message.positive_deltas, message.positive_counts)
    negative = _buckets(message.negative_spans, message.negative_deltas, message.negative_counts)
    if message.schema == _CUSTOM:
        return _custom(positive, message.custom_values)
    if message.schema not in _SCHEMAS:
        raise BadHistogram(f"schema {message.schema} is not known")
    zero, at_zero = message.zero_threshold, _zero_count(message)
    above = [(_bound(i - 1, message.schema), _bound(i, message.schema), n) for i, n in positive]
    below = [(-_bound(i, message.schema), -_bound(i - 1, message.schema), n) for i, n in negative]
    return [*reversed(below), (-zero, zero, at_zero), *above]


def _zero_count(message: HistogramMessage) -> float:
    return float(message.zero_count_float or message.zero_count_int)


def _bound(index: int, schema: int) -> float:
    exponent = index * 2.0**-schema
    return (
        math.ldexp(2.0 ** (exponent % 1.0), math.floor(exponent)) if exponent < 1024 else math.inf
    )


def _custom(
    buckets: list[tuple[int, float]], bounds: Sequence[float]
) -> list[tuple[float, float, float]]:
    edges = [0.0 if bounds and bounds[0] > 0 else -math.inf, *bounds, math.inf]
    if any(not 0 <= index < len(edges) - 1 for index, _ in buckets):
        raise BadHistogram("a bucket has no bounds")
    return [(edges[index], edges[index + 1], count) for index, count in buckets]


def _buckets(
    spans: Sequence[Span],
    deltas: Sequence[int],
    counts: Sequence[float],
) -> list[tuple[int, float]]:
    """Index and count of each bucket that is told, ascending."""
    told = [float(count) for count in (counts or accumulate(deltas))]
    if sum(span.length for span in spans) != len(told) or len(told) > MAX_CELLS:
        raise BadHistogram("its spans and its buckets are not equally many, or are too many")
    if any(not count >= 0 for count in told):
        raise BadHistogram("a bucket counts less than nothing")
    return list(zip(_indices(spans), told, strict=True))


def _indices(spans: Sequence[Span]) -> Iterator[int]:
    at = 0
    for span in spans:
        at += span.offset
        yield from range(at, at + span.length)
        at += span.length
