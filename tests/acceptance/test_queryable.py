"""What was acknowledged is there for the next question, soon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from streamgauge.testing.api import overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

DEADLINE_S = 5
"""The promise is 1 s on an idle machine; tests share theirs."""


@pytest.fixture(scope="module")
def streamgauge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    with StreamgaugeProcess(tmp_path_factory.mktemp("queryable")) as process:
        yield process.start()


def test_the_overview_tells_every_key_metric_and_null_before(
    streamgauge: StreamgaugeProcess,
) -> None:
    now = int(time.time())
    _check_nothing_is_known(overview(streamgauge.client, now - 60, now))
    stamp = (now - 60) * 10**9
    series = "messages,tenant=acme,source=web,integration=ga4,pipeline=main"
    lines = [
        f"{series},stage=received,outcome=ok count=100i {stamp}",
        f"{series},stage=processed,outcome=filtered count=10i {stamp}",
        f"{series},stage=processed,outcome=error,reason=bad\\ json count=5i {stamp}",
        f"{series},stage=delivered,outcome=ok count=80i,latency_ms=250,queue_ms=40 {stamp}",
        f"{series},stage=delivered,outcome=error,reason=http\\ 500 count=5i,latency_s=2 {stamp}",
        f"{series},stage=delivered,outcome=retried,reason=timeout count=7i {stamp}",
        f"queue,queue=ga4,pipeline=main backlog=42i,oldest_age_s=3.5 {stamp}",
    ]
    assert write(streamgauge.client, lines).status_code == 204

    def seen() -> object:
        return overview(streamgauge.client, now - 600, now, tenant="acme")["messages"]

    eventually(lambda: seen() == 100, within_s=DEADLINE_S, what="100 ends")
    found = overview(streamgauge.client, now - 600, now)
    assert found["received"] == 100
    assert found["errors"] == 10
    assert found["filtered"] == 10
    assert found["success_ratio"] == pytest.approx(80 / 90)
    assert found["error_ratio"] == pytest.approx(10 / 90)
    assert found["messages_per_second"] == pytest.approx(100 / 600)
    assert found["latency"]["p50_s"] == pytest.approx(0.25, rel=0.012)
    assert found["latency"]["p99_s"] == pytest.approx(2, rel=0.012)
    assert found["queue"]["backlog"] == 42
    assert found["queue"]["oldest_age_s"] == 3.5
    assert found["queue"]["wait"]["p50_s"] == pytest.approx(0.04, rel=0.012)
    assert found["capacity"]["reached_at"] is None


def _check_nothing_is_known(found: dict[str, Any]) -> None:
    assert found["latency"] == {"p50_s": None, "p90_s": None, "p99_s": None}
    assert found["queue"]["backlog"] is None
    assert found["capacity"]["messages_per_second"] is None
    assert found["success_ratio"] is None
    assert found["state"] == "unknown"


def test_acknowledged_lines_are_in_the_overview(streamgauge: StreamgaugeProcess) -> None:
    now = int(time.time()) - 7200  # the other test asks of what is newer
    for turn in range(1, 11):
        stamp = (now - 60) * 10**9 + turn
        line = f"messages,tenant=acme,source=web,outcome=ok count=3i,latency_ms=40 {stamp}"
        assert write(streamgauge.client, [line]).status_code == 204
        eventually(
            lambda turn=turn: overview(streamgauge.client, now - 3600, now)["messages"] == 3 * turn,
            within_s=DEADLINE_S,
            every_s=0.02,
            what=f"line {turn}",
        )
