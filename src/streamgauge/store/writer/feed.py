"""Collects what each inserted segment adds, for detection to take once a tick."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
import pyarrow as pa

from streamgauge.model.feed import Delta
from streamgauge.store import columns
from streamgauge.store.rollup.grouping import grouped, key_of, take_tags
from streamgauge.store.rollup.latencyrollup import summed_latencies
from streamgauge.store.rollup.queuerollup import LAST_FIELDS
from streamgauge.store.rollup.routerrollup import ROUTER_KEY

EMPTY = Delta(
    columns.MINUTES.empty_table(),
    columns.QUEUES.empty_table(),
    newest_ns=0,
    routers=columns.ROUTERS.empty_table(),
    latencies=columns.LATENCIES.empty_table(),
)


class FeedBuffer:
    """Thread-safe and bounded: the writer adds, detection takes."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._guard = threading.Lock()
        self._deltas: list[Delta] = []
        self._rows = 0
        self._has_overflowed = False

    def add(self, delta: Delta) -> None:
        """Keep a segment's sums; when there are too many, everything is let go."""
        with self._guard:
            if self._has_overflowed:
                return
            self._deltas.append(delta)
            self._rows += _row_count(delta)
            if self._rows > self._max_rows:
                self._compact()
            if self._rows > self._max_rows:
                self._deltas, self._has_overflowed = [], True

    def take(self) -> Delta | None:
        """Everything since the last call; None until `clear` when it overflowed."""
        with self._guard:
            deltas, self._deltas, self._rows = self._deltas, [], 0
            if self._has_overflowed:
                return None
        return merge(deltas)

    def clear(self) -> None:
        """Forget everything: whoever asks knows it from the rollups."""
        with self._guard:
            self._deltas, self._rows, self._has_overflowed = [], 0, False

    @property
    def row_count(self) -> int:
        """Rows that wait to be taken."""
        return self._rows

    def _compact(self) -> None:
        merged = merge(self._deltas)
        self._deltas = [merged]
        self._rows = _row_count(merged)


def _row_count(delta: Delta) -> int:
    tables = (delta.minutes, delta.queues, delta.routers, delta.latencies)
    return sum(int(table.num_rows) for table in tables if table is not None)


def merge(deltas: list[Delta]) -> Delta:
    """The sum of deltas, oldest first: counts add up, of queue values the newest one holds."""
    if not deltas:
        return EMPTY
    if len(deltas) == 1:
        return deltas[0]
    return Delta(
        minutes=summed_minutes(_joined([d.minutes for d in deltas], columns.MINUTES)),
        queues=_merged_queues(_joined([d.queues for d in deltas], columns.QUEUES)),
        newest_ns=max(delta.newest_ns for delta in deltas),
        routers=_summed_routers(
            _joined([d.routers for d in deltas if d.routers is not None], columns.ROUTERS)
        ),
        latencies=summed_latencies(
            _joined([d.latencies for d in deltas if d.latencies is not None], columns.LATENCIES)
        ),
    )


def _joined(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    return columns.join([table for table in tables if table.num_rows], schema)


def summed_minutes(rows: pa.Table) -> pa.Table:
    """Joined rows in MINUTES_COLUMNS, summed to one a flow, outcome, reason and minute."""
    key = key_of(rows, columns.MINUTE_KEY, rows.column("minute").to_numpy())
    frame = pl.DataFrame(
        {
            "key": key,
            "row": np.arange(len(key)),
            "count": rows.column("count").to_numpy(),
            "first_ns": rows.column("first_ns").to_numpy(),
            "last_ns": rows.column("last_ns").to_numpy(),
        }
    )
    sums = frame.group_by("key").agg(
        pl.col("row").first(),
        pl.col("count").sum(),
        pl.col("first_ns").min(),
        pl.col("last_ns").max(),
    )
    sums = sums.sort("row")
    first = sums["row"].to_numpy()
    return pa.table(
        {
            "minute": rows.column("minute").to_numpy()[first],
            **take_tags(rows, columns.MINUTE_KEY, first),
            "count": sums["count"].to_numpy(),
            "first_ns": sums["first_ns"].to_numpy(),
            "last_ns": sums["last_ns"].to_numpy(),
        }
    ).cast(columns.MINUTES)


def _merged_queues(rows: pa.Table) -> pa.Table:
    key = key_of(rows, columns.QUEUE_KEY, rows.column("minute").to_numpy())
    frame = pl.DataFrame(
        {
            "key": key,
            "row": np.arange(len(key)),
            "last_ns": rows.column("last_ns").to_numpy(),
            **{name: pl.from_arrow(rows.column(name)) for name in LAST_FIELDS},
        }
    )
    # The sort is stable: of equal time stamps the one that came later stays last.
    frame = frame.sort("last_ns", maintain_order=True)
    lasts = [pl.col(name).drop_nulls().last() for name in LAST_FIELDS]
    sums = frame.group_by("key").agg(pl.col("row").min(), pl.col("last_ns").max(), *lasts)
    sums = sums.sort("row")
    first = sums["row"].to_numpy()
    return pa.table(
        {
            "minute": rows.column("minute").to_numpy()[first],
            **take_tags(rows, columns.QUEUE_KEY, first),
            **{name: sums[name].to_arrow() for name in LAST_FIELDS},
            "last_ns": sums["last_ns"].to_numpy(),
        }
    ).cast(columns.QUEUES)


def _summed_routers(rows: pa.Table) -> pa.Table:
    """Joined rows in ROUTERS_COLUMNS, summed to one a router, flow and minute."""
    if not rows.num_rows:
        return rows
    key = key_of(rows, ROUTER_KEY, rows.column("minute").to_numpy())
    order, starts, _ = grouped(key)
    first = order[starts]
    return pa.table(
        {
            "minute": rows.column("minute").to_numpy()[first],
            **take_tags(rows, ROUTER_KEY, first),
            "count": np.add.reduceat(rows.column("count").to_numpy()[order], starts),
            "last_ns": np.maximum.reduceat(rows.column("last_ns").to_numpy()[order], starts),
        }
    ).cast(columns.ROUTERS)
