"""The list of incidents, and the page of one."""

from __future__ import annotations

import asyncio
from itertools import chain
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState, Kind
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.pages.charts import incident_charts
from streamgauge.web.pages.evidence import evidence_rows
from streamgauge.web.pages.front import Page, by_gravity
from streamgauge.web.pages.notifications import told_rows
from streamgauge.web.templating import render

CLOSED_SHOWN = 100
AFFECTED_SHOWN = 100
ERRORS_BEFORE_S = 600
"""The page of errors is shown from so long before an incident of errors began."""


def incidents_page(sources: Sources) -> Page:
    """`/incidents`: open ones first, the gravest on top; then the newest closed ones."""

    async def page(request: Request) -> Response:
        ask = sources.incidents.list_incidents
        opened, acknowledged, closed = await asyncio.gather(
            in_thread(lambda: ask(IncidentState.OPEN)),
            in_thread(lambda: ask(IncidentState.ACKNOWLEDGED)),
            in_thread(lambda: ask(IncidentState.CLOSED, None, CLOSED_SHOWN)),
        )
        context = {
            "now": sources.clock.now(),
            "open": by_gravity(list(chain(opened, acknowledged))),
            "closed": closed,
        }
        return render(request, "incidents.html", context)

    return page


def incident_page(sources: Sources) -> Page:
    """`/incidents/{id}`."""

    async def page(request: Request) -> Response:
        incident_id = request.path_params["incident_id"]
        incident, notifications = await asyncio.gather(
            in_thread(lambda: sources.incidents.get_incident(incident_id)),
            in_thread(lambda: sources.incidents.list_notifications(incident_id)),
        )
        now_s = sources.clock.now()
        context = {
            "now": now_s,
            "incident": incident,
            "evidence": evidence_rows(incident.evidence),
            "charts": incident_charts(incident, now_s),
            "errors_link": errors_link(incident),
            "told": told_rows(notifications),
            "affected": incident.affected[:AFFECTED_SHOWN],
            "affected_count": len(incident.affected),
        }
        return render(request, "incident.html", context)

    return page


def errors_link(incident: Incident) -> str | None:
    """Where the errors behind an incident are shown; None for those of other kinds."""
    if incident.kind is not Kind.ERRORS:
        return None
    asked = {"from": f"{incident.since - ERRORS_BEFORE_S:.0f}"}
    if incident.closed_at is not None:
        asked["to"] = f"{incident.closed_at:.0f}"
    scope = {"tenant": incident.scope.tenant, "integration": incident.scope.integration}
    return "/errors?" + urlencode(asked | {name: word for name, word in scope.items() if word})
