"""A store whose engine is away takes bodies, refuses questions, and goes on by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.conftest import SETTINGS
from tests.store.lines import NOW, body

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.model.views import Filters
from streamgauge.store import Store
from streamgauge.store.engine.faults import OURS_AWAY
from streamgauge.store.host.process import EngineProcess
from streamgauge.testing.process import free_port
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.chdb, pytest.mark.process]

ALL = Filters()
LINE = {"at": NOW, "tenant": "acme"}


@contextmanager
def host_of(folder: Path) -> Iterator[EngineProcess]:
    process = EngineProcess(folder / "engine", print)
    process.start(within_s=60)
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def patient(folder: Path, url: str | None = None) -> Iterator[Store]:
    store = Store(url, folder, SimulatedClock(NOW), SETTINGS)
    store.open(is_patient=True)
    try:
        yield store
    finally:
        store.close()


def messages(store: Store) -> int | None:
    return store.overview(NOW, NOW + 60, ALL).messages


def refusal_of(store: Store) -> str:
    with pytest.raises(StoreError) as caught:
        messages(store)
    assert not caught.value.permanent
    return str(caught.value)


def test_a_server_that_is_not_reached_is_named(folder: Path) -> None:
    with patient(folder, f"clickhouse://u:hidden@127.0.0.1:{free_port()}/db") as store:
        eventually(lambda: "cannot be reached" in store.problems()[0], within_s=30)
        assert "hidden" not in store.problems()[0]


def test_bodies_are_taken_before_the_engine_is_there_and_counted_after(folder: Path) -> None:
    with patient(folder) as store:
        assert store.write(body([LINE]), b"key", NOW)
        assert not store.write(body([LINE]), b"key", NOW)
        assert refusal_of(store) == "the engine is being started"
        assert store.problems() == ["the engine is being started"]
        assert store.lag().lines == 1
        with pytest.raises(StoreError, match="is being started"):
            store.history(NOW)
        store.engine_lost("the engine cannot be opened: broken")
        assert store.problems() == ["the engine cannot be opened: broken"]
        with host_of(folder) as host:
            store.engine_found(host.url)
            assert store.flush(30)
            assert messages(store) == 1
            assert store.problems() == []
            assert store.history(NOW + 60).recent.newest_ns == NOW * 1e9


def test_what_waits_over_a_kill_of_the_engine_counts_once(folder: Path) -> None:
    with patient(folder) as store:
        with host_of(folder) as host:
            store.engine_found(host.url)
            store.write(body([LINE]), None, NOW)
            assert store.flush(30)
        assert refusal_of(store) == OURS_AWAY, "it is nobody's fault but its own"
        store.write(body([LINE] * 2), None, NOW)
        eventually(store.problems, within_s=30, what="it is said that lines wait")
        store.engine_lost("the engine is started again")
        assert refusal_of(store) == "the engine is started again"
        store.write(body([LINE] * 4), None, NOW)
        with host_of(folder) as host:
            store.engine_found(host.url)
            assert store.flush(30)
            assert messages(store) == 7
            assert store.problems() == []


def test_an_engine_that_stands_still_holds_up_neither_history_nor_the_end(folder: Path) -> None:
    with host_of(folder) as host, patient(folder) as store:
        store.engine_found(host.url)
        store.write(body([LINE]), None, NOW)
        assert store.flush(30)
        os.kill(host.pid, signal.SIGSTOP)
        store.write(body([LINE]), None, NOW)
        assert not store.flush(0.1)
        store.engine_lost("the engine does not answer at present")
        with pytest.raises(StoreError, match="does not answer at present"):
            store.history(NOW)
        ending = threading.Thread(target=store.close)
        ending.start()
        host.kill()  # as who watches it does
        ending.join(30)
        assert not ending.is_alive()
    with host_of(folder) as host, patient(folder) as store:
        store.engine_found(host.url)
        assert store.flush(30)
        assert messages(store) == 2


def test_a_server_that_is_down_at_the_start_is_waited_for(folder: Path) -> None:
    port = free_port()
    with patient(folder, f"clickhouse://me:secret@127.0.0.1:{port}") as store:
        store.write(body([LINE]), None, NOW)
        (told,) = eventually(
            lambda: [text for text in store.problems() if "cannot be reached" in text],
            within_s=30,
            what="the reason",
        )
        assert f"127.0.0.1:{port}" in told
        assert "secret" not in told
        assert "cannot be reached" in refusal_of(store)
