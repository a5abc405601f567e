"""How migrations are read."""

from __future__ import annotations

from streamgauge.store.migrate import Statement, statements_of

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
