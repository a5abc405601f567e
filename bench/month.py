"""A month of a fleet: 2,316 flows that report every minute for 30 days, 100 million minute rows.

The same figures for every server: ours get them as the minute rows that a month of ingest leaves,
peers as one point a flow and minute with a count and a duration.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streamgauge.store.engine.engine import Engine

TENANTS = 193
SOURCES = ("web", "server")
INTEGRATIONS = ("ga4", "s3", "webhook", "braze", "kafka", "redshift")
FLOWS_A_TENANT = len(SOURCES) * len(INTEGRATIONS)
FLOWS = TENANTS * FLOWS_A_TENANT
DAYS = 30
MINUTES_A_BODY = 10
BUCKETS = 8
"""Of each row's histogram."""

Ints = NDArray[np.int64]
_FLOW = f"""
concat('t', leftPad(toString(intDiv(flow, {FLOWS_A_TENANT})), 3, '0')) AS tenant,
{list(SOURCES)}[intDiv(flow % {FLOWS_A_TENANT}, {len(INTEGRATIONS)}) + 1] AS source,
{list(INTEGRATIONS)}[flow % {len(INTEGRATIONS)} + 1] AS integration,
'events' AS pipeline, 'delivered' AS stage,
if(flow % {FLOWS_A_TENANT} = {FLOWS_A_TENANT - 1}, 'error', 'ok') AS outcome, '' AS reason"""
_KEY = "tenant, source, integration, pipeline, stage, outcome, reason"
_SUMS = (
    "count, bytes, latency_hist, queue_hist, latency_min, latency_max, queue_min, queue_max, "
    "first_ns, last_ns"
)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Which minutes are filled."""

    end_minute: int
    days: int = DAYS

    @classmethod
    def until_now(cls, days: int = DAYS) -> Fleet:
        """Up to the whole hour before now."""
        return cls(int(time.time() // 3600) * 60, days)

    @property
    def first_minute(self) -> int:
        """The oldest one."""
        return self.end_minute - self.days * 1440

    @property
    def row_count(self) -> int:
        """Minute rows."""
        return FLOWS * self.days * 1440

    def messages(self, first: int, end: int) -> int:
        """How many there are in `first` <= minute < `end`."""
        minutes = np.arange(first, end)[:, None]
        return int(_counts(minutes, np.arange(FLOWS)[None, :]).sum())


def _counts(minute: Ints, flow: Ints) -> Ints:
    counts: Ints = 1 + (flow * 7919 + minute * 104_729) % 97
    return counts


def fill(engine: Engine, fleet: Fleet) -> None:
    """Put the fleet into a store whose schema is there: minutes, hours, days, and who spoke."""
    for first in range(fleet.first_minute, fleet.end_minute, 1440):
        engine.command(_minutes_sql(first))
    engine.command(
        f"INSERT INTO hour (hour, minutes, {_KEY}, {_SUMS}) SELECT intDiv(minute, 60), "
        f"bitShiftLeft(toUInt64(1), minute % 60), {_KEY}, {_SUMS} FROM minute {_SLOWLY}"
    )
    engine.command(
        f"INSERT INTO day (day, {_KEY}, {_SUMS}) SELECT intDiv(hour, 24), {_KEY}, {_SUMS} "
        f"FROM hour {_SLOWLY}"
    )
    engine.command(
        "INSERT INTO platform_minute SELECT minute, stage, outcome, count, bytes, latency_hist, "
        f"queue_hist, latency_min, latency_max FROM minute {_SLOWLY}"
    )
    engine.command(
        "INSERT INTO last_seen SELECT tenant, source, integration, pipeline, stage, "
        "min(first_ns), max(last_ns) FROM day GROUP BY ALL"
    )
    engine.command(
        "INSERT INTO seen_minute SELECT minute, count(), max(last_ns) FROM minute "
        f"GROUP BY minute {_SLOWLY}"
    )


_SLOWLY = "SETTINGS max_execution_time = 0, max_memory_usage = 8000000000"


def _minutes_sql(first: int) -> str:
    """A day's rows, in the order of the table."""
    return f"""
INSERT INTO minute (minute, {_KEY}, {_SUMS})
SELECT minute, {_KEY}, 1 + (flow * 7919 + minute * 104729) % 97 AS count, count * 512,
    mapFromArrays(arrayMap(i -> toInt16(i * 11 + flow % 7), range({BUCKETS})),
        arrayMap(i -> toUInt64(intDiv(count, {BUCKETS}) + (i < count % {BUCKETS})),
        range({BUCKETS}))),
    map(), 1., 8., inf, -inf, minute * 60000000000, minute * 60000000000 + 59000000000
FROM (SELECT intDiv(number, {FLOWS}) + {first} AS minute, number % {FLOWS} AS flow, {_FLOW}
    FROM numbers({FLOWS * 1440})) {_SLOWLY}"""


def bodies(fleet: Fleet) -> Iterator[bytes]:
    """The same as line protocol, some minutes a body."""
    heads = pl.Series([_head(flow) for flow in range(FLOWS)])
    flows = np.arange(FLOWS)
    for first in range(fleet.first_minute, fleet.end_minute, MINUTES_A_BODY):
        minutes = np.arange(first, min(first + MINUTES_A_BODY, fleet.end_minute))
        minute, flow = np.repeat(minutes, FLOWS), np.tile(flows, len(minutes))
        frame = pl.DataFrame(
            {
                "head": pl.concat([heads] * len(minutes)),
                "count": _counts(minute, flow),
                "latency": 100.0 + (flow * 31 + minute * 17) % 4999 / 10,
                "stamp": minute * 60_000_000_000,
            }
        )
        line = pl.format("{} count={}i,latency_ms={} {}\n", "head", "count", "latency", "stamp")
        yield frame.select(line.str.join(""))[0, 0].encode()


def _head(flow: int) -> str:
    tenant, at = divmod(flow, FLOWS_A_TENANT)
    outcome = "error" if at == FLOWS_A_TENANT - 1 else "ok"
    return (
        f"messages,tenant=t{tenant:03},source={SOURCES[at // len(INTEGRATIONS)]},"
        f"integration={INTEGRATIONS[at % len(INTEGRATIONS)]},pipeline=events,outcome={outcome}"
    )
