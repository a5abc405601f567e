"""The engine's process is killed or stands still under load: receiving goes on, and so does it all.

Each body is one customer, so that each can be counted. Nobody helps: what is waited for comes by
itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgauge.testing.api import counts_by, incidents, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
ROUNDS = 10 if IS_NIGHTLY else 1
LINES_PER_BODY = 100
BODIES = 10
PAUSE_S = 0.02
"""Between two bodies: load enough to be caught in the middle of inserts."""


class Sender:
    """Posts bodies until it is told to end; every one of them must be taken."""

    def __init__(self, url: str, name: str, minute: int) -> None:
        self._url, self._name, self._minute = url, name, minute
        self._is_over = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as client:
            while not self._is_over.wait(PAUSE_S):
                tenant = f"{self._name}-{len(self.acknowledged)}"
                start = self._minute * 60_000_000_000
                lines = [
                    f"messages,tenant={tenant},integration=s{n % 5} count=1i {start + n}"
                    for n in range(LINES_PER_BODY)
                ]
                answer = write(client, lines)
                if answer.status_code != 204:
                    self.refused.append(answer.text)
                    return
                self.acknowledged.append(tenant)


@contextmanager
def load(process: StreamgaugeProcess, minute: int) -> Iterator[list[Sender]]:
    senders = [Sender(process.url, letter, minute) for letter in "ab"]
    try:
        yield senders
    finally:
        for sender in senders:
            sender.end()


def engine_of(process: StreamgaugeProcess) -> int:
    """The engine's process: the only child."""
    tasks = Path(f"/proc/{process.pid}/task")
    found = [
        int(word) for task in tasks.iterdir() for word in (task / "children").read_text().split()
    ]
    assert len(found) == 1, found
    return found[0]


def is_gone(pid: int) -> bool:
    """Whether a process has ended; it may still wait to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def more(senders: list[Sender]) -> None:
    """Wait for bodies taken from now on."""
    wanted = [len(sender.acknowledged) + BODIES for sender in senders]

    def have_come() -> bool:
        counts = [len(sender.acknowledged) for sender in senders]
        assert not any(sender.refused for sender in senders), senders[0].refused
        return all(count >= least for count, least in zip(counts, wanted, strict=True))

    eventually(have_come, within_s=60, what="bodies that are taken")


def check(process: StreamgaugeProcess, minute: int, senders: list[Sender]) -> None:
    """Every acknowledged line is there once, without help."""
    sent = {tenant: LINES_PER_BODY for one in senders for tenant in one.acknowledged}
    eventually(process.is_ready, within_s=120, what="readiness")
    eventually(
        lambda: counts_by(process.client, "tenant", minute * 60, minute * 60 + 60) == sent,
        within_s=60,
        what="each acknowledged line, once",
    )


def test_the_engine_is_killed_under_load(launch: Any) -> None:
    process: StreamgaugeProcess = launch()
    minute = int(time.time() // 60) - 1
    with load(process, minute) as senders:
        for _ in range(ROUNDS):
            more(senders)
            former = engine_of(process)
            os.kill(former, signal.SIGKILL)
            more(senders)
            eventually(partial(_has_another, process, former), within_s=120, what="a new engine")
        more(senders)
    check(process, minute, senders)
    assert "Traceback" not in process.stderr


def test_the_engine_stands_still_under_load(launch: Any) -> None:
    process: StreamgaugeProcess = launch()
    minute = int(time.time() // 60) - 1
    with load(process, minute) as senders:
        for _ in range(ROUNDS):
            more(senders)
            former = engine_of(process)
            os.kill(former, signal.SIGSTOP)
            more(senders)
            _check_what_is_said(process)
            more(senders)
            eventually(partial(is_gone, former), within_s=120, what="the end of the former one")
            eventually(partial(_has_another, process, former), within_s=120, what="a new engine")
        more(senders)
    check(process, minute, senders)
    assert "Traceback" not in process.stderr


def _has_another(process: StreamgaugeProcess, former: int) -> bool:
    return process.is_ready() and engine_of(process) != former


def _check_what_is_said(process: StreamgaugeProcess) -> None:
    """Questions are refused with the reason, and what needs no engine is answered."""
    reasons = eventually(
        lambda: process.client.get("/ready").json()["reasons"], within_s=60, what="the reason"
    )
    assert any("engine" in reason for reason in reasons)
    asked = process.client.get("/api/v1/overview", params={"from": 0, "to": time.time()})
    assert asked.status_code == 503
    assert "engine" in asked.json()["error"]
    page = process.client.get("/", headers={"accept": "text/html"})
    assert page.status_code == 503
    assert "engine" in page.text
    assert "Open incidents" in page.text
    assert incidents(process.client) == []
    for path in ("/incidents", "/health", "/metrics"):
        assert process.client.get(path).status_code == 200


def test_the_engine_ends_with_its_parent_and_one_that_cannot_be_opened_is_waited_for(
    launch: Any,
) -> None:
    process: StreamgaugeProcess = launch()
    engine = engine_of(process)
    assert os.getpgid(engine) == os.getpgid(process.pid)
    os.kill(engine, signal.SIGSTOP)
    process.kill()
    eventually(partial(is_gone, engine), within_s=30, what="the end of an engine that stands still")

    folder, aside = process.data / "store", process.data / "aside"
    folder.rename(aside)
    folder.write_text("no engine opens this")
    process.spawn()
    eventually(partial(_takes, process), within_s=60, what="a body that is taken")
    reasons = eventually(partial(_not_opened, process), within_s=60, what="the reason")
    assert "the engine cannot be opened" in reasons[0]
    folder.unlink()
    aside.rename(folder)
    eventually(process.is_ready, within_s=120, what="readiness")
    now = time.time()
    eventually(
        lambda: counts_by(process.client, "tenant", now - 600, now + 600) == {"early": 3},
        within_s=60,
        what="what was taken before",
    )
    engine = engine_of(process)
    assert process.stop(within_s=60) == 0
    assert is_gone(engine)


def _not_opened(process: StreamgaugeProcess) -> list[str]:
    return [text for text in process.client.get("/ready").json()["reasons"] if "opened" in text]


def _takes(process: StreamgaugeProcess) -> bool:
    try:
        answer = write(process.client, ["messages,tenant=early count=3i"])
    except httpx.TransportError:
        return False
    return answer.status_code == 204
