"""Thins hops, hour by hour, to journeys worth keeping for longer, within a budget of bytes.

1. All hops of an hour are kept until it has been over for a while; sooner, but not before its end,
   where hops take more than half of the budget.
2. Then a message's hops of that hour are copied to `hops_kept` if any hop of it around that hour
   failed or was slow; of the other messages a share, by a hash of the id, so that all hops of one
   message fare alike. Slow: longer than 99 % at the same integration, pipeline and stage took in
   that hour, by the histograms. Troubles of an hour that take more than a twelfth of the budget
   are kept in part.
3. The share is what fits: each hour may take as much as keeps the whole at 7/8 of the budget.
   `hops_thinned` says which it was; the partition of the hour is dropped.
4. What is kept goes by age, and the oldest of it where troubles of many hours exceed the budget.

Each step can be made again after a crash: a hop has a number of its own, and copies of it are one.
Hops that come while an hour is copied are seen by their number; those that come after it was
dropped make a new partition, which is thinned in its turn. (docs/adr/0011)
"""

# ruff: noqa: S608 - numbers of our own
from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager

import pyarrow as pa
import structlog

from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import NS_A_SECOND
from streamgauge.store.places import PLACE_SQL, PLACES
from streamgauge.store.queries.rows import FAILED_SQL
from streamgauge.store.settings import JourneySettings

log = structlog.get_logger(__name__)

HOUR_S = 3600
HOURS_A_KEPT_PARTITION = 6
SLOW_LEVEL = 0.99
AIM = 7
"""The whole settles where AIM / (AIM + 1) of the budget are used."""
MOST_TROUBLES = 10_000_000
"""Hops of messages with trouble that one hour keeps at most; beyond it, a share of them."""
TROUBLE_PART = 2 * HOURS_A_KEPT_PARTITION
"""They may take one part in so many of the budget, so that two partitions always fit."""
TRIES = 3
"""So often an hour is copied while hops still come to it; then inserting waits for it."""
COLUMNS = (
    "hour, id, time_ns, seq, tenant, source, integration, pipeline, stage, outcome, reason, "
    "router, version, latency_ns, queue_ns, bytes, error"
)
_PATIENTLY = (
    "SETTINGS max_execution_time = 0, max_threads = 2, max_insert_threads = 1, "
    "max_block_size = 16384, min_insert_block_size_rows = 131072, "
    "min_insert_block_size_bytes = 67108864"
)
Still = Callable[[], AbstractContextManager[None]]
"""Nothing is inserted inside of it."""


def thin(engine: Engine, settings: JourneySettings, now_s: float, still: Still) -> int:
    """Thin what is due and forget what is old; returns how many partitions went.

    Args:
        engine: where the tables are.
        settings: how long, and how much.
        now_s: epoch seconds.
        still: holds insertion up for the moment in which a partition is dropped.

    Raises:
        StoreError: the engine refused; it goes on at the next call.
    """
    gone = 0
    hours = _partitions(engine, "hops")
    taken = sum(size for _, size, _ in hours)
    for hour, size, rows in hours:
        end_s = (hour + 1) * HOUR_S
        is_crowded = taken > settings.disk_bytes / 2
        if now_s >= end_s + settings.whole_s or (is_crowded and now_s >= end_s):
            _Hour(engine, settings, hour, max(size / rows, 1.0)).thin(now_s, still)
            gone, taken = gone + 1, taken - size
    return gone + _forget(engine, settings, now_s)


def _partitions(engine: Engine, table: str) -> list[tuple[int, int, int]]:
    """Number, bytes and rows of each partition of a table, the oldest first."""
    answer = engine.query(
        "SELECT partition AS name, sum(bytes_on_disk) AS size, sum(rows) AS count "
        "FROM system.parts WHERE active AND database = currentDatabase() "
        f"AND table = '{table}' AND rows > 0 GROUP BY name"
    )
    rows = answer.to_pylist()
    return sorted((int(row["name"]), int(row["size"]), int(row["count"])) for row in rows)


