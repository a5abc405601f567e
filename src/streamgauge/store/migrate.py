"""Brings the schema up to date by the numbered files in `migrations/`.

A file is run from its beginning again after a crash, so each statement is repeatable. One that is
not by itself has a line `-- if: SELECT …` before it: it runs only where that answers a number
above 0, asked right before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from streamgauge.model.errors import StoreError
from streamgauge.store.engine import Engine

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


def migrate(engine: Engine) -> int:
    """Run what has not run yet; returns how many. Statements are repeatable after a crash.

    Raises:
        StoreError: a statement failed, or the store was written by a newer streamgauge.
    """
    engine.command(_REGISTER)
    done = set(engine.query("SELECT number FROM schema_migrations").column("number").to_pylist())
    known = list(_migrations())
    if newer := done - {number for number, _, _ in known}:
        raise StoreError(
            f"this store was written by a newer streamgauge (migration {max(newer)}): upgrade, "
            "or name another data folder (--data)",
            permanent=True,
        )
    todo = [migration for migration in known if migration[0] not in done]
    for number, name, statements in todo:
        for statement in statements:
            if not statement.condition or _holds(engine, statement.condition):
                engine.command(statement.sql)
        engine.command(
            "INSERT INTO schema_migrations SELECT {number:UInt32}, {name:String}",
            {"number": number, "name": name},
        )
    return len(todo)


def _holds(engine: Engine, condition: str) -> bool:
    return bool(engine.query(condition).column(0)[0].as_py())


def _migrations() -> Iterator[tuple[int, str, list[Statement]]]:
    folder = files("streamgauge.store") / "migrations"
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".sql"):
            statements = list(statements_of(path.read_text(encoding="utf-8")))
            yield int(path.name.split("_", 1)[0]), path.name, statements


def statements_of(text: str) -> Iterator[Statement]:
    """A file's statements in order; each ends with a semicolon."""
    for part in text.split(";\n"):
        condition = _CONDITION.search(part)
        if sql := _COMMENT.sub("", part).strip(" \n;"):
            yield Statement(sql, condition[1].strip() if condition else "")
