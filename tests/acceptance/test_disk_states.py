"""A disk that is full or read-only at the very start, and data files that are damaged.

The program comes up, says what is wrong, refuses what it cannot keep, and goes on by itself.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from streamgauge.testing.api import overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process
IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))


def _lines(tenant: str, count: int = 100) -> list[str]:
    start = int(time.time() - 60) * 10**9
    return [f"messages,tenant={tenant},source=web count=1i {start + n}" for n in range(count)]


def _messages(process: StreamgaugeProcess, tenant: str) -> int:
    now = time.time()
    return overview(process.client, now - 3600, now + 60, tenant=tenant)["messages"] or 0


def _front_page(process: StreamgaugeProcess) -> tuple[int, str]:
    answer = process.client.get("/", headers={"accept": "text/html"})
    return answer.status_code, " ".join(
        html.document_fromstring(answer.text).text_content().split()
    )


def _fill(disk: Path) -> Callable[[], None]:
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 2**16)
    except OSError:
        return filler.unlink


def _make_read_only(disk: Path) -> Callable[[], None]:
    def mount(option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)

    mount("ro")
    return lambda: mount("rw")


def _case(spoil: Any, said: str, is_new: bool, name: str, is_big: bool = False) -> Any:
    skip = pytest.mark.skipif(is_big and not IS_NIGHTLY, reason="only in the nightly run")
    return pytest.param(spoil, said, is_new, id=name, marks=skip)


FULL = (_fill, "is full: free some space")
READ_ONLY = (_make_read_only, "cannot be written: make it writable")


@pytest.mark.parametrize(
    ("spoil", "said", "is_new"),
    [
        _case(*FULL, False, "full, with data"),
        _case(*READ_ONLY, True, "read-only, without data"),
        _case(*FULL, True, "full, without data", is_big=True),
        _case(*READ_ONLY, False, "read-only, with data", is_big=True),
    ],
)
def test_a_start_on_a_bad_disk_comes_up_and_goes_on_by_itself(
    tmp_path: Path, mount: Any, spoil: Any, said: str, is_new: bool
) -> None:
    disk: Path = mount("size=300M")
    with StreamgaugeProcess(tmp_path / "program", data=disk / "data") as process:
        if not is_new:
            process.start()
            assert write(process.client, _lines("before")).status_code == 204
            assert process.stop() == 0
        cure = spoil(disk)
        process.spawn()
        eventually(process.is_alive, within_s=60, what="an answer from /health")
        ready = process.client.get("/ready")
        assert ready.status_code == 503
        assert said in ready.json()["reasons"][0]
        refused = write(process.client, _lines("x"))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert said in refused.json()["error"]
        status, page = _front_page(process)
        assert status == 503
        assert said in page
        assert process.client.get("/metrics").status_code == 200

        cure()
        eventually(process.is_ready, within_s=60, what="ready by itself")
        assert write(process.client, _lines("after")).status_code == 204
        eventually(lambda: _messages(process, "after") == 100, within_s=30, what="new lines")
        assert _messages(process, "before") == (0 if is_new else 100)
        assert _front_page(process)[0] == 200
        assert process.stop() == 0
        assert "Traceback" not in process.stderr


def test_damaged_data_files_are_told_and_everything_else_goes_on(launch: Any) -> None:
    process: StreamgaugeProcess = launch()
    assert write(process.client, _lines("before")).status_code == 204
    eventually(lambda: _messages(process, "before") == 100, within_s=15, what="the lines")
    assert process.stop() == 0
    damaged = list((process.data / "store" / "data" / "default" / "last_seen").glob("*/*.bin"))
    assert damaged
    for path in damaged:
        path.write_bytes(b"")

    process.start()
    notice = eventually(
        lambda: process.client.get("/ready").json()["notices"], within_s=20, what="a notice"
    )
    assert "data files of the table" in notice[0]
    status, page = _front_page(process)
    assert status == 200
    assert "are damaged" in page
    assert write(process.client, _lines("after")).status_code == 204
    eventually(lambda: _messages(process, "after") == 100, within_s=15, what="new lines")
    assert _messages(process, "before") == 100
