"""Brings the schema up to date by the numbered files in `migrations/`.

A file is run from its beginning again after a crash, so each statement is repeatable. One that is
not by itself has a line `-- if: SELECT …` before it: it runs only where that answers a number
above 0, asked right before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine

_COMMENT = re.compile(r"--[^\n]*")
_CONDITION = re.compile(r"^-- if: (.*)$", re.MULTILINE)
_REGISTER = """CREATE TABLE IF NOT EXISTS schema_migrations
(number UInt32, name String) ENGINE = MergeTree ORDER BY number"""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is run, and when."""

    sql: str
    condition: str = ""
    """A question whose answer is a number; empty: it always runs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    statements: tuple[Statement, ...]


def migrate(engine: Engine, tell: Callable[[Migration], None] = lambda _: None) -> int:
    """Run what has not run yet; returns how many. Statements are repeatable after a crash.

    Args:
        engine: open.
        tell: told of each migration before it runs.

    Raises:
        StoreError: a statement failed, or the store was written by a newer streamgauge.
    """
    todo = pending(engine)
    engine.command(_REGISTER)
    for migration in todo:
        tell(migration)
        for statement in migration.statements:
            run(engine, statement)
        engine.command(
            "INSERT INTO schema_migrations SELECT {number:UInt32}, {name:String}",
            {"number": migration.number, "name": migration.name},
        )
    return len(todo)


def run(engine: Engine, statement: Statement) -> None:
    """Run a statement where its condition holds.

    Raises:
        StoreError: the engine refused.
    """
    if not statement.condition or _holds(engine, statement.condition):
        engine.command(statement.sql)


def pending(engine: Engine) -> list[Migration]:
    """What has not run yet, in order; changes nothing.

    Raises:
        StoreError: the engine refused, or the store was written by a newer streamgauge.
    """
    done, known = applied(engine), list(known_migrations())
    if newer := done - {migration.number for migration in known}:
        raise StoreError(
            f"this store was written by a newer streamgauge (migration {max(newer)}): upgrade, "
            "or name another data folder (--data)",
            permanent=True,
        )
    return [migration for migration in known if migration.number not in done]


def applied(engine: Engine) -> set[int]:
    """The numbers of the migrations that have run; none: nothing was ever stored.

    Raises:
        StoreError: the engine refused.
    """
    if not _holds(engine, "EXISTS TABLE schema_migrations"):
        return set()
    numbers = engine.query("SELECT number FROM schema_migrations").column("number")
    return set(numbers.to_pylist())


def _holds(engine: Engine, condition: str) -> bool:
    return bool(engine.query(condition).column(0)[0].as_py())


def known_migrations() -> Iterator[Migration]:
    """Every migration of this version, in order."""
    folder = files("streamgauge.store") / "migrations"
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".sql"):
            statements = tuple(statements_of(path.read_text(encoding="utf-8")))
            yield Migration(int(path.name.split("_", 1)[0]), path.name, statements)


def statements_of(text: str) -> Iterator[Statement]:
    """A file's statements in order; each ends with a semicolon."""
    for part in text.split(";\n"):
        condition = _CONDITION.search(part)
        if sql := _COMMENT.sub("", part).strip(" \n;"):
            yield Statement(sql, condition[1].strip() if condition else "")
