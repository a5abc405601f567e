"""Puts understood numbers into the tables of a batch. Arrays in, columns out."""

from __future__ import annotations

from dataclasses import dataclass

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
    size = len(counted.rows)
    if not size:
        return NO_MESSAGES
    columns = [
        pa.array(counted.time_ns),
        constant_tag(db, size),
        *shelf.tags("messages", counted.rows),
        pa.array(counted.count.astype(np.uint64)),
        pa.array(counted.bytes.astype(np.uint64)),
        nullable(counted.latency_s),
        nullable(counted.queue_s),
    ]
    return pa.Table.from_arrays(columns, schema=MESSAGES_SCHEMA)


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
