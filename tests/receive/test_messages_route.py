"""`POST /v1/messages` as a sender meets it: statuses, answers, retries, limits."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.receive.gates import gates_of
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.messages.redaction import Redaction, RedactRule
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_800_000_000.0
GOOD = b'{"id":"a","time":1800000000,"tenant":"acme"}\n'
BAD = b'{"id":"b","latency_ms":"x","error":"of jo@example.com"}\n'


def post(
    sink: MemorySink,
    body: bytes = GOOD,
    *,
    path: str = "/v1/messages",
    quotas: QuotaSettings | None = None,
    limits: ReceiveLimits | None = None,
    redaction: Redaction | None = None,
    **headers: str,
) -> httpx.Response:
    clock = SimulatedClock(NOW)
    gates = gates_of(clock, limits or ReceiveLimits(), quotas)
    workshop = workshop_of(sink, clock, limits, gates)
    app = Starlette(routes=routes(workshop, redaction=redaction))

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test"
        ) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.post(path, content=body, headers=named)

    return asyncio.run(go())


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def ids(sink: MemorySink) -> list[str]:
    tables = [body.batch.hops for body in sink.bodies]
    return [one for table in tables if table is not None for one in table["id"].to_pylist()]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json", "text/plain", ""])
def test_hops_are_taken_whatever_the_content_type(sink: MemorySink, kind: str) -> None:
    response = post(sink, content_type=kind)
    assert (response.status_code, response.content) == (204, b"")
    assert ids(sink) == ["a"]


def test_gzip_is_understood(sink: MemorySink) -> None:
    assert post(sink, gzip.compress(GOOD), content_encoding="gzip").status_code == 204
    assert ids(sink) == ["a"]


def test_a_name_space_can_be_chosen(sink: MemorySink) -> None:
    post(sink)
    post(sink, path="/v1/messages?db=router")
    dbs = [body.batch.messages["db"].to_pylist() for body in sink.bodies]
    assert dbs == [["messages"], ["router"]]


def test_bad_lines_are_told_and_good_ones_kept(sink: MemorySink) -> None:
    response = post(sink, GOOD + b"\n" + BAD + b"oops\n")
    assert response.status_code == 400
    assert response.json() == {
        "error": "2 of 3 lines were refused (the others are kept, do not send them again): "
        "line 3: latency_ms must be a number, not 'x'",
        "accepted": 1,
        "rejected": 2,
        "lines": [
            {"line": 3, "reason": "latency_ms must be a number, not 'x'"},
            {"line": 4, "reason": "not JSON: Expecting value at column 1"},
        ],
    }
    assert ids(sink) == ["a"]


def test_a_body_without_a_good_line_is_told_so(sink: MemorySink) -> None:
    answer = post(sink, b'[\n {"id": "a"}\n]\n').json()
    assert (answer["accepted"], answer["rejected"]) == (1, 2)
    answer = post(sink, b"id,tenant\na,acme\n").json()
    assert answer["error"].startswith("2 of 2 lines were refused: line 1: not JSON")


def test_nothing_of_a_bad_line_is_kept_but_redacted(sink: MemorySink) -> None:
    rules = Redaction([RedactRule("latency")])
    answer = post(sink, BAD.replace(b"@", b"\\u0040"), redaction=rules)
    assert answer.json()["lines"][0]["reason"] == "[redacted]_ms must be a number, not 'x'"
    (told,) = sink.bodies[0].rejected
    assert told.line == '{"id":"b","[redacted]_ms":"x","error":"of [e-mail]"}'


def test_a_retry_counts_once(sink: MemorySink) -> None:
    assert [post(sink).status_code for _ in range(2)] == [204, 204]
    assert sink.message_count == 1
    unstamped = b'{"id":"a"}'
    assert [post(sink, unstamped).status_code for _ in range(2)] == [204, 204]
    assert sink.message_count == 3
    assert [post(sink, unstamped, idempotency_key="k").status_code for _ in range(2)] == [204] * 2
    assert sink.message_count == 4


SMALL = ReceiveLimits(max_body_bytes=99)
WHOLE: list[tuple[str, dict[str, Any], int, str]] = [
    ("not gzip", {"body": b"x", "content_encoding": "gzip"}, 400, "gzip"),
    ("an encoding that we do not know", {"content_encoding": "br"}, 415, "br"),
    ("too many bytes", {"body": GOOD * 9, "limits": SMALL}, 413, "send smaller batches"),
    ("too many lines", {"body": b"{}\n" * 250_001}, 413, "lines of one body: 250,002, limit"),
    ("too many bad lines", {"body": b"x\n" * 1000}, 400, "nothing was kept; line 1: not"),
]


@pytest.mark.parametrize(
    ("given", "status", "text"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE]
)
def test_a_body_that_cannot_be_taken_is_told(
    sink: MemorySink, given: dict[str, Any], status: int, text: str
) -> None:
    response = post(sink, **given)
    assert response.status_code == status
    assert text in response.json()["error"]
    assert sink.bodies == []


@pytest.mark.parametrize(
    ("failure", "status", "wait"),
    [
        (Overloaded("the journal is full", 7), 503, "7"),
        (StoreError("the disk is full", permanent=False), 503, "5"),
    ],
)
def test_what_cannot_be_kept_now_is_to_be_sent_again(
    sink: MemorySink, failure: Exception, status: int, wait: str
) -> None:
    sink.failure = failure
    response = post(sink)
    assert (response.status_code, response.headers["retry-after"]) == (status, wait)
    assert response.json() == {"error": str(failure)}


def test_a_customer_over_its_limit_is_kept_out_and_others_come_in(sink: MemorySink) -> None:
    quotas = QuotaSettings(tenants={"acme": TenantLimits(active_series=0)})
    response = post(sink, GOOD, quotas=quotas)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert "acme" in response.json()["error"]
    response = post(sink, GOOD + b'{"id":"t","time":1800000000,"tenant":"tiny"}', quotas=quotas)
    assert response.status_code == 400
    assert (response.json()["accepted"], response.json()["rejected"]) == (1, 1)
    assert "acme" in response.json()["error"]
    assert ids(sink) == ["t"]


@pytest.mark.parametrize(
    ("body", "lines"),
    [(b'\n{"id":"t"}\n\n' + GOOD, [4]), (b'oops\n{"id":"t"}\n' + BAD + GOOD + GOOD, [1, 3, 4, 5])],
    ids=["blank lines", "bad lines"],
)
def test_lines_over_a_limit_are_told_by_their_numbers(
    sink: MemorySink, body: bytes, lines: list[int]
) -> None:
    quotas = QuotaSettings(tenants={"acme": TenantLimits(active_series=0)})
    response = post(sink, body, quotas=quotas)
    assert [line["line"] for line in response.json()["lines"]] == lines
    assert response.json()["rejected"] == len(lines)
    assert ids(sink) == ["t"]


def test_ids_make_no_series(sink: MemorySink) -> None:
    body = b"".join(json.dumps({"id": f"m{n}", "user": n}).encode() + b"\n" for n in range(50))
    limits = ReceiveLimits(max_new_series_per_tenant_hour=1)
    assert post(sink, body, limits=limits).status_code == 204
    assert len(ids(sink)) == 50


def test_the_sender_is_told_of_keys_that_are_left_out(sink: MemorySink) -> None:
    odd = GOOD.replace(b'"tenant"', '"latencyMs":3,"größe, x":1,"tenant"'.encode())
    kept, partly = post(sink, odd), post(sink, odd + BAD)
    assert (kept.status_code, partly.status_code) == (204, 400)
    for answer in (kept, partly):
        assert answer.headers["streamgauge-left-out"] == "latencyMs, gr%C3%B6%C3%9Fe%2C x"
    assert "streamgauge-left-out" not in post(sink).headers
