"""The engine stays within its share of memory: limits took effect, and who exceeds it is ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.app.upkeep.engine import TOO_LARGE, EngineKeeper
from streamgauge.model.errors import StoreError
from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.memory import MemoryWatch, memory_options
from streamgauge.store.host.process import EngineProcess

MB = 1024**2
SHARE = 400 * MB
SETTINGS = StoreSettings(engine_memory_bytes=SHARE, query_max_memory_bytes=8 * SHARE)
GREEDY = "SELECT groupArray(toString(number)) FROM numbers({count:UInt64})"
WITHIN_S = 60.0


@pytest.fixture(params=["in process", "in a process of its own"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine with a share of 400 MB, whose single questions may take more."""
    process = None
    url = f"chdb://{tmp_path / 'engine'}"
    if request.param != "in process":
        process = EngineProcess(tmp_path / "engine", print, memory_options(SHARE))
        process.start(WITHIN_S)
        url = process.url
    engine = Engine(url, SETTINGS)
    engine.open()
    yield engine
    engine.close()
    if process:
        process.stop(WITHIN_S)


def test_limits_are_those_of_the_share(engine: Engine) -> None:
    names = ", ".join(f"'{name}'" for name in memory_options(SHARE))
    sql = f"SELECT name, value FROM system.server_settings WHERE name IN ({names})"
    told = {row["name"]: row["value"] for row in engine.query(sql).to_pylist()}
    assert told == memory_options(SHARE)


def test_what_would_exceed_the_share_is_refused_and_others_are_answered(engine: Engine) -> None:
    with pytest.raises(StoreError) as error:
        engine.query(GREEDY, {"count": 40_000_000})
    assert not error.value.permanent
    assert engine.query(GREEDY, {"count": 1000}).num_rows == 1


def test_an_insert_is_not_held_to_what_a_question_may_take(tmp_path: Path) -> None:
    limit = 32 * MB
    settings = StoreSettings(engine_memory_bytes=SHARE, query_max_memory_bytes=limit)
    rows = pa.table({"text": [f"{number:064}" for number in range(1_000_000)]})
    with closing(Engine(f"chdb://{tmp_path / 'engine'}", settings)) as engine:
        engine.open()
        engine.command("CREATE TABLE wide (text String) ENGINE = MergeTree ORDER BY text")
        with pytest.raises(StoreError, match="MEMORY_LIMIT_EXCEEDED"):
            engine.query(GREEDY, {"count": 4_000_000})
        assert rows.nbytes > limit
        engine.insert("wide", rows, "token")
        assert engine.query("SELECT count() AS n FROM wide").column("n")[0].as_py() == 1_000_000


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(0.0, 100), (61.0, 100)], False),
        ([(0.0, 101), (59.9, 101)], False),
        ([(0.0, 101), (60.0, 101)], True),
        ([(0.0, 101), (30.0, 100), (60.0, 101), (119.0, 101)], False),
    ],
    ids=["at its share", "not for long enough", "for long", "in between it was below"],
)
def test_too_much_for_too_long(looks: list[tuple[float, int]], expected: bool) -> None:
    watch = MemoryWatch(limit_bytes=100)
    answers = [watch.is_too_much(held, at) for at, held in looks]
    assert answers[-1] is expected
    assert not any(answers[:-1])


def test_an_engine_that_holds_too_much_is_started_again(tmp_path: Path) -> None:
    urls: list[str] = []
    reasons: list[str] = []
    is_there_again = threading.Event()

    def found(url: str) -> None:
        urls.append(url)
        watch.limit_bytes = MB if len(urls) == 1 else SHARE
        if len(urls) == 2:
            is_there_again.set()

    watch = MemoryWatch(SHARE, lasting_s=0.0)
    keeper = EngineKeeper(tmp_path / "engine", found, reasons.append, watch)
    keeper.start()
    try:
        assert is_there_again.wait(WITHIN_S)
    finally:
        keeper.stop()
    assert any(TOO_LARGE in reason for reason in reasons)
    assert urls[0] != urls[1]
