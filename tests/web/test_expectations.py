"""What is expected, as the API and the pages say it and let it be changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.web.sites import BROWSER, NOW_S, Site, make_site

from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.router import RouterState, RouterStatus
from streamgauge.model.words import Kind, Severity
from streamgauge.testing.expected import FakeExpected
from streamgauge.testing.incidents import an_incident
from streamgauge.web.application import create_app

FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class SiteWithExpectations(Site):
    expected: FakeExpected = None  # type: ignore[assignment]

    @cached_property
    def app(self) -> FastAPI:
        return create_app(
            self.metrics, self.incidents, self.operations, self.clock, [], self.expected
        )

    def send(
        self, method: str, address: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gauge:8686") as it:
                given = {"content": body} if isinstance(body, str | bytes) else {"json": body}
                return await it.request(method, address, headers=headers, **given)

        return asyncio.run(ask())


@pytest.fixture
def site() -> SiteWithExpectations:
    plain = make_site(tenants=["acme", "beta"])
    made = SiteWithExpectations(plain.clock, plain.metrics, plain.incidents, plain.operations)
    made.expected = FakeExpected(made.clock)
    return made


def put(site: SiteWithExpectations, *flows: Any) -> httpx.Response:
    return site.send("PUT", "/api/v1/flows", {"flows": flows})


def states(site: SiteWithExpectations) -> dict[str, str]:
    answer = site.json("/api/v1/flows?by=tenant")
    seen = {row["labels"]["tenant"]: row["expected"]["state"] for row in answer["flows"]}
    return seen | {one["tenant"]: one["state"] for one in answer["declared"]}


def test_what_is_put_is_told_with_its_state(site: SiteWithExpectations) -> None:
    answer = put(
        site,
        {"tenant": "acme", "paused_until": "2h"},
        {"tenant": "beta", "expected_within": 90, "calendar": "mon-fri  08:00-18:00"},
        {"tenant": "new", "first_message_by": "1d"},
        {"tenant": "late", "first_message_by": "2026-11-24T05:00:00Z"},
        {"tenant": "gone", "retired": True},
    )
    assert answer.status_code == 200
    assert answer.json()["changed"] == 5
    assert states(site) == {
        "acme": "paused", "beta": "seen", "new": "declared", "late": "overdue", "gone": "retired",
    }  # fmt: skip
    beta = site.expected.said[Scope("beta")]
    assert (beta.expected_within_s, beta.calendar) == (90.0, "mon-fri 08:00-18:00")
    again = put(site, {"tenant": "gone", "retired": True})
    assert again.json()["changed"] == 0


def test_the_narrowest_word_is_told_of_a_row(site: SiteWithExpectations) -> None:
    put(
        site,
        {"tenant": "acme", "paused_until": "2h"},
        {"tenant": "acme", "source": "web", "retired": True},
    )
    rows = site.json("/api/v1/flows?by=tenant,source&tenant=acme")["flows"]
    told = {row["labels"]["source"]: row["expected"]["state"] for row in rows}
    assert told["web"] == "retired"
    assert {state for source, state in told.items() if source != "web"} <= {"paused"}


FAULTS: list[tuple[Any, str]] = [
    ({}, "flows[1].tenant: the customer's name must be given"),
    ({"tenant": "a", "calender": "x"}, "flows[1].calender: is not known"),
    ({"tenant": "a", "calendar": "mon-fri 8-18"}, "flows[1].calendar: 'mon-fri 8-18' is not a cal"),
    ({"tenant": "a", "calendar": "mon 08:00-09:00 Mars/X"}, "is no time zone"),
    ({"tenant": "a", "expected_within": "soon"}, "flows[1].expected_within: 'soon' is not a dur"),
    ({"tenant": "a", "expected_within": -1}, "flows[1].expected_within: -1 is not a duration"),
    ({"tenant": "a", "first_message_by": "tomorrow"}, "is not an instant: RFC 3339"),
    ({"tenant": "a", "paused_until": 1e300}, "flows[1].paused_until: 1e+300 is not an instant"),
    ({"tenant": "a", "retired": "yes"}, "flows[1].retired: must be true or false, not 'yes'"),
    ({"tenant": "a", "remove": True, "calendar": None}, "means nothing beside `remove`"),
    ({"tenant": "a", "source": 3}, "flows[1].source: must be text, not 3"),
    ("acme", "flows[1]: must be an object"),
]


@pytest.mark.parametrize(("item", "told"), FAULTS, ids=[told for _, told in FAULTS])
def test_a_bad_item_is_named_and_nothing_is_changed(
    site: SiteWithExpectations, item: Any, told: str
) -> None:
    answer = put(site, {"tenant": "good", "retired": True}, item)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert answer.json()["faults"][0]["index"] == 1
    assert site.expected.said == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "the body is no JSON"),
        ("[" * 100_000, "the body is no JSON"),
        ("[]", "the body must be"),
        ('{"flows": {}}', "the body must be"),
        ('{"flows": [], "more": 1}', "'more' is not known beside `flows`"),
    ],
    ids=["cut off", "deep", "a list", "an object of flows", "another key"],
)
def test_a_bad_body_is_said(site: SiteWithExpectations, body: str, told: str) -> None:
    answer = site.send("PUT", "/api/v1/flows", body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_what_was_said_is_taken_back(site: SiteWithExpectations) -> None:
    put(
        site,
        {"tenant": "acme", "retired": True},
        {"tenant": "acme", "source": "a/b", "retired": True},
    )
    answer = site.send("DELETE", "/api/v1/flows?tenant=acme&source=a%2Fb")
    assert answer.json()["changed"] == 1
    assert [*site.expected.said] == [Scope("acme")]
    assert put(site, {"tenant": "acme", "remove": True}).json()["changed"] == 1
    assert site.expected.said == {}


def test_offboarding_says_what_it_closed_and_is_for_names_of_any_kind(
    site: SiteWithExpectations,
) -> None:
    site.expected.closed = ["i1"]
    answer = site.send("POST", "/api/v1/customers/a%2Fb%20c/offboard")
    assert answer.json()["closed"] == ["i1"]
    assert answer.json()["expected"]["retired_at"] == "2026-11-24T06:00:00Z"
    assert [*site.expected.said] == [Scope("a/b c")]


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
    ids=["another origin", "another site", "a page of a file"],
)
def test_another_site_s_page_cannot_make_a_browser_change_anything(
    site: SiteWithExpectations, headers: dict[str, str]
) -> None:
    for method, address in (
        ("POST", "/api/v1/customers/acme/offboard"),
        ("PUT", "/api/v1/flows"),
        ("DELETE", "/api/v1/flows?tenant=acme"),
        ("POST", "/expectations/acme"),
    ):
        answer = site.send(method, address, "action=offboard", headers)
        assert answer.status_code == 400, address
    assert site.expected.said == {}
    ours = {"origin": "http://gauge:8686", "sec-fetch-site": "same-origin"}
    assert site.send("POST", "/api/v1/customers/acme/offboard", headers=ours).status_code == 200


def test_a_customer_behind_a_blind_router_is_unknown_and_others_are_not(
    site: SiteWithExpectations,
) -> None:
    from dataclasses import replace

    site.incidents.incidents = [
        replace(
            an_incident("r2", NOW_S - 600),
            key="blind/*/*/*/*/r2",
            kind=Kind.BLIND,
            scope=PLATFORM,
            severity=Severity.P2,
            affected=("acme",),
        )
    ]
    rows = site.json("/api/v1/flows?by=tenant")["flows"]
    told = {r["labels"]["tenant"]: (r["expected"]["state"], r["health"]) for r in rows}
    assert told == {"acme": ("unknown", "unknown"), "beta": ("seen", "ok")}
    assert site.json("/api/v1/overview")["state"] == "degraded"
    assert site.json("/api/v1/overview?tenant=acme")["state"] == "unknown"
    assert site.json("/api/v1/overview?tenant=beta")["state"] == "ok"
    verdict = site.page("/customers/acme").cssselect(".verdict span:last-child")[0]
    assert "the router it comes through has stopped" in verdict.text_content()
    pills = [pill.text_content().strip() for pill in site.page("/customers").cssselect("td .pill")]
    assert sorted(pills) == ["Flowing", "Unknown"]


def test_routers_are_listed_the_worst_first(site: SiteWithExpectations) -> None:
    site.expected.routers = [
        RouterStatus("r2", RouterState.BLIND, NOW_S - 9000, NOW_S - 600, 10.0, 3, 5),
        RouterStatus("<b>", RouterState.ALIVE, NOW_S - 9000, NOW_S - 5, 60.0, 0, 2),
    ]
    first, second = site.json("/api/v1/routers")["routers"]
    assert first == {
        "router": "r2", "state": "blind", "first_seen_at": "2026-11-24T03:30:00Z",
        "last_seen_at": "2026-11-24T05:50:00Z", "interval_s": 10.0, "customers": 5,
        "only_customers": 3,
    }  # fmt: skip
    assert second["router"] == "<b>"
    rows = site.page("/routers").cssselect("tbody tr")
    assert [row.cssselect("th")[0].text_content() for row in rows] == ["r2", "<b>"]
    assert rows[0].cssselect(".pill")[0].text_content().strip() == "Blind"


def post(site: SiteWithExpectations, tenant: str, **fields: str) -> httpx.Response:
    body = str(httpx.QueryParams(fields))
    return site.send("POST", f"/expectations/{tenant}", body, {**FORM, **BROWSER})


def retired(site: SiteWithExpectations) -> bool:
    return site.expected.said[Scope("acme")].retired_at is not None


STEPS: list[tuple[dict[str, str], Callable[[SiteWithExpectations], bool]]] = [
    ({"action": "save", "paused_until": "1d"},
     lambda site: site.expected.said[Scope("acme")].paused_until == NOW_S + 86_400),
    ({"action": "resume"}, lambda site: site.expected.said[Scope("acme")].paused_until is None),
    ({"action": "retire"}, retired),
    ({"action": "expect"}, lambda site: not retired(site)),
    ({"action": "save", "source": "ios", "calendar": "daily 08:00-09:00"},
     lambda site: site.expected.said[Scope("acme", "ios")].calendar == "daily 08:00-09:00"),
    ({"action": "save", "source": "ios", "expected_within": "2h", "calendar": ""},
     lambda site: site.expected.said[Scope("acme", "ios")].calendar == "daily 08:00-09:00"),
    ({"action": "save", "source": "ios", "calendar": "-"},
     lambda site: site.expected.said[Scope("acme", "ios")].calendar is None),
    ({"action": "forget", "source": "ios"}, lambda site: [*site.expected.said] == [Scope("acme")]),
    ({"action": "offboard"}, retired),
]  # fmt: skip


def test_every_button_of_a_customer_s_page_does_what_it_says(site: SiteWithExpectations) -> None:
    for fields, holds in STEPS:
        answer = post(site, "acme", **fields)
        assert answer.status_code == 303, fields
        assert answer.headers["location"] == "/expectations/acme"
        assert holds(site), fields
        page = site.page("/expectations/acme")
        assert page.cssselect("form.expect button[value=offboard]")
    who = site.page("/expectations/acme").cssselect("#audit-title")
    assert who
    assert site.expected.entries[-1].actor.startswith("127.0.0.1")


def test_a_field_that_cannot_be_used_is_said_on_the_page(site: SiteWithExpectations) -> None:
    answer = post(site, "acme", action="save", calendar="always")
    assert answer.status_code == 400
    assert "is not a calendar" in answer.text
    assert post(site, "acme", action="explode").status_code == 400
    assert site.expected.said == {}


PAGES: list[tuple[ExpectedFlow, str, str]] = [
    (ExpectedFlow(Scope("acme"), NOW_S, paused_until=NOW_S + 3600), "Paused", "Paused until"),
    (ExpectedFlow(Scope("acme"), NOW_S, retired_at=NOW_S), "Retired", "nothing is expected"),
    (ExpectedFlow(Scope("new"), NOW_S), "Awaited", "Its first message is expected by"),
    (ExpectedFlow(Scope("acme"), 0.0, retired_at=NOW_S - 90_000), "Flowing", "are flowing"),
]


@pytest.mark.parametrize(("said", "pill", "sentence"), PAGES, ids=[p[1] for p in PAGES])
def test_a_customer_s_page_says_what_is_expected_of_it(
    site: SiteWithExpectations, said: ExpectedFlow, pill: str, sentence: str
) -> None:
    site.expected.said[said.scope] = said
    verdict = site.page(f"/customers/{said.scope.tenant}").cssselect(".verdict")[0]
    assert verdict.cssselect(".pill")[0].text_content().strip() == pill
    assert sentence in verdict.text_content()


def test_the_page_of_all_expectations_shows_what_needs_a_look_first(
    site: SiteWithExpectations,
) -> None:
    assert "Nothing was said yet" in site.get("/expectations", BROWSER).text
    put(site, {"tenant": "acme", "calendar": "mon-fri 08:00-18:00 Europe/Berlin"},
        {"tenant": "zz<script>", "first_message_by": "2020-01-01T00:00:00Z"})  # fmt: skip
    site.expected.said[Scope("back")] = ExpectedFlow(Scope("back"), 0.0, retired_at=float("inf"))
    rows = site.page("/expectations").cssselect("tbody tr")
    assert [row.cssselect("th")[0].text_content() for row in rows] == ["zz<script>", "acme", "back"]
    assert rows[0].cssselect(".pill")[0].text_content().strip() == "Never spoke"


def test_the_list_of_customers_shows_who_is_paused_and_who_left(
    site: SiteWithExpectations,
) -> None:
    put(site, {"tenant": "acme", "paused_until": "2h"}, {"tenant": "beta", "retired": True})
    rows = site.page("/customers").cssselect("tbody tr")
    signs = {row.cssselect("a")[0].text_content(): row.cssselect(".pill") for row in rows}
    told = {name: pills[0].text_content().strip() for name, pills in signs.items()}
    assert told == {"acme": "Paused", "beta": "Retired"}
