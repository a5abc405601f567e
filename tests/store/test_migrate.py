"""How migrations are read."""

from __future__ import annotations

from streamgauge.store.migrate import Statement, known_migrations, statements_of

FILE = """-- What it is about; and why.
CREATE TABLE IF NOT EXISTS t (a Int64) -- of one column
ENGINE = Memory;

-- Moved, unless that was done.
-- if: SELECT count() FROM system.tables WHERE name = 'old'
RENAME TABLE old TO new;
"""


def test_a_statement_has_the_condition_that_stands_before_it() -> None:
    create, rename = statements_of(FILE)
    assert create == Statement(
        "CREATE TABLE IF NOT EXISTS t (a Int64) \nENGINE = Memory", condition=""
    )
    assert rename == Statement(
        "RENAME TABLE old TO new", "SELECT count() FROM system.tables WHERE name = 'old'"
    )


def test_every_fill_works_in_blocks_that_fit_into_memory() -> None:
    """With the engine's own, minutes of 30 buckets took more than the 1 GiB a statement may."""
    fills = [
        statement.sql
        for migration in known_migrations()
        for statement in migration.statements
        if statement.sql.startswith("INSERT INTO") and "FROM kept_from" not in statement.sql
    ]
    assert len(fills) > 10
    for sql in fills:
        _, _, settings = sql.rpartition("SETTINGS")
        named = dict(pair.strip().split(" = ") for pair in settings.split(","))
        assert int(named["min_insert_block_size_rows"]) <= 131_072, sql
        assert int(named["min_insert_block_size_bytes"]) <= 64 * 1024**2, sql
        assert int(named["max_block_size"]) <= 16_384, sql
        assert named["max_insert_threads"] == "1", sql
