"""`kill -9` at any moment: what was acknowledged is there afterwards, once, at every level.

The whole program is killed, or its engine's process alone (where it has one), or both. In the end
the tables themselves are compared: raw lines with the sums by minute, hour and day.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgauge.testing.api import counts_by
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
KILLS = 100 if IS_NIGHTLY else 6
LINES_PER_BODY = 500
HOPS, ERRORS = "-hops", 3
"""In the name of who sends hops; how many of a body's hops have failed."""
LEVELS = ("messages", "minute", "hour", "day")
ALL_TOGETHER = "SELECT toUInt64(sum(count)) AS n FROM platform_minute"
POINT_LEVELS = ("point_minute", "point_hour", "point_day")
WITH_FSYNC = "[store]\nfsync = true\n"
_ASK = """
import json, sys
from streamgauge.store.engine.engine import Engine
from streamgauge.store.settings import StoreSettings
engine = Engine(f"chdb://{sys.argv[1]}", StoreSettings())
engine.open()
told = {sql: engine.query(sql).to_pylist() for sql in json.loads(sys.argv[2])}
engine.close()
print(json.dumps(told))
"""


class Sender:
    """Posts bodies until it is stopped or the server is gone; each body is one customer. Who has
    HOPS in the name posts hops, the others lines."""

    def __init__(self, url: str, name: str, minute: int) -> None:
        self._url, self._name, self._minute = url, name, minute
        self._path = _path(name)
        self.acknowledged: dict[str, bytes] = {}
        self.unanswered: dict[str, bytes] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as client:
            while not self.unanswered and not self._is_over.is_set():
                tenant = f"{self._name}-{len(self.acknowledged)}"
                body = _body(tenant, self._minute)
                try:
                    answer = client.post(self._path, params={"db": "router"}, content=body)
                except httpx.TransportError:
                    self.unanswered[tenant] = body
                    return
                assert answer.status_code == 204, answer.text
                self.acknowledged[tenant] = body


def _path(name: str) -> str:
    return "/v1/messages" if HOPS in name else "/write"


def _body(tenant: str, minute: int) -> bytes:
    return _hops(tenant, minute) if HOPS in tenant else _lines(tenant, minute)


def _hops(tenant: str, minute: int) -> bytes:
    hops = (
        f'{{"id":"{tenant}-{n}","time":{minute * 60_000_000_000 + n * 1_000_000},'
        f'"tenant":"{tenant}","source":"web","integration":"s{n % 5}","latency_ms":{n},'
        f'"outcome":"{"error" if n < ERRORS else "ok"}","error":"no route {n}"}}'
        for n in range(LINES_PER_BODY)
    )
    return "\n".join(hops).encode()


def _lines(tenant: str, minute: int) -> bytes:
    messages = (
        f"messages,tenant={tenant},source=web,integration=s{n % 5} count=1i,latency_ms={n} "
        f"{minute * 60_000_000_000 + n * 1_000_000}"
        for n in range(LINES_PER_BODY)
    )
    point = f"kills,tenant={tenant} value=1 {minute * 60_000_000_000}"
    return "\n".join((*messages, point)).encode()


