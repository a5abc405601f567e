"""A kill between an insert's token and its rows; what was written down is made again."""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.store import Store, StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.insertlog import forget_unfinished
from streamgauge.store.host.process import EngineProcess

pytestmark = pytest.mark.chdb

TABLE = """CREATE TABLE IF NOT EXISTS numbers (n Int64) ENGINE = MergeTree
PARTITION BY n % 2 ORDER BY n SETTINGS non_replicated_deduplication_window = 1000"""
Insert = Callable[[int], None]


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = Engine(url, StoreSettings())
    engine.open()
    try:
        yield engine
    finally:
        engine.close()


def insert(engine: Engine, *numbers: int) -> None:
    engine.command(TABLE)
    for n in numbers:
        engine.insert("numbers", pa.table({"n": [n]}), f"token {n}")


def stored(engine: Engine) -> list[int]:
    numbers: list[int] = engine.query("SELECT n FROM numbers ORDER BY n").column("n").to_pylist()
    return numbers


def log_of(path: Path) -> Path:
    (found,) = path.glob("store/*/*/deduplication_logs/*.txt")
    return found


@pytest.fixture
def cut_short(tmp_path: Path) -> Path:
    """An engine as a kill leaves it: 4 is in its log of inserts, the part was not named."""
    before, path = tmp_path / "before", tmp_path / "data" / "engine"
    with opened(f"chdb://{path}") as engine:
        insert(engine, 1, 2, 3)
    shutil.copytree(path, before, symlinks=True)
    with opened(f"chdb://{path}") as engine:
        insert(engine, 4)
    told = log_of(path).read_bytes()
    shutil.rmtree(path)
    before.rename(path)
    log_of(path).write_bytes(told)
    return path


def test_an_insert_without_its_rows_is_made_again(cut_short: Path) -> None:
    assert forget_unfinished(cut_short) == 1
    with opened(f"chdb://{cut_short}") as engine:
        insert(engine, 1, 2, 3, 4, 4)
        assert stored(engine) == [1, 2, 3, 4]
    assert forget_unfinished(cut_short) == 0


def test_the_engine_s_process_tends_it_before_it_opens(cut_short: Path) -> None:
    process = EngineProcess(cut_short, lambda _: None)
    process.start(60)
    try:
        with opened(process.url) as engine:
            insert(engine, 3, 4)
            assert stored(engine) == [1, 2, 3, 4]
    finally:
        process.stop(60)


def test_a_store_with_its_engine_inside_tends_it_before_it_opens(cut_short: Path) -> None:
    store = Store(f"chdb://{cut_short}", cut_short.parent, SimulatedClock(0.0), StoreSettings())
    store.open()
    try:
        insert(store._engine, 3, 4)
        assert stored(store._engine) == [1, 2, 3, 4]
    finally:
        store.close()


def test_parts_that_became_one_keep_their_tokens(tmp_path: Path) -> None:
    with opened(f"chdb://{tmp_path}") as engine:
        insert(engine, *range(6))
        engine.command("OPTIMIZE TABLE numbers FINAL")
        engine.command("ALTER TABLE numbers DROP PARTITION 1")
    assert forget_unfinished(tmp_path) == 0
    with opened(f"chdb://{tmp_path}") as engine:
        insert(engine, 0, 2, 4)
        assert stored(engine) == [0, 2, 4]


def test_a_torn_line_is_cut_off(cut_short: Path) -> None:
    log = log_of(cut_short)
    log.write_bytes(log.read_bytes()[:-7])
    assert forget_unfinished(cut_short) == 0
    with opened(f"chdb://{cut_short}") as engine:
        insert(engine, 3, 4)
        assert stored(engine) == [1, 2, 3, 4]


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert forget_unfinished(tmp_path / "none") == 0


def test_a_full_disk_stops_the_start_since_the_insert_would_stay_known(cut_short: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_of(cut_short).stat().st_size, hard))
    try:
        with pytest.raises(StoreError, match=r"File too large.*free some space"):
            forget_unfinished(cut_short)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert forget_unfinished(cut_short) == 1, "when there is room again"
