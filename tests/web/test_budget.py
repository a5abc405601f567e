"""The Budget page and its API: what is used, when it runs out, what was given up, what it costs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.web.sites import NOW_S, Site

from streamgauge.model.budget import (
    Budget,
    GivenUp,
    Interval,
    LevelBudget,
    MemoryShares,
    MonthCost,
    Resource,
    TenantCost,
)
from streamgauge.model.flow import PLATFORM
from streamgauge.model.usage import Level
from streamgauge.model.words import Kind, Severity, Suspected
from streamgauge.testing.incidents import an_incident

DAY_S = 86_400.0
MONTHS = Interval(60 * DAY_S, 90 * DAY_S, math.inf)


def a_budget() -> Budget:
    """Half full, for ninety days yet."""
    levels = [
        LevelBudget(Level.RAW, 6 * 10**9, 10, 10.0**9, 7 * DAY_S, 7 * DAY_S, NOW_S),
        LevelBudget(Level.DAY, 10**9, 10, None, math.inf, math.inf, None),
    ]
    return Budget(
        at=NOW_S,
        disk=Resource("disk", 50e9, 100e9, MONTHS),
        series=Resource("series", 1000, 10_000, None),
        levels=levels,
        given_up=GivenUp(),
        memory=MemoryShares(10**9, 10**8, 10**7, 10**6, 10**7, 5 * 10**8, 1000, 10_000),
        resident_bytes=4 * 10**8,
        engine_held_bytes=123 * 10**6,
        tenants=[TenantCost("<b>acme</b>", 1000.0, 900.0, 1e9, 0.6, 12.3)],
        tenant_count=1,
        cost=MonthCost("EUR", 1.0, 2.0, 3.0, 4.0, is_example=True),
        disk_is_budget=True,
    )


def shown(site: Site) -> str:
    return " ".join(site.page("/budget").cssselect("main")[0].text_content().split())


def test_the_page_says_that_nothing_was_measured_yet(site: Site) -> None:
    assert "Not measured yet" in shown(site)
    assert site.json("/api/v1/budget") == {"budget": None}


def test_the_page_shows_use_forecast_and_cost(site: Site) -> None:
    site.operations.told_budget = a_budget()
    text = shown(site)
    assert "nearly full in about 90" in text
    assert "50.0 %" in text
    assert "likely 60" in text
    assert "<b>acme</b>" in text, "a customer's name is text, never markup"
    assert "12.30" in text
    assert "prices are examples" in text
    assert "Of that it now holds123" in text


def test_the_page_says_what_was_given_up_and_for_what(site: Site) -> None:
    full = a_budget()
    raw = replace(full.levels[0], kept_s=2 * DAY_S)
    site.operations.told_budget = replace(
        full, given_up=GivenUp(raw_s=2 * DAY_S, since=NOW_S), levels=[raw, full.levels[1]]
    )
    text = shown(site)
    assert "we keep raw lines for 2" in text
    assert "in place of 7" in text


def test_the_api_tells_never_and_unknown_as_null(site: Site) -> None:
    site.operations.told_budget = a_budget()
    told = site.json("/api/v1/budget")["budget"]
    assert told["disk"]["full_in"] == {
        "early_s": 60 * DAY_S,
        "likely_s": 90 * DAY_S,
        "late_s": None,
    }
    assert (told["series"]["is_forecast"], told["series"]["full_in"]) == (False, None)
    assert told["levels"][1]["kept_s"] is None


@pytest.mark.parametrize("severity", [Severity.P1, Severity.P3])
def test_our_own_lack_of_room_is_not_the_platforms_health(site: Site, severity: Severity) -> None:
    before = site.json("/api/v1/overview")["state"]
    ours = replace(
        an_incident("ours", NOW_S - 60),
        kind=Kind.CAPACITY,
        severity=severity,
        scope=PLATFORM,
        suspected=Suspected.COLLECTOR,
        affected=(),
    )
    site.incidents.incidents = [ours]
    assert before != "ok", "else nothing is shown"
    assert site.json("/api/v1/overview")["state"] == "ok"
