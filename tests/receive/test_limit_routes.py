"""Limits as a sender meets them: 429 and partial writes in the shapes of both protocols."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive import metrics
from streamgauge.receive.gates import Gates, gates_of
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000.0
V1, V2 = "/write?db=d", "/api/v2/write?org=o&bucket=b"
LIMITS = ReceiveLimits()
TEN_LINES = QuotaSettings(TenantLimits(lines_per_s=10), burst_s=1)


class Limited:
    """A receiver with limits, its clock, and what reached the store."""

    def __init__(self, settings: QuotaSettings = TEN_LINES) -> None:
        self.sink, self.clock = MemorySink(), SimulatedClock(NOW)
        self.gates: Gates = gates_of(self.clock, LIMITS, settings)
        self._app = Starlette(routes=routes(workshop_of(self.sink, self.clock, LIMITS, self.gates)))

    def write(self, url: str, body: bytes, **given: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("10.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.post(url, content=body, **given)

        return asyncio.run(go())

    def counted(self) -> dict[tuple[str | None, str], tuple[int, int]]:
        return {
            (one.tenant, one.reason.value): (one.lost_day, one.deferred_day)
            for one in self.gates.ledger.refusals()
        }


@pytest.fixture
def limited() -> Limited:
    return Limited()


def lines(tenant: str, first: int, count: int) -> bytes:
    stamps = range(first, first + count)
    return b"".join(f"messages,tenant={tenant} count=1i {at}\n".encode() for at in stamps)


def test_v1_is_told_429_and_when_there_is_room(limited: Limited) -> None:
    assert limited.write(V1, lines("acme", 0, 10)).status_code == 204
    response = limited.write(V1, lines("acme", 10, 7))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    text = response.json()["error"]
    assert text.startswith("customer acme is over its limit of 10 lines/s (bursts of 10)")
    assert text.endswith("nothing was kept: send the same again in 1 s")
    assert response.headers["x-influxdb-error"] == text
    assert limited.sink.row_count == 10


def test_v2_is_told_in_its_own_shape(limited: Limited) -> None:
    limited.write(V2, lines("acme", 0, 10))
    response = limited.write(V2, lines("acme", 10, 7))
    assert response.status_code == 429
    assert response.json()["code"] == "too many requests"
    assert response.json()["message"].startswith("customer acme is over its limit")
    assert response.headers["x-platform-error-code"] == "too many requests"
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("url", [V1, V2])
def test_the_same_body_again_after_that_time_is_kept_once(limited: Limited, url: str) -> None:
    limited.write(url, lines("acme", 0, 10))
    late = lines("acme", 10, 7)
    wait_s = int(limited.write(url, late).headers["retry-after"])
    limited.clock.advance(wait_s)
    assert limited.write(url, late).status_code == 204
    assert limited.write(url, late).status_code == 204, "a retry of what was kept is not asked for"
    assert limited.sink.row_count == 17


def test_a_mixed_body_keeps_the_others_and_names_customer_and_limit(limited: Limited) -> None:
    limited.write(V1, lines("acme", 0, 10))
    body = lines("zeta", 0, 2) + lines("acme", 10, 3) + b"bare\n"
    response = limited.write(V1, body)
    assert response.status_code == 400
    text = response.json()["error"]
    assert text.startswith("partial write: customer acme is over its limit of 10 lines/s")
    assert "unable to parse 'bare'" in text
    assert text.endswith("(line 3) dropped=4")
    assert limited.sink.row_count == 12
    response = limited.write(V2, lines("zeta", 10, 2) + lines("acme", 10, 3))
    assert (response.status_code, response.json()["line"]) == (400, 3)
    assert "retry-after" not in response.headers, "it must not be sent again"


def test_a_retry_of_a_mixed_body_doubles_nobody(limited: Limited) -> None:
    limited.write(V1, lines("acme", 0, 10))
    body = lines("zeta", 0, 2) + lines("acme", 10, 3)
    limited.write(V1, body)
    assert limited.write(V1, body).status_code in {204, 400}
    limited.clock.advance(5)
    limited.write(V1, body)
    assert limited.sink.row_count == 12


def test_all_tenants_of_a_body_over_their_limits_wait_for_the_slowest() -> None:
    slow = {"slow": TenantLimits(lines_per_s=1)}
    limited = Limited(QuotaSettings(TenantLimits(lines_per_s=10), slow, burst_s=10))
    limited.write(V1, lines("acme", 0, 100) + lines("slow", 0, 10))
    response = limited.write(V1, lines("acme", 100, 20) + lines("slow", 100, 7))
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert "customer acme" in response.text
    assert "customer slow" in response.text


def test_what_the_store_refuses_costs_no_allowance(limited: Limited) -> None:
    limited.sink.failure = Overloaded("full", 3)
    assert limited.write(V1, lines("acme", 0, 10)).status_code == 503
    limited.sink.failure = None
    assert limited.write(V1, lines("acme", 0, 10)).status_code == 204


def test_active_series_wait_for_the_next_window() -> None:
    limited = Limited(QuotaSettings(TenantLimits(active_series=2)))
    assert limited.write(V1, b"cpu,tenant=a,id=1 f=1 5\ncpu,tenant=a,id=2 f=1 5").status_code == 204
    response = limited.write(V1, b"cpu,tenant=a,id=3 f=1 5")
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) == 1800 - NOW % 1800
    response = limited.write(V1, b"cpu,tenant=a,id=1 f=1 6\ncpu,tenant=a,id=3 f=1 5")
    assert response.status_code == 400
    assert "customer a has 2 active series, which is its limit" in response.json()["error"]


def test_what_was_refused_is_counted_by_customer_and_reason(limited: Limited) -> None:
    limited.write(V1, lines("acme", 0, 10))
    limited.write(V1, lines("acme", 10, 7))
    limited.write(V1, lines("acme", 10, 7) + lines("zeta", 0, 1) + b"bare\n")
    limited.write(V1, b"x", headers={"Content-Encoding": "gzip"})
    limited.sink.failure = Overloaded("the journal is full", 3)
    limited.write(V1, lines("zeta", 1, 1))
    assert limited.counted() == {
        ("acme", "lines_per_s"): (7, 7),
        ("default", "syntax"): (1, 0),
        (None, "unreadable_body"): (1, 0),
        (None, "overloaded"): (0, 1),
    }
    told = limited.gates.ledger.refusals("acme")[0]
    assert told.reason is RefusalReason.LINES_PER_S
    assert told.sample_line == "messages,tenant=acme count=1i 10"
    assert "over its limit" in told.sample_reason


def test_metrics_tell_what_was_deferred(limited: Limited) -> None:
    limited.write(V1, lines("deferred", 0, 10))
    limited.write(V1, lines("deferred", 10, 7))
    labels = {"reason": "lines_per_s", "tenant": "deferred"}
    name = "streamgauge_receive_deferred_lines_total"
    assert metrics.REGISTRY.get_sample_value(name, labels) == 7
