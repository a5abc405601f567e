"""What gathers by itself: the page and the API. Unknown is shown as unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.web.sites import NOW_S, Site

from streamgauge.model.flow import PLATFORM
from streamgauge.model.gatherer import (
    AgeMethod,
    Fault,
    GathererHealth,
    GathererState,
    QueueReading,
)
from streamgauge.model.words import Kind, Severity, Suspected
from streamgauge.testing.incidents import an_incident

ORDERS = QueueReading(
    "orders", tenant="acme", backlog=12, oldest_age_s=7.5, oldest_age_method=AgeMethod.POSITION
)
DARK = QueueReading("<b>dark", problem="no permission")
WELL = GathererHealth(
    name="rabbit",
    kind="rabbitmq",
    address="http://10.0.0.7:15672",
    every_s=10.0,
    state=GathererState.OK,
    since=NOW_S - 3600,
    last_success_at=NOW_S - 4,
    reads_total=360,
    queues=(ORDERS, QueueReading("idle", backlog=0)),
)
FAILING = replace(
    WELL,
    name="eu",
    state=GathererState.FAILING,
    since=NOW_S - 120,
    last_success_at=NOW_S - 120,
    last_error="10.0.0.7:15672 refuses connections: look whether it runs",
    last_error_at=NOW_S - 3,
    fault=Fault.REFUSED,
    failed_in_a_row=9,
    failures_total=9,
)
NEW = GathererHealth("new", "nats", "nats://10.0.0.8:4222", 10.0)


def text(site: Site) -> str:
    return " ".join(site.page("/collectors").text_content().split())


def test_the_page_says_who_does_not_see_what_and_why(site: Site) -> None:
    site.operations.told_gatherers = [WELL, NEW, FAILING]
    page = text(site)
    assert "1 collector does not see all: what is in 2 queues is unknown." in page
    order = [one.text_content().split(":")[0] for one in site.page("/collectors").cssselect("h3")]
    assert order == ["eu", "new", "rabbit"]
    assert "Cannot see 2 queues unknown" in page
    assert "10.0.0.7:15672 refuses connections: look whether it runs." in page
    assert "Unknown: orders, idle." in page
    assert "last success unknown" in page, "of the one that did not look yet"
    assert "age of the oldest message: position and time" in page


@pytest.mark.parametrize(
    ("gatherers", "sentence"),
    [
        ([], "No collector is configured here."),
        ([NEW], "Not every collector has looked yet."),
        ([WELL], "Every collector sees all that it is to see."),
        ([FAILING, replace(FAILING, queues=(), last_success_at=None)], "do not see all."),
    ],
    ids=["none", "not yet tried is unknown", "all well", "how many queues is not known"],
)
def test_the_verdict(site: Site, gatherers: list[GathererHealth], sentence: str) -> None:
    site.operations.told_gatherers = gatherers
    assert sentence in text(site)


@pytest.mark.parametrize(
    ("kind", "lost", "line"),
    [
        ("udp", 0, "Listens 0 datagrams lost since the start"),
        ("unixgram", 1, "Listens 1 datagram lost since the start"),
        ("unix", 2_000, "Listens 2,000 lines lost since the start"),
    ],
)
def test_a_listener_says_what_it_lost(site: Site, kind: str, lost: int, line: str) -> None:
    listener = replace(WELL, name=kind, kind=kind, every_s=None, queues=(), lost_total=lost)
    site.operations.told_gatherers = [listener]
    assert line in text(site)
    (told,) = site.json("/api/v1/collectors")["collectors"]
    assert told["lost_total"] == lost


def test_a_listener_whose_senders_are_answered_says_no_more_than_that_it_listens(
    site: Site,
) -> None:
    listener = replace(WELL, name="otlp-grpc", kind="otlp", every_s=None, queues=())
    site.operations.told_gatherers = [listener]
    assert "otlp-grpc: otlp at" in text(site)
    assert "Listens" in text(site)
    assert "no queue seen" not in text(site)


def test_a_single_queue_that_is_dark_is_named(site: Site) -> None:
    part = replace(FAILING, queues=(ORDERS, DARK), last_error="1 of 2 queues cannot be read: …")
    site.operations.told_gatherers = [part]
    assert "Sees a part 1 queue unknown, 1 queue seen" in text(site)
    assert "Unknown: <b>dark." in text(site)


def test_the_api_tells_values_only_of_what_is_seen(site: Site) -> None:
    site.operations.told_gatherers = [WELL, FAILING, NEW]
    well, failing, new = site.json("/api/v1/collectors")["collectors"]
    assert well["queues"][0] == {
        "queue": "orders",
        "tenant": "acme",
        "integration": "",
        "pipeline": "",
        "backlog": 12,
        "oldest_age_s": 7.5,
        "oldest_age_method": "position and time",
        "problem": None,
    }
    assert (well["state"], well["last_error"], well["unseen_count"]) == ("ok", None, 0)
    assert [queue["backlog"] for queue in failing["queues"]] == [None, None]
    assert (failing["state"], failing["fault"], failing["unseen_count"]) == (
        "failing",
        "refused",
        2,
    )
    assert failing["last_success_at"] == "2026-11-24T05:58:00Z"
    assert (new["state"], new["last_success_at"], new["queue_count"]) == ("unknown", None, None)


def test_the_page_is_linked_from_every_page(site: Site) -> None:
    for address in ("/", "/customers", "/incidents"):
        assert site.page(address).cssselect("nav a[href='/collectors']")


def test_a_customer_whose_queue_is_not_seen_is_not_called_unknown(site: Site) -> None:
    """Its messages are seen; its queue is what needs attention."""
    dark = replace(
        an_incident("dark", NOW_S - 120),
        key="blind/*/*/*/*/collector%20rabbit",
        kind=Kind.BLIND,
        severity=Severity.P2,
        suspected=Suspected.COLLECTOR,
        scope=PLATFORM,
        affected=("acme",),
    )
    site.incidents.incidents = [dark]
    assert site.json("/api/v1/overview?from=1795496400&to=1795500001")["state"] == "degraded"
    assert "We cannot see this customer" not in site.page("/customers/acme").text_content()


def test_a_scrape_has_no_queues_to_see(site: Site) -> None:
    site.operations.told_gatherers = [replace(WELL, kind="scrape", queues=())]
    assert "queue seen" not in text(site)
