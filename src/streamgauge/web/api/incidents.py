"""Incidents as JSON."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from streamgauge.web import names  # noqa: F401 makes `:name` known to routes
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.api.parameters import IncidentsQuery
from streamgauge.web.shapes import Json, incident_shape, notification_shape


def incidents_router(sources: Sources) -> APIRouter:
    """`/incidents` and `/incidents/{id}`."""
    router = APIRouter(tags=["Incidents"])

    @router.get("/incidents", summary="Incidents, newest first")
    async def list_incidents(query: IncidentsQuery) -> Json:
        found = await in_thread(
            lambda: sources.incidents.list_incidents(query.state, query.tenant, query.limit)
        )
        return {"incidents": [incident_shape(incident) for incident in found]}

    @router.get(
        "/incidents/{incident_id:name}",
        summary="One incident, with its timeline and who was told of it",
    )
    async def get_incident(
        incident_id: Annotated[str, Path(description="Its `id`")],
    ) -> Json:
        incident, notifications = await asyncio.gather(
            in_thread(lambda: sources.incidents.get_incident(incident_id)),
            in_thread(lambda: sources.incidents.list_notifications(incident_id)),
        )
        told = [notification_shape(notification) for notification in notifications]
        return incident_shape(incident) | {"notifications": told}

    return router
