"""A batch that a router sends again counts once; what two routers send counts twice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from streamgauge.testing.api import overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually, steadily

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def streamgauge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    """One for all tests: each sends for a customer of its own."""
    with StreamgaugeProcess(tmp_path_factory.mktemp("retries")) as process:
        yield process.start()


def _stamped(tenant: str, count: int) -> list[str]:
    start = int(time.time() - 60) * 10**9
    return [f"messages,tenant={tenant},source=web count=1i {start + n}" for n in range(count)]


def _messages(process: StreamgaugeProcess, tenant: str) -> int:
    now = time.time()
    return overview(process.client, now - 3600, now + 3600, tenant=tenant)["messages"] or 0


def _expect(process: StreamgaugeProcess, tenant: str, count: int) -> None:
    def is_so() -> bool:
        return _messages(process, tenant) == count

    eventually(is_so, within_s=15, what=f"{count} messages")
    steadily(is_so, for_s=1, what=f"{count} messages")


def test_the_same_body_counts_once_also_after_a_restart(streamgauge: StreamgaugeProcess) -> None:
    lines = _stamped("again", 100)
    for _ in range(3):
        assert write(streamgauge.client, lines).status_code == 204
    _expect(streamgauge, "again", 100)

    streamgauge.kill()
    streamgauge.start()
    assert write(streamgauge.client, lines).status_code == 204
    _expect(streamgauge, "again", 100)

    streamgauge.stop()
    streamgauge.start()
    assert write(streamgauge.client, lines).status_code == 204
    _expect(streamgauge, "again", 100)


def test_equal_bodies_of_different_senders_both_count(streamgauge: StreamgaugeProcess) -> None:
    lines = _stamped("twofold", 50)
    assert write(streamgauge.client, lines).status_code == 204
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=streamgauge.url, transport=elsewhere) as other:
        assert write(other, lines).status_code == 204
    _expect(streamgauge, "twofold", 100)


def test_lines_without_stamps_are_known_by_their_key_only(streamgauge: StreamgaugeProcess) -> None:
    def post(**headers: str) -> None:
        answer = streamgauge.client.post(
            "/write?db=router", content=b"messages,tenant=keyed count=1i", headers=headers
        )
        assert answer.status_code == 204, answer.text

    post()
    post()
    _expect(streamgauge, "keyed", 2)
    post(**{"Idempotency-Key": "batch-7"})
    post(**{"Idempotency-Key": "batch-7"})
    _expect(streamgauge, "keyed", 3)
    post(**{"Idempotency-Key": "batch-8"})
    _expect(streamgauge, "keyed", 4)


def test_counts_of_one_series_and_stamp_add_up(streamgauge: StreamgaugeProcess) -> None:
    at = int(time.time()) * 10**9
    line = f"messages,tenant=added,source=web count=4i {at}"
    assert write(streamgauge.client, [line]).status_code == 204
    assert write(streamgauge.client, [line, "# of another router"]).status_code == 204
    _expect(streamgauge, "added", 8)


@pytest.mark.parametrize(
    ("tenant", "path"),
    [("one", "/write?db=router"), ("two", "/api/v2/write?org=o&bucket=router")],
)
def test_both_write_paths_know_a_retry(
    streamgauge: StreamgaugeProcess, tenant: str, path: str
) -> None:
    body = "\n".join(_stamped(tenant, 10))
    for _ in range(2):
        assert streamgauge.client.post(path, content=body).status_code == 204
    _expect(streamgauge, tenant, 10)
