"""What detection is rebuilt from: hours of the past, minutes of the last two days."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.model.feed import Delta, History
from streamgauge.store import columns
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import HOUR, MESSAGES, MINUTE, NS_A_HOUR, NS_A_MINUTE
from streamgauge.store.queries.pieces import cut
from streamgauge.store.queries.seen import heard_minutes
from streamgauge.store.queries.span import Span
from streamgauge.store.rollup.latencyrollup import SQL_GROUP
from streamgauge.store.rollup.queuerollup import LAST_FIELDS
from streamgauge.store.rollup.routerrollup import ROUTER_KEY
from streamgauge.store.writer.feed import summed_minutes

HISTORY_MINUTES = 35 * 24 * 60
RECENT_MINUTES = 48 * 60
ROUTER_HOURS = 24
LATENCY_HOURS = 24
PIECE_MINUTES = 4 * 60
"""Read and summed at once: of a hundred thousand rows an hour, sums of two days took 2 GB."""
_HOURS = {
    HOUR: "hour AS h, toUInt64(minutes) AS active",
    MINUTE: "intDiv(minute, 60) AS h, toUInt64(bitShiftLeft(1, minute % 60)) AS active",
}
"""An hour's number and a bit for each minute of it that has a message."""
_IS_COUNTED = "last_ns >= 0"
"""Not of durations alone, see `rollup.durations`."""
_PATIENTLY = "SETTINGS max_execution_time = 300"
"""Nobody waits for a page: it is asked once after a start."""
_AS_CODES = f"{_PATIENTLY}, output_format_arrow_low_cardinality_as_dictionary = 1"


def history(engine: Engine, known: Known, until_s: float) -> History:
    """35 days before `until_s` (epoch seconds; its whole minute belongs to it).

    Raises:
        StoreError: the engine refused.
    """
    end = -int(-until_s // 60)
    recent_from = max(end - RECENT_MINUTES, 0) // 60 * 60
    oldest = max(end - HISTORY_MINUTES, 0) // 60 * 60
    seen = heard_minutes(engine, oldest, end)
    return History(
        hours=_hours(engine, known, oldest, recent_from),
        recent=minutes_between(engine, recent_from, end),
        recent_from_minute=recent_from,
        seen_minutes=pa.array(seen, pa.int64()),
        routers=_router_hours(engine, end),
        latencies=_latency_hours(engine, known, end),
    )


def _latency_hours(engine: Engine, known: Known, end: int) -> pa.Table:
    """The last day, from hours, and from the minutes of hours that are open."""
    keys = ", ".join(columns.FLOW_KEY)
    first = max(end - LATENCY_HOURS * 60, 0) // 60 * 60
    span = Span(first * NS_A_MINUTE, end * NS_A_MINUTE)
    rows = " UNION ALL ".join(
        f"SELECT {_HOURS[piece.level]}, {keys}, latency_hist FROM {MESSAGES.table(piece.level)} "
        f"WHERE {piece.condition(piece.level.name)} AND outcome != 'retried'"
        for piece in cut(span, NS_A_HOUR, MESSAGES, known)
        if piece.level is not None
    )
    group = SQL_GROUP.format("hist.1")
    hours = engine.query(
        f"SELECT h AS hour, {keys}, {group} AS bucket, sum(hist.2) AS count "
        f"FROM ({rows}) ARRAY JOIN latency_hist AS hist "
        f"GROUP BY h, {keys}, bucket ORDER BY h {_AS_CODES}"
    )
    return columns.conform(hours, columns.LATENCY_HOURS)


def _router_hours(engine: Engine, end: int) -> pa.Table:
    keys = ", ".join(("hour", *ROUTER_KEY))
    rows = engine.query(
        f"SELECT {keys}, sum(count) AS count, groupBitOr(minutes) AS minutes, "
        "max(last_ns) AS last_ns FROM router_hour "
        "WHERE hour >= {first:Int64} AND hour * 60 < {end:Int64} "
        f"GROUP BY {keys} ORDER BY hour {_AS_CODES}",
        {"first": end // 60 - ROUTER_HOURS, "end": end},
    )
    return columns.conform(rows, columns.ROUTER_HOURS)


def minutes_between(engine: Engine, first: int, end: int) -> Delta:
    """All that the rollups hold of the minutes `first` <= minute < `end`, oldest first.

    Parts that are not merged yet are summed here: the engine would take ten times as long to
    group and sort by seven strings.

    Raises:
        StoreError: the engine refused.
    """
    bounds = {"first": first, "end": end}
    starts = range(first, end, PIECE_MINUTES)
    pieces = [_minutes(engine, at, min(at + PIECE_MINUTES, end)) for at in starts]
    keys = ", ".join(("minute", *columns.QUEUE_KEY))
    lasts = ", ".join(
        f"if(max({name}_last).1 < 0, NULL, max({name}_last).3) AS {name}" for name in LAST_FIELDS
    )
    queues = engine.query(
        f"SELECT {keys}, {lasts}, max(last_ns) AS last_ns FROM queue_minute "
        "WHERE minute >= {first:Int64} AND minute < {end:Int64} "
        f"GROUP BY {keys} ORDER BY minute {_PATIENTLY}",
        bounds,
    )
    newest = engine.query(
        "SELECT greatest(max(heard_ns), 0) AS newest_ns FROM seen_minute "
        "WHERE minute >= {first:Int64} AND minute < {end:Int64}",
        bounds,
    )
    return Delta(
        minutes=columns.join([rows for rows in pieces if rows.num_rows], columns.MINUTES),
        queues=columns.conform(queues, columns.QUEUES),
        newest_ns=int(newest.column("newest_ns")[0].as_py() or 0),
    )


def _minutes(engine: Engine, first: int, end: int) -> pa.Table:
    keys = ", ".join(("minute", *columns.MINUTE_KEY))
    rows = engine.query(
        f"SELECT {keys}, count, first_ns, last_ns FROM minute "
        f"WHERE minute >= {{first:Int64}} AND minute < {{end:Int64}} AND {_IS_COUNTED} {_AS_CODES}",
        {"first": first, "end": end},
    )
    return _summed(columns.conform(rows, columns.MINUTES))


def _summed(rows: pa.Table) -> pa.Table:
    if not rows.num_rows:
        return rows
    summed = summed_minutes(columns.join([rows], columns.MINUTES))
    return summed.take(np.argsort(summed.column("minute").to_numpy(), kind="stable"))


def _hours(engine: Engine, known: Known, first: int, end: int) -> pa.Table:
    """From hours, and from the minutes of hours that are open."""
    if first >= end:
        return columns.HOURS.empty_table()
    keys = ", ".join((*columns.FLOW_KEY, "outcome"))
    span = Span(first * NS_A_MINUTE, end * NS_A_MINUTE)
    rows = " UNION ALL ".join(
        f"SELECT {_HOURS[piece.level]}, {keys}, count, last_ns "
        f"FROM {MESSAGES.table(piece.level)} "
        f"WHERE {piece.condition(piece.level.name)} AND {_IS_COUNTED}"
        for piece in cut(span, NS_A_HOUR, MESSAGES, known)
        if piece.level is not None
    )
    hours = engine.query(
        f"SELECT h AS hour, {keys}, sum(count) AS count, "
        "toUInt8(bitCount(groupBitOr(active))) AS active_minutes, max(last_ns) AS last_ns "
        f"FROM ({rows}) GROUP BY h, {keys} ORDER BY h {_PATIENTLY}"
    )
    return columns.conform(hours, columns.HOURS)
