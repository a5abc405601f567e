"""What the store holds, by table, level and partition, and what each customer's part is."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from streamgauge.model.errors import StoreError
from streamgauge.model.usage import Level, PartitionUsage, StoreUsage, TenantUsage
from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import LEVELS, MESSAGES, MINUTE, NS_A_SECOND, RAW_TABLES, TABLES

_DIVISION = re.compile(r"intDiv\((\w+), (\d+)\)")
_UNITS_S = {"time_ns": 1 / NS_A_SECOND} | {
    level.name: level.unit_ns / NS_A_SECOND for level in LEVELS
}
_TENANTS = 10_000


def usage(engine: Engine, data_dir: Path, at: float) -> StoreUsage:
    """Everything on disk now; a few milliseconds, however much is stored.

    Args:
        engine: where the tables are.
        data_dir: files beside the engine's are counted too.
        at: epoch seconds, what the answer is stamped with.

    Raises:
        StoreError: the engine refused.
    """
    keys = _partition_keys(engine)
    rows = engine.query(
        "SELECT table, partition, active, sum(bytes_on_disk) AS size, sum(rows) AS count "
        "FROM system.parts WHERE database = currentDatabase() GROUP BY table, partition, active"
    ).to_pylist()
    return StoreUsage(
        at=at,
        partitions=[_partition(row, keys) for row in rows if row["active"]],
        obsolete_bytes=sum(int(row["size"]) for row in rows if not row["active"]),
        files_bytes=_files_bytes(data_dir),
    )


def tenants(engine: Engine, from_s: float, to_s: float) -> list[TenantUsage]:
    """What each customer sent in a range, those with most lines first, at most 10,000.

    Raises:
        StoreError: the engine refused.
    """
    bounds = {
        "from_ns": int(from_s * NS_A_SECOND),
        "to_ns": int(to_s * NS_A_SECOND),
        "from_minute": int(from_s // 60),
        "to_minute": int(to_s // 60),
    }
    answer = engine.query(
        f"""SELECT tenant, sum(lines) AS lines, sum(minutes) AS minutes, sum(messages) AS messages
        FROM (
            SELECT tenant, 0 AS lines, count() AS minutes, sum(count) AS messages
            FROM {MESSAGES.table(MINUTE)}
            WHERE minute >= {{from_minute:Int64}} AND minute < {{to_minute:Int64}} GROUP BY tenant
            UNION ALL
            SELECT tenant, count() AS lines, 0, 0
            FROM {MESSAGES.raw}
            WHERE time_ns >= {{from_ns:Int64}} AND time_ns < {{to_ns:Int64}} GROUP BY tenant
        )
        GROUP BY tenant ORDER BY lines DESC, minutes DESC, tenant LIMIT {_TENANTS}""",  # noqa: S608 our own tables
        bounds,
    )
    return [
        TenantUsage(row["tenant"], int(row["lines"]), int(row["minutes"]), int(row["messages"]))
        for row in answer.to_pylist()
    ]


def room_bytes(engine: Engine, data_dir: Path | None) -> int:
    """Free bytes: of the file system of a folder, or of the server's disks.

    Raises:
        StoreError: it cannot be asked.
    """
    if data_dir is None:
        answer = engine.query("SELECT toInt64(sum(free_space)) AS free FROM system.disks")
        return int(answer.column("free")[0].as_py())
    try:
        return shutil.disk_usage(data_dir).free
    except OSError as error:
        raise StoreError(f"{data_dir}: {error.strerror}", permanent=False) from error


def _partition_keys(engine: Engine) -> dict[str, float]:
    """Length of a partition in seconds, of every table that is split by time."""
    rows = engine.query(
        "SELECT name, partition_key FROM system.tables WHERE database = currentDatabase()"
    ).to_pylist()
    return {
        row["name"]: _UNITS_S[division[1]] * int(division[2])
        for row in rows
        if (division := _DIVISION.search(row["partition_key"])) and division[1] in _UNITS_S
    }


def _partition(row: dict[str, object], keys: dict[str, float]) -> PartitionUsage:
    name, table = str(row["partition"]), str(row["table"])
    length_s = keys.get(table) if name.isdigit() else None
    return PartitionUsage(
        table=table,
        level=_level(table),
        name=name,
        size_bytes=int(str(row["size"])),
        row_count=int(str(row["count"])),
        from_s=None if length_s is None else int(name) * length_s,
        to_s=None if length_s is None else (int(name) + 1) * length_s,
    )


def _level(table: str) -> Level:
    if table in RAW_TABLES:
        return Level.RAW
    for level in LEVELS:
        if table in TABLES[level]:
            return Level(level.name)
    return Level.OTHER


def _files_bytes(folder: Path) -> int:
    """Journal, state and the rest; the engine's own folder is told by its parts."""
    total = 0
    for root, folders, names in os.walk(folder):
        if Path(root) == folder and "store" in folders:
            folders.remove("store")
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:  # it went while we looked
                continue
    return total
