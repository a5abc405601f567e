"""The command that lists what was set aside and puts it back, with and without a running store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.app.commands import set_aside
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.store.lock import FolderLock
from streamgauge.store.writer.setaside import SetAside

ROWS = pa.table({"minute": [1], "lines": [5]})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    SetAside(tmp_path / "set-aside").keep_rows("minute", ROWS, "token", "a column is missing")
    return tmp_path


@contextmanager
def running(data: Path, reason: str = "") -> Iterator[None]:
    """A process that has the folder, and takes what is wanted or refuses it."""
    lock, aside, is_over = FolderLock(data), SetAside(data / "set-aside"), threading.Event()
    lock.acquire()

    def tend() -> None:
        while not is_over.wait(0.02):
            for path in aside.wanted():
                if reason:
                    aside.refused_again(path, reason)
                else:
                    aside.is_restored(path)

    thread = threading.Thread(target=tend)
    thread.start()
    yield
    is_over.set()
    thread.join()
    lock.release()


def test_the_list_says_table_rows_and_reason(data: Path) -> None:
    (line,) = set_aside.show(data)
    assert "token-minute.arrow: minute, 1 rows, since 20" in line
    assert line.endswith("a column is missing")


def test_nothing_set_aside_is_said(tmp_path: Path) -> None:
    assert "nothing is set aside" in set_aside.show(tmp_path)[0]
    assert "nothing is set aside" in set_aside.put_back(tmp_path)[0]


def test_a_running_store_puts_it_back(data: Path) -> None:
    with running(data):
        assert set_aside.put_back(data) == ["1 files were put back"]
    assert "nothing" in set_aside.show(data)[0]


def test_what_is_refused_again_is_said(data: Path) -> None:
    with (
        running(data, "still no such column"),
        pytest.raises(StoreError, match="still no such column"),
    ):
        set_aside.put_back(data)
    assert "still no such column" in set_aside.show(data)[0]


def test_without_a_running_store_it_waits_for_the_start(data: Path) -> None:
    assert "when `streamgauge up` starts" in set_aside.put_back(data)[0]
    assert "when `streamgauge up` starts" in set_aside.put_back(data)[0], "asked again"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        set_aside.show(tmp_path / "nowhere")
