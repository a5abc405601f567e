"""Errors and journeys: the pages, and the API."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from lxml import html
from tests.web.sites import BROWSER, NOW_S, Site

from streamgauge.model.errors import StoreError
from streamgauge.model.journeys import ErrorGroup, Hop
from streamgauge.testing.journeys import FAILED_ID, FINE_ID, WAITING_ID
from streamgauge.web.pages.errors import worst_hit
from streamgauge.web.pages.journey import steps_of, verdict_of

WEBHOOK = "status 503 from https://hooks.example.com/v1/<*> after <*> ms"
WITHOUT = "Without a reason"


def text(element: html.HtmlElement) -> str:
    return " ".join(" ".join(element.itertext()).split())


def patterns(site: Site, address: str) -> list[str]:
    return [text(one) for one in site.page(address).cssselect(".pattern")]


def test_groups_stand_with_counts_customers_times_and_samples(site: Site) -> None:
    page = site.page("/errors")
    assert text(page.cssselect(".verdict")[0]) == "Needs a look 1,304 messages failed, of 3 kinds."
    first, without_text, _ = page.cssselect(".error-groups > li")
    told = text(first)
    assert WEBHOOK in told
    assert "webhook unavailable" in told
    assert "Messages 1,284" in told
    assert "Customers 13" in told
    assert "First seen 1 h 23 min ago 04:36 UTC" in told
    assert "Last seen 20 s ago" in told
    assert "northwind 900 acme 40" in told
    assert "and 5 more" in told
    assert len(first.cssselect(".samples li")) == 3
    assert first.cssselect(".samples a")[0].get("href") == f"/messages/{FAILED_ID}"
    assert text(without_text).startswith("Without a reason s3 told without a text")
    assert "come with a text: send error and id by /v1/messages" in text(without_text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [WEBHOOK, WITHOUT, "no field <*> in event <*>"]),
        ("?sort=first_seen", ["no field <*> in event <*>", WITHOUT, WEBHOOK]),
        ("?range=1h&sort=last_seen", [WEBHOOK, "no field <*> in event <*>", WITHOUT]),
        ("?integration=ga4&tenant=", ["no field <*> in event <*>"]),
        ("?tenant=acme", [WEBHOOK]),
        ("?tenant=nobody", []),
        (f"?from={NOW_S - 500:.0f}", [WEBHOOK]),
        (f"?from={NOW_S - 4000:.0f}&to={NOW_S - 2000:.0f}", [WEBHOOK, WITHOUT]),
    ],
)
def test_groups_are_chosen_and_ordered(site: Site, query: str, expected: list[str]) -> None:
    assert patterns(site, f"/errors{query}") == expected


def test_the_form_says_what_was_asked(site: Site) -> None:
    page = site.page("/errors?range=7d&sort=tenants&tenant=a%26b")
    chosen = [one.get("value") for one in page.cssselect(".ask option[selected]")]
    assert chosen == ["7d", "tenants"]
    assert page.cssselect("input[name=tenant]")[0].get("value") == "a&b"
    linked = site.page("/errors?from=1795490000")
    assert text(linked.cssselect(".ask option[selected]")[0]) == "As linked"


@pytest.mark.parametrize("query", ["range=2h", "sort=worst", "from=then", "from=9&to=8"])
def test_what_cannot_be_asked_is_told(site: Site, query: str) -> None:
    response = site.get(f"/errors?{query}", BROWSER)
    assert response.status_code == 400
    (told,) = html.document_fromstring(response.text).cssselect(".lead")
    assert text(told).lower().startswith(query.split("=", maxsplit=1)[0])


def test_nothing_failed_is_said_in_words(site: Site) -> None:
    page = site.page("/errors?integration=bigquery")
    assert text(page.cssselect(".verdict")[0]) == "All well Nothing failed."
    assert "No message failed here with this customer and integration." in text(page)


@pytest.mark.parametrize("tenant", ["acme", "nobody"])
def test_where_nothing_was_seen_nothing_is_said_to_be_well(
    site_with: Callable[..., Site], tenant: str
) -> None:
    site = site_with(tenants=["acme"], silent={"acme": NOW_S - 7200})
    page = site.page(f"/errors?range=1h&integration=bigquery&tenant={tenant}")
    assert text(page.cssselect(".verdict")[0]) == "Unknown No message of this time was seen."
    assert "Nothing is known of messages here with this customer and integration." in text(page)


def group(tenants: tuple[tuple[str, int], ...]) -> ErrorGroup:
    return ErrorGroup("a" * 16, "ga4", "", "x", 9, NOW_S, NOW_S, len(tenants), tenants, ())


@pytest.mark.parametrize(
    ("tenants", "sent", "expected"),
    [
        ((("big", 900), ("tiny", 3)), {"big": 100_000, "tiny": 3}, ("tiny", 3, 1.0)),
        ((("a", 5), ("b", 9)), {"a": 10, "b": 18}, ("b", 9, 0.5)),
        ((("a", 5),), {"a": 2}, ("a", 5, 1.0)),
        ((("a", 5),), {}, None),
        ((("a", 5),), {"a": 0}, None),
    ],
    ids=[
        "a small customer of whom all failed",
        "equal shares: more messages",
        "never more than all",
        "a customer whose messages are not known",
        "a customer whose messages do not end",
    ],
)
def test_worst_hit_is_the_customer_with_the_greatest_share(
    tenants: tuple[tuple[str, int], ...],
    sent: dict[str, int],
    expected: tuple[str, int, float] | None,
) -> None:
    found = worst_hit(group(tenants), sent)
    assert (found and (found.tenant, found.count, found.ratio)) == expected


def test_a_journey_tells_each_hop_and_the_time_between(site: Site) -> None:
    page = site.page(f"/messages/{FAILED_ID}")
    assert text(page.cssselect(".verdict")[0]) == "Failed It failed at webhook: unavailable."
    hops = [text(one) for one in page.cssselect(".hops > li")]
    assert len(hops) == 4
    assert hops[0].startswith("received ok 24 Nov 2026, 05:55:00 UTC")
    assert "20 ms after the hop before" in hops[1]
    assert "waited 12.3 ms" in hops[1]
    assert hops[3].startswith("delivered webhook error unavailable")
    assert "1 min 30 s after the hop before" in hops[3]
    assert "status 503 from https://hooks.example.com/v1/8812 after 5003 ms" in hops[3]
    assert "latency 1 min 35 s" in hops[3]
    assert "Some of its hops may be missing" not in text(page)


def test_a_journey_that_may_lack_hops_says_so(site: Site) -> None:
    told = text(site.page(f"/messages/{FINE_ID}"))
    assert "Delivered It arrived at ga4." in told
    assert "Some of its hops may be missing" in told
    assert "Hops 4 perhaps not all" in told


def test_an_id_of_any_kind_has_its_page(site: Site) -> None:
    page = site.page(f"/messages/{quote(WAITING_ID, safe='')}")
    assert text(page.cssselect("h1")[0]) == WAITING_ID
    assert "Latency unknown none was told" in text(page)
    assert "On its way It was last seen at queued." in text(page)
    assert "Latency unknown" in text(page)


def test_an_id_is_looked_for_by_a_form(site: Site) -> None:
    form = site.page("/errors").cssselect("form[role=search]")[0]
    assert (form.get("action"), form.cssselect("input")[0].get("name")) == ("/messages", "id")
    response = site.get(f"/messages?id=+{quote(WAITING_ID, safe='')}+", BROWSER)
    assert response.status_code == 303
    assert response.headers["location"] == "/messages/order%2F77%3Fa%3D1"
    assert "Give the id by which your router names a message" in text(site.page("/messages"))


def test_a_message_of_which_nothing_is_known_is_404_and_says_why(site: Site) -> None:
    response = site.get("/messages/nobody", BROWSER)
    assert response.status_code == 404
    page = html.document_fromstring(response.text)
    assert "Unknown Nothing is known of it." in text(page)
    assert "then those with trouble, slow ones and a share of the others" in text(page)
    assert page.cssselect("input[name=id]")[0].get("value") == "nobody"


def hop(stage: str, outcome: str = "ok", integration: str = "", at: float = 0.0) -> Hop:
    return Hop(at, "acme", "", integration, "", stage, outcome, "", "", "", None, None, 0, None)


VERDICTS = [
    ("only received", [hop("received")], "On its way"),
    ("an attempt is no end", [hop("delivered", "retried", "ga4")], "On its way"),
    ("delivered", [hop("received"), hop("delivered")], "Delivered"),
    ("failed early", [hop("received"), hop("processed", "dropped")], "Failed"),
    ("failed, then delivered", [hop("delivered", "error", "a"), hop("delivered", "ok", "a")],
     "Delivered"),
    ("one of two failed", [hop("delivered", "expired", "a"), hop("delivered", "ok", "b")],
     "Partly failed"),
    ("left out", [hop("processed", "filtered")], "Filtered"),
    ("an outcome of theirs", [hop("delivered", "parked")], "Delivered"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hops", "word"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
def test_the_verdict_follows_from_the_ends(hops: list[Hop], word: str) -> None:
    assert verdict_of(hops).sign.word == word


def test_steps_know_the_time_since_the_one_before() -> None:
    steps = steps_of([hop("received", at=5.0), hop("queued", at=5.25), hop("x", "odd", at=6.0)])
    assert [step.after_s for step in steps] == [None, 0.25, 0.75]
    assert steps[2].sign.word == "odd"


def test_an_incident_of_errors_links_to_them(site: Site) -> None:
    (link,) = site.page("/incidents/inc-errors").cssselect("a[href^='/errors?']")
    assert "integration=webhook" in link.get("href", "")
    assert WEBHOOK in patterns(site, link.get("href", ""))
    assert not site.page("/incidents/inc-backlog").cssselect("a[href^='/errors?']")
    assert site.page("/customers/acme").cssselect("a[href='/errors?tenant=acme']")


def test_the_api_tells_a_journey(site: Site) -> None:
    answer = site.json(f"/api/v1/messages/{FAILED_ID}")
    assert (answer["id"], answer["is_complete"], len(answer["hops"])) == (FAILED_ID, True, 4)
    assert answer["hops"][1] == {
        "at": "2026-11-24T05:55:00.020Z", "tenant": "northwind", "source": "web",
        "integration": "", "pipeline": "main", "stage": "processed", "outcome": "ok", "reason": "",
        "router": "router-1", "version": "2.4.1", "latency_s": None, "queue_s": 0.0123,
        "bytes": 512, "error": None,
    }  # fmt: skip
    assert site.json(f"/api/v1/messages/{FAILED_ID}?tenant=northwind") == answer
    assert len(site.json(f"/api/v1/messages/{quote(WAITING_ID, safe='')}")["hops"]) == 2


@pytest.mark.parametrize("address", ["nobody", f"{FAILED_ID}?tenant=acme"])
def test_an_unknown_message_is_404_with_a_sentence_that_helps(site: Site, address: str) -> None:
    response = site.get(f"/api/v1/messages/{address}")
    assert response.status_code == 404
    assert "nothing is known of message" in response.json()["error"]
    assert "for 2 h after their hour ([journeys] whole_for)" in response.json()["error"]


def test_the_api_tells_groups(site: Site) -> None:
    answer = site.json("/api/v1/errors?limit=2")
    first, second = answer["errors"]
    assert (first["fingerprint"], first["count"]) == ("4f1c2a9b00d1e2f3", 1284)
    assert first["first_at"] == "2026-11-24T04:36:40Z"
    assert first["tenants"][0] == {"tenant": "northwind", "count": 900}
    assert first["samples"][0]["id"] == FAILED_ID
    assert (second["fingerprint"], second["pattern"], second["samples"]) == (None, "", [])
    chosen = site.json("/api/v1/errors?integration=ga4&sort=first_seen")["errors"]
    assert [one["integration"] for one in chosen] == ["ga4"]


@pytest.mark.parametrize("query", ["sort=worst", "limit=0", "limit=1001", "state=open"])
def test_wrong_parameters_are_400(site: Site, query: str) -> None:
    response = site.get(f"/api/v1/errors?{query}")
    assert response.status_code == 400
    assert query.split("=", maxsplit=1)[0] in response.json()["error"]


@pytest.mark.parametrize("address", ["/api/v1/errors", "/api/v1/messages/x", "/errors"])
def test_a_store_that_does_not_answer_is_503(site_with: Callable[..., Site], address: str) -> None:
    site = site_with(failure=StoreError("the engine restarts", permanent=False))
    assert site.get(address).status_code == 503
