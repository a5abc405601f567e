"""The vendors do what they are told, to whom they are told, and for what it means to the router."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from examples.router.delivery import Answer, VendorClient, understand
from examples.router.message import Message
from examples.router.vendors import VendorFault, Vendors
from tests.examples.rig import HABITS
from tests.examples.virtual import VirtualClock


def ask(faults: list[dict[str, object]], tenant: str, posts: int = 1) -> list[httpx.Response]:
    """What the vendor ga4 answers to posts of four events within one instant."""

    async def run() -> list[httpx.Response]:
        clock = VirtualClock()
        transport = httpx.ASGITransport(Vendors(clock, habits=HABITS).app())
        async with httpx.AsyncClient(transport=transport, base_url="http://vendors") as client:
            assert (await client.put("/control/faults", json=faults)).status_code == 204
            answers = []
            for _ in range(posts):
                task = asyncio.create_task(
                    client.post("/ga4/events", headers={"x-tenant": tenant}, json=[{}] * 4)
                )
                await clock.advance(30)
                answers.append(await task if task.done() else httpx.Response(599))
                task.cancel()
            return answers

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "tenant", "statuses"),
    [
        pytest.param(None, "acme", [200], id="calm"),
        pytest.param({"status": 500}, "acme", [500], id="a fault without tenants hits all"),
        pytest.param({"tenants": ["acme"]}, "acme", [500], id="a fault hits whom it names"),
        pytest.param({"tenants": ["acme"]}, "kwik", [200], id="and nobody else"),
        pytest.param({"status": 401}, "acme", [401], id="it answers the status it is told"),
        pytest.param({"integration": "s3"}, "acme", [200], id="another vendor is not concerned"),
        pytest.param({"mode": "hang"}, "acme", [599], id="it can hang"),
        pytest.param({"mode": "slow", "delay_s": 29}, "acme", [200], id="it can be slow"),
        pytest.param(
            {"mode": "rate_limit", "events_per_s": 0.1},
            "acme",
            [200, 429, 200],
            id="four events at one in ten seconds close the door for forty",
        ),
    ],
)
def test_faults(fault: dict[str, object] | None, tenant: str, statuses: list[int]) -> None:
    faults = [] if fault is None else [{"integration": "ga4"} | fault]
    assert [answer.status_code for answer in ask(faults, tenant, len(statuses))] == statuses


@pytest.mark.parametrize(
    ("body", "word"),
    [
        pytest.param([{"integration": "ga4", "mode": "explode"}], "explode", id="unknown mode"),
        pytest.param([{"integration": "ga4", "code": 500}], "code", id="unknown key"),
        pytest.param([{}], "integration", id="no integration"),
        pytest.param([7], "int", id="not an object"),
    ],
)
def test_a_fault_that_cannot_be_read_is_explained_and_changes_nothing(
    body: list[object], word: str
) -> None:
    async def run() -> tuple[httpx.Response, tuple[VendorFault, ...]]:
        vendors = Vendors(VirtualClock())
        vendors.faults = (VendorFault("s3"),)
        transport = httpx.ASGITransport(vendors.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://vendors") as client:
            return await client.put("/control/faults", json=body), vendors.faults

    answer, faults = asyncio.run(run())
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert faults == (VendorFault("s3"),)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        pytest.param(500, {}, Answer("http_500", is_transient=True), id="500 is tried again"),
        pytest.param(401, {}, Answer("unauthorized"), id="401 is not"),
        pytest.param(404, {}, Answer("http_404"), id="nor is 404"),
        pytest.param(
            429,
            {"retry-after": "7"},
            Answer("rate_limited", is_transient=True, retry_after_s=7),
            id="429 says when",
        ),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], expected: Answer) -> None:
    assert understand(httpx.Response(status, headers=headers, json={})) == expected


def test_events_refused_one_by_one_are_known_by_position() -> None:
    response = httpx.Response(200, json={"accepted": 2, "rejected": [1]})
    assert understand(response) == Answer(rejected=frozenset({1}))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(httpx.ReadTimeout("late"), "timeout", id="late"),
        pytest.param(httpx.ConnectError("refused"), "unreachable", id="refused"),
    ],
)
def test_a_network_that_fails_is_an_answer_too(error: Exception, reason: str) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise error

    async def run() -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
            message = Message("1", "acme", "web", "ga4", 0.0, 0.0, 2, {})
            return await VendorClient(client, "http://vendors", "ga4").send("acme", [message])

    assert asyncio.run(run()) == Answer(reason, is_transient=True)
