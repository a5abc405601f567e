"""Brings the schema up to date by the numbered files in `migrations/`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from streamgauge.model.errors import StoreError
from streamgauge.store.engine import Engine

_COMMENT = re.compile(r"--[^\n]*")
_REGISTER = """CREATE TABLE IF NOT EXISTS schema_migrations
(number UInt32, name String) ENGINE = MergeTree ORDER BY number"""


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
            engine.command(statement)
        engine.command(
            "INSERT INTO schema_migrations SELECT {number:UInt32}, {name:String}",
            {"number": number, "name": name},
        )
    return len(todo)


def _migrations() -> Iterator[tuple[int, str, list[str]]]:
    folder = files("streamgauge.store") / "migrations"
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".sql"):
            text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
            statements = [part.strip() for part in text.split(";") if part.strip()]
            yield int(path.name.split("_", 1)[0]), path.name, statements
