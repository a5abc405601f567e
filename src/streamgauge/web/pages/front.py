"""The front page: how is the platform, what needs attention, who is hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.errors import StoreError
from streamgauge.model.views import Filters, FlowRow
from streamgauge.web.answers import Sources, ask_flows, ask_open, in_thread
from streamgauge.web.pages.charts import hour_charts
from streamgauge.web.pages.customer_rows import MAX_CUSTOMERS, rows_by_trouble
from streamgauge.web.pages.figures import lag_sentence, tiles_of
from streamgauge.web.pages.sentences import Customers, platform_verdict
from streamgauge.web.pages.windows import ask_figures, hour_to, is_flowing
from streamgauge.web.templating import render

Page = Callable[[Request], Awaitable[Response]]
EVERYONE = Filters()
CUSTOMERS_SHOWN = 50
INCIDENTS_SHOWN = 20


def front_page(sources: Sources) -> Page:
    """`/`."""

    async def page(request: Request) -> Response:
        own = await ask_own(sources)
        try:
            told = await gather(sources, request)
        except StoreError as error:
            own["problems"] = own["problems"] or [str(error)]
            told = await _without_figures(sources)
            return render(request, "trouble.html", {**told, **own}, status=503)
        return render(request, "front.html", {**told, **own})

    return page


async def _without_figures(sources: Sources) -> dict[str, Any]:
    """What is known while the store answers nothing: the incidents, if their database does."""
    now_s = sources.clock.now()
    try:
        incidents = by_gravity(await ask_open(sources, now_s))
    except StoreError as error:
        return {"now": now_s, "incidents": [], "incidents_unknown": str(error)}
    return {
        "now": now_s,
        "incidents": incidents[:INCIDENTS_SHOWN],
        "incident_count": len(incidents),
        "incidents_unknown": "",
    }


async def ask_own(sources: Sources) -> dict[str, list[str]]:
    """What is wrong with streamgauge itself."""
    problems, notices = await asyncio.gather(
        in_thread(sources.operations.problems), in_thread(sources.operations.notices)
    )
    return {"problems": problems, "notices": notices}


async def gather(sources: Sources, request: Request) -> dict[str, Any]:
    """Everything that the front page shows: four questions at once."""
    now_s = sources.clock.now()
    (figures, window), flows, incidents, lag = await asyncio.gather(
        ask_figures(sources, now_s, EVERYONE),
        ask_flows(sources, hour_to(now_s), ["tenant"], "error_ratio", MAX_CUSTOMERS, EVERYONE),
        ask_open(sources, now_s),
        in_thread(sources.metrics.lag),
    )
    customers = count_customers(flows, now_s)
    return {
        "now": now_s,
        "verdict": platform_verdict(incidents, customers, newest(flows), now_s),
        "customers": customers,
        "last_seen_at": newest(flows),
        "tiles": tiles_of(figures, now_s),
        "window": window,
        "lag": lag_sentence(lag),
        "charts": hour_charts({}),
        "incidents": by_gravity(incidents)[:INCIDENTS_SHOWN],
        "incident_count": len(incidents),
        "rows": rows_by_trouble(flows, incidents, now_s)[:CUSTOMERS_SHOWN],
        "server": f"{request.url.scheme}://{request.url.netloc}",
    }


def by_gravity(incidents: list[Any]) -> list[Any]:
    """The gravest first, then the newest."""
    return sorted(incidents, key=lambda incident: (incident.severity.value, -incident.opened_at))


def newest(flows: list[FlowRow]) -> float | None:
    """Epoch seconds of the newest message of any of them; None if none was ever seen."""
    return max((row.last_seen_at for row in flows if row.last_seen_at is not None), default=None)


def count_customers(flows: list[FlowRow], now_s: float) -> Customers:
    """How many there are, and how many spoke of late."""
    flowing = sum(is_flowing(row.last_seen_at, now_s) for row in flows)
    return Customers(len(flows), flowing, len(flows) >= MAX_CUSTOMERS)
