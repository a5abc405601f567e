"""Errors that are alike, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from streamgauge.web.answers import Sources
from streamgauge.web.api.parameters import RangeParameters
from streamgauge.web.journeys import ask_errors, group_shape
from streamgauge.web.ranges import parse_range
from streamgauge.web.shapes import Json


class ErrorsParameters(RangeParameters):
    """Which errors, in which order."""

    sort: Literal["count", "tenants", "last_seen", "first_seen"] = Field(
        "count", description="Most messages, most customers, the newest, or what began last: first"
    )
    limit: int = Field(100, ge=1, le=1000, description="How many groups")


def errors_router(sources: Sources) -> APIRouter:
    """`/errors`."""
    router = APIRouter(tags=["Messages and errors"])

    @router.get("/errors", summary="What failed: errors that are alike, counted, with samples")
    async def errors(query: Annotated[ErrorsParameters, Query()]) -> Json:
        asked = parse_range(query.from_, query.to, sources.clock.now())
        found = await ask_errors(sources, asked, query.sort, query.limit, query.filters)
        return {"errors": [group_shape(group) for group in found]}

    return router
