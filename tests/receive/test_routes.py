"""The addresses as a client meets them: statuses, bodies, headers, retries, limits."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000.0
STAMP = "1700000000000000000"
GOOD = f"messages,tenant=acme count=1i {STAMP}"
V1, V2 = "/write?db=d", "/api/v2/write?org=o&bucket=b"
LIMITS = ReceiveLimits()
SMALL = ReceiveLimits(max_body_bytes=1000)


class Client:
    """Sends requests to the routes without a network."""

    def __init__(self, sink: MemorySink, limits: ReceiveLimits = LIMITS) -> None:
        self._app = Starlette(routes=routes(workshop_of(sink, SimulatedClock(NOW), limits)))

    def send(
        self, method: str, url: str, *, address: str = "10.0.0.1", **given: Any
    ) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(address, 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, url, **given)

        return asyncio.run(go())

    def write(self, url: str, body: str | bytes = GOOD, **given: Any) -> httpx.Response:
        return self.send("POST", url, content=body, **given)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def client(sink: MemorySink) -> Client:
    return Client(sink)


@pytest.mark.parametrize("url", [V1, V2])
def test_a_good_body_is_204_without_content(client: Client, sink: MemorySink, url: str) -> None:
    response = client.write(url)
    assert (response.status_code, response.content) == (204, b"")
    assert sink.message_count == 1
    assert {"x-influxdb-version", "x-influxdb-build", "x-request-id"} <= set(response.headers)


def test_the_senders_request_id_is_given_back(client: Client) -> None:
    assert client.write(V1, headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert (
        client.write(V1, headers={"X-Request-Id": "a" * 999}).headers["x-request-id"] != "a" * 999
    )


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "a"])
def test_the_content_type_is_ignored(client: Client, content_type: str) -> None:
    assert client.write(V1, headers={"Content-Type": content_type}).status_code == 204


def test_credentials_are_ignored(client: Client) -> None:
    assert (
        client.write(f"{V1}&u=me&p=secret", headers={"Authorization": "Token x"}).status_code == 204
    )


@pytest.mark.parametrize(
    ("url", "db"),
    [
        ("/write?db=metrics", "metrics"),
        ("/write?db=metrics&rp=", "metrics"),
        ("/write?db=metrics&rp=autogen", "metrics"),
        ("/write?db=metrics&rp=week", "metrics/week"),
        ("/api/v2/write?org=o&bucket=metrics", "metrics"),
        ("/api/v2/write?orgID=1&bucket=metrics/week", "metrics/week"),
        ("/api/v2/write?org=o&bucket=metrics/autogen", "metrics"),
    ],
)
def test_the_name_space_is_kept(client: Client, sink: MemorySink, url: str, db: str) -> None:
    assert client.write(url).status_code == 204
    assert sink.bodies[0].batch.messages["db"].to_pylist() == [db]


PARTLY_BAD = f"{GOOD}\n\n# comment\nm f=oops\nm f=2 {STAMP}\nbare\n"


def test_v1_tells_the_first_bad_line_and_keeps_the_good_ones(
    client: Client, sink: MemorySink
) -> None:
    response = client.write(V1, PARTLY_BAD)
    assert response.status_code == 400
    message = "partial write: unable to parse 'm f=oops': invalid boolean (line 4) dropped=2"
    assert response.json() == {"error": message}
    assert response.headers["x-influxdb-error"] == message
    assert sink.bodies[0].batch.row_count == 2


def test_v2_tells_the_first_bad_line_and_keeps_the_good_ones(
    client: Client, sink: MemorySink
) -> None:
    response = client.write(V2, PARTLY_BAD)
    assert response.status_code == 400
    assert response.json() == {
        "code": "invalid",
        "message": "partial write: unable to parse 'm f=oops': invalid boolean dropped=2",
        "line": 4,
    }
    assert sink.bodies[0].batch.row_count == 2


@pytest.mark.parametrize("url", [V1, V2])
def test_a_body_without_a_good_line_is_no_partial_write(client: Client, url: str) -> None:
    response = client.write(url, "bare\nm f=1i2")
    assert response.status_code == 400
    text = response.json().get("error") or response.json()["message"]
    assert text.startswith("unable to parse 'bare': missing fields")
    assert text.endswith("dropped=2")


@pytest.mark.parametrize("body", ["", "\n\n", "# nothing\n"])
def test_a_body_without_lines_is_fine_and_not_kept(
    client: Client, sink: MemorySink, body: str
) -> None:
    assert client.write(V1, body).status_code == 204
    assert sink.bodies == []


REFUSED_QUESTIONS = [
    ("/write", 400, {"error": "database is required"}),
    ("/write?db=", 400, {"error": "database is required"}),
    (
        f"{V1}&precision=d",
        400,
        {"error": 'invalid precision "d" (use n, u, ms, s, m or h)'},
    ),
    (
        f"{V2}&precision=m",
        400,
        {
            "code": "invalid",
            "message": "invalid precision; valid precision units are ns, us, ms, and s",
        },
    ),
    (
        "/api/v2/write?org=o",
        400,
        {"code": "invalid", "message": "bucket is required: say which by the parameter bucket"},
    ),
    (
        "/api/v2/write?bucket=b",
        400,
        {"code": "invalid", "message": "Please provide either orgID or org"},
    ),
]


@pytest.mark.parametrize(("url", "status", "content"), REFUSED_QUESTIONS)
def test_questions_that_cannot_be_answered(
    client: Client, sink: MemorySink, url: str, status: int, content: dict[str, str]
) -> None:
    response = client.write(url)
    assert (response.status_code, response.json()) == (status, content)
    assert sink.bodies == []


@pytest.mark.parametrize(
    ("precision", "stamp"),
    [
        ("n", "1700000000000000000"),
        ("ns", "1700000000000000000"),
        ("u", "1700000000000000"),
        ("us", "1700000000000000"),
        ("µ", "1700000000000000"),
        ("ms", "1700000000000"),
        ("s", "1700000000"),
        ("m", "28333333"),
        ("h", "472222"),
    ],
)
def test_every_precision(client: Client, sink: MemorySink, precision: str, stamp: str) -> None:
    assert client.write(f"{V1}&precision={precision}", f"m f=1 {stamp}").status_code == 204
    unit_s = {"m": 60, "h": 3600}.get(precision, 1)
    assert sink.bodies[0].batch.points["time_ns"].to_pylist() == [
        int(NOW) // unit_s * unit_s * 10**9
    ]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_is_understood(client: Client, sink: MemorySink, encoding: str) -> None:
    body = gzip.compress(GOOD.encode()) + gzip.compress(b"\n" + GOOD.encode())
    assert client.write(V1, body, headers={"Content-Encoding": encoding}).status_code == 204
    assert sink.message_count == 2


DAMAGED = gzip.compress(GOOD.encode())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(DAMAGED[:-9], "unexpected EOF", id="cut off in the data"),
        pytest.param(DAMAGED[:-4], "unexpected EOF", id="cut off in the trailer"),
        pytest.param(b"", "unexpected EOF", id="empty"),
        pytest.param(GOOD.encode(), "invalid header", id="not gzip at all"),
        pytest.param(DAMAGED[:-8] + b"\0" * 8, "invalid checksum", id="another checksum"),
        pytest.param(DAMAGED[:14] + b"\xff" * 20 + DAMAGED[34:], "damaged", id="damaged data"),
        pytest.param(DAMAGED + b"rest", "invalid header", id="something behind it"),
    ],
)
@pytest.mark.parametrize("url", [V1, V2])
def test_broken_gzip_is_refused_whole(
    client: Client, sink: MemorySink, url: str, body: bytes, text: str
) -> None:
    response = client.write(url, body, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert text in response.text
    assert sink.bodies == []


def test_an_unknown_encoding_says_what_is_understood(client: Client) -> None:
    response = client.write(V1, headers={"Content-Encoding": "br"})
    assert response.status_code == 415
    assert "use gzip" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"x" * 1001, {}, id="plain"),
        pytest.param(gzip.compress(b"x" * 1001), {"Content-Encoding": "gzip"}, id="unzipped"),
        pytest.param(
            gzip.compress(b"x" * 50_000_000), {"Content-Encoding": "gzip"}, id="gzip bomb"
        ),
    ],
)
def test_too_large_a_body_is_413_in_each_shape(
    sink: MemorySink, body: bytes, headers: dict[str, str]
) -> None:
    client = Client(sink, replace(SMALL, max_body_bytes=1000 if len(body) < 2000 else 1_000_000))
    one, two = client.write(V1, body, headers=headers), client.write(V2, body, headers=headers)
    assert (one.status_code, two.status_code) == (413, 413)
    assert one.json()["error"].startswith("Request Entity Too Large")
    assert two.json()["code"] == "request too large"
    assert two.json()["message"].startswith("unable to read data: points batch is too large")
    assert sink.bodies == []


def test_a_body_of_just_the_limit_is_taken(sink: MemorySink) -> None:
    body = GOOD + "\n" + "#" * (999 - len(GOOD))
    assert len(body) == 1000
    assert Client(sink, SMALL).write(V1, body).status_code == 204


def test_a_body_without_a_declared_size_is_stopped_when_it_is_too_large(sink: MemorySink) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    assert Client(sink, SMALL).write(V1, endless()).status_code == 413  # type: ignore[arg-type]
    assert sent <= 5 * 1000 + 200, "what is refused is read on for a while, and then cut off"


@pytest.mark.parametrize(
    ("limits", "url", "status"),
    [
        (SMALL, V1, 413),
        (LIMITS, "/write", 400),
        (ReceiveLimits(max_in_flight_bytes=100), V1, 503),
    ],
)
def test_a_refused_body_is_read_to_its_end_so_that_the_answer_is_seen(
    sink: MemorySink, limits: ReceiveLimits, url: str, status: int
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(30):
            sent += 100
            yield b"#" * 100

    assert Client(sink, limits).write(url, body()).status_code == status  # type: ignore[arg-type]
    assert sent == 3000
    assert sink.bodies == []


def test_a_sender_that_asks_first_is_not_made_to_send_what_is_refused(sink: MemorySink) -> None:
    headers = {"Content-Length": "3000", "Expect": "100-continue"}
    assert Client(sink, SMALL).write(V1, b"#" * 3000, headers=headers).status_code == 413


def test_who_asks_what_may_be_done_gets_204(client: Client) -> None:
    answer = client.send("OPTIONS", V1)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.send("GET", V1).status_code == 405


def test_a_retry_counts_once(client: Client, sink: MemorySink) -> None:
    assert [client.write(V1).status_code for _ in range(3)] == [204] * 3
    assert sink.message_count == 1


def test_a_retry_with_bad_lines_is_told_of_them_again(client: Client, sink: MemorySink) -> None:
    answers = {client.write(V1, PARTLY_BAD.replace("f=2", "f=2")).text for _ in range(2)}
    assert len(answers) == 1
    assert len(sink.bodies) == 1


DIFFERENT: list[tuple[str, Callable[[Client], httpx.Response]]] = [
    ("another sender", lambda client: client.write(V1, address="10.0.0.2")),
    (
        "another sender behind a proxy",
        lambda client: client.write(V1, headers={"X-Forwarded-For": "9"}),
    ),
    ("another credential", lambda client: client.write(V1, headers={"Authorization": "Token b"})),
    ("another database", lambda client: client.write("/write?db=e")),
    ("another path", lambda client: client.write(V2)),
    ("another body", lambda client: client.write(V1, f"messages,tenant=acme count=1i {STAMP}\n")),
]


@pytest.mark.parametrize("case", DIFFERENT, ids=[name for name, _ in DIFFERENT])
def test_what_is_no_retry(
    client: Client, sink: MemorySink, case: tuple[str, Callable[[Client], httpx.Response]]
) -> None:
    client.write(V1)
    assert case[1](client).status_code == 204
    assert sink.message_count == 2


def test_the_order_of_parameters_does_not_matter(client: Client, sink: MemorySink) -> None:
    client.write("/write?db=d&precision=ns")
    client.write("/write?precision=ns&db=d")
    assert sink.message_count == 1


def test_without_time_stamps_only_an_idempotency_key_tells_a_retry(
    client: Client, sink: MemorySink
) -> None:
    for _ in range(2):
        client.write(V1, "messages count=1i")
    assert (sink.message_count, sink.keys) == (2, [None, None])
    for address in ("10.0.0.1", "10.0.0.2"):
        client.write(V1, "messages count=1i", headers={"Idempotency-Key": "k1"}, address=address)
    assert sink.message_count == 3
    client.write(V1, "messages count=1i", headers={"Idempotency-Key": "k2"})
    assert sink.message_count == 4


@pytest.mark.parametrize(
    ("failure", "retry_after"),
    [
        (Overloaded("the journal is full: 1 GB waits for the engine", 7), "7"),
        (StoreError("the data folder /data is full", permanent=False), "5"),
    ],
)
@pytest.mark.parametrize("url", [V1, V2])
def test_what_cannot_be_kept_is_503_with_a_time_to_come_back(
    sink: MemorySink, client: Client, url: str, failure: Exception, retry_after: str
) -> None:
    sink.failure = failure
    response = client.write(url)
    assert (response.status_code, response.headers["retry-after"]) == (503, retry_after)
    if url == V1:
        assert response.json() == {"error": str(failure)}
    else:
        assert response.json() == {"code": "unavailable", "message": str(failure)}


def test_too_many_bytes_in_flight_is_503(sink: MemorySink) -> None:
    client = Client(sink, ReceiveLimits(max_in_flight_bytes=10))
    response = client.write(V1)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert Client(sink).write(V1).status_code == 204


def test_bytes_in_flight_are_given_back_whatever_the_answer(sink: MemorySink) -> None:
    client = Client(sink, ReceiveLimits(max_in_flight_bytes=2 * len(GOOD)))
    answers = [client.write(V1, body).status_code for body in (GOOD, "bare", GOOD + "\n", GOOD)]
    assert answers == [204, 400, 204, 204]


def test_a_sender_that_leaves_in_the_middle_of_a_body_leaves_nothing(sink: MemorySink) -> None:
    [endpoint] = [
        route.endpoint
        for route in routes(workshop_of(sink, SimulatedClock(NOW), LIMITS))
        if route.path == "/write" and "POST" in (route.methods or ())
    ]
    messages = iter(
        [
            {"type": "http.request", "body": GOOD.encode(), "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/write",
        "query_string": b"db=d",
        "headers": [],
        "server": ("test", 80),
        "scheme": "http",
    }
    assert asyncio.run(endpoint(Request(scope, receive))).status_code == 400
    assert sink.bodies == []


def test_series_beyond_the_allowance_are_named(sink: MemorySink) -> None:
    client = Client(sink, ReceiveLimits(max_new_series_per_tenant_hour=3))
    body = "\n".join(f"messages,tenant=acme,message_id={n} count=1i {STAMP}" for n in range(5))
    response = client.write(V1, f"{body}\nmessages,tenant=zeta count=1i {STAMP}")
    error = response.json()["error"]
    assert response.status_code == 400
    assert "tag message_id of customer acme has 5 different values" in error
    assert error.endswith("(line 4) dropped=2")
    assert sink.message_count == 4


@pytest.mark.parametrize(
    "stamp", ["0", "1700003600000000000"], ids=["1970", "an hour ahead of our clock"]
)
def test_time_stamps_that_are_taken(client: Client, stamp: str) -> None:
    assert client.write(V1, f"m f=1 {stamp}").status_code == 204


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("m f=1 4102444800000000000", "ahead of our clock"),
        ("m f=1 1700003600000000001", "ahead of our clock"),
        ("m f=1 -1", "before 1970"),
        ("m f=NaN", "invalid number"),
        ("m f=1e400", "invalid float"),
    ],
)
def test_lines_that_are_refused_say_why(client: Client, line: str, words: str) -> None:
    response = client.write(V1, line)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_a_bad_line_of_10_mb_is_cut_in_the_answer(client: Client, sink: MemorySink) -> None:
    response = client.write(V2, f"m,t={'x' * 10_000_000} f=1 {STAMP}\n{GOOD}")
    assert response.status_code == 400
    assert len(response.content) < 1000
    assert "max key length exceeded: 10000004 > 65535" in response.json()["message"]
    assert sink.message_count == 1


def test_a_good_line_of_10_mb_is_kept(client: Client, sink: MemorySink) -> None:
    assert client.write(V1, f'm f="{"x" * 10_000_000}" {STAMP}\n{GOOD}').status_code == 204
    assert sink.bodies[0].batch.points["text"].to_pylist() == ["x" * 10_000_000]


def test_line_breaks_in_a_bad_line_do_not_reach_the_headers(client: Client) -> None:
    response = client.write(V1, 'm f="a\nb",g=x')
    assert response.status_code == 400
    assert "m f=" in response.headers["x-influxdb-error"]
    assert json.loads(response.text)["error"].startswith("unable to parse 'm f=\"a\nb\",g=x'")


def test_ping(client: Client) -> None:
    assert client.send("GET", "/ping").status_code == 204
    assert client.send("HEAD", "/ping").status_code == 204
    verbose = client.send("GET", "/ping?verbose=true")
    assert verbose.status_code == 200
    assert verbose.json()["version"] == verbose.headers["x-influxdb-version"]
