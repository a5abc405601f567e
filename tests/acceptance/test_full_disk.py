"""A full data folder: senders are told to come back, reading goes on, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from streamgauge.testing.api import write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process


def _lines(name: str) -> list[str]:
    start = int(time.time() - 60) * 10**9
    return [f"messages,tenant={name},source=web count=1i {start + n}" for n in range(20_000)]


def _messages(process: StreamgaugeProcess, tenant: str) -> int | None:
    """None: the engine cannot be asked just now; it starts anew when its disk was full."""
    now = time.time()
    question = {"from": now - 3600, "to": now + 60, "tenant": tenant}
    answer = process.client.get("/api/v1/overview", params=question)
    if answer.status_code == 503:
        return None
    return int(answer.raise_for_status().json()["messages"] or 0)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 2**16)
    except OSError:
        return filler


def test_a_full_disk_refuses_and_recovers(launch: Any, mount: Any) -> None:
    small_disk = mount("size=300M")
    process = launch(data=small_disk / "data")
    assert write(process.client, _lines("before")).status_code == 204
    eventually(lambda: _messages(process, "before") == 20_000, within_s=15, what="first lines")
    filler = _fill(small_disk)

    refused = eventually(
        lambda: next(
            (a for n in range(50) if (a := write(process.client, _lines(f"x{n}"))).is_error), None
        ),
        within_s=30,
        what="a refusal",
    )
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "disk" in refused.json()["error"] or "space" in refused.json()["error"]
    assert process.client.get("/health").status_code == 200
    eventually(lambda: _messages(process, "before") == 20_000, within_s=60, what="old lines still")

    filler.unlink()
    lines = _lines("after")
    eventually(
        lambda: write(process.client, lines).status_code == 204, within_s=60, every_s=1, what="204"
    )
    eventually(lambda: _messages(process, "after") == 20_000, within_s=60, what="the new lines")
    assert "Traceback" not in process.stderr
