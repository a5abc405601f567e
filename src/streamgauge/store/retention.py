"""Forgets what is older than it has to be kept, by whole parts and the clock it is given."""

from __future__ import annotations

from streamgauge.store.engine import Engine

WEEK_S = 604_800
MONTH_MINUTES = 43_200
_RAW = ("messages", "queue", "points", "rejected")
_MINUTES = ("minute", "queue_minute")


def retain(engine: Engine, raw_before_s: float, minutes_before_s: float) -> int:
    """Drop the partitions that end before two instants (epoch seconds); returns how many.

    Raises:
        StoreError: the engine refused.
    """
    oldest_week = int(raw_before_s // WEEK_S)
    oldest_month = int(minutes_before_s // 60 // MONTH_MINUTES)
    dropped = sum(_drop(engine, name, oldest_week) for name in _RAW)
    dropped += sum(_drop(engine, name, oldest_month) for name in _MINUTES)
    _forget_seen(engine, oldest_month * MONTH_MINUTES)
    return dropped


def _forget_seen(engine: Engine, oldest_kept: int) -> None:
    """Delete old minutes; only where there are any, since a deletion rewrites parts."""
    bound = {"minute": oldest_kept}
    answer = engine.query(
        "SELECT count() AS n FROM seen_minute WHERE minute < {minute:Int64}", bound
    )
    if answer.column("n")[0].as_py():
        engine.command("DELETE FROM seen_minute WHERE minute < {minute:Int64}", bound)


def _drop(engine: Engine, table_name: str, oldest_kept: int) -> int:
    answer = engine.query(
        "SELECT DISTINCT partition FROM system.parts WHERE active "
        "AND database = currentDatabase() AND table = {name:String} "
        "AND toInt64OrZero(partition) < {oldest:Int64}",
        {"name": table_name, "oldest": oldest_kept},
    )
    partitions = answer.column("partition").to_pylist() if answer.num_rows else []
    for partition in partitions:
        engine.command(f"ALTER TABLE {table_name} DROP PARTITION {int(partition)}")
    return len(partitions)
