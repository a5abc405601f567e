"""Points of histograms whose buckets have bounds of the sender's choice.

Nearly all have one shape, as fields are written in the order of their numbers: start, time, count,
sum, the counts, the bounds, the attributes, least and greatest. These are read for a whole body at
once, any other field by field.

Source: opentelemetry/proto/metrics/v1/metrics.proto, HistogramDataPoint.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes, Floats
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.blocks import Block, spread
from streamgauge.receive.otlp.cells import MAX_CELLS, NO_RECORDED_VALUE, Cells, HistogramPoint
from streamgauge.receive.otlp.data import Placed
from streamgauge.receive.otlp.index import cut
from streamgauge.receive.otlp.known import UNKNOWN, Context, Known
from streamgauge.receive.otlp.points import Offsets

_START, _TIME, _COUNT, _SUM = 0x11, 0x19, 0x21, 0x29
_COUNTS, _BOUNDS, _ATTRIBUTE = 0x32, 0x3A, 0x4A
_COUNTS_ONE_BY_ONE, _BOUNDS_ONE_BY_ONE = 0x31, 0x39
_FLAGS, _MIN, _MAX = 0x50, 0x59, 0x61

_FIELD = 9
"""Bytes of a tag and a number of fixed size."""
_HEAD_BYTES = 4 * _FIELD
_EXTREMES_BYTES = 2 * _FIELD
"""Of least and greatest with their tags."""

Borders = tuple[Floats, Floats]
"""Lower and upper ends of cells."""
_NO_BORDERS = np.zeros(0), np.zeros(0)


class Usual:
    """The points of a body that have the usual shape."""

    def __init__(self, body: bytes, placed: Placed, known: Known) -> None:
        """Look at all of them.

        Args:
            body: with points.
            placed: where they stand, [n].
            known: the series of earlier bodies.

        Raises:
            PayloadError: attributes of one of them cannot be read.
        """
        self._body, self._placed = body, placed
        self._shape = shape = _Shape(body, placed.starts, placed.stops)
        self._number = _series(body, placed, shape, known)
        self._border_of, borders = _distinct_borders(body, shape)
        is_rising = np.array([one is not None for one in borders])[self._border_of]
        self._borders = [one or _NO_BORDERS for one in borders]
        is_usual = shape.is_usual & (self._number != UNKNOWN) & is_rising
        self._chosen = np.flatnonzero(is_usual)
        self.others: Offsets = np.flatnonzero(~is_usual)
        """Positions of all others."""

    @property
    def cell_count(self) -> int:
        """Buckets of all of them."""
        return int(self._shape.size[self._chosen].sum())

    def block(self) -> Block:
        """All of them."""
        at = self._chosen
        starts, size = self._placed.starts[at], self._shape.size[at]
        eights = wire.eights(self._body)
        start_ns, time_ns, count, total = (
            eights[starts + 1 + place * _FIELD] for place in range(_HEAD_BYTES // _FIELD)
        )
        first = np.cumsum([0, *(len(lower) for lower, _ in self._borders)])
        border = spread(first[self._border_of[at]], size)
        return Block(
            number=self._number[at],
            ordinal=self._placed.ordinals[at],
            start_ns=start_ns,
            time_ns=time_ns,
            count=count.astype(np.float64),
            sum=total.view(np.float64),
            size=size,
            lower=np.concatenate([lower for lower, _ in self._borders])[border],
            upper=np.concatenate([upper for _, upper in self._borders])[border],
            weight=eights[spread(self._shape.counts[0][at], size, 8)].astype(np.float64),
        )


class _Shape:
    """Where the parts of points stand, as far as they have the usual shape; arrays are [n]."""

    def __init__(self, body: bytes, starts: Offsets, stops: Offsets) -> None:
        self._raw, self.starts = np.frombuffer(body, np.uint8), starts
        self.is_usual = stops - starts > _HEAD_BYTES
        for place, tag in enumerate((_START, _TIME, _COUNT, _SUM)):
            self.is_usual &= self._byte(starts + place * _FIELD) == tag
        self.counts = self._list(starts + _HEAD_BYTES, stops, _COUNTS)
        self.bounds = self._list(self.counts[1], stops, _BOUNDS)
        self.size = (self.counts[1] - self.counts[0]) // 8
        """Buckets."""
        self.is_usual &= self.size == (self.bounds[1] - self.bounds[0]) // 8 + 1
        self.is_usual &= self.size <= MAX_CELLS
        begin = np.where(self.is_usual, self.bounds[1], starts)
        end = np.where(self._has_extremes(begin, stops), stops - _EXTREMES_BYTES, stops)
        self.attributes = begin, np.where(self.is_usual, end, begin)

    def _byte(self, at: Offsets) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self._raw[np.minimum(at, len(self._raw) - 1)]
        return found

    def _list(self, at: Offsets, stops: Offsets, tag: int) -> tuple[Offsets, Offsets]:
        """Where lists of whole eights begin and end whose lengths have one byte or two."""
        low, high = self._byte(at + 1).astype(np.int64), self._byte(at + 2).astype(np.int64)
        is_short = low < 0x80
        size = np.where(is_short, low, low & 0x7F | high << 7)
        begin = at + np.where(is_short, 2, 3)
        self.is_usual &= (self._byte(at) == tag) & (is_short | (high < 0x80))
        self.is_usual &= (begin + size <= stops) & (size % 8 == 0)
        return begin, begin + size

    def _has_extremes(self, begin: Offsets, stops: Offsets) -> NDArray[np.bool_]:
        """Whether least and greatest stand at the end."""
        at = stops - _EXTREMES_BYTES
        found: NDArray[np.bool_] = (at >= begin) & (self._byte(at) == _MIN)
        found &= self._byte(at + _FIELD) == _MAX
        return found


def _series(body: bytes, placed: Placed, shape: _Shape, known: Known) -> Codes:
    """The numbers of their series [n]; UNKNOWN: what stands there are not only attributes."""
    begin, end = shape.attributes
    found = known.find(body, placed.contexts, placed.of, begin, end)
    for at in np.flatnonzero(shape.is_usual & (found == UNKNOWN)).tolist():
        context, encoded = placed.context(at), body[begin[at] : end[at]]
        if known.is_readable(context, encoded, _ATTRIBUTE):
            found[at] = known.number(context, encoded)
    return found


def _distinct_borders(body: bytes, shape: _Shape) -> tuple[Codes, list[Borders | None]]:
    """The borders of each point [n], as an index; None: in no order."""
    begin, end = (np.where(shape.is_usual, place, shape.starts) for place in shape.bounds)
    encoded = cut(body, begin, end).to_arrow().dictionary_encode()
    return encoded.indices.to_numpy(), [_borders(one) for one in encoded.dictionary.to_pylist()]


def read_any(body: bytes, at: int, end: int, context: Context, known: Known) -> HistogramPoint:
    """One point in `body[at:end]`; of what stands more than once the last holds, lists are joined.

    Raises:
        PayloadError: it cannot be read.
    """
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
    point = HistogramPoint(known.number(context, b"".join(lists[_ATTRIBUTE])))
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
def _borders(bounds: bytes) -> Borders | None:
    """Lower and upper ends of cells, from minus infinity to infinity; None: in no order."""
    borders = np.concatenate(([-np.inf], np.frombuffer(bounds, "<f8"), [np.inf]))
    is_rising = bool((borders[1:] > borders[:-1]).all())
    return (borders[:-1], borders[1:]) if is_rising else None
