"""What /metrics tells of receiving."""

from __future__ import annotations

from collections.abc import Mapping

from streamgauge.receive import metrics
from streamgauge.receive.influx import parse


def sample(name: str, labels: Mapping[str, str]) -> float:
    return metrics.REGISTRY.get_sample_value(name, dict(labels)) or 0.0


def count(body: bytes, path: str) -> None:
    metrics.count_parsed(path, parse(body, precision="ns", db="d", received_at_ns=10**18))


def test_lines_are_counted_by_what_became_of_them() -> None:
    before = sample("streamgauge_receive_rejected_total", {"reason": "count", "tenant": "metric-a"})
    count(b"m f=1 5\nmessages,tenant=metric-a count=-1 5\nbare\n# comment", "/lines")
    assert sample("streamgauge_receive_lines_total", {"path": "/lines"}) == 1
    after = sample("streamgauge_receive_rejected_total", {"reason": "count", "tenant": "metric-a"})
    assert after == before + 1


def test_labels_of_customers_are_bounded() -> None:
    body = b"\n".join(
        b"messages,tenant=many-%d count=-1 5" % n for n in range(metrics.MAX_TENANTS + 50)
    )
    count(body, "/many")
    other = {"reason": "count", "tenant": "other"}
    assert sample("streamgauge_receive_rejected_total", other) >= 50
    tenants = {
        one.labels["tenant"]
        for family in metrics.REGISTRY.collect()
        for one in family.samples
        if one.name == "streamgauge_receive_rejected_total"
    }
    assert len(tenants) <= metrics.MAX_TENANTS + 1
