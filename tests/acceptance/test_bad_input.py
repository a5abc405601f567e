"""Bad input: every body gets an answer that says what to do, and nothing else is hurt."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgauge.testing.api import counts_by, overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

NOW = int(time.time())
STAMP = (NOW - 60) * 10**9


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    """One program for all these bodies: it must outlive every one of them."""
    folder: Path = tmp_path_factory.mktemp("bad-input")
    with StreamgaugeProcess(folder) as running:
        yield running.start()
        assert running.is_ready()
        assert "Traceback" not in running.stderr


def _line(tenant: str, fields: str = "count=1i", stamp: int = STAMP) -> str:
    return f"messages,tenant={tenant},source=web {fields} {stamp}"


def _expect(process: StreamgaugeProcess, tenant: str, count: int) -> None:
    def seen() -> bool:
        found = overview(process.client, NOW - 3600, NOW + 3600, tenant=tenant)
        return bool(found["messages"] == count)

    eventually(seen, within_s=15, what=f"{count} messages of {tenant}")


BAD_LINES = [
    pytest.param("messages,tenant=acme", "field", id="no field at all"),
    pytest.param(f"messages,tenant=acme count= {STAMP}", "count", id="a field without a value"),
    pytest.param(f"messages,tenant=acme count=1x {STAMP}", "count", id="an unknown suffix"),
    pytest.param(f"messages,tenant= count=1i {STAMP}", "tenant", id="an empty tag value"),
    pytest.param("messages,tenant=acme count=1i yesterday", "yesterday", id="a stamp in words"),
    pytest.param(f"messages,tenant=acme count=NaN {STAMP}", "count", id="not a number"),
    pytest.param(f"messages,tenant=acme latency_ms=+Inf {STAMP}", "latency_ms", id="infinity"),
    pytest.param(f"messages,tenant=acme count=-3i {STAMP}", "count", id="a negative count"),
    pytest.param("messages,tenant=acme count=1i -60000000000", "stamp", id="before 1970"),
    pytest.param("messages,tenant=acme count=1i 4102444800000000000", "ahead", id="the year 2100"),
    pytest.param(
        f"messages,tenant=acme count=99999999999999999999i {STAMP}", "count", id="beyond 64 bits"
    ),
    pytest.param(f'cpu,host=a text="never ends {STAMP}', "quote", id="a string without its end"),
]


@pytest.mark.parametrize(("line", "named"), BAD_LINES)
def test_a_bad_line_is_named_and_the_good_ones_are_kept(
    process: StreamgaugeProcess, line: str, named: str
) -> None:
    tenant = f"good-{[case.values[0] for case in BAD_LINES].index(line)}"
    answer = write(process.client, [_line(tenant), line, _line(tenant, stamp=STAMP + 1)])

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error.startswith("partial write")
    assert "dropped=1" in error
    assert named in error, error
    assert "2" in error, "the number of the line"
    _expect(process, tenant, 2)


def test_version_2_answers_in_its_own_shape(process: StreamgaugeProcess) -> None:
    answer = process.client.post(
        "/api/v2/write?org=o&bucket=b", content=f"{_line('v2')}\nmessages,tenant=v2"
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert "field" in answer.json()["message"]
    _expect(process, "v2", 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"not gzip at all", id="plain text called gzip"),
        pytest.param(gzip.compress(_line("gz").encode() * 100)[:40], id="cut short"),
        pytest.param(gzip.compress(b"x" * 1000)[:-8] + b"\0" * 8, id="a wrong checksum"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_wrong_gzip_is_refused_whole(process: StreamgaugeProcess, body: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = process.client.post("/write?db=router", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert "gzip" in answer.json()["error"]


def test_a_gzip_bomb_is_refused_by_its_unzipped_size(process: StreamgaugeProcess) -> None:
    body = gzip.compress(b"# nothing\n" * 30_000_000, 1)
    assert len(body) < 10_000_000
    answer = process.client.post(
        "/write?db=router", content=body, headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 413, answer.text
    assert "25" in answer.json()["error"]


def test_too_large_a_body_names_the_limit(process: StreamgaugeProcess) -> None:
    answer = write(process.client, b"# nothing\n" * 3_000_000)
    assert answer.status_code == 413, answer.text
    assert "25" in answer.json()["error"]


def test_a_line_of_10_mb_is_answered(process: StreamgaugeProcess) -> None:
    long = f"messages,tenant=long,source={'x' * 10_000_000} count=1i {STAMP}"
    answer = write(process.client, [_line("beside"), long])
    assert answer.status_code == 400, answer.text[:500]
    assert len(answer.content) < 10_000, "the answer repeats no 10 MB"
    _expect(process, "beside", 1)


def test_100_000_new_series_in_one_body(process: StreamgaugeProcess) -> None:
    lines = [_line("wide", stamp=STAMP).replace("web", f"source-{n}") for n in range(100_000)]
    answer = write(process.client, lines)
    assert answer.status_code == 204, answer.text[:500]
    _expect(process, "wide", 100_000)
    more = [_line("wide", stamp=STAMP).replace("web", f"more-{n}") for n in range(10)]
    answer = write(process.client, [*more, _line("narrow")])
    assert answer.status_code == 400
    assert "series" in answer.json()["error"]
    _expect(process, "narrow", 1)


def test_stamps_of_1970_are_kept_where_they_belong(process: StreamgaugeProcess) -> None:
    line = _line("old", stamp=86_400 * 10**9)
    assert write(process.client, [line]).status_code == 204
    eventually(
        lambda: counts_by(process.client, "tenant", 86_000, 87_000).get("old") == 1,
        within_s=15,
        what="a message of 1970",
    )


def test_invalid_utf_8_spoils_its_own_line_only(process: StreamgaugeProcess) -> None:
    body = b"\n".join(
        [_line("utf").encode(), b"messages,tenant=\xff\xfe count=1i", _line("utf").encode()]
    )
    answer = write(process.client, body)
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]
    _expect(process, "utf", 2)


def test_random_bytes_are_answered(process: StreamgaugeProcess) -> None:
    answer = write(process.client, bytes(range(256)) * 100)
    assert answer.status_code == 400
    assert "UTF-8" in answer.text or "missing" in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "/api/v1/overview?from=yesterday&to=now",
        "/api/v1/overview?from=200&to=100",
        "/api/v1/timeseries?metric=love&from=0&to=60&step=60",
        "/api/v1/timeseries?metric=messages&from=0&to=60&step=0",
        "/api/v1/timeseries?metric=messages&from=0&to=60&step=60&by=mood",
        "/api/v1/timeseries?metric=messages&from=0&to=1e9&step=1",
        "/api/v1/flows?sort=beauty",
        "/api/v1/incidents?state=lost",
    ],
)
def test_a_bad_question_is_explained(process: StreamgaugeProcess, question: str) -> None:
    answer = process.client.get(question)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert len(answer.text) > 20


def test_an_unknown_incident_is_not_found(process: StreamgaugeProcess) -> None:
    assert process.client.get("/api/v1/incidents/none-such").status_code == 404
    assert process.client.get("/no/such/page").status_code == 404
