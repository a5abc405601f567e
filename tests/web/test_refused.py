"""What was refused: the page, the customer's page, and the API."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.web.sites import NOW_S, Site

from streamgauge.model.refusal import Refusal, RefusalReason, RefusedLine

OVER = Refusal(
    tenant="acme",
    reason=RefusalReason.LINES_PER_S,
    lost_hour=1200,
    lost_day=5000,
    deferred_hour=0,
    deferred_day=300,
    first_at=NOW_S - 7200,
    last_at=NOW_S - 5,
    sample_line="messages,tenant=acme count=<b>1i",
    sample_reason="customer acme is over its limit of 10 lines/s",
)
WHOLE = Refusal(
    None, RefusalReason.OVERLOADED, 0, 0, 7, 7, NOW_S - 60, NOW_S - 60, "", "the journal is full"
)
LINE = RefusedLine(NOW_S - 5, "acme", 3, "bare", "missing fields")


@pytest.fixture
def refusing(site: Site) -> Site:
    site.operations.refused = [OVER, WHOLE]
    site.operations.lines = [LINE]
    return site


def text(site: Site, address: str) -> str:
    return " ".join(site.page(address).text_content().split())


def test_the_page_says_who_why_how_much_since_when_and_what_to_do(refusing: Site) -> None:
    page = text(refusing, "/refused")
    assert "Lines of 1 customer and whole requests are refused just now." in page
    assert "acme: Over the limit of lines a second" in page
    assert "5,000 lines lost in the last day, 1,200 of them in the last hour" in page
    assert "messages,tenant=acme count=<b>1i" in page, "a sample, escaped"
    assert "Its sender was told: customer acme is over its limit of 10 lines/s" in page
    assert "Raise the limit in [limits]" in page
    assert "7 requests told to come again later" in page
    (link,) = refusing.page("/refused").cssselect(".refused-title a")
    assert link.get("href") == "/customers/acme"


def test_datagrams_whose_senders_know_nothing_are_told_as_such(site: Site) -> None:
    told = replace(WHOLE, reason=RefusalReason.UNANSWERED, lost_hour=7, lost_day=7)
    site.operations.refused = [replace(told, deferred_hour=0, deferred_day=0, is_told=False)]
    page = text(site, "/refused")
    assert "Datagrams are refused just now." in page
    assert "7 datagrams lost in the last day" in page
    assert "What is wrong, which nobody told its sender: the journal is full" in page
    (refusal,) = site.json("/api/v1/refusals")["refusals"]
    assert refusal["unit"] == "datagrams"


def test_lines_whose_senders_read_no_answer_are_told_as_such(site: Site) -> None:
    site.operations.refused = [replace(OVER, is_told=False)]
    page = text(site, "/refused")
    assert "Its sender was told" not in page
    assert "which nobody told its sender: customer acme is over its limit of 10 lines/s" in page
    (refusal,) = site.json("/api/v1/refusals")["refusals"]
    assert refusal["sample"]["sender_was_told"] is False


def test_a_quiet_page_says_so(site: Site) -> None:
    assert "Nothing was refused in the last day." in text(site, "/refused")
    site.operations.refused = [replace(OVER, last_at=NOW_S - 3600)]
    assert "Nothing is refused just now." in text(site, "/refused")


def test_the_page_is_linked_from_every_page(site: Site) -> None:
    for address in ("/", "/customers", "/incidents"):
        assert site.page(address).cssselect("nav a[href='/refused']")


def test_a_customers_page_says_when_its_lines_are_refused(refusing: Site) -> None:
    assert (
        "Lines of this customer are refused (over the limit of lines a second): 1,200 lost in the "
        "last hour." in text(refusing, "/customers/acme")
    )
    assert "are refused" not in text(refusing, "/customers/initech")
    refusing.operations.refused = [replace(OVER, last_at=NOW_S - 3600)]
    assert "are refused" not in text(refusing, "/customers/acme")


def test_a_customer_of_whom_everything_is_refused_has_a_page(site: Site) -> None:
    assert site.get("/customers/newcomer").status_code == 404
    site.operations.refused = [replace(OVER, tenant="newcomer")]
    assert "Lines of this customer are refused" in text(site, "/customers/newcomer")


def test_the_api_tells_the_same(refusing: Site) -> None:
    answer = refusing.json("/api/v1/refusals")
    first, second = answer["refusals"]
    assert first["tenant"] == "acme"
    assert (first["reason"], first["is_limit"], first["unit"]) == ("lines_per_s", True, "lines")
    assert first["lost"] == {"last_hour": 1200, "last_day": 5000}
    assert first["deferred"] == {"last_hour": 0, "last_day": 300}
    assert first["first_at"] == "2026-11-24T04:00:00Z"
    assert first["sample"]["line"] == OVER.sample_line
    assert first["what_to_do"]
    assert (second["tenant"], second["unit"]) == (None, "requests")
    assert answer["lines"][0]["line_number"] == 3


def test_one_customer_can_be_asked_for(refusing: Site) -> None:
    assert len(refusing.json("/api/v1/refusals?tenant=acme")["refusals"]) == 1
    assert refusing.json("/api/v1/refusals?tenant=zeta") == {"refusals": [], "lines": []}
    assert refusing.get("/api/v1/refusals?tenants=zeta").status_code == 400


def test_counts_are_told_while_the_store_does_not_answer(refusing: Site) -> None:
    refusing.operations.lines = None
    answer = refusing.json("/api/v1/refusals")
    assert answer["lines"] is None
    assert len(answer["refusals"]) == 2
