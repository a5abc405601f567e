"""What was refused, as JSON."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.model.errors import StoreError
from streamgauge.model.refusal import RefusedLine
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.refusals import DAY_S, ask_refusals, refusal_shape, refused_line_shape
from streamgauge.web.shapes import Json


class RefusalsParameters(BaseModel):
    """Whose refusals."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(None, max_length=1024, description="One customer; all without it")
    lines: int = Field(
        20, ge=0, le=1000, description="How many of the newest refused lines to show"
    )


def refusals_router(sources: Sources) -> APIRouter:
    """`/refusals`."""
    router = APIRouter(tags=["Refused"])

    @router.get("/refusals", summary="What was refused in the last day, of whom and why")
    async def refusals(query: Annotated[RefusalsParameters, Query()]) -> Json:
        found, lines = await asyncio.gather(
            ask_refusals(sources, query.tenant), _lines(sources, query.tenant, query.lines)
        )
        return {
            "refusals": [refusal_shape(one) for one in found],
            "lines": None if lines is None else [refused_line_shape(line) for line in lines],
        }

    return router


async def _lines(sources: Sources, tenant: str | None, limit: int) -> list[RefusedLine] | None:
    """The newest refused lines; None while the store does not answer, as counts go on without."""
    since_s = sources.clock.now() - DAY_S
    try:
        return await in_thread(lambda: sources.operations.refused_lines(tenant, since_s, limit))
    except StoreError:
        return None
