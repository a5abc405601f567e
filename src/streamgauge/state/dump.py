"""The state database as lines of JSON, whatever kind it is, and back into either kind.

Line by line `[table, {column: value}]`, tables in the order in which their rows can be inserted;
all read in one transaction. The schema's revision is told apart: rows go back into that revision,
and `upgrade` does the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, func, insert, inspect, select, text

from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.database import make_engine, transaction
from streamgauge.state.migrate import alembic_config

VERSION_TABLE = "alembic_version"
_ROWS_AT_ONCE = 500


class StateDump:
    """Reads one database."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: `url` cannot be used.
        """
        self._engine = make_engine(url)
        self.revision = ""
        """Of the schema, once `lines` has begun; empty: there is none."""
        self.counts: Counter[str] = Counter()
        """Rows of each table, once `lines` has ended."""

    def lines(self) -> Iterator[bytes]:
        """Every row, as of one instant.

        Raises:
            StoreError: the database refused.
        """
        engine = self._engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        try:
            with transaction(engine, is_write=False) as connection:
                yield from self._lines(connection)
        finally:
            self._engine.dispose()

    def _lines(self, connection: Connection) -> Iterator[bytes]:
        tables = _reflected(connection)
        version = tables.pop(VERSION_TABLE, None)
        self.revision = "" if version is None else str(connection.scalar(select(version)) or "")
        for name, table in tables.items():
            self.counts[name] = 0
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table)):
                self.counts[name] += 1
                yield json.dumps([name, dict(row._mapping)], ensure_ascii=False).encode() + b"\n"


def _reflected(connection: Connection) -> dict[str, Any]:
    metadata = MetaData()
    metadata.reflect(connection)
    return {table.name: table for table in [*metadata.sorted_tables]}


def refuse_filled(url: str) -> None:
    """Raise a StoreError if the database holds rows of ours; creates nothing in it."""
    engine = make_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            return  # its file stands in the data folder, or is refused by who restores
        with transaction(engine, is_write=False) as connection:
            for name, table in _reflected(connection).items():
                if name != VERSION_TABLE and connection.scalar(
                    select(func.count()).select_from(table)
                ):
                    place = engine.url.render_as_string(hide_password=True)
                    what = f"the state database {place} is not empty (table {name})"
                    raise StoreError(f"{what}: name an empty one in [state] url", permanent=True)
    finally:
        engine.dispose()


def refuse_newer_state(revision: str) -> None:
    """Raise a ConfigError if a schema of this revision is newer than this version."""
    known = {
        script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    }
    if revision and revision not in known:
        raise ConfigError(
            f"its state was written by a newer streamgauge (revision {revision}): install that "
            "version, and restore with it"
        )


def load_state(url: str, revision: str, lines: Iterable[bytes]) -> Mapping[str, int]:
    """Put rows into an empty database, all or none; how many of each table.

    Raises:
        StoreError: the database refused.
    """
    engine = make_engine(url)
    counts: Counter[str] = Counter()
    try:
        with transaction(engine, is_write=True) as connection:
            if revision:
                command.upgrade(alembic_config(connection), revision)
            tables = _reflected(connection)
            told = (json.loads(line) for line in lines)
            for name, group in groupby(told, key=lambda pair: str(pair[0])):
                rows = [row for _, row in group]
                counts[name] += len(rows)
                connection.execute(insert(tables[name]), rows)
    finally:
        engine.dispose()
    return counts


def pending_revisions(url: str) -> tuple[str, list[str]]:
    """The schema's revision (empty: none yet), and the revisions that `upgrade` would apply.

    Raises:
        ConfigError: a newer version has written it.
        StoreError: the database refused.
    """
    engine = make_engine(url)
    try:
        revision = _revision(engine)
    finally:
        engine.dispose()
    refuse_newer_state(revision)
    scripts = ScriptDirectory.from_config(alembic_config())
    todo = scripts.iterate_revisions("head", revision or "base")
    return revision, [f"{one.revision} {one.doc}" for one in reversed([*todo])]


def _revision(engine: Engine) -> str:
    with transaction(engine, is_write=False) as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return ""
        return str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) or "")  # noqa: S608
