"""More than can be kept comes at once: senders wait, memory is bounded, nothing is lost."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.conftest import Launch

from streamgauge.testing.api import counts_by
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
SENDERS, BODIES, LINES = (24, 60, 4000) if IS_NIGHTLY else (8, 6, 4000)
GROWTH_MB = 300
"""The flood may cost so much resident memory beyond what the process had before it."""
CONFIG = """
[store]
journal = "1MB"
"""


@dataclass
class Flood:
    """Senders that give every body again until it is taken."""

    url: str
    at_s: int
    statuses: Counter[int] = field(default_factory=Counter)
    waits: set[str | None] = field(default_factory=set)

    def send(self, sender: int) -> None:
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
            for number in range(BODIES):
                body = self._body(sender, number)
                while (response := client.post("/write?db=d", content=body)).status_code == 503:
                    self.statuses[503] += 1
                    self.waits.add(response.headers.get("retry-after"))
                    time.sleep(0.2)
                self.statuses[response.status_code] += 1

    def _body(self, sender: int, number: int) -> bytes:
        first = self.at_s * 10**9 + number * LINES
        return "\n".join(
            f"messages,tenant=t{sender},source=s{n % 50} count=1i,latency_ms={n} {first + n}"
            for n in range(LINES)
        ).encode()


def resident_mb(process: StreamgaugeProcess) -> float:
    """Of the process and its children."""
    found = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:  # it ended meanwhile
            continue
        if process.pid in {int(told["Pid"]), int(told["PPid"])} and "VmRSS" in told:
            found += int(told["VmRSS"].split()[0]) / 1024
    return found


def test_a_flood_makes_senders_wait_and_costs_bounded_memory(launch: Launch) -> None:
    process = launch(CONFIG)
    flood = Flood(process.url, int(time.time()) - 60)
    before = peak = resident_mb(process)
    senders = [threading.Thread(target=flood.send, args=(n,)) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        peak = max(peak, resident_mb(process))
        senders[0].join(0.1)
        assert process.client.get("/health").status_code == 200
    assert flood.statuses[503] > 0, "the flood was none"
    assert None not in flood.waits, "everybody is told when to come again"
    assert flood.statuses[204] == SENDERS * BODIES
    assert set(flood.statuses) == {204, 503}
    assert peak - before < GROWTH_MB, f"{peak:.0f} MB, {before:.0f} MB before the flood"

    def counted() -> dict[str, int]:
        return counts_by(process.client, "tenant", flood.at_s - 1, flood.at_s + 1)

    expected = {f"t{n}": BODIES * LINES for n in range(SENDERS)}
    eventually(lambda: counted() == expected, within_s=60, what="all of it, once")
    assert process.is_ready()
