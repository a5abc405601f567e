"""What the fields of `messages` and `queue` mean; all others are points.

A value that its column cannot hold (a negative latency, a string where a number belongs) is kept
as a point, so that nothing is lost; only a `count` that is no count refuses its line, since a
line without it would count as one message.
"""

from __future__ import annotations

from dataclasses import dataclass

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
_NONE = np.zeros(0, np.int64)
MAX_COUNT = 10**15
"""Messages on one line. Beyond it is a mistake (bytes, an overflow) that would spoil for ever every
sum it enters: some ten thousand such lines pass what 64 bits hold."""
COUNT_REASON = f"field count must be a whole number of messages, 0 to {MAX_COUNT}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Field columns [n_lines] of the two measurements, and what is left over for points."""

    count: NDArray[np.uint64]
    bytes: NDArray[np.uint64]
    floats: dict[str, NDArray[np.float64]]
    """latency_s, queue_s and QUEUE_FIELDS that occur; NaN where not reported."""
    has_queue_field: NDArray[np.bool_]
    is_point: NDArray[np.bool_]
    """[n_fields]"""
    is_bad_count: NDArray[np.bool_]
    """[n_lines]"""


class _Filler:
    """Moves fields into columns, one distinct name at a time."""

    def __init__(self, fields: Fields, kinds: NDArray[np.uint8]) -> None:
        self.fields, self.kinds = fields, kinds
        self.code_of = {name: code for code, name in enumerate(fields.names)}
        line_count = len(kinds)
        self.kind_of_field = kinds[fields.line]
        self.is_point = self.kind_of_field == SeriesKind.POINTS
        self.count = np.ones(line_count, np.uint64)
        self.bytes = np.zeros(line_count, np.uint64)
        self.floats: dict[str, NDArray[np.float64]] = {}
        self.has_queue_field = np.zeros(line_count, bool)
        self.is_bad_count = np.zeros(line_count, bool)

    def fill(self) -> Columns:
        self._messages(self.kind_of_field == SeriesKind.MESSAGES)
        self._queue(self.kind_of_field == SeriesKind.QUEUE)
        return Columns(
            self.count,
            self.bytes,
            self.floats,
            self.has_queue_field,
            self.is_point,
            self.is_bad_count,
        )

    def _named(self, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The chosen fields of that name, in order."""
        code = self.code_of.get(name)
        return _NONE if code is None else np.flatnonzero((self.fields.name == code) & chosen)

    def _messages(self, chosen: NDArray[np.bool_]) -> None:
        if not chosen.any():
            return
        self.is_point |= chosen
        self._count(self._named("count", chosen))
        self._bytes(self._named("bytes", chosen))
        for name, (column, factor) in MESSAGES_FIELDS.items():
            at = self._named(name, chosen)
            self._float(column, at[self._is_number(at) & (self.fields.value[at] >= 0)], factor)

    def _queue(self, chosen: NDArray[np.bool_]) -> None:
        if not chosen.any():
            return
        self.is_point |= chosen
        for name in QUEUE_FIELDS:
            at = self._named(name, chosen)
            at = at[self._is_number(at)]
            self._float(name, at, 1.0)
            self.has_queue_field[self.fields.line[at]] = True

    def _float(self, column: str, at: NDArray[np.int64], factor: float) -> None:
        if not len(at):
            return
        self.is_point[at] = False
        values = self.floats.get(column)
        if values is None:
            values = self.floats[column] = np.full(len(self.kinds), np.nan)
        values[self.fields.line[at]] = self.fields.value[at] * factor

    def _count(self, at: NDArray[np.int64]) -> None:
        values, good = self._wholes(at)
        good &= values <= MAX_COUNT
        self.count[self.fields.line[at]] = values
        self.is_bad_count[self.fields.line[at[~good]]] = True
        self.is_point[at] = False

    def _bytes(self, at: NDArray[np.int64]) -> None:
        values, good = self._wholes(at)
        self.bytes[self.fields.line[at[good]]] = values[good]
        self.is_point[at[good]] = False

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


def fill_columns(fields: Fields, kinds: NDArray[np.uint8]) -> Columns:
    """Sort the fields of lines of these SeriesKinds into columns and points."""
    return _plain_messages(fields, kinds) or _Filler(fields, kinds).fill()


def _plain_messages(fields: Fields, kinds: NDArray[np.uint8]) -> Columns | None:
    """Columns as they come, if all lines are of `messages` and nothing is left over; else None."""
    if not fields.columns or len(fields.malformed) != len(kinds):
        return None
    if not (kinds == SeriesKind.MESSAGES).all():
        return None
    count = np.ones(len(kinds), np.uint64)
    floats: dict[str, NDArray[np.float64]] = {}
    for column in fields.columns:
        name, factor = MESSAGES_FIELDS.get(column.name, ("", 0.0))
        if (column.value < 0).any():
            return None
        if column.name == "count" and column.is_integer and (column.exact <= MAX_COUNT).all():
            count = column.exact.view(np.uint64)
        elif name and name not in floats:
            floats[name] = column.value * factor
        else:
            return None
    nothing = np.zeros(len(kinds), bool)
    no_field = np.zeros(len(fields.line), bool)
    return Columns(count, np.zeros(len(kinds), np.uint64), floats, nothing, no_field, nothing)
