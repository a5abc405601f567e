"""How much is stored, as JSON: what an import is checked against."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.web.answers import Sources, ask_engine
from streamgauge.web.shapes import Json


class StoredParameters(BaseModel):
    """Which days."""

    model_config = ConfigDict(extra="forbid")

    from_: float = Field(alias="from", ge=0, description="Epoch seconds; its whole day counts")
    to: float = Field(ge=0, description="Epoch seconds; its whole day counts")


def stored_router(sources: Sources) -> APIRouter:
    """`/stored`."""
    router = APIRouter(tags=["Figures"])

    @router.get("/stored", summary="How much is stored of some days, by measurement")
    async def stored(query: Annotated[StoredParameters, Query()]) -> Json:
        found = await ask_engine(lambda: sources.metrics.stored(query.from_, query.to))
        return {"stored": [asdict(one) for one in found]}

    return router
