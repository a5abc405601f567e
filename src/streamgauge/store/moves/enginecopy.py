"""Copies the engine's tables to a place and back, by ClickHouse's own BACKUP and RESTORE.

A place is a folder or an S3-compatible address; the engine itself reads and writes it. Both run in
the engine's background and are asked for their state. Neighbour: `snapshot`.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.place import Place
from streamgauge.store.moves.snapshot import SNAPSHOT, TableRecord, records

LOOK_EVERY_S = 0.2
UNSEEN_LOOKS = 25
"""It may take a moment until the engine tells of what it was just asked to do."""
_BUSY = "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING"
_OVERLAY = "allow_different_database_def = 1"
"""chDB's `default` is a database of a kind of its own, a backup's is an ordinary one."""


def copy_out(engine: Engine, place: Place, stop: threading.Event) -> None:
    """Write the snapshot to a place.

    Raises:
        StoreError: the engine refused, or `stop` was set.
    """
    _run(engine, f"BACKUP DATABASE {SNAPSHOT} AS `default` TO {place.sql}", "", place, stop)


def copy_in(
    engine: Engine, place: Place, expected: Mapping[str, TableRecord], stop: threading.Event
) -> None:
    """Read tables from a place into an empty engine, and prove that they are what they were.

    1. The tables are made, and their merges stopped: parts must stay what they are until compared.
    2. The parts come in; their fingerprints are compared with what the snapshot's were.
    3. Every block of every part is read and its checksum verified.

    Raises:
        StoreError: the engine refused, or what came is not what was there.
    """
    statement = f"RESTORE DATABASE `default` FROM {place.sql}"
    _run(engine, statement, f"structure_only = 1, {_OVERLAY}", place, stop)
    engine.command("SYSTEM STOP MERGES")
    _run(engine, statement, f"allow_non_empty_tables = 1, {_OVERLAY}", place, stop)
    _compare(expected, records(engine, "default"))
    for name in expected:
        if stop.is_set():
            raise StoreError("it was stopped", permanent=False)
        _check(engine, name)
    engine.command("SYSTEM START MERGES")


def _compare(expected: Mapping[str, TableRecord], found: Mapping[str, TableRecord]) -> None:
    for name, record in expected.items():
        came = found.get(name)
        if came is None or (came.rows, came.fingerprint) != (record.rows, record.fingerprint):
            rows = "none" if came is None else f"{came.rows:,}"
            text = (
                f"table {name} is not what was backed up ({record.rows:,} rows; {rows} came, or "
                "other ones): the backup is damaged, use another"
            )
            raise StoreError(text, permanent=True)


def _check(engine: Engine, name: str) -> None:
    sql = f"CHECK TABLE `{name}` SETTINGS check_query_single_value_result = 0"
    bad = [part for part in engine.query(sql).to_pylist() if not part["is_passed"]]
    if bad:
        text = f"table {name}: part {bad[0]['part_path']} is damaged: {bad[0]['message'][:200]}"
        raise StoreError(f"{text}: use another backup", permanent=True)


def _run(
    engine: Engine, statement: str, settings: str, place: Place, stop: threading.Event
) -> None:
    """Start it in the engine's background, and wait until it has ended."""
    number = str(uuid.uuid4())
    options = ", ".join(filter(None, (f"id = '{number}'", settings, "max_execution_time = 0")))
    engine.command(f"{statement} SETTINGS {options} ASYNC")
    sql = "SELECT toString(status) AS status, error FROM system.backups WHERE id = {id:String}"
    unseen = 0
    while True:
        rows = _look(engine, sql, number)
        unseen = 0 if rows else unseen + 1
        lost = "lost: the engine was restarted" if unseen > UNSEEN_LOOKS else "CREATING_BACKUP"
        status = rows[0]["status"] if rows else lost
        if status in {"BACKUP_CREATED", "RESTORED"}:
            return
        if status not in {"CREATING_BACKUP", "RESTORING"}:
            reason = rows[0]["error"] if rows else status
            raise StoreError(_explained(reason or status, place), permanent=False)
        if stop.wait(LOOK_EVERY_S):
            raise StoreError("it was stopped", permanent=False)


def _look(engine: Engine, sql: str, number: str) -> list[dict[str, Any]]:
    """Ask for its state. The connection that began it refuses questions, and is dropped then."""
    try:
        return list(engine.query(sql, {"id": number}).to_pylist())
    except StoreError as error:
        if _BUSY not in str(error):
            raise
        return list(engine.query(sql, {"id": number}).to_pylist())


def _explained(error: str, place: Place) -> str:
    """The engine's first line, without anything secret."""
    line = error.partition(", Stack trace")[0].strip().splitlines()[0]
    hidden = line.replace(place.secret_key, "…") if place.secret_key else line
    return f"{place.url}: {hidden.replace('DB::Exception: ', '')[:500]}"
