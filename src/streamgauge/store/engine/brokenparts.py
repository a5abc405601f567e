"""Data files of the engine that are damaged: found, moved out of the way, and told.

A part that is broken is left out by the engine when it opens the table, if it notices then.
Otherwise every question that reads it fails, and so does every merge. The engine counts its errors
with their texts (`system.errors`), which name the part. It is checked, and detached if it is broken
indeed: what it held is missing from then on, and everything else goes on. Its files stay in the
table's folder `detached/`, and the notice stays until they are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import structlog

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine

log = structlog.get_logger(__name__)

_PART = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/([0-9A-Za-z_]+)/")
"""The folder of a table, named by its UUID, and that of a part in it."""
_DAMAGE_CODES = (
    33,  # CANNOT_READ_ALL_DATA
    40,  # CHECKSUM_DOESNT_MATCH
    74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
    76,  # CANNOT_OPEN_FILE
    107,  # FILE_DOESNT_EXIST
    117,  # INCORRECT_DATA
    226,  # NO_FILE_IN_DATA_PART
    228,  # BAD_SIZE_OF_FILE_IN_DATA_PART
    246,  # CORRUPTED_DATA
    271,  # CANNOT_DECOMPRESS
    432,  # UNKNOWN_CODEC
)
"""Others name parts as well (memory, time limits), and checking a part reads all of it.
Source: ClickHouse, src/Common/ErrorCodes.cpp"""
_ERRORS = """SELECT code, value, last_error_message AS text FROM system.errors
WHERE has({codes:Array(Int32)}, code)"""
_DETACHED = """SELECT table, name, path FROM system.detached_parts
WHERE database = currentDatabase() AND reason IN ('', 'broken', 'broken-on-start')
ORDER BY table, name LIMIT 1000"""
_TABLE = """SELECT name FROM system.tables WHERE database = currentDatabase()
AND arrayExists(path -> position(path, {uuid:String}) > 0, data_paths)"""
_CHECK = (
    "CHECK TABLE {table:Identifier} PART {part:String} SETTINGS check_query_single_value_result=0"
)


class BrokenParts:
    """Of an engine that has its tables on this machine. One thread may `look` at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[int, int] = {}
        self._notices: tuple[str, ...] = ()

    def notices(self) -> tuple[str, ...]:
        """One for each table with missing parts, for people, as of the last look."""
        return self._notices

    def look(self) -> None:
        """Detach what has turned out broken since the last look, and see what is detached.

        Raises:
            StoreError: the engine refused.
        """
        for table_name, part in sorted(set(self._suspects())):
            if reason := self._fault_of(table_name, part):
                self._detach(table_name, part, reason)
        self._notices = tuple(self._told())

    def _suspects(self) -> Iterator[tuple[str, str]]:
        """Tables and parts that errors since the last look were about."""
        for row in self._engine.query(_ERRORS, {"codes": list(_DAMAGE_CODES)}).to_pylist():
            if self._seen.get(row["code"]) != row["value"]:
                self._seen[row["code"]] = row["value"]
                for uuid, part in set(_PART.findall(row["text"])):
                    for table in self._engine.query(_TABLE, {"uuid": uuid}).to_pylist():
                        yield table["name"], part

    def _fault_of(self, table_name: str, part: str) -> str:
        """What is wrong with a part; empty: nothing, or it is not in use any more."""
        names = {"table": table_name, "part": part}
        active = self._engine.query(
            "SELECT name FROM system.parts WHERE active AND database = currentDatabase() "
            "AND table = {table:String} AND name = {part:String}",
            names,
        )
        if not active.num_rows:
            return ""
        try:
            answer = self._engine.query(_CHECK.replace("{part:String}", f"'{part}'"), names)
        except StoreError as error:
            return str(error)
        return next((row["message"] for row in answer.to_pylist() if not row["is_passed"]), "")

    def _detach(self, table_name: str, part: str, reason: str) -> None:
        self._engine.command(f"ALTER TABLE {table_name} DETACH PART '{part}'")
        log.error(
            "a damaged data file was taken out of use; everything else goes on",
            table=table_name,
            part=part,
            reason=reason[:300],
        )

    def _told(self) -> Iterator[str]:
        found: dict[str, list[Path]] = {}
        for row in self._engine.query(_DETACHED).to_pylist():
            found.setdefault(row["table"], []).append(Path(row["path"]))
        for table_name, paths in found.items():
            counts = [_row_count(path) for path in paths]
            rows = f"{sum(counts):,} rows" if all(counts) else "an unknown number of rows"
            yield (
                f"data files of the table {table_name} are damaged: {rows} of it are missing, "
                f"everything else is served. Check the disk, restore a backup if you need them, "
                f"and when you have looked, remove {paths[0].parent}/*"
            )


def _row_count(path: Path) -> int:
    """What a part says it holds; 0: that cannot be told."""
    try:
        return int((path / "count.txt").read_text())
    except (OSError, ValueError):
        return 0
