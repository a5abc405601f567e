"""What waits for hours and days, broken off at every step: it counts once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.store.lines import NOW, body

from streamgauge.model.errors import StoreError
from streamgauge.store import StoreSettings, columns
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.records import Body
from streamgauge.store.migrate import migrate
from streamgauge.store.rollup.coarse import hour_rows
from streamgauge.store.rollup.pending import Pending
from streamgauge.store.rollup.segment import build_segment

HOUR = int(NOW // 3600)
TABLES = ("hour", "day", "queue_hour", "queue_day", "point_hour", "point_day")


def rows_of(tenant: str, count: int) -> dict[str, pa.Table]:
    """Rows of hours, as a segment makes them."""
    batch = body(
        [{"at": NOW, "tenant": tenant, "count": count}],
        [{"at": NOW, "queue": "q", "backlog": float(count)}],
    ).batch
    empty = columns.REJECTED.empty_table()
    segment = build_segment([(1, Body(batch.messages, batch.queue, batch.points, empty))])
    return hour_rows(segment.tables)


def opened(folder: Path, wait_s: float = 30.0, max_rows: int = 1000) -> Pending:
    pending = Pending(folder, fsync=False, wait_s=wait_s, max_rows=max_rows)
    pending.open()
    return pending


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened_engine = Engine(f"chdb://{tmp_path_factory.mktemp('engine')}", StoreSettings())
    opened_engine.open()
    migrate(opened_engine)
    yield opened_engine
    opened_engine.close()


@pytest.mark.chdb
@pytest.mark.parametrize("passes", range(7))
def test_an_insert_broken_off_after_some_tables_counts_once_when_it_is_repeated(
    engine: Engine, tmp_path: Path, passes: int
) -> None:
    for name in TABLES:
        engine.command(f"TRUNCATE TABLE {name}")
    inserts = 0

    def insert_some(name: str, rows: pa.Table, token: str) -> bool:
        nonlocal inserts
        inserts += 1
        if inserts <= passes:
            engine.insert(name, rows, token)
        return inserts <= passes

    def insert(name: str, rows: pa.Table, token: str) -> bool:
        engine.insert(name, rows, token)
        return True

    pending = opened(tmp_path)
    pending.add("segment 1", rows_of("a", 2))
    pending.add("segment 2", rows_of("a", 3))
    assert pending.open_hours == {HOUR}
    assert pending.settle(insert_some) == (passes == 6)
    pending.close()  # as far as the log knows, it was killed here

    again = opened(tmp_path)
    assert again.has_begun == (passes < 6)
    assert again.settle(insert)
    again.add("segment 2", rows_of("a", 3))  # the journal did not know yet that it was done
    assert again.settle(insert)
    assert (again.row_count, again.open_hours) == (0, frozenset())
    again.close()
    for name in TABLES[:2]:
        assert total(engine, f"sum(count) FROM {name}") == 5
        assert total(engine, f"sum(count) FROM point_{name}") == 2
        assert total(engine, f"max(backlog_max) FROM queue_{name}") == 3


def total(engine: Engine, sql: str) -> float:
    return float(engine.query(f"SELECT {sql}").column(0)[0].as_py())


def never(name: str, rows: pa.Table, token: str) -> bool:
    raise AssertionError(f"nothing should be inserted into {name}")


def test_what_waits_is_there_after_a_restart(tmp_path: Path) -> None:
    pending = opened(tmp_path)
    pending.add("segment 1", rows_of("a", 2))
    pending.close()
    again = opened(tmp_path)
    assert (again.row_count, set(again.open_hours), again.has_begun) == (3, {HOUR}, False)
    found: dict[str, pa.Table] = {}

    def insert(name: str, rows: pa.Table, token: str) -> bool:
        found[name] = rows
        return True

    assert again.settle(insert)
    assert list(found) == ["hour", "queue_hour", "point_hour", "day", "queue_day", "point_day"]
    assert found["hour"].column("minutes").to_pylist() == [1]
    again.close()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_record_is_left_out_and_the_segment_can_be_added_again(
    tmp_path: Path, cut: int
) -> None:
    pending = opened(tmp_path)
    pending.add("segment 1", rows_of("a", 2))
    pending.add("segment 2", rows_of("b", 3))
    pending.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    again = opened(tmp_path)
    assert again.row_count == 3
    again.add("segment 2", rows_of("b", 3))
    again.close()
    last = opened(tmp_path)
    assert last.row_count == 6
    last.close()


def test_a_killed_change_of_files_leaves_one(tmp_path: Path) -> None:
    pending = opened(tmp_path)
    pending.add("segment 1", rows_of("a", 2))
    (old,) = tmp_path.iterdir()
    content = old.read_bytes()
    assert pending.settle(lambda name, rows, token: True)
    pending.close()
    old.write_bytes(content)  # killed before it was removed
    (tmp_path / "000000000009.new").write_bytes(b"unfinished")
    again = opened(tmp_path)
    assert (again.row_count, len(list(tmp_path.iterdir()))) == (0, 1)
    assert again.settle(never)
    again.close()


@pytest.mark.parametrize(
    ("wait_s", "max_rows", "is_due"),
    [(3600.0, 4, False), (3600.0, 3, True), (0.0, 4, True)],
    ids=["few and new", "many", "old"],
)
def test_it_is_due_when_it_is_much_or_old(
    tmp_path: Path, wait_s: float, max_rows: int, is_due: bool
) -> None:
    pending = opened(tmp_path, wait_s, max_rows)
    assert pending.due_in_s() is None
    pending.add("segment 1", rows_of("a", 2))
    due_in_s = pending.due_in_s()
    assert due_in_s is not None
    assert (due_in_s <= 0) == is_due
    pending.close()


def test_a_refusing_disk_keeps_nothing_half(tmp_path: Path) -> None:
    pending = opened(tmp_path)
    pending.add("segment 1", rows_of("a", 2))
    pending.close()
    with pytest.raises(StoreError, match="cannot be"):
        pending.add("segment 2", rows_of("b", 2))
    assert pending.row_count == 3
