"""A store of every released schema, opened by this version: nothing is lost, nothing is doubled.

`released/NAME.tar.xz` is a data folder as `kill -9` left it, `released/NAME.json.xz` what the
version that wrote it answered (see `make_released.py`, which adds the next).
"""

from __future__ import annotations

import json
import lzma
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.moves.make_released import RELEASED, lines
from tests.moves.questions import NOW, answers, differences

from streamgauge.app.configuration import Configuration
from streamgauge.app.moves.upgrade import upgrade
from streamgauge.app.upkeep.known_series import KnownSeries
from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.guard import SeriesGuard
from streamgauge.receive.influx.parsing import parse
from streamgauge.state.state import State
from streamgauge.store import Store, StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.journal import Border
from streamgauge.store.journal.opening import opened_journal
from streamgauge.store.migrate import pending, run
from streamgauge.store.rollup.segment import build_segment
from streamgauge.store.writer.finishing import as_first

pytestmark = [pytest.mark.chdb, pytest.mark.slow]

NAMES = sorted(path.name.removesuffix(".tar.xz") for path in RELEASED.glob("*.tar.xz"))
EVERY_NTH = 1 if os.environ.get("STREAMGAUGE_NIGHTLY") else 29
"""A crash after each statement of all migrations would take minutes."""


@pytest.fixture(params=NAMES)
def release(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(release: str, tmp_path: Path) -> Path:
    """Its data folder."""
    with tarfile.open(RELEASED / f"{release}.tar.xz") as archive:
        archive.extractall(tmp_path / "data", filter="data")
    return tmp_path / "data"


def before(release: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        lzma.decompress((RELEASED / f"{release}.json.xz").read_bytes())
    )
    return answer


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    store = Store(f"chdb://{folder}/store", folder, SimulatedClock(NOW), StoreSettings())
    store.open()
    try:
        yield store
    finally:
        store.close()


def unlike(release: str, folder: Path) -> list[str]:
    """Where the answers differ from those of the version that wrote the folder."""
    with opened(folder) as store:
        assert store.flush(60)
        # Over JSON, so that both sides have the same types.
        return differences(before(release), json.loads(json.dumps(answers(store))))


def test_every_answer_is_the_same_and_a_retry_is_still_known(release: str, folder: Path) -> None:
    assert unlike(release, folder) == []
    with opened(folder) as store:
        for part in (0, 1):
            parsed = parse(lines(part), precision="ns", db="router", received_at_ns=int(NOW * 1e9))
            assert not store.write(parsed, f"part {part}".encode(), NOW), "counted twice"
    assert unlike(release, folder) == []


def test_incidents_and_known_series_are_kept(release: str, folder: Path) -> None:
    state = State(f"sqlite:///{folder / 'state.sqlite3'}", SimulatedClock(NOW))
    state.open()
    incidents = state.list_incidents()
    assert len(incidents) == 4
    assert {len(state.list_notifications(incident.id)) for incident in incidents} == {1}
    assert state.get_incident("ünusual").timeline
    state.close()
    guard = SeriesGuard(SimulatedClock(NOW), 10)
    KnownSeries(folder / "series.npy", guard).load()
    assert sorted(guard.known()) == list(np.arange(1, 40))


def test_a_crash_in_the_middle_of_the_upgrade_changes_nothing(
    release: str, folder: Path, tmp_path: Path
) -> None:
    count = len(_statements(folder))
    for position in range(EVERY_NTH // 2, count, EVERY_NTH):
        crashed = tmp_path / f"crashed-{position}"
        with tarfile.open(RELEASED / f"{release}.tar.xz") as archive:
            archive.extractall(crashed, filter="data")
        engine = _engine(crashed)
        for statement in [each for one in pending(engine) for each in one.statements][:position]:
            run(engine, statement)
        engine.close()
        assert unlike(release, crashed) == [], f"after statement {position} of {count}"


@pytest.mark.parametrize(
    ("inserted", "is_apart"),
    [
        pytest.param(("messages", "queue", "minute"), False, id="some tables, by a start"),
        pytest.param(("messages", "last_seen", "queue_minute"), True, id="others, by the command"),
    ],
)
def test_a_segment_that_a_crash_cut_short_counts_once_after_the_upgrade(
    folder: Path, inserted: tuple[str, ...], is_apart: bool
) -> None:
    """`messages` and others had it when the crash came, under a token that an exchange takes along.

    Only the first schema's tables are exchanged.
    """
    journal = opened_journal(folder, StoreSettings(), first_seq=1, now=NOW)
    (entry,) = journal.next_bodies(10, 2**30)
    journal.draw_border(Border(entry.seq, entry.seq, "begun"))
    body = journal.load(entry)
    tables = as_first(build_segment([(entry.seq, body)]), [body])
    journal.close()
    engine = _engine(folder)
    for name in inserted:
        engine.insert(name, tables[name], "begun")
    engine.close()
    if is_apart:
        settings = Configuration.model_validate({"server": {"data": str(folder)}})
        upgrade(settings, False, lambda _: None)
    assert unlike("0001", folder) == []


FIELDS = """SELECT {level}, db, measurement, field, tags, sum(count) AS many,
round(sum(sum), 6) AS total, min(min) AS least, max(max) AS greatest,
min(first) AS oldest, max(last) AS newest
FROM point_{level} GROUP BY ALL ORDER BY ALL"""
"""Of `oldest` and `newest`, the order of acknowledgement is the same in both stores."""


def test_numeric_fields_are_summed_as_those_of_new_rows(folder: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "new") as store:
        for part in (0, 1):
            parsed = parse(lines(part), precision="ns", db="router", received_at_ns=int(NOW * 1e9))
            assert store.write(parsed, None, NOW)
            assert store.flush(60)
        expected = _fields(store)
    with opened(folder) as store:
        assert _fields(store) == expected


def _fields(store: Store) -> dict[str, list[dict[str, Any]]]:
    assert store.settle(60)
    levels = ("minute", "hour", "day")
    return {level: store._engine.query(FIELDS.format(level=level)).to_pylist() for level in levels}


def _statements(folder: Path) -> list[Any]:
    engine = _engine(folder)
    found = [statement for one in pending(engine) for statement in one.statements]
    engine.close()
    return found


def _engine(folder: Path) -> Engine:
    engine = Engine(f"chdb://{folder}/store", StoreSettings())
    engine.open()
    return engine