class _Hour:
    """One hour's partition, and what is decided about it."""

    def __init__(
        self, engine: Engine, settings: JourneySettings, hour: int, bytes_a_hop: float
    ) -> None:
        self._engine, self._settings, self._hour = engine, settings, hour
        self._bytes_a_hop = bytes_a_hop

    def thin(self, now_s: float, still: Still) -> None:
        """Copy what is kept, say so, drop the partition."""
        for _ in range(TRIES):
            count = self._count("hops")
            self._keep(count, now_s)
            with still():
                if self._count("hops") == count:
                    self._drop()
                    return
        with still():
            self._keep(self._count("hops"), now_s)
            self._drop()

    def _drop(self) -> None:
        self._engine.command(f"ALTER TABLE hops DROP PARTITION {self._hour}")

    def _count(self, table: str, condition: str = "1") -> int:
        answer = self._engine.query(
            f"SELECT count() AS n FROM {table} WHERE hour = {self._hour} AND {condition} "
            "SETTINGS max_execution_time = 0"
        )
        return int(answer.column("n")[0].as_py())

    def _keep(self, count: int, now_s: float) -> None:
        places, troubled = self._decide(count)
        place = PLACE_SQL.format("id")
        self._engine.command(
            f"INSERT INTO hops_kept ({COLUMNS}, is_trouble) "
            f"SELECT {COLUMNS}, toUInt8({place} >= {places}) FROM hops "
            f"WHERE hour = {self._hour} AND ({place} < {places} OR {troubled}) {_PATIENTLY}"
        )
        share = places / PLACES
        mark = {
            "hour": pa.array([self._hour], pa.int64()),
            "thinned_at_ns": pa.array([int(now_s * NS_A_SECOND)], pa.int64()),
            "share": pa.array([share], pa.float64()),
            "hops": pa.array([count], pa.uint64()),
        }
        self._engine.insert("hops_thinned", pa.table(mark), uuid.uuid4().hex)
        log.info("hops were thinned", hour=self._hour, hops=count, share=round(share, 4))

    def _decide(self, count: int) -> tuple[int, str]:
        """How many places belong to the share, and which other hops are kept."""
        kept = _partitions(self._engine, "hops_kept")
        taken, kept_count = (sum(part[at] for part in kept) for at in (1, 2))
        bytes_a_hop = max(self._bytes_a_hop, taken / max(kept_count, 1))
        fitting = self._allowed_bytes(taken) / bytes_a_hop
        if count <= fitting:
            return PLACES, "0"
        troubled = f"cityHash64(id) IN ({self._troubles()})"
        troubled_count = self._count("hops", troubled)
        most = min(self._settings.disk_bytes / TROUBLE_PART / bytes_a_hop, MOST_TROUBLES)
        if troubled_count > most:
            places = int(PLACES * most / troubled_count)
            troubled = f"({PLACE_SQL.format('id')} < {places} AND {troubled})"
        share = max(fitting - troubled_count, 0.0) / max(count - troubled_count, 1)
        return min(int(share * PLACES), PLACES), troubled

    def _allowed_bytes(self, taken: int) -> float:
        hours = max(self._settings.retention_s / HOUR_S, AIM)
        return max(self._settings.disk_bytes - taken, 0) * AIM / hours

    def _troubles(self) -> str:
        """A subquery of hashed ids: failed or slow around this hour, as far as it is known now."""
        reach = math.ceil(self._settings.whole_s / HOUR_S) + 1
        around = f"hour >= {self._hour - reach} AND hour <= {self._hour + reach}"
        hops = " UNION ALL ".join(
            "SELECT hour, integration, pipeline, stage, id, outcome, latency_ns "
            f"FROM {table} WHERE {around}"
            for table in ("hops", "hops_kept")
        )
        slow = (
            "SELECT intDiv(minute, 60) AS hour, integration, pipeline, stage, "
            f"exp2((quantileExactWeightedArray({SLOW_LEVEL})(mapKeys(latency_hist), "
            "mapValues(latency_hist)) + 1) / 32) * 1e9 AS slow_ns FROM minute "
            f"WHERE minute >= {(self._hour - reach) * 60} "
            f"AND minute < {(self._hour + reach + 1) * 60} AND notEmpty(latency_hist) "
            "GROUP BY hour, integration, pipeline, stage"
        )
        return (
            f"SELECT cityHash64(id) FROM ({hops}) AS hops ANY LEFT JOIN ({slow}) AS slow "
            "USING (hour, integration, pipeline, stage) "
            f"WHERE outcome IN ({FAILED_SQL}) OR (slow_ns > 0 AND latency_ns > slow_ns)"
        )


def _forget(engine: Engine, settings: JourneySettings, now_s: float) -> int:
    """Drop what is too old, and the oldest of what is too much."""
    ended = int((now_s - settings.retention_s) // HOUR_S)
    kept = _partitions(engine, "hops_kept")
    taken, gone = sum(size for _, size, _ in kept), 0
    for number, size, _ in kept:
        is_old = (number + 1) * HOURS_A_KEPT_PARTITION <= ended
        is_much = taken > settings.disk_bytes and number < kept[-1][0]
        if is_old or is_much:
            engine.command(f"ALTER TABLE hops_kept DROP PARTITION {number}")
            gone, taken = gone + 1, taken - size
    for table, hours in (("error_samples", 24), ("hops_thinned", 720)):
        for number, _, _ in _partitions(engine, table):
            if (number + 1) * hours <= ended:
                engine.command(f"ALTER TABLE {table} DROP PARTITION {number}")
                gone += 1
    return gone
