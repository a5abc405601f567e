"""The Budget page: what streamgauge itself uses and costs, when it runs out, what it gave up."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.budget import Budget, Interval, LevelBudget, TenantCost
from streamgauge.model.usage import Level
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.format import (
    NBSP,
    UNKNOWN,
    Quantity,
    compact,
    count,
    data_size,
    duration,
    share,
)
from streamgauge.web.pages.front import Page
from streamgauge.web.templating import render
from streamgauge.web.words import Sign

FINE, SHORT, GIVEN_UP = (
    Sign("Enough room", "good", "check"),
    Sign("Running out", "warn", "alert"),
    Sign("Keeping less", "bad", "alert"),
)
TENANTS_SHOWN = 50
LEAST_MONEY = 0.001
NEARLY = 0.9
"""Share from which on it is nearly used up, whatever was forecast."""
SOON_S = 14 * 86_400.0
NAMES = {
    Level.RAW: "Raw lines",
    Level.MINUTE: "By the minute",
    Level.HOUR: "By the hour",
    Level.DAY: "By the day",
    Level.OTHER: "Hops, journal, state, last seen",
}

SHORTENED = {Level.RAW: "raw lines", Level.MINUTE: "minutes"}


class Row(NamedTuple):
    """A level as the table shows it."""

    name: str
    size: Quantity
    share_ratio: float
    a_day: Quantity
    kept: str
    note: str


class Tile(NamedTuple):
    """One figure."""

    title: str
    value: Quantity
    note: str
    ratio: float | None = None


def budget_page(sources: Sources) -> Page:
    """`/budget`."""

    async def page(request: Request) -> Response:
        budget = await in_thread(sources.operations.budget)
        now_s = sources.clock.now()
        context: dict[str, Any] = {"now": now_s, "budget": budget}
        if budget is not None:
            context |= {
                "sign": sign_of(budget),
                "sentence": sentence_of(budget),
                "tiles": tiles_of(budget),
                "levels": [level_row(level, budget) for level in budget.levels],
                "tenants": [tenant_row(one, budget) for one in budget.tenants[:TENANTS_SHOWN]],
                "money": money,
                "memory": memory_rows(budget),
            }
        return render(request, "budget.html", context)

    return page


def sign_of(budget: Budget) -> Sign:
    """One word for it."""
    if budget.given_up.is_anything:
        return GIVEN_UP
    resources = (budget.disk, budget.series)
    full = [each.full.early_s for each in resources if each.full is not None]
    is_soon = any(seconds <= SOON_S for seconds in full)
    return SHORT if is_soon or any(each.used_ratio >= NEARLY for each in resources) else FINE


def sentence_of(budget: Budget) -> str:
    """What someone should know who looks for one second."""
    if budget.given_up.is_anything:
        shortened = [
            f"{SHORTENED.get(level.level, NAMES[level.level].lower())} "
            f"for {duration(level.kept_s)} in place of {kept_words(level.retention_s)}"
            for level in budget.levels
            if level.kept_s < level.retention_s
        ]
        return f"The disk was nearly full: we keep {' and '.join(shortened)}."
    if budget.disk.full is None:
        return "It is too early to say when the disk will be full."
    return f"The disk {full_words(budget.disk.full)}."


def full_words(full: Interval) -> str:
    """When it is full, as the rest of a sentence."""
    if math.isinf(full.early_s):
        return "lasts for more than a year"
    if math.isinf(full.likely_s):
        return f"probably lasts for more than a year, at worst {duration(full.early_s)}"
    return f"is nearly full in about {duration(full.likely_s)}"


def tiles_of(budget: Budget) -> list[Tile]:
    """Disk, forecast, memory, series, cost."""
    disk, series, memory = budget.disk, budget.series, budget.memory
    what = "budget" if budget.disk_is_budget else "room"
    resident_ratio = budget.resident_bytes / memory.budget_bytes
    return [
        Tile(
            "Disk used",
            share(disk.used_ratio),
            f"{data_size(disk.used)} of {data_size(disk.limit)} {what}",
            min(disk.used_ratio, 1),
        ),
        Tile("Disk nearly full", _likely(disk.full), interval_words(disk.full)),
        Tile(
            "Memory",
            data_size(budget.resident_bytes),
            f"of {data_size(memory.budget_bytes)} budget",
            min(resident_ratio, 1),
        ),
        Tile(
            "Series",
            count(series.used),
            f"{compact(series.limit)} fit; {_series_words(series.full)}",
            min(series.used_ratio, 1),
        ),
        Tile(
            "Cost a month",
            Quantity(f"{budget.cost.total:,.2f}", budget.cost.currency),
            "at example prices" if budget.cost.is_example else "at your prices",
        ),
    ]


def _likely(full: Interval | None) -> Quantity:
    if full is None:
        return Quantity(UNKNOWN)
    return Quantity(">1", "year") if math.isinf(full.likely_s) else duration(full.likely_s)


def _series_words(full: Interval | None) -> str:
    if full is None:
        return "too early to forecast"
    return "for more than a year" if math.isinf(full.likely_s) else f"full in {_likely(full)}"


def interval_words(full: Interval | None) -> str:
    """`4 d to 9 d, nine in ten`."""
    if full is None:
        return "a day has to be seen first"
    if math.isinf(full.early_s):
        return "at today's growth"
    late = "over a year" if math.isinf(full.late_s) else str(duration(full.late_s))
    return f"likely {duration(full.early_s)} to {late}"


def level_row(level: LevelBudget, budget: Budget) -> Row:
    """A level for the table."""
    note = ""
    if level.kept_s < level.retention_s:
        note = f"in place of {kept_words(level.retention_s)}"
    return Row(
        name=NAMES[level.level],
        size=data_size(level.size_bytes),
        share_ratio=level.size_bytes / budget.disk.used if budget.disk.used else 0.0,
        a_day=data_size(level.bytes_per_day),
        kept="" if level.level is Level.OTHER else kept_words(level.kept_s),
        note=note,
    )


def kept_words(seconds: float) -> str:
    """`7 d`, `for ever`."""
    return f"for{NBSP}ever" if math.isinf(seconds) else str(duration(seconds))


def tenant_row(one: TenantCost, budget: Budget) -> dict[str, Any]:
    """A customer for the table."""
    return {
        "tenant": one.tenant,
        "lines": count(one.lines_per_day),
        "messages": count(one.messages_per_day),
        "size": data_size(one.size_bytes),
        "share": share(one.share_ratio),
        "cost": money(one.month_cost, budget.cost.currency),
    }


def money(value: float, currency: str) -> Quantity:
    """`12.30 EUR`; more digits where there are only cents."""
    if 0 < value < LEAST_MONEY:
        return Quantity(f"<{LEAST_MONEY}", currency)
    return Quantity(f"{value:,.2f}" if value >= 0.095 or value == 0 else f"{value:.2g}", currency)


def memory_rows(budget: Budget) -> list[tuple[str, Quantity]]:
    """How the memory budget is divided."""
    memory = budget.memory
    held_bytes = budget.engine_held_bytes
    held = [] if held_bytes is None else [("Of that it now holds", data_size(held_bytes))]
    return [
        ("The engine, in all", data_size(memory.engine_bytes)),
        *held,
        ("One question to it", data_size(memory.query_bytes)),
        ("Bodies being read", data_size(memory.in_flight_bytes)),
        ("Lines waiting to be inserted", data_size(memory.held_bytes)),
        ("Lines given to the engine at once", data_size(memory.segment_bytes)),
        ("Sums waiting for detection", Quantity(f"{memory.feed_rows:,}", "rows")),
        ("What is left is enough for", Quantity(compact(memory.series), "series")),
    ]
