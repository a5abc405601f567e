"""Bodies as a receiver would make them, from rows of a few named values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed, RejectedLine
from streamgauge.store import columns

NOW = 1_764_000_000.0
"""2025-11-24T16:00:00Z, on an hour."""

Row = Mapping[str, object]
DEFAULTS: Row = {"tenant": "default", "stage": "delivered", "outcome": "ok", "count": 1, "bytes": 0}


def table_of(rows: Iterable[Row], schema: pa.Schema, defaults: Row) -> pa.Table:
    full = [{**defaults, **row} for row in rows]
    made = []
    for field in schema:
        empty = None if field.nullable else "" if pa.types.is_dictionary(field.type) else 0
        values = [row.get(field.name, empty) for row in full]
        kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
        array = pa.array(values, kind)
        made.append(array.dictionary_encode() if kind != field.type else array)
    return pa.table(made, schema=schema)


def body(
    messages: Iterable[Row] = (),
    queue: Iterable[Row] = (),
    points: Iterable[Row] = (),
    rejected: Iterable[RejectedLine] = (),
) -> Parsed:
    """Times are given as `at`, epoch seconds."""
    timed = [
        [{**row, "time_ns": round(float(str(row["at"])) * 1e6) * 1000} for row in rows]
        for rows in (messages, queue, points)
    ]
    batch = Batch(
        messages=table_of(timed[0], columns.MESSAGES, DEFAULTS),
        queue=table_of(timed[1], columns.QUEUE, {}),
        points=table_of(timed[2], columns.POINTS, {"type": "f"}),
    )
    refused = list(rejected)
    return Parsed(batch, batch.row_count + len(refused), len(refused), refused)