def _engine_pids(pid: int) -> list[int]:
    """The engine's process, if it has one of its own."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def _load_and_kill(
    process: StreamgaugeProcess, turn: int, minute: int, after_s: float
) -> list[Sender]:
    senders = [Sender(process.url, f"turn{turn}{kind}", minute) for kind in ("-lines", HOPS)]
    time.sleep(after_s)
    engines, victim = _engine_pids(process.pid), ("both", "all", "engine")[turn % 3]
    if victim != "all":
        for pid in engines:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if victim == "engine" and engines:
        time.sleep(after_s / 2)  # receiving goes on without it
        for sender in senders:
            sender.stop()
    else:
        process.kill()
    for sender in senders:
        sender.join()
    return senders


def _answers(process: StreamgaugeProcess) -> bool:
    """Whether the engine does: for a moment after its end it is not known to have ended."""
    return process.client.get("/api/v1/overview").status_code == 200


@pytest.mark.parametrize(
    "config", ["", pytest.param(WITH_FSYNC, marks=pytest.mark.skipif(not IS_NIGHTLY, reason="big"))]
)
def test_every_acknowledged_line_is_there_once(launch: Any, config: str) -> None:
    chance = random.Random(os.environ.get("STREAMGAUGE_SEED", "1"))
    process = launch(config)
    minute = int(time.time() // 60)
    sent: dict[str, int] = {}
    lost: dict[str, bytes] = {}
    for turn in range(KILLS):
        for sender in _load_and_kill(process, turn, minute, chance.uniform(0.02, 1.0)):
            sent |= dict.fromkeys(sender.acknowledged, LINES_PER_BODY)
            lost |= sender.unanswered
        if process.is_running:
            eventually(lambda: _answers(process), within_s=60, what="the engine again")
        else:
            process.start()

    assert len(sent) > KILLS, "the load was too small to say anything"
    _check(process, minute, sent, lost)
    for tenant, body in lost.items():  # as a router would: the same bytes again
        path = f"{_path(tenant)}?db=router"
        assert process.client.post(path, content=body).status_code == 204
    sent |= dict.fromkeys(lost, LINES_PER_BODY)
    _check(process, minute, sent, {})
    assert process.stop() == 0
    assert "Traceback" not in process.stderr
    _check_levels(process.data, sent)


def _check(
    process: StreamgaugeProcess, minute: int, sent: dict[str, int], lost: dict[str, bytes]
) -> None:
    from_s, to_s = minute * 60, minute * 60 + 60

    def counts() -> dict[str, int]:
        return counts_by(process.client, "tenant", from_s, to_s)

    eventually(lambda: sent.keys() <= counts().keys(), within_s=30, what="all acknowledged bodies")
    eventually(
        lambda: {t: n for t, n in counts().items() if t in sent} == sent,
        within_s=30,
        what="each acknowledged line, once",
    )
    found = counts()
    # What was never answered may be there, but whole and once.
    rest = {tenant: count for tenant, count in found.items() if tenant not in sent}
    assert rest.keys() <= lost.keys()
    assert set(rest.values()) <= {LINES_PER_BODY}


def _check_levels(data: Path, sent: dict[str, int]) -> None:
    """The tables of a store that has ended: each customer's lines, and all points, by level."""
    messages = {
        f"SELECT tenant, toUInt64(sum(count)) AS n FROM {name} GROUP BY tenant": name
        for name in LEVELS
    }
    points = {f"SELECT toUInt64(sum(count)) AS n FROM {name}": name for name in POINT_LEVELS}
    walked = {
        "SELECT tenant, count() AS n FROM hops GROUP BY tenant": LINES_PER_BODY,
        "SELECT tenant, uniqExact(id) AS n FROM hops GROUP BY tenant": LINES_PER_BODY,
        "SELECT tenant, toUInt64(sum(count)) AS n FROM error_minute GROUP BY tenant": ERRORS,
    }
    told = _asked(data, [*messages, *points, *walked, ALL_TOGETHER])
    for sql, name in messages.items():
        assert {row["tenant"]: row["n"] for row in told[sql]} == sent, name
    walkers = [tenant for tenant in sent if HOPS in tenant]
    for sql, name in points.items():
        assert told[sql] == [{"n": len(sent) - len(walkers)}], name
    for sql, each in walked.items():
        assert {row["tenant"]: row["n"] for row in told[sql]} == dict.fromkeys(walkers, each), sql
    assert told[ALL_TOGETHER] == [{"n": sum(sent.values())}]


def _asked(data: Path, questions: list[str]) -> dict[str, Any]:
    """The engine opens a folder in one process only, and this one may have another open."""
    command = [sys.executable, "-c", _ASK, str(data / "store"), json.dumps(questions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
