"""A PostgreSQL schema of a test's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError


@contextmanager
def postgres_schema(server: str) -> Iterator[str]:
    """An empty schema; its address. Skips where no server answers."""
    engine = create_engine(make_url(server), connect_args={"connect_timeout": 2})
    schema = f"streamgauge_{uuid.uuid4().hex}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError:
        engine.dispose()
        pytest.skip("no PostgreSQL answers; STREAMGAUGE_TEST_POSTGRES names one")
    yield f"{server}?options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
