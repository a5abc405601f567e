"""`kill -9` while counters and buckets come in: every increase is there afterwards, once."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = 20 if os.environ.get("STREAMGAUGE_NIGHTLY") else 2
TENANTS = 20
HEADERS = {"content-type": "application/json"}


def _attribute(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}


class Router:
    """Tells every turn what its counters stand at, and repeats a body until it is answered."""

    def __init__(self, url: str) -> None:
        self._url, self._start_ns = url, time.time_ns()
        self._rng = random.Random(7)
        self.counts, self.cells = [0] * TENANTS, [0, 0, 0]
        self.turn = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as client:
            while not self._is_over.is_set():
                self._send(client, self._body())
                self.turn += 1

    def _send(self, client: httpx.Client, body: bytes) -> None:
        def is_taken() -> bool:
            try:
                answer = client.post("/v1/metrics", content=body, headers=HEADERS)
            except httpx.TransportError:
                return False
            assert answer.status_code in {200, 503}, answer.text
            return answer.status_code == 200

        eventually(is_taken, within_s=60, every_s=0.05, what="an answer")

    def _body(self) -> bytes:
        """A cumulative sum for each tenant, and a histogram of another sender that has no sums."""
        now = {"timeUnixNano": str(time.time_ns()), "startTimeUnixNano": str(self._start_ns)}
        self.counts = [one + self._rng.randrange(4) for one in self.counts]
        self.cells = [one + self._rng.randrange(3) for one in self.cells]
        sums = [
            {**now, "asInt": str(count), "attributes": [_attribute("tenant", f"t{at}")]}
            for at, count in enumerate(self.counts)
        ]
        cells = {**now, "count": str(sum(self.cells)), "bucketCounts": [str(c) for c in self.cells]}
        cells |= {"explicitBounds": [1, 4], "attributes": [_attribute("tenant", "timed")]}
        cumulative = {"aggregationTemporality": 2}
        return _request(
            {"name": "messages", "sum": {**cumulative, "isMonotonic": True, "dataPoints": sums}},
            {"name": "message.latency", "histogram": {**cumulative, "dataPoints": [cells]}},
        )


def _request(counter: dict[str, object], histogram: dict[str, object]) -> bytes:
    resources = [
        {
            "resource": {"attributes": [_attribute("service.instance.id", name)]},
            "scopeMetrics": [{"metrics": [metric]}],
        }
        for name, metric in (("r-1", counter), ("r-2", histogram))
    ]
    return json.dumps({"resourceMetrics": resources}).encode()


def _counted(client: httpx.Client, tenant: str) -> int:
    now = time.time()
    asked = {"from": now - 3600, "to": now + 60, "tenant": tenant}
    return int(client.get("/api/v1/overview", params=asked).json()["messages"])


def test_what_counters_rose_by_is_there_once_after_any_kill(tmp_path: Path) -> None:
    random.seed(11)
    with StreamgaugeProcess(tmp_path) as process:
        process.start()
        router = Router(process.url)
        router.start()
        for _ in range(KILLS):
            turn = router.turn + random.randrange(5, 60)
            eventually(lambda: router.turn >= turn, within_s=60, every_s=0.001, what="its turn")  # noqa: B023
            process.kill()
            process.start()
        router.stop()
        told = {f"t{at}": count for at, count in enumerate(router.counts)}
        told["timed"] = sum(router.cells)

        def counted() -> dict[str, int]:
            return {tenant: _counted(process.client, tenant) for tenant in told}

        eventually(lambda: sum(counted().values()) >= sum(told.values()), within_s=30, what="all")
        assert counted() == told
        assert router.turn > 5 * KILLS
