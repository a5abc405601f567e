"""Damaged data files of the real engine: found, taken out of use, told; the rest is served."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.store.lines import NOW, body
from tests.store.test_store_life import ALL, LINE, running

from streamgauge.model.errors import StoreError
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
MINUTES = "SELECT sum(count) AS n FROM minute"


def data_files(store: Store, table_name: str) -> list[Path]:
    sql = "SELECT path FROM system.parts WHERE active AND table = {name:String}"
    rows = store._engine.query(sql, {"name": table_name}).to_pylist()
    return [file for row in rows for file in Path(row["path"]).glob("*.bin")]


def rows_of(store: Store, table_name: str) -> int:
    return int(store._engine.query(f"SELECT count() AS n FROM {table_name}").column("n")[0].as_py())


def spoil(paths: list[Path]) -> None:
    for path in paths:
        path.write_bytes(bytes(path.stat().st_size))


def write(store: Store, count: int, at: float = NOW) -> None:
    for _ in range(count):
        store.write(body([{**LINE, "at": at}]), None, NOW)
    assert store.flush(30)


def test_a_part_damaged_while_we_run_is_detached_and_everything_else_goes_on(folder: Path) -> None:
    with running(folder) as store:
        write(store, 3)
        store.tend()
        assert store.notices() == []
        spoil(data_files(store, "minute"))
        with pytest.raises(StoreError):
            store._engine.query(MINUTES)
        store.tend()
        (notice,) = store.notices()
        assert "table minute" in notice
        assert "1 rows" in notice
        assert "remove" in notice
        assert rows_of(store, "messages") == 3, "only the damaged table misses something"
        write(store, 2)
        assert store._engine.query(MINUTES).to_pylist() == [{"n": 2}]
        assert store.problems() == [], "writes and questions are served"


def test_a_part_that_the_engine_leaves_out_at_the_start_is_told_too(folder: Path) -> None:
    with running(folder) as store:
        write(store, 3)
        paths = data_files(store, "messages")
    for path in paths:
        path.write_bytes(b"")
    with running(folder) as store:
        store.tend()
        (notice,) = store.notices()
        assert "table messages" in notice
        assert str(folder) in notice
        assert store.overview(NOW, NOW + 60, ALL).messages == 3, "the rollup has them"


def test_an_error_that_is_not_about_damage_detaches_nothing(folder: Path) -> None:
    with running(folder) as store:
        write(store, 1)
        with contextlib.suppress(StoreError):
            store._engine.query("SELECT throwIf(1) FROM minute")
        store.tend()
        assert store.notices() == []
        assert rows_of(store, "minute") == 1
