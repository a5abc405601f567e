"""Puts understood numbers into the tables of a batch. Arrays in, columns out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.influx.book import compact
from streamgauge.receive.meaning.names import QUEUE_COLUMNS, Target
from streamgauge.receive.meaning.shelf import Rows, Shelf
from streamgauge.receive.schema import (
    MESSAGES_SCHEMA,
    NO_MESSAGES,
    NO_POINTS,
    NO_QUEUE,
    POINTS_SCHEMA,
    QUEUE_SCHEMA,
    constant_tag,
    nullable,
    tag_array,
)

_Kind = TypeVar("_Kind", bound=np.generic)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows for `messages` or `durations`; arrays are [n_rows]."""

    rows: Rows
    time_ns: Ints
    count: Floats
    bytes: Floats
    latency_s: Floats
    """NaN: not told."""
    queue_s: Floats


@dataclass(frozen=True, slots=True)
class Pointed:
    """Rows for `points`; arrays are [n_rows]."""

    rows: Rows
    time_ns: Ints
    value: Floats
    field: NDArray[np.int32]
    fields: list[str]


def messages_table(shelf: Shelf, db: str, counted: Counted) -> pa.Table:
    """MESSAGES_SCHEMA."""
    return messages_tables(shelf, db, [counted])[0]


def messages_tables(shelf: Shelf, db: str, parts: list[Counted]) -> list[pa.Table]:
    """MESSAGES_SCHEMA for each; they are made at once, as columns cost more than rows."""
    full = [one for one in parts if len(one.rows)]
    made = iter(_sliced(shelf, db, full))
    return [next(made) if len(one.rows) else NO_MESSAGES for one in parts]


def _sliced(shelf: Shelf, db: str, parts: list[Counted]) -> list[pa.Table]:
    if not parts:
        return []
    columns = [
        pa.array(_joined([one.time_ns for one in parts])),
        constant_tag(db, sum(len(one.rows) for one in parts)),
        *shelf.tags("messages", _joined([one.rows for one in parts])),
        pa.array(_joined([one.count for one in parts]).astype(np.uint64)),
        pa.array(_joined([one.bytes for one in parts]).astype(np.uint64)),
        nullable(_joined([one.latency_s for one in parts])),
        nullable(_joined([one.queue_s for one in parts])),
    ]
    table = pa.Table.from_arrays(columns, schema=MESSAGES_SCHEMA)
    ends = np.cumsum([len(one.rows) for one in parts]).tolist()
    return [
        table.slice(end - len(one.rows), len(one.rows))
        for one, end in zip(parts, ends, strict=True)
    ]


def _joined(parts: list[NDArray[_Kind]]) -> NDArray[_Kind]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def queue_table(
    shelf: Shelf, db: str, rows: Rows, time_ns: Ints, target: NDArray[np.uint8], value: Floats
) -> pa.Table:
    """QUEUE_SCHEMA: one row a number."""
    size = len(rows)
    if not size:
        return NO_QUEUE
    floats = [_column(target, value, one) for one in QUEUE_COLUMNS]
    columns = [
        pa.array(time_ns),
        constant_tag(db, size),
        *shelf.tags("queue", rows),
        *floats,
    ]
    return pa.Table.from_arrays(columns, schema=QUEUE_SCHEMA)


def _column(target: NDArray[np.uint8], value: Floats, wanted: Target) -> pa.Array:
    is_mine = target == wanted
    if not is_mine.any():
        return pa.nulls(len(value), pa.float64())
    return nullable(np.where(is_mine, value, np.nan))


def points_table(shelf: Shelf, db: str, pointed: Pointed) -> pa.Table:
    """POINTS_SCHEMA."""
    size = len(pointed.rows)
    if not size:
        return NO_POINTS
    if len(pointed.fields) == 1:
        field = constant_tag(pointed.fields[0], size)
    else:
        field = tag_array(*compact(pointed.field, pointed.fields))
    columns = [
        pa.array(pointed.time_ns),
        constant_tag(db, size),
        *shelf.tags("points", pointed.rows),
        field,
        constant_tag("f", size),
        nullable(pointed.value),
        pa.nulls(size, pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=POINTS_SCHEMA)
