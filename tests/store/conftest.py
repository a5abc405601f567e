"""Stores for tests. The embedded engine allows one path a process at a time, and opening it takes
longer than most tests: a module shares one store, which is emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.engines import KINDS, engine_url
from tests.store.lines import NOW

from streamgauge.model.clock import SimulatedClock
from streamgauge.store import Store, StoreSettings

SETTINGS = StoreSettings(segment_max_wait_s=0.001)


@pytest.fixture(scope="module", params=KINDS)
def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    with engine_url(request.param, folder) as url:
        opened = Store(url, folder, SimulatedClock(NOW), SETTINGS)
        opened.open()
        yield opened
        opened.close()


@pytest.fixture
def store(shared_store: Store) -> Store:
    empty(shared_store)
    return shared_store


def empty(store: Store) -> None:
    """Forget everything that was stored."""
    filled = store._engine.query(
        "SELECT DISTINCT table FROM system.parts WHERE active "
        "AND database = currentDatabase() AND table != 'schema_migrations'"
    )
    for name in filled.column("table").to_pylist():
        store._engine.command(f"TRUNCATE TABLE {name}")
    with store._parts.opened_writer().inserting:
        store._parts.pending.clear()
    store._parts.kept.load(store._engine)
    store._parts.feed.clear()
    store._parts.opened_writer().flows.forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For tests that open stores of their own; they must not ask for `store`."""
    return tmp_path / "data"
