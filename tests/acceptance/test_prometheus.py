"""Debian's Prometheus and our own scrape, side by side, through restarts of everybody.

The figures of one router come by both ways, each marked by a pipeline of its own, and every count
must be exact by both.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.prometheus_world import BOUNDS, Exporter, Prometheus

from streamgauge.testing.api import counts_by, overview
from streamgauge.testing.process import StreamgaugeProcess, free_port
from streamgauge.testing.waiting import eventually, steadily

pytestmark = pytest.mark.process

WAYS = ("written", "scraped")
PAGE = Path(__file__).parents[2] / "docs/prometheus.md"


def documented(language: str) -> str:
    """The example of the page, with the intervals of a test."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


@dataclass
class World:
    exporter: Exporter
    prometheus: Prometheus
    streamgauge: StreamgaugeProcess
    from_s: int

    def overview(self, way: str, **filters: str) -> dict[str, Any]:
        till_s = time.time() + 60
        return overview(self.streamgauge.client, self.from_s, till_s, pipeline=way, **filters)

    def counts(self) -> list[int | None]:
        return [self.overview(way)["messages"] for way in WAYS]

    def await_counts(self, expected: int) -> None:
        eventually(
            lambda: self.counts() == [expected] * len(WAYS) or None,
            within_s=90,
            every_s=0.3,
            what=f"{expected} messages by both ways (last: {self.counts()})",
        )

    def await_gauge(self, value: int) -> None:
        """Both ways have brought what the router shows now."""
        self.exporter.backlog.labels("q").set(value)
        eventually(
            lambda: [self.overview(way)["queue"]["backlog"] for way in WAYS] == [value] * 2,
            within_s=90,
            every_s=0.3,
            what="the router's figures by both ways",
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("prometheus")
    exporter, port = Exporter(), free_port()
    written = documented("yaml").replace("127.0.0.1:8686", f"127.0.0.1:{port}")
    config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: router
    static_configs: [{{targets: ["127.0.0.1:{exporter.port}"], labels: {{pipeline: written}}}}]
{written}
    queue_config: {{batch_send_deadline: 500ms, max_backoff: 1s}}
    metadata_config: {{send_interval: 1s}}
    send_exemplars: true
"""
    scraped = documented("toml").replace("127.0.0.1:9090", f"127.0.0.1:{exporter.port}")
    scraped = scraped.replace("15s", "1s").replace("events", "scraped")
    prometheus = Prometheus(folder / "prometheus", config)
    with StreamgaugeProcess(folder / "streamgauge", scraped, port=port) as process:
        try:
            exporter.start(standing_at=1000)
            process.start()
            prometheus.start()
            yield World(exporter, prometheus, process, int(time.time()) - 60)
        finally:
            prometheus.stop()
            exporter.stop()


def test_every_count_is_exact_through_restarts_of_everybody(world: World) -> None:
    exporter, latencies = world.exporter, list[float]()

    def arrive(count: int, latency_s: float, outcome: str = "ok") -> None:
        exporter.count(count, latency_s=latency_s, outcome=outcome)
        latencies.extend([latency_s] * count)

    # What stood there when it was first seen is the baseline.
    world.await_gauge(7)
    assert [count or 0 for count in world.counts()] == [0, 0]

    arrive(20, 0.07)
    arrive(5, 2.0, "error")
    world.await_counts(25)

    # The router begins anew.
    exporter.stop()
    exporter.start()
    arrive(30, 0.2)
    world.await_counts(55)

    # Prometheus dies, and reads its write-ahead log again.
    world.prometheus.kill()
    arrive(10, 0.3)
    world.prometheus.start()
    world.await_counts(65)

    # We die in the middle, while more arrives; Prometheus sends again what we did not answer.
    arrive(10, 0.7)
    world.streamgauge.kill()
    arrive(5, 0.02)
    world.streamgauge.start()
    world.await_counts(80)

    steadily(lambda: world.counts() == [80, 80], for_s=2.5, what="80 messages, none twice")
    for way in WAYS:
        found = world.overview(way)
        assert found["errors"] == 5
        _assert_latencies(found["latency"], latencies)
    till_s = int(time.time()) + 60
    by = counts_by(world.streamgauge.client, "tenant", world.from_s, till_s)
    assert by == {"acme": 160}
    assert world.prometheus.metrics()["prometheus_remote_storage_samples_failed_total"] == 0


def test_a_new_customers_first_messages_count_where_the_router_tells_when_it_began(
    world: World,
) -> None:
    def counts() -> list[int]:
        return [world.overview(way, tenant="fresh")["messages"] or 0 for way in WAYS]

    messages = world.exporter.messages.labels("fresh", "ga4", "ok")
    messages.inc(3)
    world.await_gauge(8)
    eventually(lambda: counts() == [0, 3], within_s=20, what="the baseline, and 3 by our scrape")
    messages.inc(2)
    eventually(lambda: counts() == [2, 5], within_s=60, every_s=0.3, what="2 more by both ways")


def _assert_latencies(told: dict[str, float], latencies: list[float]) -> None:
    """Each percentile lies in the router's bucket of the true one."""
    ordered = sorted(latencies)
    for name, share in (("p50_s", 0.5), ("p90_s", 0.9), ("p99_s", 0.99)):
        true = ordered[min(int(share * len(ordered)), len(ordered) - 1)]
        lower = max((bound for bound in (0.0, *BOUNDS) if bound < true), default=0.0)
        upper = min(bound for bound in BOUNDS if bound >= true)
        assert lower * 0.99 <= told[name] <= upper * 1.01, (name, true, told)


def test_a_router_that_is_gone_is_down_and_its_backlog_is_unknown(world: World) -> None:
    world.exporter.stop()
    down = re.compile(
        r'^streamgauge_gatherer_is_ok\{kind="scrape",name="127.*\} 0\.0$', re.MULTILINE
    )
    eventually(
        lambda: down.search(world.streamgauge.client.get("/metrics").text),
        within_s=30,
        what="the target that fails, in /metrics",
    )
    after, till = time.time() + 1, time.time() + 60
    eventually(lambda: time.time() > after + 2, within_s=5)
    for way in WAYS:
        found = overview(world.streamgauge.client, after, till, pipeline=way)
        assert found["queue"]["backlog"] is None
