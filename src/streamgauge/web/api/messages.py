"""What a message went through, as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.model.errors import NotFound
from streamgauge.web import names  # noqa: F401 makes `:name` known to routes
from streamgauge.web.answers import Sources
from streamgauge.web.journeys import ask_journey, journey_shape, why_unknown
from streamgauge.web.shapes import Json


class JourneyParameters(BaseModel):
    """Whose message."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(
        None, max_length=1024, description="The customer; anybody's without it"
    )


def messages_router(sources: Sources) -> APIRouter:
    """`/messages/{id}`."""
    router = APIRouter(tags=["Messages and errors"])

    @router.get("/messages/{message_id:name}", summary="What one message went through, hop by hop")
    async def journey(
        message_id: Annotated[str, Path(description="Its `id`, as its sender named it")],
        query: Annotated[JourneyParameters, Query()],
    ) -> Json:
        found = await ask_journey(sources, message_id, query.tenant)
        if found is None:
            why = why_unknown(sources)
            raise NotFound(f"nothing is known of message {message_id[:256]!r}. {why}")
        return journey_shape(found)

    return router
