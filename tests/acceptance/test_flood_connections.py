"""Two hundred senders with large bodies at once: memory stays within the budget.

What does not fit is told when to come again, and afterwards everything is as before.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import httpx
import pytest
from bench.usage import resident_bytes
from tests.conftest import Launch

from streamgauge.testing.api import counts_by
from streamgauge.testing.waiting import eventually

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not IS_NIGHTLY, reason="STREAMGAUGE_NIGHTLY=1 sends a gigabyte"),
]
SENDERS, BODY_BYTES = 200, 5_000_000
BUDGET_MB = 1000
CONFIG = f'[store]\nmemory_budget = "{BUDGET_MB}MB"\n'
TAGS = "messages,tenant=flood,source=s,integration="


def body_of(sender: int, at_s: int) -> bytes:
    """Some 5 MB of lines, of a sender's own."""
    line = f"{TAGS}i{sender} count=1i,latency_ms=7 {at_s}{sender:03}000000\n"
    return line.encode() * (BODY_BYTES // len(line))


def test_200_large_bodies_at_once_stay_within_the_budget(launch: Launch) -> None:
    process = launch(CONFIG)
    at_s = int(time.time()) - 60
    line_count = sum(body_of(sender, at_s).count(b"\n") for sender in range(SENDERS))
    statuses: Counter[int] = Counter()
    waits: set[str | None] = set()
    begin = threading.Barrier(SENDERS)

    def send(sender: int) -> None:
        body = body_of(sender, at_s)
        begin.wait()
        with httpx.Client(base_url=process.url, timeout=300, trust_env=False) as client:
            while (answer := client.post("/write?db=d", content=body)).status_code == 503:
                statuses[503] += 1
                waits.add(answer.headers.get("retry-after"))
                time.sleep(float(answer.headers.get("retry-after") or 1))
            statuses[answer.status_code] += 1

    senders = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for one in senders:
        one.start()
    peak = 0
    while any(one.is_alive() for one in senders):
        peak = max(peak, resident_bytes(process.pid))
        senders[0].join(0.2)
    print(f"at most {peak / 1e6:.0f} MB; {dict(statuses)}")
    assert statuses[503] > 0, "the flood was none"
    assert None not in waits, "everybody is told when to come again"
    assert (set(statuses), statuses[204]) == ({204, 503}, SENDERS)
    assert peak < BUDGET_MB * 1e6, f"{peak / 1e6:.0f} MB"
    eventually(
        lambda: counts_by(process.client, "tenant", at_s - 1, at_s + 2) == {"flood": line_count},
        within_s=120,
        what="all of it, once",
    )
    assert process.is_ready()
