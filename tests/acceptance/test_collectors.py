"""Queues that are fetched: seen exactly, unknown while their broker is away, seen again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import redis
from tests import services
from tests.conftest import Launch

from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.process, pytest.mark.slow]

CONFIG = """
[detect]
tick = "500ms"

[[queue]]
kind = "redis"
url = "redis://:s3cret@127.0.0.1:{port}"
every = "300ms"
pattern = "events.{{tenant}}.{{integration}}"

[[queue]]
kind = "nats"
name = "nobody"
url = "nats://u:s3cret@127.0.0.1:{free}"
every = "300ms"
"""


def collectors(process: StreamgaugeProcess) -> dict[str, dict[str, Any]]:
    found = process.client.get("/api/v1/collectors").json()["collectors"]
    return {one["name"]: one for one in found}


def queue_figures(process: StreamgaugeProcess, from_s: float) -> dict[str, Any]:
    asked = {"from": from_s, "to": time.time() + 60}
    return dict(process.client.get("/api/v1/overview", params=asked).json()["queue"])


def blind(process: StreamgaugeProcess, state: str) -> dict[str, dict[str, Any]]:
    """By collector."""
    found = process.client.get("/api/v1/incidents", params={"state": state}).json()["incidents"]
    return {one["evidence"]["collector"]: one for one in found if one["kind"] == "blind"}


def test_what_is_seen_what_is_unknown_and_what_is_seen_again(
    launch: Launch, tmp_path: Path
) -> None:
    server = services.redis(tmp_path / "redis", "--requirepass", "s3cret")
    config = CONFIG.format(port=server.port, free=services.free_port())
    with services.running(server):
        begun = time.time()
        client = redis.Redis(port=server.port, password="s3cret")
        client.rpush("events.acme.ga4", *range(7))
        client.rpush("events.tiny.s3", *range(5))
        process = launch(config)
        eventually(
            lambda: queue_figures(process, begun)["backlog"] == 12,
            within_s=30,
            what="the sum of both queues",
        )
        asked = {"from": begun, "to": time.time() + 60, "tenant": "acme"}
        overview = process.client.get("/api/v1/overview", params=asked).json()
        assert overview["queue"]["backlog"] == 7
        assert collectors(process)["redis"]["state"] == "ok"
        metrics = process.client.get("/metrics").text
        assert 'streamgauge_gatherer_is_ok{kind="redis",name="redis"} 1.0' in metrics
        assert 'streamgauge_gatherer_is_ok{kind="nats",name="nobody"} 0.0' in metrics

        server.kill()
        gone_at = eventually(
            lambda: collectors(process)["redis"]["state"] == "failing" and time.time(),
            within_s=30,
            what="the failing state",
        )
        opened = eventually(
            lambda: (found := blind(process, "open")).keys() == {"redis", "nobody"} and found,
            within_s=60,
            what="one incident for each collector",
        )
        assert opened["redis"]["suspected"] == "collector"
        assert opened["redis"]["affected"] == ["acme", "tiny"]
        assert opened["redis"]["evidence"]["unseen_queue_count"] == 2
        assert "refuses connections" in opened["redis"]["summary"]
        assert queue_figures(process, gone_at)["backlog"] is None, "unknown, not zero"
        assert "Cannot see" in process.client.get("/collectors").text

        server.start()
        again = redis.Redis(port=server.port, password="s3cret")
        again.rpush("events.acme.ga4", *range(3))
        eventually(
            lambda: blind(process, "open").keys() == {"nobody"},
            within_s=60,
            what="the end of the incident",
        )
        closed = process.client.get(f"/api/v1/incidents/{opened['redis']['id']}").json()
        assert closed["timeline"][-1]["reason"].startswith("it is read again since"), closed
        eventually(
            lambda: queue_figures(process, gone_at)["backlog"] == 3,
            within_s=30,
            what="what waits now",
        )
        client.close()
        again.close()
    assert "s3cret" not in process.stderr + process.stdout
    assert "s3cret" not in process.client.get("/api/v1/collectors").text
