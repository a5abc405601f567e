"""What detection is fed, for those who judge it once more elsewhere: zips of Arrow files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.model.errors import PayloadError
from streamgauge.model.feed import Records
from streamgauge.web.answers import ask_engine
from streamgauge.web.record_files import MEDIA_TYPE, pack_delta, pack_history

MOST_MINUTES = 24 * 60
"""Of one answer."""


class PastParameters(BaseModel):
    """Up to when."""

    model_config = ConfigDict(extra="forbid")

    until: float = Field(ge=0, description="Epoch seconds")


class MinutesParameters(BaseModel):
    """Which minutes."""

    model_config = ConfigDict(extra="forbid")

    first: int = Field(ge=0, description="Minutes since the epoch")
    end: int = Field(ge=0, description="The minute after the last, a day later at the most")


def records_router(records: Records) -> APIRouter:
    """`/detect/past` and `/detect/minutes`."""
    router = APIRouter(tags=["Incidents"])

    @router.get("/detect/past", summary="What detection learns from: sums of five weeks")
    async def past(query: Annotated[PastParameters, Query()]) -> Response:
        def ask() -> bytes:
            return pack_history(records.past(query.until))

        return Response(await ask_engine(ask), media_type=MEDIA_TYPE)

    @router.get("/detect/minutes", summary="What detection is fed: sums of some minutes")
    async def minutes(query: Annotated[MinutesParameters, Query()]) -> Response:
        if not 0 < query.end - query.first <= MOST_MINUTES:
            raise PayloadError(f"end: expected 1 to {MOST_MINUTES} minutes after first")

        def ask() -> bytes:
            return pack_delta(records.minutes(query.first, query.end))

        return Response(await ask_engine(ask), media_type=MEDIA_TYPE)

    return router
