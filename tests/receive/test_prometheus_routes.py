"""`POST /api/v1/write` as a sender meets it: what it is told to drop, and to try again."""

from __future__ import annotations

import asyncio

import cramjam
import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from starlette.applications import Starlette
from tests.receive.prometheus_reference import write_request

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.gates import gates_of
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.prometheus.snappy import unpack
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_790_000_000
NOW_MS = NOW * 1000
HEADERS = {
    "content-encoding": "snappy",
    "content-type": "application/x-protobuf",
    "x-prometheus-remote-write-version": "0.1.0",
}
GOOD = write_request(({"__name__": "temperature", "tenant": "acme"}, [(21.5, NOW_MS)]))
LATE = write_request(
    ({"__name__": "temperature"}, [(1.0, NOW_MS + 7_200_000)]),
    ({"__name__": "temperature"}, [(2.0, NOW_MS)]),
)


def packed(plain: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(plain))


class Client:
    def __init__(self, sink: MemorySink, limits: ReceiveLimits, quotas: QuotaSettings) -> None:
        clock = SimulatedClock(NOW)
        self.gates = gates_of(clock, limits, quotas)
        self._app = Starlette(routes=routes(workshop_of(sink, clock, limits, self.gates)))

    def write(
        self, body: bytes, path: str = "/api/v1/write", address: str = "10.0.0.1", **headers: str
    ) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(address, 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return await client.post(path, content=body, headers={**HEADERS, **named})

        return asyncio.run(go())


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def client_of(
    sink: MemorySink, limits: ReceiveLimits | None = None, quotas: QuotaSettings | None = None
) -> Client:
    return Client(sink, limits or ReceiveLimits(), quotas or QuotaSettings())


def test_what_is_not_ours_is_kept_under_its_name(sink: MemorySink) -> None:
    answer = client_of(sink).write(packed(GOOD))
    assert (answer.status_code, answer.content) == (204, b"")
    (point,) = sink.bodies[0].batch.points.to_pylist()
    assert (point["db"], point["measurement"], point["value"]) == (
        "prometheus",
        "temperature",
        21.5,
    )
    assert (point["tags"], point["time_ns"]) == ("tenant=acme", NOW * 10**9)


def test_the_name_space_is_the_db_of_the_query(sink: MemorySink) -> None:
    client_of(sink).write(packed(GOOD), "/api/v1/write?db=metrics")
    assert sink.bodies[0].batch.points["db"].to_pylist() == ["metrics"]


def test_a_body_that_is_sent_again_counts_once(sink: MemorySink) -> None:
    client = client_of(sink)
    assert [client.write(packed(GOOD)).status_code for _ in range(2)] == [204, 204]
    assert sink.row_count == 1


def test_equal_bodies_that_are_no_retry_both_count(sink: MemorySink) -> None:
    client = client_of(sink)
    client.write(packed(GOOD))
    client.write(packed(GOOD), address="10.0.0.2")
    client.write(packed(GOOD), "/api/v1/write?db=other")
    client.write(packed(GOOD), authorization="Bearer other")
    assert sink.row_count == 4


def test_a_senders_own_key_names_its_body(sink: MemorySink) -> None:
    client = client_of(sink)
    for body in (GOOD, GOOD + LATE):
        client.write(packed(body), idempotency_key="one")
    assert sink.row_count == 1


def test_an_empty_body_is_fine_as_senders_try_it_first(sink: MemorySink) -> None:
    assert client_of(sink).write(packed(b"")).status_code == 204


BAD_BODIES = [
    ("not packed at all", b"hello", 400, "snappy"),
    ("nothing", b"", 400, "snappy"),
    ("packed and cut off", packed(GOOD * 50)[:-5], 400, "snappy"),
    ("the framed format", bytes(cramjam.snappy.compress(GOOD)), 400, "framed"),
    ("packed text", packed(b"messages,tenant=acme count=1i"), 400, "WriteRequest"),
    ("cut off before it was packed", packed(GOOD[:-4]), 400, "cut off"),
    ("more than is taken, as it says", b"\xff\xff\xff\xff\x0f" + b"x" * 50, 413, "4,294,967,295"),
    ("version 2.0 that does not say so", packed(b"\x22\x00\x22\x03abc"), 400, "version 2.0"),
]


@pytest.mark.parametrize(
    ("_", "body", "status", "text"), BAD_BODIES, ids=[case[0] for case in BAD_BODIES]
)
def test_a_bad_body_is_named_counted_and_not_kept(
    sink: MemorySink, _: str, body: bytes, status: int, text: str
) -> None:
    client = client_of(sink)
    answer = client.write(body)
    assert answer.status_code == status
    assert text in answer.text
    assert not sink.bodies
    assert [refusal.lost_day for refusal in client.gates.ledger.refusals()] == [1]


CONTENTS: list[tuple[str, dict[str, str], int]] = [
    ("1.0 by name", {"content_type": "application/x-protobuf;proto=prometheus.WriteRequest"}, 204),
    ("no type", {"content_type": ""}, 204),
    (
        "2.0: the sender then tries 1.0",
        {"content_type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
        415,
    ),
    ("JSON", {"content_type": "application/json"}, 415),
    ("zstd", {"content_encoding": "zstd"}, 415),
    ("no encoding, which can only be snappy", {"content_encoding": ""}, 204),
]


@pytest.mark.parametrize(("_", "headers", "status"), CONTENTS, ids=[case[0] for case in CONTENTS])
def test_the_content_must_be_said_to_be_version_1(
    sink: MemorySink, _: str, headers: dict[str, str], status: int
) -> None:
    assert client_of(sink).write(packed(GOOD), **headers).status_code == status


def test_a_bad_sample_is_told_with_400_and_the_others_are_kept(sink: MemorySink) -> None:
    client = client_of(sink)
    answer = client.write(packed(LATE))
    assert answer.status_code == 400
    assert answer.text.startswith("1 of 2 samples were refused, the others are kept")
    assert "ahead of our clock" in answer.text
    assert sink.bodies[0].batch.points["value"].to_pylist() == [2.0]


def test_a_large_body_is_told_how_to_become_smaller(sink: MemorySink) -> None:
    limits = ReceiveLimits(max_body_bytes=1000)
    answer = client_of(sink, limits).write(packed(GOOD * 100))
    assert answer.status_code == 413
    assert "max_samples_per_send" in answer.text


FAILURES: list[tuple[str, Exception, str]] = [
    ("the journal is full", Overloaded("the journal is full", 7), "7"),
    ("the disk refuses", StoreError("read-only", permanent=False), "5"),
]


@pytest.mark.parametrize(("_", "error", "wait"), FAILURES, ids=[case[0] for case in FAILURES])
def test_what_could_not_be_kept_now_is_to_be_sent_again(
    sink: MemorySink, _: str, error: Exception, wait: str
) -> None:
    sink.failure = error
    answer = client_of(sink).write(packed(GOOD))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, wait)
    sink.failure = None
    assert client_of(sink).write(packed(GOOD)).status_code == 204
    assert sink.row_count == 1


def test_a_customer_over_its_limit_is_told_to_wait(sink: MemorySink) -> None:
    quotas = QuotaSettings(TenantLimits(lines_per_s=1.0), burst_s=1.0)
    client = client_of(sink, quotas=quotas)
    body = write_request(
        *(({"__name__": "t", "tenant": "acme", "n": str(n)}, [(1.0, NOW_MS)]) for n in range(5))
    )
    statuses = [client.write(packed(body)).status_code]
    again = client.write(packed(body + GOOD))
    assert [*statuses, again.status_code] == [204, 429]
    assert int(again.headers["retry-after"]) >= 1
    (refusal,) = client.gates.ledger.refusals()
    assert (refusal.tenant, refusal.reason) == ("acme", RefusalReason.LINES_PER_S)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", packed(GOOD)[:9]]), st.binary(max_size=60))
def test_whatever_is_unpacked_is_bounded_or_refused(head: bytes, tail: bytes) -> None:
    try:
        assert len(unpack(head + tail, "snappy", 1000)) <= 1000
    except (PayloadError, BodyTooLarge):
        return


def test_unpacking_gives_what_was_packed() -> None:
    assert unpack(packed(GOOD * 100), " Snappy ", len(GOOD) * 100) == GOOD * 100


def test_two_servers_that_send_one_series_count_what_it_rose_by_once(sink: MemorySink) -> None:
    """As a pair of Prometheus servers that scrape the same routers at moments of their own."""
    client = client_of(sink)
    labels = {"__name__": "messages_total", "tenant": "acme", "instance": "r:9090"}
    scraped = [(100, 0, "1"), (101, 5, "2"), (110, 15, "1"), (112, 20, "2"), (111, 18, "1")]
    for value, second, server in scraped:
        body = write_request((labels, [(float(value), NOW_MS - 60_000 + second * 1000)]))
        assert client.write(packed(body), address=f"10.0.0.{server}").status_code == 204
    assert sink.message_count == 12
