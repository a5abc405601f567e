"""An insert that fails at its very end: chDB says that all rows were written (26.9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.model.errors import StoreError
from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.insertcheck import COUNT, checked
from streamgauge.store.host.process import EngineProcess

pytestmark = pytest.mark.chdb

TABLE = """CREATE TABLE numbers (n Int64, CONSTRAINT small CHECK n < 5) ENGINE = MergeTree
ORDER BY n SETTINGS non_replicated_deduplication_window = 100"""


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    yield f"chdb://{folder / 'engine'}"


@contextmanager
def in_a_process(folder: Path) -> Iterator[str]:
    process = EngineProcess(folder / "engine", print)
    process.start(within_s=60)
    try:
        yield process.url
    finally:
        process.stop(within_s=30)


@pytest.fixture(params=[embedded, in_a_process])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with request.param(tmp_path) as url:
        engine = Engine(url, StoreSettings())
        engine.open()
        try:
            engine.command(TABLE)
            yield engine
        finally:
            engine.close()


def test_a_failed_insert_is_not_taken_for_a_made_one(engine: Engine) -> None:
    with pytest.raises(StoreError, match="small") as caught:
        engine.insert("numbers", pa.table({"n": [1, 9]}), "token")
    assert not caught.value.permanent, "the journal keeps what the engine did not take"
    engine.command("ALTER TABLE numbers DROP CONSTRAINT small")
    for _ in range(2):
        engine.insert("numbers", pa.table({"n": [1, 9]}), "token")
    assert engine.query("SELECT n FROM numbers ORDER BY n").column("n").to_pylist() == [1, 9]


def test_no_error_meanwhile_is_no_failure() -> None:
    with checked(lambda _: b"7\n"):
        pass


def test_an_error_meanwhile_is_told_with_its_code() -> None:
    counts = iter((b"7\n", b"8\n"))

    def ask(question: str) -> bytes:
        full = b"243\tNOT_ENOUGH_SPACE\tCannot reserve 1.00 MiB\n"
        return next(counts) if question == COUNT else full

    with pytest.raises(RuntimeError, match=r"Code: 243.*NOT_ENOUGH_SPACE"), checked(ask):
        pass
