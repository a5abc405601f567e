"""Forgets what is older than it has to be kept, by whole parts and the clock it is given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import KeptFrom
from streamgauge.store.levels import (
    DAY,
    HOUR,
    LEVELS,
    MINUTE,
    NS_A_SECOND,
    RAW_TABLES,
    ROUTERS,
    TABLES,
)

ROUTERS_S = 2 * 86_400.0
"""Detection asks for a day of them."""
_DIVISION = re.compile(r"intDiv\((\w+), (\d+)\)")
_UNITS_NS = {"time_ns": 1} | {level.name: level.unit_ns for level in LEVELS}
"""What a column by which a table is split counts in."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each level is kept at least, seconds; infinity: for ever."""

    raw_s: float
    minute_s: float
    hour_s: float
    day_s: float

    def by_table(self) -> dict[str, float]:
        """Seconds for every table that is split by time; none is kept shorter than a finer one."""
        minute_s = max(self.raw_s, self.minute_s)
        hour_s = max(minute_s, self.hour_s)
        levels = {MINUTE: minute_s, HOUR: hour_s, DAY: max(hour_s, self.day_s)}
        kept = dict.fromkeys(RAW_TABLES, self.raw_s) | {ROUTERS: ROUTERS_S}
        return kept | {name: kept_s for level, kept_s in levels.items() for name in TABLES[level]}


def retain(
    engine: Engine,
    kept: KeptFrom,
    retention: Retention,
    now_s: float,
    while_settled: Callable[[], AbstractContextManager[None]],
) -> int:
    """Drop the partitions that ended long enough before `now_s`; returns how many.

    Which times a partition holds is read off its table's key, whatever that is.

    Args:
        engine: where the tables are.
        kept: is told first up to where they will be emptied.
        retention: how long they are kept.
        now_s: epoch seconds.
        while_settled: nothing waits for hours and days, nor is inserted, inside of it: minutes
            must not go while they stand in for an hour.

    Raises:
        StoreError: the engine refused.
    """
    oldest = _oldest_kept(engine, retention, now_s)
    with while_settled():
        kept.move(engine, {name: first * size_ns for name, (first, size_ns) in oldest.items()})
    dropped = 0
    for name, partition in _partitions(engine):
        if name in oldest and partition < oldest[name][0]:
            engine.command(f"ALTER TABLE {name} DROP PARTITION {partition}")
            dropped += 1
    _forget_seen(engine, kept.from_ns)
    return dropped


def _oldest_kept(engine: Engine, retention: Retention, now_s: float) -> dict[str, tuple[int, int]]:
    """For each table the number of its first partition to be kept, and a partition's length, ns."""
    answer = engine.query(
        "SELECT name, partition_key FROM system.tables WHERE database = currentDatabase()"
    )
    sizes_ns = {
        row["name"]: _UNITS_NS[division[1]] * int(division[2])
        for row in answer.to_pylist()
        if (division := _DIVISION.search(row["partition_key"])) and division[1] in _UNITS_NS
    }
    return {
        name: (max(int((now_s - kept_s) * NS_A_SECOND // sizes_ns[name]), 0), sizes_ns[name])
        for name, kept_s in retention.by_table().items()
        if name in sizes_ns and math.isfinite(kept_s)
    }


def _partitions(engine: Engine) -> Iterator[tuple[str, int]]:
    answer = engine.query(
        "SELECT DISTINCT table, partition FROM system.parts "
        "WHERE active AND database = currentDatabase()"
    )
    for row in answer.to_pylist():
        if row["partition"].isdigit():
            yield row["table"], int(row["partition"])


def _forget_seen(engine: Engine, from_ns: Mapping[str, int]) -> None:
    """Delete old minutes; only where there are any, since a deletion rewrites parts.

    They tell zero from unknown for every level, so they stay as long as days do.
    """
    oldest = from_ns.get(TABLES[DAY][0], 0) // MINUTE.unit_ns
    bound = {"minute": oldest}
    answer = engine.query(
        "SELECT count() AS n FROM seen_minute WHERE minute < {minute:Int64}", bound
    )
    if answer.column("n")[0].as_py():
        engine.command("DELETE FROM seen_minute WHERE minute < {minute:Int64}", bound)
