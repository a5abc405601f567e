"""How collectors, scrapes and listeners are doing, as JSON."""

from __future__ import annotations

from fastapi import APIRouter

from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.gatherers import gatherer_shape
from streamgauge.web.shapes import Json


def collectors_router(sources: Sources) -> APIRouter:
    """`/collectors`."""
    router = APIRouter(tags=["Collectors"])

    @router.get("/collectors", summary="What gathers by itself: whether it sees, and what")
    async def collectors() -> Json:
        found = await in_thread(sources.operations.gatherers)
        return {"collectors": [gatherer_shape(one) for one in found]}

    return router
