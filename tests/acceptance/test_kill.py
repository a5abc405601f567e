"""`kill -9` at any moment: what was acknowledged is there afterwards, and it is there once."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

import httpx
import pytest

from streamgauge.testing.api import counts_by
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = 100 if os.environ.get("STREAMGAUGE_NIGHTLY") else 6
LINES_PER_BODY = 500


class Sender:
    """Posts bodies until the server is gone; each body is one customer, so each can be counted."""

    def __init__(self, url: str, name: str, minute: int) -> None:
        self._url, self._name, self._minute = url, name, minute
        self.acknowledged: dict[str, bytes] = {}
        self.unanswered: dict[str, bytes] = {}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as client:
            while not self.unanswered:
                tenant = f"{self._name}-{len(self.acknowledged)}"
                body = _body(tenant, self._minute)
                try:
                    answer = client.post("/write", params={"db": "router"}, content=body)
                except httpx.TransportError:
                    self.unanswered[tenant] = body
                    return
                assert answer.status_code == 204, answer.text
                self.acknowledged[tenant] = body


def _body(tenant: str, minute: int) -> bytes:
    return "\n".join(
        f"messages,tenant={tenant},source=web,integration=s{n % 5} count=1i,latency_ms={n} "
        f"{minute * 60_000_000_000 + n * 1_000_000}"
        for n in range(LINES_PER_BODY)
    ).encode()


def _load_until_killed(process: StreamgaugeProcess, turn: int, minute: int, after_s: float) -> Any:
    senders = [Sender(process.url, f"turn{turn}-{letter}", minute) for letter in "ab"]
    time.sleep(after_s)
    process.kill()
    for sender in senders:
        sender.join()
    return senders


def test_every_acknowledged_line_is_there_once(launch: Any) -> None:
    chance = random.Random(os.environ.get("STREAMGAUGE_SEED", "1"))
    process = launch()
    minute = int(time.time() // 60)
    sent: dict[str, int] = {}
    lost: dict[str, bytes] = {}
    for turn in range(KILLS):
        for sender in _load_until_killed(process, turn, minute, chance.uniform(0.02, 1.5)):
            sent |= dict.fromkeys(sender.acknowledged, LINES_PER_BODY)
            lost |= sender.unanswered
        process.start()

    assert len(sent) > KILLS, "the load was too small to say anything"
    _check(process, minute, sent, lost)
    for body in lost.values():  # as a router would: the same bytes again
        assert process.client.post("/write?db=router", content=body).status_code == 204
    _check(process, minute, sent | dict.fromkeys(lost, LINES_PER_BODY), {})
    assert "Traceback" not in process.stderr


def _check(
    process: StreamgaugeProcess, minute: int, sent: dict[str, int], lost: dict[str, bytes]
) -> None:
    from_s, to_s = minute * 60, minute * 60 + 60

    def counts() -> dict[str, int]:
        return counts_by(process.client, "tenant", from_s, to_s)

    eventually(lambda: sent.keys() <= counts().keys(), within_s=30, what="all acknowledged bodies")
    found = eventually(
        lambda: {t: n for t, n in counts().items() if t in sent} == sent and counts(),
        within_s=30,
        what="each acknowledged line, once",
    )
    # What was never answered may be there, but whole and once.
    rest = {tenant: count for tenant, count in found.items() if tenant not in sent}
    assert rest.keys() <= lost.keys()
    assert set(rest.values()) <= {LINES_PER_BODY}
