"""What is not understood: the page and the API."""

from __future__ import annotations

import pytest
from tests.web.sites import NOW_S, Site

from streamgauge.model.unmapped import Unmapped

LAG = Unmapped(
    name="kafka_consumergroup_lag",
    way="metrics",
    series_count=12,
    samples=({"topic": "<b>orders", "group": "g"}, {}),
    first_at=NOW_S - 7200,
    last_at=NOW_S - 60,
    proposal='[[map]]\nmetric = "kafka_consumergroup_lag"\nto = "queue.backlog"',
)


@pytest.fixture
def puzzled(site: Site) -> Site:
    site.operations.told_unmapped = [LAG]
    return site


def text(site: Site, address: str) -> str:
    return " ".join(site.page(address).text_content().split())


def test_the_page_says_which_with_what_labels_and_what_to_paste(puzzled: Site) -> None:
    page = text(puzzled, "/unmapped")
    assert "1 metric looks like messages or queues, and nothing says what they mean." in page
    assert 'topic="<b>orders", group="g"' in page
    assert "12 series" in page
    blocks = [one.text_content() for one in puzzled.page("/unmapped").cssselect("pre")]
    assert LAG.proposal in blocks


def test_it_is_reached_from_what_was_refused(site: Site) -> None:
    links = [one.get("href") for one in site.page("/refused").cssselect("a")]
    assert "/unmapped" in links
    assert "is understood" in text(site, "/unmapped")


def test_the_api_gives_the_map_as_it_is_to_be_pasted(puzzled: Site) -> None:
    (found,) = puzzled.get("/api/v1/unmapped").json()["unmapped"]
    assert found["map"] == LAG.proposal
    assert (found["name"], found["series"]) == (LAG.name, 12)
    assert found["samples"] == [{"topic": "<b>orders", "group": "g"}, {}]


def test_keys_of_hops_that_are_left_out_stand_beside_with_advice(site: Site) -> None:
    key = Unmapped("latencyMs", "hops", 7, (), NOW_S - 60, NOW_S, "", "is `latency_ms` meant?")
    site.operations.told_unmapped = [key, LAG]
    page = text(site, "/unmapped")
    assert "1 metric looks like messages or queues, and nothing says what they mean." in page
    assert "1 key of hops is left out." in page
    assert "latencyMs a key of hops" in page
    assert "in 7 bodies" in page
    assert "What to do: is `latency_ms` meant?" in page
    shapes = site.get("/api/v1/unmapped").json()["unmapped"]
    assert [(one["map"], one["advice"]) for one in shapes] == [
        (None, "is `latency_ms` meant?"),
        (LAG.proposal, None),
    ]
