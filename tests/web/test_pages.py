"""The pages as HTML: what they say, and what they link to. Parsed, not string-matched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from tests.web.sites import BROWSER, NOW_S, Site

from streamgauge.model.change import Action
from streamgauge.model.errors import StoreError
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.notification import DeliveryState
from streamgauge.model.views import FlowRow
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected
from streamgauge.testing.incidents import a_notification, an_incident
from streamgauge.web.assets import asset_routes
from streamgauge.web.names import from_segment, segment
from streamgauge.web.pages.customers import routes_of
from streamgauge.web.pages.sentences import habit_words
from streamgauge.web.ports import Expectation

Make = Callable[..., Site]
PAGES = [
    "/",
    "/customers",
    "/customers/dunder",
    "/incidents",
    "/incidents/inc-errors",
    "/errors",
    "/refused",
    "/api/docs",
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "a/b?c=d#e&f",
    "..",
    ".",
    "",
    "~",
    "100 %",
    "%2e%2e",
    "名前 و اسم",
    "a\\b",
    "new\nline",
    "x" * 300,
]


def text_of(page: html.HtmlElement, selector: str) -> list[str]:
    """The texts of what is selected, with single plain spaces."""
    found = page.cssselect(selector)
    return [" ".join(element.text_content().split()) for element in found]


def links_of(page: html.HtmlElement) -> list[str]:
    return [link.get("href", "") for link in page.cssselect("a[href]")]


def walk(site: Site) -> dict[str, html.HtmlElement]:
    """Every page that links lead to from the front page."""
    found: dict[str, html.HtmlElement] = {}
    ahead = ["/"]
    while ahead:
        address = ahead.pop()
        if address in found:
            continue
        response = site.get(address, BROWSER)
        assert response.status_code == 200, (address, response.text)
        if not response.headers["content-type"].startswith("text/html"):
            continue
        found[address] = html.document_fromstring(response.text)
        links = [link for link in links_of(found[address]) if not link.startswith("#")]
        assert all(link.startswith("/") for link in links), (address, links)
        ahead += [urljoin(address, link) for link in links]
    return found


def test_every_page_is_reached_from_the_front_page(site: Site) -> None:
    found = walk(site)
    assert set(PAGES) <= set(found)
    assert {"/incidents/inc-backlog", "/customers/wonka"} <= set(found)


def test_every_page_is_reached_with_an_empty_store(empty_site: Site) -> None:
    assert set(walk(empty_site)) == {
        "/",
        "/customers",
        "/expectations",
        "/routers",
        "/incidents",
        "/errors",
        "/refused",
        "/unmapped",
        "/budget",
        "/collectors",
        "/api/docs",
    }


def test_links_to_names_of_any_kind_lead_to_their_pages(site_with: Make) -> None:
    site = site_with(tenants=HOSTILE)
    titles = {text_of(page, "h1")[0] for address, page in walk(site).items() if "rs/" in address}
    assert titles == {" ".join(name.split()) or "(not named)" for name in HOSTILE}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(site_with: Make, name: str) -> None:
    site = site_with(tenants=[name])
    site.incidents.incidents = [
        replace(
            an_incident(f"id-{name}", NOW_S - 60),
            scope=Scope(tenant=name, source=name),
            summary=f"{name} went silent",
            evidence={name: name, "reasons": [name]},
            affected=(name,),
        )
    ]
    known = {"script", "img", "iframe", "object", "embed"}
    for address in ("/", f"/customers/{segment(name)}", f"/incidents/{segment(f'id-{name}')}"):
        page = site.page(address)
        assert [s.get("src", "")[:8] for s in page.cssselect("script")] == ["/static/"] * 2
        assert not [e for e in page.iter() if e.tag in known - {"script"}]
        assert not [a for e in page.iter() for a in e.attrib if str(a).startswith("on")]
        assert not page.cssselect("[style]")
        assert "".join(name.split()) in "".join(page.text_content().split())


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_name_survives_its_address(name: str) -> None:
    written = segment(name)
    assert from_segment(unquote(written)) == name
    assert quote(unquote(written), safe="") == written
    assert "/" not in written
    assert written not in {"", ".", ".."}


@pytest.mark.parametrize("address", [*PAGES, "/nowhere"])
def test_every_page_keeps_scripts_and_frames_out(site: Site, address: str) -> None:
    headers = site.get(address, BROWSER).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("address", [*PAGES, "/nowhere"])
def test_every_page_can_be_read_without_seeing_it(site: Site, address: str) -> None:
    page = html.document_fromstring(site.get(address, BROWSER).text)
    assert page.get("lang") == "en"
    assert len(page.cssselect("h1")) == 1
    assert page.cssselect("a.skip")[0].get("href") == "#main"
    assert page.cssselect("title")[0].text_content().endswith("streamgauge")
    ids = [element.get("id") for element in page.cssselect("[id]")]
    assert len(ids) == len(set(ids))
    for labelled in page.cssselect("[aria-labelledby]"):
        assert labelled.get("aria-labelledby") in ids
    for button in page.cssselect("button"):
        assert button.get("aria-label") or button.text_content().strip()


def sentence(site: Site) -> str:
    return text_of(site.page("/"), "h1")[0]


def test_all_well_is_one_sentence(site_with: Make) -> None:
    assert sentence(site_with()) == "All 23 customers are flowing."
    assert sentence(site_with(tenants=["acme"])) == "The one customer is flowing."


def test_quiet_customers_are_not_called_flowing(site_with: Make) -> None:
    site = site_with(silent={"acme": NOW_S - 901})
    assert sentence(site) == "Nothing needs attention: 22 customers flowing, 1 quiet."
    row = next(r for r in site.page("/").cssselect("tbody tr") if "acme" in r.text_content())
    assert text_of(row, ".pill") == ["Quiet"]


def test_everyone_may_be_quiet_for_a_while_but_not_for_an_hour(site_with: Make) -> None:
    site = site_with(tenants=["acme"], silent={"acme": NOW_S - 3600})
    assert sentence(site) == "Nothing needs attention: 1 quiet."
    assert "Quiet for now" in text_of(site.page("/customers/acme"), ".verdict")[0]
    site.metrics.silent = {"acme": NOW_S - 3601}
    assert sentence(site) == "Nothing has arrived since 04:59 UTC."


def test_trouble_is_counted(site: Site) -> None:
    assert sentence(site) == "2 things need attention."
    site.incidents.incidents[0] = replace(site.incidents.incidents[0], severity=Severity.P1)
    assert sentence(site) == "2 things need attention, 1 of them critical."
    site.incidents.incidents = [replace(site.incidents.incidents[1], severity=Severity.P5)]
    assert sentence(site) == "Nothing needs attention: 22 customers flowing, 1 quiet."


def test_blindness_is_said_with_its_beginning(site_with: Make) -> None:
    site = site_with(silent={}, tenants=["acme"])
    site.metrics.silent = {"acme": NOW_S - 1800}
    site.incidents.incidents = [
        replace(
            an_incident("blind", NOW_S - 1700),
            kind=Kind.BLIND,
            scope=PLATFORM,
            suspected=Suspected.COLLECTOR,
        )
    ]
    assert sentence(site) == "Nothing has arrived since 05:30 UTC: we are blind."
    assert text_of(site.page("/"), ".hero .pill") == ["Unknown"]
    assert text_of(site.page("/customers/acme"), ".verdict .pill") == ["Unknown"]


def test_an_empty_store_says_what_to_do_at_this_address(empty_site: Site) -> None:
    page = empty_site.page("/")
    assert text_of(page, "h1") == ["Nothing has arrived yet."]
    curl, telegraf = (code.text_content() for code in page.cssselect("pre code"))
    assert "'http://gauge:8686/write?db=" in curl
    assert 'urls = ["http://gauge:8686"]' in telegraf
    assert "0" not in text_of(page, ".tile")


def test_tiles_write_unknown_where_nothing_is_known(site: Site) -> None:
    site.metrics.tenants = ["acme"]
    site.metrics.silent = {"acme": NOW_S - 7200}
    tiles = text_of(site.page("/"), ".tile .figures")
    assert set(tiles) == {"unknown"}


def test_a_silent_customer_has_no_messages_rather_than_unknown_ones(site: Site) -> None:
    site.metrics.silent = {"dunder": NOW_S - 7200}
    page = site.page("/customers/dunder")
    tiles = dict(zip(text_of(page, ".tile dt"), text_of(page, ".figures"), strict=True))
    assert (tiles["Messages"], tiles["Errors"]) == ("0/s", "unknown")


def test_tiles_carry_units(site: Site) -> None:
    tiles = dict(
        zip(text_of(site.page("/"), ".tile dt"), text_of(site.page("/"), ".figures"), strict=True)
    )
    assert tiles["Success"].endswith("%")
    assert tiles["Messages"].endswith("/s")
    assert tiles["Latency, end to end"] == "p50 142 ms p90 410 ms p99 1.32 s"
    assert tiles["Oldest waiting"] == "4.2 s"


def test_customers_stand_by_trouble_and_not_by_size(site: Site) -> None:
    names = text_of(site.page("/"), ".customers tbody th")
    assert names[0] == "dunder"
    assert set(names[1:5]) == {"initech", "globex", "stark", "wonka"}
    assert len(names) == 23


def test_many_customers_come_in_pages(site_with: Make) -> None:
    site = site_with(tenants=[f"customer-{i:03}" for i in range(230)])
    assert len(site.page("/").cssselect(".customers tbody tr")) == 50
    first, last = site.page("/customers"), site.page("/customers?page=3")
    assert len(first.cssselect("tbody tr")) == 100
    assert len(last.cssselect("tbody tr")) == 30
    assert "/customers?page=2" in links_of(first)
    assert site.get("/customers?page=0", BROWSER).status_code == 400
    assert "no page 9" in site.page("/customers?page=9").text_content()


def test_a_customer_has_its_silence_clock(site: Site) -> None:
    clock = text_of(site.page("/customers/dunder"), ".clock")[0]
    assert clock == "Last message 22 min ago, 05:38 UTC; usually sends 3.75/min at this hour"
    site.operations.per_hour = None
    assert "usually" not in text_of(site.page("/customers/dunder"), ".clock")[0]


@pytest.mark.parametrize(
    ("per_hour", "words"),
    [
        pytest.param(14_905.2, "usually sends 4.14/s at this hour", id="many a second"),
        pytest.param(60.0, "usually sends 1/min at this hour", id="one a minute"),
        pytest.param(12.5, "usually sends one every 4 min 48 s", id="a few an hour"),
        pytest.param(3 / 24, "usually sends one every 8 h", id="three a day"),
        pytest.param(0.0, "usually sends nothing at this hour", id="none"),
    ],
)
def test_a_habit_is_said_by_its_size(per_hour: float, words: str) -> None:
    assert habit_words(Expectation(per_hour)).replace("\u00a0", " ") == words


def test_a_customer_without_queues_of_its_own_has_no_empty_panels(site: Site) -> None:
    site.metrics.silent = {"dunder": NOW_S - 7200}
    page = site.page("/customers/dunder")
    assert not {"Backlog", "Oldest waiting", "Headroom"} & set(text_of(page, ".tile dt"))
    assert text_of(page, ".chart-title") == ["Messages", "Error share", "Latency", "Time in queue"]
    assert "Backlog" in text_of(site.page("/customers/acme"), ".tile dt")


def test_what_only_came_in_is_no_route_of_a_customer() -> None:
    def row(source: str, integration: str, messages: int) -> FlowRow:
        labels = {"source": source, "integration": integration}
        return FlowRow(labels, messages, 0, 0, None, NOW_S)

    routed, came_in, alone, ended = (
        row("web", "s3", 0), row("web", "", 0), row("ios", "", 0), row("web", "", 5)
    )  # fmt: skip
    assert routes_of([routed, came_in, alone, ended]) == [routed, alone, ended]


def test_a_customers_charts_ask_for_it_alone(site: Site) -> None:
    charts = site.page("/customers/acme").cssselect("[data-chart]")
    specs = [json.loads(chart.get("data-chart", "")) for chart in charts]
    assert [spec["filters"] for spec in specs] == [{"tenant": "acme"}] * 6


def test_an_incident_tells_who_since_when_how_sure_and_whose_side(site: Site) -> None:
    page = site.page("/incidents/inc-silence")
    assert text_of(page, "h1")[0].startswith("dunder went silent")
    facts = dict(zip(text_of(page, ".facts dt"), text_of(page, ".facts dd"), strict=True))
    assert facts["Whose side"] == "The customer's side"
    assert facts["Since"] == "22 min ago24 Nov 2026, 05:38:00 UTC"
    assert facts["Customer"] == "dunder"
    evidence = dict(zip(text_of(page, ".pairs th"), text_of(page, ".pairs td"), strict=True))
    assert evidence == {
        "Messages expected": "67.4",
        "Seen": "0",
        "Chance that it is nothing": "below 1 in a trillion",
        "Usual interval": "16 s",
        "Quiet": "18 min",
        "Last seen": "24 Nov 2026, 05:38:00 UTC",
        "History": "7 d",
    }
    assert "67 messages were expected" in text_of(page, ".timeline li")[0]


def test_a_closed_incident_is_charted_to_its_end(site: Site) -> None:
    page = site.page("/incidents/inc-backlog")
    spec = json.loads(page.cssselect("[data-chart]")[0].get("data-chart", ""))
    assert [mark["word"] for mark in spec["marks"]] == ["began", "opened", "closed"]
    assert spec["from"] <= spec["marks"][0]["at"] - 1800 + spec["step"]
    assert spec["marks"][2]["at"] < spec["to"] <= NOW_S
    assert [line["metric"] for line in spec["lines"]] == ["oldest_age"]


def test_errors_are_charted_for_those_whom_they_hurt(site: Site) -> None:
    chart, _ = site.page("/incidents/inc-errors").cssselect("[data-chart]")
    everyone, hurt = json.loads(chart.get("data-chart", ""))["lines"]
    assert (everyone["by"], everyone["name"]) == ("", "all customers")
    assert hurt["by"] == "tenant"
    assert hurt["only"] == ["initech", "globex", "stark", "wonka"]


def test_a_silence_that_took_long_to_be_sure_of_is_charted_from_long_before(site: Site) -> None:
    rare = replace(an_incident("rare", NOW_S - 60), since=NOW_S - 60 - 72_000)
    site.incidents.incidents = [rare]
    spec = json.loads(site.page("/incidents/rare").cssselect("[data-chart]")[0].get("data-chart"))
    assert spec["from"] <= rare.since - 3 * 72_000 + spec["step"]


TOLD = a_notification("inc-silence", NOW_S - 240)
DELIVERIES = [
    pytest.param({}, "Delivered opsgenie that it opened", "", "3 min ago", id="delivered"),
    pytest.param(
        {"state": DeliveryState.PENDING, "attempts": 0, "finished_at": None, "due_at": NOW_S + 5},
        "To be sent opsgenie that it opened", "", "next attempt in 5 s", id="waiting",
    ),
    pytest.param(
        {"state": DeliveryState.PENDING, "attempts": 3, "finished_at": None,
         "due_at": NOW_S + 90, "last_error": "503: come back later"},
        "Not taken yet opsgenie that it opened", "503: come back later", "3 attempts", id="tried",
    ),
    pytest.param(
        {"state": DeliveryState.FAILED, "attempts": 2, "last_error": "401: the key is wrong"},
        "Given up opsgenie that it opened", "401: the key is wrong", "2 attempts", id="given up",
    ),
    pytest.param(
        {"state": DeliveryState.SUPPRESSED, "reason": "is P5; opsgenie takes P1", "attempts": 0},
        "Not told opsgenie that it opened", "", "is P5; opsgenie takes P1", id="not for it",
    ),
    pytest.param(
        {"action": Action.CLOSE, "state": DeliveryState.OBSOLETE, "last_error": "reopened"},
        "Overtaken opsgenie that it is over", "reopened", "3 min ago", id="overtaken",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "head", "trouble", "says"), DELIVERIES)
def test_an_incident_tells_who_was_told_and_how_it_went(
    site: Site, change: dict[str, Any], head: str, trouble: str, says: str
) -> None:
    site.incidents.notifications = [replace(TOLD, **change)]
    page = site.page("/incidents/inc-silence")
    (row,) = page.cssselect(".told li")
    assert text_of(row, "p")[0] == head
    assert "".join(text_of(row, ".trouble")) == trouble
    assert says in text_of(row, "p")[-1]


def test_an_incident_that_nobody_was_told_of_says_so(site: Site) -> None:
    page = site.page("/incidents/inc-silence")
    assert not page.cssselect(".told li")
    assert "[[notify]]" in text_of(page, ".empty")[-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_with_any_name_asks_for_itself_again(site_with: Make, name: str) -> None:
    site = site_with(tenants=[name])
    page = site.page(f"/customers/{segment(name)}?a=%26")
    again = site.get(page.cssselect("main")[0].get("hx-get", ""), {**BROWSER, "hx-request": "1"})
    assert again.status_code == 200
    fragment = html.fragment_fromstring(again.text, create_parent=True)
    assert text_of(fragment, "h1") == text_of(page, "h1")


@pytest.mark.parametrize(
    ("metric", "charted", "last"),
    [
        pytest.param("latency_p99", "latency_p50", "1.5 s", id="a latency"),
        pytest.param("error_ratio", "error_ratio", "150.0 %", id="a share"),
        pytest.param("oldest_age", "oldest_age", "1.5 s", id="an age"),
        pytest.param("bytes", "messages", "1.5 B", id="bytes"),
        pytest.param("messages", "messages", "1.50", id="messages"),
    ],
)
def test_a_rule_is_shown_by_its_metric(site: Site, metric: str, charted: str, last: str) -> None:
    evidence = {"metric": metric, "above": 1, "for_s": 300.0, "last_value": 1.5}
    site.incidents.incidents = [
        replace(site.incidents.incidents[0], kind=Kind.RULE, evidence=evidence)
    ]
    page = site.page("/incidents/inc-silence")
    spec = json.loads(page.cssselect("[data-chart]")[0].get("data-chart", ""))
    assert spec["lines"][0]["metric"] == charted
    assert text_of(page, ".pairs td")[-1] == last


def test_an_acknowledged_incident_says_so_and_stays_open(site: Site) -> None:
    taken = replace(site.incidents.incidents[0], state=IncidentState.ACKNOWLEDGED)
    site.incidents.incidents[0] = taken
    assert sentence(site) == "2 things need attention."
    assert "Acknowledged" in text_of(site.page("/"), ".incident .pill")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_incident_has_a_page(site: Site, kind: Kind) -> None:
    site.incidents.incidents = [replace(site.incidents.incidents[0], kind=kind)]
    assert site.page("/incidents/inc-silence").cssselect("[data-chart]")


def test_an_update_is_the_live_part_alone(site: Site) -> None:
    response = site.get("/customers/acme?a=b", {**BROWSER, "hx-request": "true"})
    assert "<html" not in response.text
    assert html.fragment_fromstring(response.text, create_parent=True).cssselect("h1")
    assert "HX-Request" in response.headers["vary"]
    live = site.page("/customers/acme?a=b").cssselect("main")[0]
    assert live.get("hx-get") == "/customers/acme?a=b"


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        pytest.param("/nowhere", 404, "/nowhere", id="an unknown address"),
        pytest.param("/customers/nobody", 404, "nobody", id="an unknown customer"),
        pytest.param("/incidents/none", 404, "none", id="an unknown incident"),
    ],
)
def test_browsers_get_problems_as_pages(site: Site, address: str, status: int, says: str) -> None:
    response = site.get(address, BROWSER)
    assert response.status_code == status
    page = html.document_fromstring(response.text)
    assert says in text_of(page, ".lead")[0]
    assert "/" in links_of(page)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        pytest.param(StoreError("the disk is full", permanent=False), 503, id="the store refuses"),
        pytest.param(RuntimeError("secret"), 500, id="a mistake of ours"),
    ],
)
def test_failures_are_pages_too(
    site: Site, failure: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    site.metrics.failure = failure
    response = site.get("/", BROWSER)
    assert response.status_code == status
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert html.document_fromstring(response.text).cssselect("a[href='/']")
    capsys.readouterr()


def test_pages_are_served_before_assets_are_built(tmp_path: Path) -> None:
    client = FastAPI(routes=asset_routes(tmp_path / "never-built"))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(client)) as it:
            return (await it.get("http://gauge/static/app.css")).status_code

    assert asyncio.run(ask()) == 404
