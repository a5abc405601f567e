"""What the engine is given at once: the rows of several bodies, and their rollups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamgauge.model.feed import Delta
from streamgauge.store import columns
from streamgauge.store.journal.records import Body
from streamgauge.store.rollup.durations import counted, with_durations
from streamgauge.store.rollup.hoprows import hop_tables
from streamgauge.store.rollup.latencyrollup import latency_rows
from streamgauge.store.rollup.pointrollup import point_minute_rows
from streamgauge.store.rollup.queuerollup import queue_delta_rows, queue_minute_rows
from streamgauge.store.rollup.rawrows import order_messages, raw_rows
from streamgauge.store.rollup.rollup import last_seen_rows, minute_rows, platform_rows, seen_rows
from streamgauge.store.rollup.routerrollup import router_hours, router_rows

ROWS_BITS = 24
"""Rows of a body are numbered within its sequence number: the later line of a body wins."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows for each table, in the order they are inserted; tables without rows are left out."""

    tables: dict[str, pa.Table]
    delta: Delta
    line_count: int


def build_segment(bodies: list[tuple[int, Body]]) -> Segment:
    """Join bodies (with their sequence numbers); the same bodies give the same segment."""
    joined = columns.join([body.messages for _, body in bodies], columns.MESSAGES)
    durations = columns.join([body.durations for _, body in bodies], columns.MESSAGES)
    ordered = order_messages(with_durations(joined, durations))
    messages = ordered.rows
    queue = _numbered([(seq, body.queue) for seq, body in bodies], columns.QUEUE)
    points = _numbered([(seq, body.points) for seq, body in bodies], columns.POINTS)
    hops = _numbered([(seq, body.hops) for seq, body in bodies], columns.HOPS)
    rejected = _batched([(seq, body.rejected) for seq, body in bodies])
    is_heard = {name: _is_heard(bodies, name) for name in ("queue", "points")}
    seen = seen_rows(
        messages.column("time_ns").to_numpy(),
        (queue.column("time_ns").to_numpy(), is_heard["queue"]),
        (points.column("time_ns").to_numpy(), is_heard["points"]),
    )
    tables = {
        "messages": raw_rows(messages),
        "queue": queue,
        "points": points,
        "rejected": rejected,
    }
    minutes, queues = columns.MINUTES.empty_table(), columns.QUEUES.empty_table()
    latencies = columns.LATENCIES.empty_table()
    if messages.num_rows:
        summed = minute_rows(ordered)
        tables["minute"] = summed
        tables["platform_minute"] = platform_rows(summed)
        told = counted(summed)
        tables["last_seen"] = last_seen_rows(told)
        minutes = told.select(columns.MINUTES.names).cast(columns.MINUTES)
        latencies = latency_rows(summed)
    if queue.num_rows:
        tables["queue_minute"] = queue_minute_rows(queue)
        queues = queue_delta_rows(tables["queue_minute"])
    tables["point_minute"] = point_minute_rows(points, queue)
    tables |= hop_tables(hops, [body for _, body in bodies])
    tables["seen_minute"] = seen
    routers = router_rows(
        ordered, _only(queue, is_heard["queue"]), _only(points, is_heard["points"])
    )
    if routers.num_rows:
        tables["router_hour"] = router_hours(routers)
    newest_ns = max(int(seen.column("heard_ns").to_numpy().max(initial=0)), 0)
    return Segment(
        tables={name: table for name, table in tables.items() if table.num_rows},
        delta=Delta(minutes, queues, newest_ns, routers, latencies),
        line_count=messages.num_rows + queue.num_rows + points.num_rows + rejected.num_rows,
    )


def _numbered(tables: list[tuple[int, pa.Table]], schema: pa.Schema) -> pa.Table:
    told = [(seq, table) for seq, table in tables if table.num_rows]
    joined = columns.join([table for _, table in told], schema)
    numbers = [(seq << ROWS_BITS) + np.arange(table.num_rows) for seq, table in told]
    return joined.add_column(1, "seq", pa.array(_concatenated(numbers)))


def _batched(tables: list[tuple[int, pa.Table]]) -> pa.Table:
    told = [(seq, table) for seq, table in tables if table.num_rows]
    joined = columns.join([table for _, table in told], columns.REJECTED)
    numbers = [np.full(table.num_rows, seq) for seq, table in told]
    return joined.append_column("batch", pa.array(_concatenated(numbers)))


def _is_heard(bodies: list[tuple[int, Body]], name: str) -> np.ndarray:
    """Which rows of a table, joined, were reported to us: bool [n_rows]."""
    told = [(getattr(body, name).num_rows, not body.is_collected) for _, body in bodies]
    sizes, heard = [size for size, _ in told], [one for _, one in told]
    return np.repeat(np.array(heard, bool), np.array(sizes, np.int64))


def _only(rows: pa.Table, chosen: np.ndarray) -> pa.Table:
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def _concatenated(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
