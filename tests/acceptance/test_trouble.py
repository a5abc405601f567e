"""What operators do to a running program: stop it under load, or take its folder away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest

from streamgauge.testing.api import overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

WRITERS = 4
LINES = 200


def _bodies(name: str) -> Iterator[str]:
    start = int(time.time() - 60) * 10**9
    for number in count():
        stamps = range(start + number * LINES, start + (number + 1) * LINES)
        yield "\n".join(f"messages,tenant={name} count=1i {stamp}" for stamp in stamps)


def _write_until_refused(url: str, name: str) -> tuple[int, int]:
    """Bodies that were acknowledged, and bodies whose answer did not come."""
    acknowledged = 0
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        for body in _bodies(name):
            try:
                answer = client.post("/write?db=d", content=body)
            except httpx.ConnectError:
                return acknowledged, 0
            except httpx.TransportError:
                return acknowledged, 1
            if answer.status_code != 204:
                return acknowledged, 0
            acknowledged += 1
    raise AssertionError("it never stopped")


def test_a_stop_under_load_is_quick_clean_and_loses_nothing(launch: Any) -> None:
    process: StreamgaugeProcess = launch()
    names = [f"writer-{number}" for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(_write_until_refused, process.url, name) for name in names]
        eventually(lambda: _total(process, names) > 2000, within_s=30, what="load")
        started = time.monotonic()
        code = process.stop(within_s=30)
        took_s = time.monotonic() - started
        written = [writer.result() for writer in writers]
    assert code == 0
    assert took_s < 15
    assert "Traceback" not in process.stderr
    assert "xception" not in process.stderr

    process.start()
    for name, (acknowledged, unanswered) in zip(names, written, strict=True):
        stored = _total(process, [name])
        assert acknowledged * LINES <= stored <= (acknowledged + unanswered) * LINES, name


def _total(process: StreamgaugeProcess, names: list[str]) -> int:
    now = time.time()
    found = [
        overview(process.client, now - 600, now + 3600, tenant=name)["messages"] for name in names
    ]
    return sum(messages or 0 for messages in found)


def test_a_folder_taken_away_is_said_and_nothing_is_acknowledged_into_it(launch: Any) -> None:
    process: StreamgaugeProcess = launch()
    assert write(process.client, ["messages,tenant=a count=1i"]).status_code == 204
    shutil.rmtree(process.data, ignore_errors=True)
    shutil.rmtree(process.data, ignore_errors=True)  # the engine may have written meanwhile

    refused = write(process.client, ["messages,tenant=a count=1i"])
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "was removed while streamgauge ran" in refused.json()["error"]
    assert process.client.get("/health").status_code == 200
    assert process.client.get("/metrics").status_code == 200
    ready = process.client.get("/ready")
    assert ready.status_code == 503
    assert "restart streamgauge" in ready.json()["reasons"][0]
    assert process.stop(within_s=30) == 0
    assert "Traceback" not in process.stderr
    assert not (process.data / "journal").exists()

    process.start()
    assert write(process.client, ["messages,tenant=a count=1i"]).status_code == 204
