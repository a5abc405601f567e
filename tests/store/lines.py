"""Bodies as a receiver would make them, from rows of a few named values."""

from __future__ import annotations

import zlib
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
    durations: Iterable[Row] = (),
    hops: Iterable[Row] = (),
) -> Parsed:
    """Times are given as `at`, epoch seconds. Each of `hops` is counted by a row of `messages`,
    which comes by itself.
    """
    walked = list(hops)
    timed = [
        [{**row, "time_ns": round(float(str(row["at"])) * 1e6) * 1000} for row in rows]
        for rows in ([*messages, *walked], queue, points, durations, walked)
    ]
    batch = Batch(
        messages=table_of(timed[0], columns.MESSAGES, DEFAULTS),
        queue=table_of(timed[1], columns.QUEUE, {}),
        points=table_of(timed[2], columns.POINTS, {"type": "f"}),
        durations=table_of(timed[3], columns.MESSAGES, DEFAULTS) if timed[3] else None,
        hops=table_of(timed[4], columns.HOPS, DEFAULTS) if timed[4] else None,
    )
    refused = list(rejected)
    return Parsed(batch, batch.row_count + len(refused), len(refused), refused)


def failed_hop(message_id: str, pattern: str, **more: object) -> Row:
    """A hop whose error's text is its pattern with the message's id behind."""
    integration, reason = more.get("integration", "ga4"), more.get("reason", "timeout")
    return {
        "id": message_id,
        "tenant": "a",
        "integration": integration,
        "reason": reason,
        "outcome": "error",
        "error": f"{pattern} {message_id}",
        "pattern": pattern,
        "fingerprint": zlib.crc32(f"{integration}|{reason}|{pattern}".encode()) + 2**63,
        **more,
    }
