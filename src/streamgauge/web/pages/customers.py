"""The list of customers, and the page of one."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.errors import NotFound, PayloadError
from streamgauge.model.flow import Scope
from streamgauge.model.views import Filters, FlowRow
from streamgauge.web.answers import Sources, ask_flows, ask_open, in_thread
from streamgauge.web.health import concerning
from streamgauge.web.pages.charts import hour_charts
from streamgauge.web.pages.customer_rows import MAX_CUSTOMERS, rows_by_trouble
from streamgauge.web.pages.expectations import expected_sign, expected_verdict
from streamgauge.web.pages.figures import knows_queues, tiles_of
from streamgauge.web.pages.front import EVERYONE, Page, by_gravity, count_customers, newest
from streamgauge.web.pages.sentences import customer_verdict, habit_words
from streamgauge.web.pages.windows import ask_figures, hour_to
from streamgauge.web.refusals import ask_refusals, refused_sentence
from streamgauge.web.templating import render

PAGE_SIZE = 100
FLOWS_SHOWN = 200


def customers_page(sources: Sources) -> Page:
    """`/customers?page=`."""

    async def page(request: Request) -> Response:
        now_s = sources.clock.now()
        number = page_number(request)
        flows, incidents, said = await asyncio.gather(
            ask_flows(sources, hour_to(now_s), ["tenant"], "error_ratio", MAX_CUSTOMERS, EVERYONE),
            ask_open(sources, now_s),
            in_thread(sources.expected.list_flows),
        )
        whole = {
            one.scope.tenant or "": one for one in said if one.scope == Scope(one.scope.tenant)
        }
        rows = rows_by_trouble(flows, incidents, now_s, whole)
        first = (number - 1) * PAGE_SIZE
        context = {
            "now": now_s,
            "customers": count_customers(flows, now_s),
            "rows": rows[first : first + PAGE_SIZE],
            "page": number,
            "pages": max(1, -(-len(rows) // PAGE_SIZE)),
        }
        return render(request, "customers.html", context)

    return page


def page_number(request: Request) -> int:
    """The `page` parameter, from 1.

    Raises:
        PayloadError: not a number from 1 on.
    """
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text)):
        raise PayloadError(f"page={text[:64]!r} is not a page: give a number from 1 on")
    return int(text)


def customer_page(sources: Sources) -> Page:
    """`/customers/{tenant}`."""

    async def page(request: Request) -> Response:
        tenant = request.path_params["tenant"]
        return render(request, "customer.html", await gather(sources, tenant))

    return page


async def gather(sources: Sources, tenant: str) -> dict[str, Any]:
    """Everything about one customer: six questions at once.

    Raises:
        NotFound: never seen, not even refused, and nothing was ever open about it.
    """
    now_s, filters = sources.clock.now(), Filters(tenant=tenant)
    (figures, window), flows, incidents, history, expectation, refusals = await asyncio.gather(
        ask_figures(sources, now_s, filters),
        ask_flows(
            sources, hour_to(now_s), ["source", "integration"], "errors", FLOWS_SHOWN, filters
        ),
        ask_open(sources, now_s),
        in_thread(lambda: sources.incidents.list_incidents(None, tenant, 50)),
        in_thread(lambda: sources.operations.expectation(tenant)),
        ask_refusals(sources, tenant),
    )
    said = await in_thread(lambda: sources.expected.list_flows(tenant))
    if not flows and not history and not refusals and not said:
        raise NotFound(f"No customer {tenant!r} was ever seen: /customers lists those that were")
    open_here = by_gravity(concerning(incidents, filters))
    last_seen_at = newest(flows)
    with_queues = knows_queues(figures)
    whole = next((one for one in said if one.scope == Scope(tenant)), None)
    verdict = customer_verdict(open_here, last_seen_at, now_s)
    return {
        "now": now_s,
        "tenant": tenant,
        "verdict": expected_verdict(verdict, whole, last_seen_at, now_s),
        "expected": expected_sign(whole, last_seen_at, now_s),
        "last_seen_at": last_seen_at,
        "refused": refused_sentence(refusals, now_s),
        "habit": habit_words(expectation),
        "tiles": tiles_of(figures, now_s, with_queues=with_queues),
        "window": window,
        "charts": hour_charts({"tenant": tenant}, with_queues=with_queues),
        "incidents": open_here,
        "past": [incident for incident in history if incident.closed_at is not None][:10],
        "flows": routes_of(flows),
    }


def routes_of(flows: list[FlowRow]) -> list[FlowRow]:
    """Without what only says that a source's messages came in, before they went anywhere."""
    routed = {row.labels["source"] for row in flows if row.labels["integration"]}
    return [
        row
        for row in flows
        if row.labels["integration"] or row.messages or row.labels["source"] not in routed
    ]
