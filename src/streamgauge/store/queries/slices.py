"""Everything stored, cut into the ticks of a simulated clock: what `replay` feeds detection."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from streamgauge.model.feed import Delta
from streamgauge.store import columns
from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import NS_A_SECOND
from streamgauge.store.queries.span import to_ns
from streamgauge.store.rollup.histogram import SQL_BUCKET
from streamgauge.store.rollup.latencyrollup import SQL_GROUP
from streamgauge.store.rollup.queuerollup import LAST_FIELDS
from streamgauge.store.rollup.routerrollup import ROUTER_KEY, ROUTER_TAG

ROWS_HELD = 100_000
MAX_STRIDE_HOURS = 48

_WHERE = "WHERE time_ns >= {low:Int64} AND time_ns < {high:Int64}"
_PATIENTLY = "SETTINGS max_execution_time = 300"
_MINUTE = "intDiv(time_ns, 60000000000) AS minute"
_IN_SQL = ROUTER_TAG.replace("\\", "\\\\")


def replay_slices(
    engine: Engine, from_s: float, to_s: float, tick_s: float
) -> Iterator[tuple[float, Delta]]:
    """Ticks that are not empty, in order: (end of the tick, rows stamped in it).

    Ticks begin at `from_s`; a row stamped at a tick's end belongs to the next one. Some hours are
    held in memory at a time, fewer where they hold many rows.

    Raises:
        StoreError: the engine refused.
    """
    start_ns, end_ns, tick_ns = to_ns(from_s), to_ns(to_s), to_ns(tick_s)
    stride_ns = max(1, _stride_s(engine, to_s - from_s) * NS_A_SECOND // tick_ns) * tick_ns
    for low in _occupied(engine, start_ns, end_ns, stride_ns):
        high = min(low + stride_ns, end_ns)
        yield from _ticks(engine, low, high, start_ns, tick_ns)


def _stride_s(engine: Engine, span_s: float) -> int:
    """Seconds that hold about ROWS_HELD rows, an hour at least: a query has a price of its own."""
    answer = engine.query(
        "SELECT (SELECT count() FROM messages) + (SELECT count() FROM queue) AS rows"
    )
    rows = max(int(answer.column("rows")[0].as_py()), 1)
    hours = int(ROWS_HELD / rows * span_s / 3600)
    return 3600 * min(max(hours, 1), MAX_STRIDE_HOURS)


def _occupied(engine: Engine, start_ns: int, end_ns: int, stride_ns: int) -> list[int]:
    """Starts of the strides with rows, so that years of nothing are skipped."""
    answer = engine.query(
        "SELECT DISTINCT intDiv(t * 60000000000 - {start:Int64}, {stride:Int64}) AS stride FROM ("
        "SELECT arrayJoin([minute, minute + 1]) AS t FROM seen_minute "
        "WHERE minute >= intDiv({start:Int64}, 60000000000) "
        "AND minute * 60000000000 < {end:Int64}) ORDER BY stride",
        {"start": start_ns, "end": end_ns, "stride": stride_ns},
    )
    strides = answer.column("stride").to_numpy()
    lows = start_ns + strides * stride_ns
    return [int(low) for low in lows if start_ns <= low < end_ns]


def _ticks(
    engine: Engine, low: int, high: int, start_ns: int, tick_ns: int
) -> Iterator[tuple[float, Delta]]:
    bounds = {"low": low, "high": high, "start": start_ns, "tick": tick_ns}
    minutes = engine.query(_minutes_sql(), bounds)
    queues = engine.query(_queues_sql(), bounds)
    routers = engine.query(_routers_sql(), bounds)
    latencies = engine.query(_latencies_sql(), bounds)
    newest = engine.query(_newest_sql(), bounds)
    minute_rows = columns.conform(minutes, columns.MINUTES)
    queue_rows = columns.conform(queues, columns.QUEUES)
    router_rows = columns.conform(routers, columns.ROUTERS)
    latency_rows = columns.conform(latencies, columns.LATENCIES)
    ticks = newest.column("tick").to_numpy()
    newest_ns = newest.column("newest_ns").to_numpy()
    for tick, newest_in_tick in zip(ticks, newest_ns, strict=True):
        delta = Delta(
            minutes=_part(minute_rows, minutes, tick),
            queues=_part(queue_rows, queues, tick),
            newest_ns=int(newest_in_tick),
            routers=_part(router_rows, routers, tick),
            latencies=_part(latency_rows, latencies, tick),
        )
        yield (start_ns + (int(tick) + 1) * tick_ns) / NS_A_SECOND, delta


def _part(rows: pa.Table, ticked: pa.Table, tick: int) -> pa.Table:
    ticks = ticked.column("tick").to_numpy()
    first, end = np.searchsorted(ticks, [tick, tick + 1])
    return rows.slice(first, end - first)


def _tick(time_ns: str = "time_ns") -> str:
    return f"intDiv({time_ns} - {{start:Int64}}, {{tick:Int64}}) AS tick"


def _minutes_sql() -> str:
    keys = ", ".join(("tick", "minute", *columns.MINUTE_KEY))
    tags = ", ".join(columns.MINUTE_KEY)
    return (
        f"SELECT {_tick()}, {_MINUTE}, {tags}, sum(count) AS count, "
        "min(time_ns) AS first_ns, max(time_ns) AS last_ns "
        f"FROM messages {_WHERE} AND weight = 0 "
        f"GROUP BY {keys} ORDER BY tick, minute {_PATIENTLY}"
    )


def _latencies_sql() -> str:
    keys, tags = ", ".join(("tick", "minute", *columns.FLOW_KEY)), ", ".join(columns.FLOW_KEY)
    bucket = SQL_GROUP.format(SQL_BUCKET.format("assumeNotNull(latency_ns) / 1e9"))
    return (
        f"SELECT {_tick()}, {_MINUTE}, {tags}, {bucket} AS bucket, "
        "sum(if(weight > 0, weight, count)) AS count "
        f"FROM messages {_WHERE} AND outcome != 'retried' AND latency_ns IS NOT NULL "
        f"GROUP BY {keys}, bucket ORDER BY tick, minute {_PATIENTLY}"
    )


def _queues_sql() -> str:
    keys = ", ".join(("tick", "minute", *columns.QUEUE_KEY))
    tags = ", ".join(columns.QUEUE_KEY)
    lasts = ", ".join(f"argMax({name}, (time_ns, seq)) AS {name}" for name in LAST_FIELDS)
    return (
        f"SELECT {_tick()}, {_MINUTE}, {tags}, {lasts}, max(time_ns) AS last_ns "
        f"FROM queue {_WHERE} GROUP BY {keys} ORDER BY tick, minute {_PATIENTLY}"
    )


def _routers_sql() -> str:
    keys = ", ".join(("tick", "minute", *ROUTER_KEY))
    tags, no_flow = ", ".join(columns.FLOW_KEY), ", ".join(f"'' AS {n}" for n in columns.FLOW_KEY)
    found = f"replaceRegexpAll(extract(tags, '{_IN_SQL}'), '\\\\\\\\([,= ])', '\\\\1')"
    rows = " UNION ALL ".join(
        (
            f"SELECT {_tick()}, {_MINUTE}, toString(router) AS router, {tags}, count, time_ns "
            f"FROM messages {_WHERE} AND router != '' AND outcome != 'retried'",
            f"SELECT {_tick()}, {_MINUTE}, toString(router) AS router, {no_flow}, 0, time_ns "
            f"FROM queue {_WHERE} AND router != ''",
            f"SELECT {_tick()}, {_MINUTE}, {found} AS router, {no_flow}, 0, time_ns "
            f"FROM points {_WHERE} AND router != ''",
        )
    )
    return (
        f"SELECT {keys}, sum(count) AS count, max(time_ns) AS last_ns FROM ({rows}) "
        f"GROUP BY {keys} ORDER BY tick, minute {_PATIENTLY}"
    )


def _newest_sql() -> str:
    tables = " UNION ALL ".join(
        f"SELECT {_tick()}, time_ns FROM {name} {_WHERE}"
        for name in ("messages", "queue", "points")
    )
    return (
        f"SELECT tick, max(time_ns) AS newest_ns FROM ({tables}) "
        f"GROUP BY tick ORDER BY tick {_PATIENTLY}"
    )
