"""The connection: SQLite in a file (WAL) or PostgreSQL, and transactions that say what failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import DeclarativeBase

from streamgauge.model.errors import ConfigError, StoreError

BUSY_TIMEOUT_S = 10
"""How long a writer waits for another one on SQLite, which has one at a time."""

Insert = postgresql.Insert | sqlite.Insert
ACCEPTED = "`sqlite:////absolute/file` or `postgresql+psycopg://user:password@host/database`"


def make_engine(url: str) -> Engine:
    """An engine for `url`, not yet connected.

    Raises:
        ConfigError: `url` is not one of the accepted.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise ConfigError(f"[state] url = {url!r}: names no file; accepted: {ACCEPTED}")
        if backend not in {"sqlite", "postgresql"}:
            raise ConfigError(f"[state] url: {backend} is not known; accepted: {ACCEPTED}")
        engine = create_engine(parsed, pool_pre_ping=backend == "postgresql")
    except (ArgumentError, NoSuchModuleError) as error:
        # The text of the error may repeat the address, and with it a password.
        raise ConfigError(f"[state] url cannot be read; accepted: {ACCEPTED}") from error
    except ModuleNotFoundError as error:
        raise ConfigError(f"[state] url needs the package {error.name}: install it") from error
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver's own BEGIN would come too late to hold a lock: `_begin_sqlite` does it.
    # Source: SQLAlchemy, SQLite dialect, "Enabling Non-Legacy SQLite Transactional Modes".
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",  # a notification must not be forgotten by a power cut
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: two readers that both turn writers would block each other.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, is_write: bool) -> Iterator[Connection]:
    """One transaction: kept at the end of the block, undone if it raises.

    Raises:
        StoreError: the database cannot be reached or refuses; trying again may help.
    """
    options = engine.execution_options(is_write=is_write)
    try:
        with options.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreError(f"the state database refuses: {error.orig}", permanent=False) from error
    except NoConnectionLeft as error:
        message = "the state database is busy: all connections are in use"
        raise StoreError(message, permanent=False) from error


def insert_of(connection: Connection, row: type[DeclarativeBase]) -> Insert:
    """The insert of a table that can say what happens to a row that is there already."""
    return sqlite.insert(row) if connection.dialect.name == "sqlite" else postgresql.insert(row)
