"""`POST /v1/metrics` as a sender meets it: what is kept, what to drop, what to try again."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Request,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse as Answer,
)
from starlette.applications import Starlette

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.receive.gates import gates_of
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_800_000_000
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def request(*stamps_s: float, tenant: str = "acme") -> bytes:
    made = Request()
    metric = made.resource_metrics.add().scope_metrics.add().metrics.add(name="temperature")
    for at in stamps_s:
        point = metric.gauge.data_points.add(time_unix_nano=round(at * 1e9), as_double=21.5)
        point.attributes.add(key="tenant").value.string_value = tenant
    return made.SerializeToString()


GOOD = request(NOW)
AS_JSON = json.dumps(
    {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "temperature",
                                "gauge": {
                                    "dataPoints": [
                                        {"asDouble": 21.5, "timeUnixNano": f"{NOW}000000000"}
                                    ]
                                },
                            }
                        ]
                    }
                ]
            }
        ]
    }
).encode()


class Client:
    def __init__(
        self,
        sink: MemorySink,
        limits: ReceiveLimits | None = None,
        quotas: QuotaSettings | None = None,
    ) -> None:
        clock, limits = SimulatedClock(NOW), limits or ReceiveLimits()
        self.gates = gates_of(clock, limits, quotas)
        self._app = Starlette(routes=routes(workshop_of(sink, clock, limits, self.gates)))

    def send(
        self, body: bytes, media: str = PROTOBUF, path: str = "/v1/metrics", **headers: str
    ) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("10.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                given = {"content-type": media, **named}
                return await client.post(path, content=body, headers=given)

        return asyncio.run(go())


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.mark.parametrize(
    ("body", "media", "encoding", "answer"),
    [
        pytest.param(GOOD, PROTOBUF, "", b"", id="protobuf"),
        pytest.param(GOOD, "application/protobuf", "", b"", id="protobuf by its other name"),
        pytest.param(gzip.compress(GOOD), PROTOBUF, "gzip", b"", id="zipped protobuf"),
        pytest.param(AS_JSON, JSON, "", b"{}", id="JSON"),
        pytest.param(
            gzip.compress(AS_JSON), f"{JSON}; charset=utf-8", "gzip", b"{}", id="zipped JSON"
        ),
    ],
)
def test_what_is_good_is_kept(
    sink: MemorySink, body: bytes, media: str, encoding: str, answer: bytes
) -> None:
    got = Client(sink).send(body, media, content_encoding=encoding)
    assert (got.status_code, got.content) == (200, answer)
    assert got.headers["content-type"] == (JSON if JSON in media else PROTOBUF)
    (row,) = sink.bodies[0].batch.points.to_pylist()
    assert (row["db"], row["measurement"], row["value"]) == ("otlp", "temperature", 21.5)
    assert row["time_ns"] == NOW * 10**9


def test_the_name_space_can_be_chosen(sink: MemorySink) -> None:
    Client(sink).send(GOOD, path="/v1/metrics?db=team")
    assert sink.bodies[0].batch.points.to_pylist()[0]["db"] == "team"


@pytest.mark.parametrize(
    ("body", "media"),
    [
        pytest.param(b"", PROTOBUF, id="no byte"),
        pytest.param(b"{}", JSON, id="an empty object"),
        pytest.param(request(), PROTOBUF, id="a metric without points"),
    ],
)
def test_an_empty_request_is_a_success(sink: MemorySink, body: bytes, media: str) -> None:
    assert Client(sink).send(body, media).status_code == 200
    assert sink.row_count == 0


def test_a_retry_counts_once(sink: MemorySink) -> None:
    client = Client(sink)
    assert [client.send(GOOD).status_code for _ in range(2)] == [200, 200]
    assert sink.row_count == 1


def test_refused_points_are_counted_and_the_others_kept(sink: MemorySink) -> None:
    client = Client(sink)
    partial = Answer.FromString(client.send(request(NOW, 0, NOW + 9_999)).content).partial_success
    assert partial.rejected_data_points == 2
    assert "2 of 3 data points" in partial.error_message
    assert "no time stamp" in partial.error_message
    assert sink.row_count == 1
    told = json.loads(client.send(AS_JSON.replace(b"1800", b"1900"), JSON).content)
    assert told["partialSuccess"]["rejectedDataPoints"] == "1"
    assert {refusal.tenant for refusal in client.gates.ledger.refusals()} >= {"acme"}


def test_points_beyond_the_guard_are_refused(sink: MemorySink) -> None:
    client = Client(sink, ReceiveLimits(max_new_series_per_tenant_hour=1))
    client.send(GOOD)
    made = Request.FromString(request(NOW, NOW))
    points = made.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    points[1].attributes.add(key="new").value.string_value = "tag"
    partial = Answer.FromString(client.send(made.SerializeToString()).content).partial_success
    assert partial.rejected_data_points == 1


@pytest.mark.parametrize(
    ("body", "media", "status", "word"),
    [
        pytest.param(GOOD[:-3], PROTOBUF, 400, "cut off", id="truncated protobuf"),
        pytest.param(b"\xff" * 20, PROTOBUF, 400, "protobuf", id="no protobuf"),
        pytest.param(b"{", JSON, 400, "JSON", id="no JSON"),
        pytest.param(b"[" * 50_000, JSON, 400, "nested too deeply", id="deep JSON"),
        pytest.param(b'{"resourceMetrics":7}', JSON, 400, "JSON", id="other JSON"),
        pytest.param(GOOD, "text/plain", 415, "application/x-protobuf", id="an unknown type"),
        pytest.param(b"x" * 2_000, PROTOBUF, 413, "smaller", id="too large"),
    ],
)
def test_what_can_never_be_taken_is_told_in_a_status(
    sink: MemorySink, body: bytes, media: str, status: int, word: str
) -> None:
    got = Client(sink, ReceiveLimits(max_body_bytes=60_000 if b"[" in body else 1_000)).send(
        body, media
    )
    assert got.status_code == status
    assert "retry-after" not in got.headers
    if media == PROTOBUF:
        said = Status.FromString(got.content)
        assert word in said.message
        if status == 400:
            bad = BadRequest()
            assert said.details[0].Unpack(bad)
            assert word in bad.field_violations[0].description
    else:
        assert got.headers["content-type"] == JSON
        assert word in json.loads(got.content)["message"]


def test_gzip_that_is_damaged_or_unknown(sink: MemorySink) -> None:
    client = Client(sink)
    assert client.send(GOOD, content_encoding="gzip").status_code == 400
    assert client.send(GOOD, content_encoding="br").status_code == 415


def _seconds(got: httpx.Response) -> int:
    info = RetryInfo()
    assert Status.FromString(got.content).details[0].Unpack(info)
    return int(info.retry_delay.seconds)


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        pytest.param(Overloaded("the journal is full", 7), 7, id="overloaded"),
        pytest.param(StoreError("the disk refused", permanent=False), 5, id="the disk refuses"),
    ],
)
def test_what_can_be_taken_later_says_when(
    sink: MemorySink, failure: Exception, wait_s: int
) -> None:
    client = Client(sink)
    sink.failure = failure
    got = client.send(GOOD)
    assert (got.status_code, got.headers["retry-after"]) == (503, str(wait_s))
    assert _seconds(got) == wait_s
    sink.failure = None
    assert client.send(GOOD).status_code == 200
    assert sink.row_count == 1


def test_all_of_it_over_a_limit_is_429(sink: MemorySink) -> None:
    quotas = QuotaSettings(tenants={"acme": TenantLimits(lines_per_s=0.1)})
    client = Client(sink, quotas=quotas)
    client.send(request(NOW - 9, NOW - 8, NOW - 7))  # more than it had saved up
    got = client.send(request(NOW, NOW - 1, NOW - 2))
    assert got.status_code == 429
    assert _seconds(got) == int(got.headers["retry-after"]) > 0
    assert sink.row_count == 3


def test_points_of_a_customer_over_its_limit_are_refused_and_the_others_kept(
    sink: MemorySink,
) -> None:
    quotas = QuotaSettings(tenants={"acme": TenantLimits(lines_per_s=0.1)})
    client = Client(sink, quotas=quotas)
    client.send(request(NOW - 9, NOW - 8, NOW - 7))
    both = request(NOW, NOW - 1) + request(NOW, tenant="globex")
    partial = Answer.FromString(client.send(both).content).partial_success
    assert partial.rejected_data_points == 2
    assert "acme is over its limit" in partial.error_message
    assert sink.bodies[-1].batch.points["tags"].to_pylist() == ["tenant=globex"]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_other_signals_are_told_where_they_are(sink: MemorySink, path: str) -> None:
    got = Client(sink).send(b"", path=path)
    assert got.status_code == 404  # never to be sent again
    assert "metrics only" in Status.FromString(got.content).message
