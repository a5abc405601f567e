"""The state database on every kind of server that this machine has."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from streamgauge.model.clock import SimulatedClock
from streamgauge.state.state import State

POSTGRES = os.environ.get("STREAMGAUGE_TEST_POSTGRES", "postgresql+psycopg://127.0.0.1/test")
"""A database in which the tests make, and drop, schemas of their own."""


@pytest.fixture
def clock() -> SimulatedClock:
    """Stands at 1,000 s."""
    return SimulatedClock(1_000.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.sqlite3'}"
        return
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    engine = create_engine(make_url(POSTGRES), connect_args={"connect_timeout": 2})
    schema = f"streamgauge_{uuid.uuid4().hex}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError:
        engine.dispose()
        pytest.skip("no PostgreSQL answers; STREAMGAUGE_TEST_POSTGRES names one")
    yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def state(state_url: str, clock: SimulatedClock) -> Iterator[State]:
    """Open, and empty."""
    state = State(state_url, clock)
    state.open()
    yield state
    state.close()
