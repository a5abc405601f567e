"""What the router's reporting by `streamgauge.client` says."""

from __future__ import annotations

import json

import pytest
from examples.router.lines import Identity
from examples.router.queues import Depth
from examples.router.reporting import Hop, make_reporting
from examples.router.reporting.by_client import ByClient
from tests.client.taking import Taking
from tests.examples.virtual import parse

from streamgauge.client import Gauge


def test_hops_and_depths_are_told_in_streamgauges_words() -> None:
    server = Taking()
    reporting = ByClient(
        Gauge(router="router-7", version="1.2.3", interval_s=3600, transport=server)
    )
    hop = Hop("acme", "web", "delivered", "ok", "ga4", "", 10, latency_s=0.25, wait_s=0.01)
    for _ in range(3):
        reporting.message(hop)
    reporting.message(Hop("acme", "web", "received", "ok", size_bytes=10))
    failed = Hop("acme", "web", "delivered", "error", "ga4", "timeout", message_id="m-1")
    reporting.message(failed)
    reporting.queue("ga4", Depth(3, 9.5, 4, 0, 1, 1))
    reporting.dead_letters(2)
    reporting.close(within_s=30)
    lines = parse(server.text)
    router = {"router": "router-7", "version": "1.2.3"}
    delivered, received, queue, letters, _ = lines
    assert delivered.tags == router | {
        "tenant": "acme",
        "source": "web",
        "integration": "ga4",
        "pipeline": "events",
        "stage": "delivered",
        "outcome": "ok",
    }
    assert (delivered.fields["count"], delivered.fields["bytes"]) == (3, 30)
    assert delivered.fields["latency_s"] == pytest.approx(0.25, rel=0.011)
    assert delivered.fields["queue_s"] == pytest.approx(0.01, rel=0.011)
    assert received.tags["stage"] == "received"
    assert received.fields == {"count": 1, "bytes": 10}
    assert queue.tags == router | {"queue": "ga4", "integration": "ga4", "pipeline": "events"}
    assert queue.fields == {
        "backlog": 3,
        "oldest_age_s": 9.5,
        "in_total": 4,
        "out_total": 0,
        "consumers": 1,
        "in_flight": 1,
    }
    (told,) = map(json.loads, server.body("/v1/messages").splitlines())
    assert (told["id"], told["outcome"], told["reason"]) == ("m-1", "error", "timeout")
    assert (letters.measurement, letters.fields) == ("router_report", {"dead_letters": 2})


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'statsd'; there are client and otel"):
        make_reporting("statsd", "http://127.0.0.1:1", Identity("r", "1"), 5.0)
