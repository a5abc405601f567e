"""The verdict on a play: what must hold is named, and each way to fail is seen."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from examples.router.demo.errors import DemoError
from examples.router.demo.inbox import Inbox, Page
from examples.router.demo.plot import CHECK
from examples.router.demo.upload import upload
from examples.router.demo.verdict import judge
from examples.router.demo.wording import certainty, figures, who
from examples.router.fleet import customers
from examples.router.history import Body

from streamgauge.model.clock import rfc3339

START_AT = 1_795_500_000.0
Incident = dict[str, Any]


def incident(name: str, kind: str, opened_s: float, closed_s: float, **more: Any) -> Incident:
    scope = {"tenant": None, "source": None, "integration": None, "pipeline": None}
    return {
        **scope,
        "id": name,
        "kind": kind,
        "opened_at": rfc3339(START_AT + opened_s),
        "closed_at": rfc3339(START_AT + closed_s),
        "summary": "as it was",
        **more,
    }


class Scene:
    """A play that went as it should; cases spoil one thing each."""

    def __init__(self) -> None:
        silence_end = CHECK.silence_after_s + CHECK.silence_s
        outage_end = CHECK.outage_after_s + CHECK.outage_s
        self.silence = incident(
            "s",
            "silence",
            CHECK.silence_after_s + 130,
            silence_end + 20,
            tenant=CHECK.silent_tenant,
            suspected="customer",
        )
        self.outage = incident(
            "e",
            "errors",
            CHECK.outage_after_s + 20,
            outage_end + 60,
            integration=CHECK.failing_integration,
            suspected="integration",
        )
        self.incidents = [self.silence, self.outage]
        self.named = {"s": {CHECK.silent_tenant}, "e": set(CHECK.affected_tenants)}
        self.pages = [
            Page(START_AT, action, alias, "", "P2")
            for alias, action in itertools.product("se", ("create", "close"))
        ]

    def failed(self) -> list[str]:
        verdict = judge(self.incidents, self.named, self.pages, CHECK, START_AT)
        return [one.sentence for one in verdict if not one.holds]


def test_a_good_play_passes() -> None:
    assert Scene().failed() == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(
            lambda scene: scene.incidents.remove(scene.silence),
            "one silence incident, for customer",
            id="no silence was found",
        ),
        pytest.param(
            lambda scene: scene.silence.update(tenant="globex"),
            "no other incident opened",
            id="another customer was called silent",
        ),
        pytest.param(
            lambda scene: scene.silence.update(suspected="platform"),
            "it suspects the customer's side",
            id="the wrong side was suspected",
        ),
        pytest.param(
            lambda scene: scene.named["e"].add("globex"),
            "it names exactly",
            id="a stranger was named",
        ),
        pytest.param(
            lambda scene: scene.named["e"].pop(), "it names exactly", id="one was forgotten"
        ),
        pytest.param(
            lambda scene: scene.silence.update(opened_at=rfc3339(START_AT + 155)),
            "silence was found within",
            id="it was found too late",
        ),
        pytest.param(
            lambda scene: scene.outage.update(opened_at=rfc3339(START_AT + 1)),
            "errors was found within",
            id="it was found before it began",
        ),
        pytest.param(
            lambda scene: scene.outage.update(closed_at=None),
            "errors was closed within",
            id="it was never closed",
        ),
        pytest.param(
            lambda scene: scene.pages.append(scene.pages[0]),
            "silence was paged once",
            id="it was paged twice",
        ),
        pytest.param(
            lambda scene: scene.pages.append(Page(START_AT, "create", "x", "", "P1")),
            "nothing else was paged",
            id="a page about nothing",
        ),
    ],
)
def test_what_went_wrong_is_named(spoil: Callable[[Scene], object], sentence: str) -> None:
    scene = Scene()
    spoil(scene)
    assert any(failed.startswith(sentence) for failed in scene.failed())


def test_the_plot_hurts_a_modest_customer_and_three_others() -> None:
    sizes = {one.name: one.messages_per_s for one in customers()}
    assert len(CHECK.affected_tenants) == 3
    assert CHECK.silent_tenant not in CHECK.affected_tenants
    assert sizes[CHECK.silent_tenant] < 0.02 * sum(sizes.values())


def test_the_inbox_takes_alerts_as_opsgenie_does() -> None:
    async def run() -> list[Page]:
        told: list[Page] = []
        inbox = Inbox(told.append)
        transport = httpx.ASGITransport(inbox.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://pager") as client:
            alert = {"alias": "a1", "message": "it fails", "priority": "P2"}
            assert (await client.post("/v2/alerts", json=alert)).status_code == 202
            closing = "/v2/alerts/a1/close?identifierType=alias"
            assert (await client.post(closing, json={"note": "over"})).status_code == 202
        assert told == inbox.pages
        return told

    pages = [(one.action, one.alias, one.message) for one in asyncio.run(run())]
    assert pages == [("create", "a1", "it fails"), ("close", "a1", "over")]


BODIES = [Body(b"a", 1, 3, 2), Body(b"b", 2, 4, 3)]


def answering(*statuses: int) -> tuple[httpx.AsyncClient, list[bytes]]:
    """A client whose server answers these statuses in turn, and what it was sent."""
    seen: list[bytes] = []
    turn = iter(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(next(turn), headers={"retry-after": "0"}, text="why not")

    transport = httpx.MockTransport(answer)
    return httpx.AsyncClient(transport=transport, base_url="http://s"), seen


def test_history_is_written_in_order_and_again_where_streamgauge_is_full() -> None:
    client, seen = answering(204, 503, 204)
    uploaded = asyncio.run(upload(client, iter(BODIES)))
    assert seen == [b"a", b"b", b"b"]
    assert (uploaded.line_count, uploaded.ends, uploaded.received) == (3, 7, 5)


def test_a_history_that_is_refused_stops_the_demo_and_says_why() -> None:
    client, _ = answering(400)
    with pytest.raises(DemoError, match="400: why not"):
        asyncio.run(upload(client, iter(BODIES)))


def test_numbers_that_are_not_known_say_so() -> None:
    empty = {"p50_s": None, "p90_s": None, "p99_s": None}
    overview: dict[str, Any] = {
        "messages_per_second": None,
        "error_ratio": None,
        "latency": empty,
        "queue": {"backlog": None, "wait": empty},
        "state": "unknown",
    }
    assert {value for _, value in figures(overview)} == {"unknown"}


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        pytest.param({"p_value": 0.001}, "1 in 1,000", id="a small chance"),
        pytest.param({"p_value": 1 / 11_345_097}, "1 in 11,000,000", id="no more exact than it is"),
        pytest.param({"p_value": 0.0}, "less than 1 in a trillion", id="none"),
        pytest.param({"backlog": 7}, "evidence on its page", id="no chance given"),
    ],
)
def test_how_sure(evidence: dict[str, float], words: str) -> None:
    assert words in certainty({"evidence": evidence})


def test_who_is_hurt() -> None:
    one = incident("e", "errors", 0, 1, integration="braze", affected=["acme"])
    assert who(one) == "integration braze (affected: acme)"
    assert who(incident("b", "blind", 0, 1)) == "the platform"
