"""What the fields of `messages` and `queue` mean; all others are points.

A value that its column cannot hold (a negative latency, a string where a number belongs) is kept
as a point, so that nothing is lost; only a `count` that is no count refuses its line, since a
line without it would count as one message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.fields import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    STRING,
    UNSIGNED,
    Fields,
)
from streamgauge.receive.influx.series import SeriesKind

MESSAGES_FIELDS = {
    "latency_ms": ("latency_s", 1e-3),
    "latency_s": ("latency_s", 1.0),
    "queue_ms": ("queue_s", 1e-3),
    "queue_s": ("queue_s", 1.0),
}
"""Column and factor. Where a line has both spellings, seconds win."""
QUEUE_FIELDS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight")

_TWO_64 = 2.0**64
COUNT_REASON = "field count must be a whole number of messages, 0 or more"


@dataclass(frozen=True, slots=True)
class Columns:
    """Field columns [n_lines] of the two measurements, and what is left over for points."""

    count: NDArray[np.uint64]
    bytes: NDArray[np.uint64]
    floats: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """latency_s, queue_s and QUEUE_FIELDS that occur; NaN where not reported."""
    has_queue_field: NDArray[np.bool_] | None = None
    is_point: NDArray[np.bool_] | None = None
    """[n_fields]"""
    is_bad_count: NDArray[np.bool_] | None = None
    """[n_lines]"""


class _Filler:
    """Moves fields into columns, one distinct name at a time."""

    def __init__(self, fields: Fields, kinds: NDArray[np.uint8]) -> None:
        self.fields, self.kinds = fields, kinds
        line_count = len(kinds)
        self.kind_of_field = kinds[fields.line]
        self.is_point = self.kind_of_field == SeriesKind.POINTS
        self.count = np.ones(line_count, np.uint64)
        self.bytes = np.zeros(line_count, np.uint64)
        self.floats: dict[str, NDArray[np.float64]] = {}
        self.has_queue_field = np.zeros(line_count, bool)
        self.is_bad_count = np.zeros(line_count, bool)

    def fill(self) -> Columns:
        is_messages = self._only(SeriesKind.MESSAGES)
        is_queue = self._only(SeriesKind.QUEUE)
        order = sorted(range(len(self.fields.names)), key=lambda code: self.fields.names[code])
        for code in order:
            is_named = self.fields.name == code
            if is_messages is not None:
                self._messages(self.fields.names[code], _both(is_named, is_messages))
            if is_queue is not None:
                self._queue(self.fields.names[code], _both(is_named, is_queue))
        return Columns(
            self.count,
            self.bytes,
            self.floats,
            self.has_queue_field,
            self.is_point,
            self.is_bad_count,
        )

    def _only(self, kind: SeriesKind) -> NDArray[np.bool_] | None:
        is_kind = self.kind_of_field == kind
        return is_kind if is_kind.any() else None

    def _messages(self, name: str, at: NDArray[np.int64]) -> None:
        if name == "count":
            self._count(at)
        elif name == "bytes":
            self._whole(at)
        elif name in MESSAGES_FIELDS:
            column, factor = MESSAGES_FIELDS[name]
            good = self._is_number(at) & (self.fields.value[at] >= 0)
            self._float(column, at[good], factor)
            self.is_point[at[~good]] = True
        else:
            self.is_point[at] = True

    def _queue(self, name: str, at: NDArray[np.int64]) -> None:
        if name not in QUEUE_FIELDS:
            self.is_point[at] = True
            return
        good = self._is_number(at)
        self._float(name, at[good], 1.0)
        self.has_queue_field[self.fields.line[at[good]]] = True
        self.is_point[at[~good]] = True

    def _float(self, column: str, at: NDArray[np.int64], factor: float) -> None:
        values = self.floats.get(column)
        if values is None:
            values = self.floats[column] = np.full(len(self.kinds), np.nan)
        values[self.fields.line[at]] = self.fields.value[at] * factor

    def _count(self, at: NDArray[np.int64]) -> None:
        values, good = self._wholes(at)
        self.count[self.fields.line[at]] = values
        self.is_bad_count[self.fields.line[at[~good]]] = True

    def _whole(self, at: NDArray[np.int64]) -> None:
        values, good = self._wholes(at)
        self.bytes[self.fields.line[at[good]]] = values[good]
        self.is_point[at[~good]] = True

    def _wholes(self, at: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Values as whole numbers, and where they are such."""
        kind, value = self.fields.type[at], self.fields.value[at]
        exact = self.fields.exact[at].view(np.uint64)
        is_float = kind == FLOAT
        good = (value >= 0) & (kind != STRING) & (kind != BOOLEAN)
        if not is_float.any():
            return np.where(good, exact, np.uint64(0)), good
        good &= ~is_float | ((np.floor(value) == value) & (value < _TWO_64))
        rounded = np.where(good & is_float, value, 0.0).astype(np.uint64)
        return np.where(is_float, rounded, np.where(good, exact, np.uint64(0))), good

    def _is_number(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        kind = self.fields.type[at]
        is_number: NDArray[np.bool_] = (kind == FLOAT) | (kind == INTEGER) | (kind == UNSIGNED)
        return is_number


def _both(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(one & other)


def fill_columns(fields: Fields, kinds: NDArray[np.uint8]) -> Columns:
    """Sort the fields of lines of these SeriesKinds into columns and points."""
    return _Filler(fields, kinds).fill()
