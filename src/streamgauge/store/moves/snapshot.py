"""The engine's tables at one instant: clones of hard links, so that writing goes on meanwhile.

A clone costs no space and milliseconds; its merges are stopped, so that it stays what it was. Of a
table it is told how many rows it has, and a fingerprint: the engine's own checksums of its parts,
which moving them does not change. Neighbour: `backup`, which copies a clone elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine

SNAPSHOT = "streamgauge_snapshot"
"""The database in which the clones stand while they are copied."""
_RECORDS = """SELECT part.table AS table, toInt64(sum(part.rows)) AS rows,
    toInt64(count()) AS parts, toInt64(sum(part.bytes_on_disk)) AS bytes,
    lower(hex(sum(sipHash64(part.rows, part.hash_of_all_files)))) AS fingerprint
FROM system.parts AS part
WHERE part.active AND part.database = {database:String} GROUP BY part.table"""
"""The sum does not depend on the names and the order of parts."""


@dataclass(frozen=True, slots=True)
class TableRecord:
    """What a table holds."""

    rows: int
    parts: int
    bytes: int
    """On disk."""
    fingerprint: str
    """Of its parts' contents; merging them changes it, moving them does not."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a frozen store holds."""

    migrations: list[int]
    """The numbers of those that have run, ascending."""
    tables: dict[str, TableRecord]


def take_snapshot(engine: Engine) -> dict[str, TableRecord]:
    """Clone every table; nothing may be inserted meanwhile.

    Raises:
        StoreError: the engine refused.
    """
    drop_snapshot(engine)
    engine.command(f"CREATE DATABASE {SNAPSHOT}")
    for name in table_names(engine):
        engine.command(f"CREATE TABLE {SNAPSHOT}.`{name}` AS default.`{name}`")
        engine.command(f"SYSTEM STOP MERGES {SNAPSHOT}.`{name}`")
        engine.command(
            f"ALTER TABLE {SNAPSHOT}.`{name}` ATTACH PARTITION ALL FROM default.`{name}`"
        )
    return records(engine, SNAPSHOT)


def drop_snapshot(engine: Engine) -> None:
    """Remove what a snapshot left, also one of a process that was killed.

    Raises:
        StoreError: the engine refused.
    """
    engine.command(f"DROP DATABASE IF EXISTS {SNAPSHOT} SYNC")


def table_names(engine: Engine) -> list[str]:
    """Our tables, by name.

    Raises:
        StoreError: the engine refused, or one of them cannot be cloned.
    """
    found = engine.query(
        "SELECT name, engine FROM system.tables WHERE database = 'default' ORDER BY name"
    ).to_pylist()
    for table in found:
        if not table["engine"].endswith("MergeTree"):
            text = f"table {table['name']} cannot be copied: its engine is {table['engine']}"
            raise StoreError(text, permanent=True)
    return [table["name"] for table in found]


def records(engine: Engine, database: str) -> dict[str, TableRecord]:
    """What each table of a database holds, by its name; empty ones too.

    Raises:
        StoreError: the engine refused.
    """
    names = engine.query(
        "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name",
        {"database": database},
    ).column("name")
    told = {
        row.pop("table"): row for row in engine.query(_RECORDS, {"database": database}).to_pylist()
    }
    nothing = {"rows": 0, "parts": 0, "bytes": 0, "fingerprint": "0" * 16}
    return {name: TableRecord(**told.get(name, nothing)) for name in names.to_pylist()}
