"""Turns what a receiver understood into what the journal keeps."""

from __future__ import annotations

import pyarrow as pa

from streamgauge.model.batch import Parsed
from streamgauge.store import columns
from streamgauge.store.journal.records import Body
from streamgauge.store.journal.retrykeys import digest


def body_of(parsed: Parsed, retry_key: bytes | None, received_at: float) -> Body:
    """The rows of a request, the lines it was refused for, and what it is known by.

    Args:
        parsed: The columns in any of Arrow's encodings of their types.
        retry_key: Of any length; None: the request cannot be known again.
        received_at: Epoch seconds.
    """
    batch = parsed.batch
    return Body(
        messages=columns.conform(batch.messages, columns.MESSAGES),
        queue=columns.conform(batch.queue, columns.QUEUE),
        points=columns.conform(batch.points, columns.POINTS),
        rejected=_rejected_table(parsed, received_at),
        received_at=received_at,
        retry_key=digest(retry_key) if retry_key is not None else b"",
        durations=_conformed(batch.durations, columns.NO_MESSAGES),
        hops=_conformed(batch.hops, columns.NO_HOPS),
        is_collected=parsed.is_collected,
    )


def _conformed(table: pa.Table | None, none: pa.Table) -> pa.Table:
    return none if table is None else columns.conform(table, none.schema)


def _rejected_table(parsed: Parsed, received_at: float) -> pa.Table:
    if not parsed.rejected:
        return columns.NO_REJECTED
    time_ns = round(received_at * 1e6) * 1000
    return pa.table(
        {
            "time_ns": [time_ns] * len(parsed.rejected),
            "tenant": [line.tenant for line in parsed.rejected],
            "line_number": [line.line_number for line in parsed.rejected],
            "line": [line.line for line in parsed.rejected],
            "reason": [line.reason for line in parsed.rejected],
        },
        schema=columns.REJECTED,
    )
