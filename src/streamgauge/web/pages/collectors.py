"""The page of what gathers by itself: whether it sees, what it leaves unseen, what to do."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.gatherers import rows_of, verdict_of
from streamgauge.web.pages.front import Page
from streamgauge.web.templating import render


def collectors_page(sources: Sources) -> Page:
    """`/collectors`."""

    async def page(request: Request) -> Response:
        found = await in_thread(sources.operations.gatherers)
        context = {
            "now": sources.clock.now(),
            "verdict": verdict_of(found),
            "rows": rows_of(found),
        }
        return render(request, "collectors.html", context)

    return page
