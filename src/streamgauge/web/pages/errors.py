"""`/errors`: what failed, those that are alike together, with whom it hits and samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.errors import PayloadError
from streamgauge.model.journeys import ErrorGroup
from streamgauge.model.views import Filters
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.answers import Sources, ask_flows
from streamgauge.web.format import count, plural, utc_short
from streamgauge.web.journeys import SORTS, ask_errors
from streamgauge.web.pages.customer_rows import MAX_CUSTOMERS
from streamgauge.web.pages.front import Page
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.pages.windows import EDGE_S
from streamgauge.web.ranges import Range, parse_range
from streamgauge.web.templating import render

GROUPS_SHOWN = 50
TENANTS_SHOWN = 8
SAMPLES_SHOWN = 3
SPANS_S = {"1h": 3600.0, "24h": 86_400.0, "7d": 604_800.0}
SPANS = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days"}
DEFAULT_SPAN = "24h"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page's form, or a link to the page, asks for."""

    range: Range
    span: str
    """Of SPANS; empty where a link names both ends."""
    sort: str
    filters: Filters


@dataclass(frozen=True, slots=True)
class WorstHit:
    """The customer of whose messages the greatest share failed so."""

    tenant: str
    count: int
    ratio: float


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group as it is shown."""

    group: ErrorGroup
    worst: WorstHit | None
    """None where nobody's messages are known."""


def errors_page(sources: Sources) -> Page:
    """`/errors?range=&sort=&tenant=&integration=`."""

    async def page(request: Request) -> Response:
        now_s = sources.clock.now()
        asked = read_question(request.query_params, now_s)
        groups, flows = await asyncio.gather(
            ask_errors(sources, asked.range, asked.sort, GROUPS_SHOWN + 1, asked.filters),
            ask_flows(sources, asked.range, ["tenant"], "errors", MAX_CUSTOMERS, asked.filters),
        )
        sent = {row.labels["tenant"]: row.messages for row in flows}
        is_seen = any(messages is not None for messages in sent.values())
        context = {
            "now": now_s,
            "asked": asked,
            "spans": SPANS,
            "sorts": SORTS,
            "window": window_words(asked, now_s),
            "verdict": verdict_of(groups, is_seen=is_seen),
            "is_seen": is_seen,
            "rows": [GroupRow(group, worst_hit(group, sent)) for group in groups[:GROUPS_SHOWN]],
            "has_more": len(groups) > GROUPS_SHOWN,
            "tenants_shown": TENANTS_SHOWN,
            "samples_shown": SAMPLES_SHOWN,
        }
        return render(request, "errors.html", context)

    return page


def read_question(query: QueryParams, now_s: float) -> Asked:
    """What is asked for; an empty field is any.

    Raises:
        PayloadError: an unknown range or order, or ends that are no instants.
    """
    sort = query.get("sort") or "count"
    filters = Filters(
        tenant=query.get("tenant") or None, integration=query.get("integration") or None
    )
    if sort not in SORTS:
        raise PayloadError(f"sort={sort[:64]!r} is not an order: take {', '.join(SORTS)}")
    if query.get("from"):
        asked = parse_range(query["from"], query.get("to") or None, now_s + EDGE_S)
        return Asked(asked, "", sort, filters)
    span = query.get("range") or DEFAULT_SPAN
    if span not in SPANS:
        raise PayloadError(f"range={span[:64]!r} is not a range: take {', '.join(SPANS)}")
    return Asked(Range(now_s + EDGE_S - SPANS_S[span], now_s + EDGE_S), span, sort, filters)


def worst_hit(group: ErrorGroup, sent: Mapping[str, int | None]) -> WorstHit | None:
    """Whose share of failing messages is the greatest, so that small customers are seen.

    Args:
        group: its most affected customers are looked at.
        sent: messages of each customer in the range.
    """
    shares = [
        WorstHit(tenant, failed, min(failed / messages, 1.0))
        for tenant, failed in group.tenants
        if (messages := sent.get(tenant))
    ]
    return max(shares, key=lambda one: (one.ratio, one.count), default=None)


def verdict_of(groups: Sequence[ErrorGroup], *, is_seen: bool) -> Verdict:
    """How much failed, in a sentence; where nobody's messages were seen, that is not known."""
    if not groups and not is_seen:
        return Verdict(words.HEALTH[Health.UNKNOWN], "No message of this time was seen.")
    if not groups:
        return Verdict(words.ALL_WELL, "Nothing failed.")
    more = " or more" if len(groups) > GROUPS_SHOWN else ""
    kinds = plural(min(len(groups), GROUPS_SHOWN), "kind")
    failed = sum(group.count for group in groups)
    messages = f"{count(failed)} message{'' if failed == 1 else 's'}"
    return Verdict(words.NEEDS_A_LOOK, f"{messages} failed, of {kinds}{more}.")


def window_words(asked: Asked, now_s: float) -> str:
    """Of when the errors are."""
    if asked.span:
        return SPANS[asked.span].lower()
    return f"{utc_short(asked.range.from_s, now_s)} to {utc_short(asked.range.to_s, now_s)}"
