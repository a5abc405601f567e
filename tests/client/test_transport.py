"""Requests to a real server, and what its answers mean."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from tests.client.scripted import HANG, LOSE, Scripted, Step, scripted

from streamgauge.client.batch import LINE_PROTOCOL, Batch
from streamgauge.client.transport import HttpTransport, Verdict, retry_after_s
from streamgauge.testing.process import free_port

BATCH = Batch("key-1", "/write?db=d&precision=ns", LINE_PROTOCOL, 5, gzip.compress(b"m count=5i"))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        yield script


@pytest.mark.parametrize(
    ("step", "verdict", "retry_after"),
    [
        pytest.param(204, Verdict.TAKEN, 0.0, id="taken"),
        pytest.param(200, Verdict.TAKEN, 0.0, id="taken with a body"),
        pytest.param(400, Verdict.REFUSED, 0.0, id="bad lines"),
        pytest.param(413, Verdict.REFUSED, 0.0, id="too large"),
        pytest.param(415, Verdict.REFUSED, 0.0, id="not understood"),
        pytest.param(422, Verdict.REFUSED, 0.0, id="understood and refused"),
        pytest.param(401, Verdict.LATER, 0.0, id="a wrong token is put right by people"),
        pytest.param(403, Verdict.LATER, 0.0, id="so is a missing right"),
        pytest.param(404, Verdict.LATER, 0.0, id="and a wrong address"),
        pytest.param(302, Verdict.LATER, 0.0, id="a redirect is not followed"),
        pytest.param((429, {"Retry-After": "7"}), Verdict.LATER, 7.0, id="too fast"),
        pytest.param((503, {"retry-after": "2"}), Verdict.LATER, 2.0, id="overloaded"),
        pytest.param(500, Verdict.LATER, 0.0, id="broken"),
        pytest.param(LOSE, Verdict.LATER, 0.0, id="the answer is lost"),
    ],
)
def test_what_an_answer_means(
    server: Scripted, step: Step, verdict: Verdict, retry_after: float
) -> None:
    server.steps.append(step)
    transport = HttpTransport(server.url)
    answer = transport.post(BATCH)
    transport.close()
    assert (answer.verdict, answer.retry_after_s) == (verdict, retry_after)
    if verdict is Verdict.REFUSED:
        assert answer.told == f'{step} {{"error":"as told"}}'


def test_a_request_carries_what_the_server_has_to_know(server: Scripted) -> None:
    transport = HttpTransport(f"{server.url}/below/", token="secret")
    for _ in range(3):
        transport.post(BATCH)
    transport.close()
    assert server.connection_count == 1, "the connection is kept"
    path, headers, body = server.requests[0]
    assert path == "/below/write?db=d&precision=ns"
    assert headers["authorization"] == "Token secret"
    assert headers["idempotency-key"] == "key-1"
    assert (headers["content-encoding"], body) == ("gzip", BATCH.body)


def test_a_connection_that_the_server_closed_meanwhile_costs_no_delay(server: Scripted) -> None:
    server.steps.extend([204, LOSE, 204])
    transport = HttpTransport(server.url)
    assert transport.post(BATCH).verdict is Verdict.TAKEN
    assert transport.post(BATCH).verdict is Verdict.TAKEN, "sent once more at once"
    transport.close()
    assert len(server.requests) == 3


def test_a_server_that_hangs_is_given_up(server: Scripted) -> None:
    server.steps.append(HANG)
    transport = HttpTransport(server.url, timeout_s=0.2)
    answer = transport.post(BATCH)
    assert (answer.verdict, "Timeout" in answer.told) == (Verdict.LATER, True)
    assert transport.post(BATCH).verdict is Verdict.TAKEN, "on a new connection"
    transport.close()


def test_a_server_that_is_not_there() -> None:
    answer = HttpTransport(f"http://127.0.0.1:{free_port()}").post(BATCH)
    assert answer.verdict is Verdict.LATER
    assert "ConnectionRefusedError" in answer.told


@pytest.mark.parametrize("url", ["", "127.0.0.1:8686", "ftp://a/b", "http://", "http://a:port"])
def test_addresses_that_are_none_are_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r"url|[Pp]ort"):
        HttpTransport(url)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("12", 12.0, id="seconds"),
        pytest.param("100000", 300.0, id="no longer than five minutes"),
        pytest.param("9" * 400, 300.0, id="nor for ever"),
        pytest.param("Wed, 21 Oct 2015 07:28:30 GMT", 30.0, id="a date"),
        pytest.param("Wed, 21 Oct 2015 07:27:00 GMT", 0.0, id="a date that has passed"),
        pytest.param("soon", 0.0, id="no number"),
        pytest.param("-5", 0.0, id="less than nothing"),
        pytest.param("²", 0.0, id="a digit that is none"),
        pytest.param("", 0.0, id="not told"),
    ],
)
def test_retry_after(value: str, expected: float) -> None:
    assert retry_after_s(value, 1_445_412_480.0) == expected
