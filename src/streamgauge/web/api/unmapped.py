"""What looks like messages or queues and is not understood, as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from streamgauge.model.clock import rfc3339
from streamgauge.model.unmapped import Unmapped
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.shapes import Json


def unmapped_router(sources: Sources) -> APIRouter:
    """`/unmapped`."""
    router = APIRouter(tags=["Not understood"])

    @router.get("/unmapped", summary="Metrics that look like messages or queues, with a [[map]]")
    async def unmapped() -> Json:
        found = await in_thread(sources.operations.unmapped)
        return {"unmapped": [unmapped_shape(one) for one in found]}

    return router


def unmapped_shape(one: Unmapped) -> Json:
    """One name."""
    shape: dict[str, Any] = {
        "name": one.name,
        "way": one.way,
        "series": one.series_count,
        "samples": [dict(sample) for sample in one.samples],
        "first_at": rfc3339(one.first_at),
        "last_at": rfc3339(one.last_at),
        "map": one.proposal or None,
        "advice": one.advice or None,
    }
    return shape
