"""The schema comes up from nothing, once, and is what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.database import make_engine, transaction
from streamgauge.state.migrate import upgrade
from streamgauge.state.state import State
from streamgauge.state.tables import Base


def test_the_migrations_make_what_the_models_say(state_url: str) -> None:
    engine = make_engine(state_url)
    upgrade(engine)
    with transaction(engine, is_write=False) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_opening_again_changes_nothing(state_url: str) -> None:
    for _ in range(2):
        state = State(state_url, SimulatedClock())
        state.open()
        assert state.list_incidents() == []
        state.close()


def test_a_database_of_a_newer_version_is_refused(state: State, state_url: str) -> None:
    engine = make_engine(state_url)
    with transaction(engine, is_write=True) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"written by a newer streamgauge .*9999"):
        state.open()
    engine.dispose()


def test_sqlite_keeps_a_write_ahead_log_and_foreign_keys(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'state.sqlite3'}")
    with transaction(engine, is_write=False) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 10_000
    engine.dispose()


def test_a_folder_that_is_missing_says_what_to_check(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path / 'nowhere' / 'state.sqlite3'}", SimulatedClock())
    with pytest.raises(ConfigError, match=r"cannot be opened .*check that its folder exists"):
        state.open()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_text("this is a letter, not a database, and long enough to be read as one" * 20)
    state = State(f"sqlite:///{path}", SimulatedClock())
    with pytest.raises(ConfigError, match="not a database"):
        state.open()
    state.close()


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    state = State("postgresql+psycopg://kim:s3cret@127.0.0.1:9/test", SimulatedClock())
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        state.open()
    assert "127.0.0.1:9" in str(caught.value)
    assert "s3cret" not in str(caught.value)


FAULTS = {
    "in memory": "sqlite://",
    "another server": "mysql://kim:s3cret@db/state",
    "no address": "state.sqlite3 s3cret",
    "an unknown driver": "postgresql+nothing://kim:s3cret@db/state",
}


@pytest.mark.parametrize("url", FAULTS.values(), ids=FAULTS)
def test_an_address_that_cannot_be_used_says_what_is_accepted(url: str) -> None:
    with pytest.raises(ConfigError, match="accepted: `sqlite:////absolute/file` or") as caught:
        State(url, SimulatedClock())
    assert "s3cret" not in str(caught.value)


def test_a_database_that_refuses_later_is_a_store_error(state: State, state_url: str) -> None:
    engine = make_engine(state_url)
    with transaction(engine, is_write=True) as connection:
        connection.execute(text("DROP TABLE notification"))
    with pytest.raises(StoreError, match="the state database refuses: ") as caught:
        state.list_notifications("any")
    assert not caught.value.permanent
    engine.dispose()
