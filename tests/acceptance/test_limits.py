"""A customer over its limit is told to wait, and everybody can see it."""

from __future__ import annotations

import time
from functools import partial

import httpx
import pytest
from tests.conftest import Launch

from streamgauge.testing.api import overview, write
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

CONFIG = """
[limits]
burst = "1s"

[[limit]]
tenant = "acme"
lines_per_second = 20
"""


def lines(tenant: str, first: int, count: int, at_s: int) -> list[str]:
    return [f"messages,tenant={tenant} count=1i {at_s * 10**9 + first + n}" for n in range(count)]


def test_a_customer_over_its_limit_is_told_to_wait_and_loses_nothing(launch: Launch) -> None:
    process = launch(CONFIG)
    client, now_s = process.client, int(time.time())
    sent = 0
    for _ in range(3):
        body = lines("acme", sent, 20, now_s)
        eventually(partial(_is_taken, client, body), within_s=30, what="room for acme")
        sent += len(body)
    assert write(client, lines("zeta", 0, 500, now_s)).status_code == 204, "others are not touched"

    def counted(tenant: str) -> object:
        return overview(client, now_s - 1, now_s + 1, tenant=tenant)["messages"]

    eventually(lambda: counted("acme") == sent, within_s=30, what="acme's lines")
    assert counted("zeta") == 500
    (told,) = client.get("/api/v1/refusals").json()["refusals"]
    assert (told["tenant"], told["reason"]) == ("acme", "lines_per_s")
    assert told["deferred"]["last_hour"] >= 20
    assert told["lost"]["last_hour"] == 0
    metric = 'streamgauge_receive_deferred_lines_total{reason="lines_per_s",tenant="acme"}'
    assert metric in client.get("/metrics").text
    process.stop()
    process.start()
    assert client.get("/api/v1/refusals").json()["refusals"] == [told], "over a restart"


def _is_taken(client: httpx.Client, body: list[str]) -> bool:
    response = write(client, body)
    if response.status_code == 429:
        assert 1 <= int(response.headers["retry-after"]) <= 2
        return False
    assert response.status_code == 204
    return True
