"""Why a customer, or anything else, was or was not told at an instant, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.model.errors import PayloadError
from streamgauge.model.explanation import Explanation
from streamgauge.model.flow import Scope
from streamgauge.model.instants import read_instant
from streamgauge.web.answers import ask_engine
from streamgauge.web.ports import Explainer
from streamgauge.web.shapes import Json, instant

_INSTANTS = ("last_message_at", "due_at", "opens_at")


class ExplainParameters(BaseModel):
    """Of what, and when."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(None, max_length=1024, description="The customer")
    source: str | None = Field(None, max_length=1024)
    integration: str | None = Field(None, max_length=1024)
    pipeline: str | None = Field(None, max_length=1024)
    at: str | None = Field(
        None, max_length=64, description="RFC 3339 or epoch seconds; now without it"
    )


def explain_router(explainer: Explainer) -> APIRouter:
    """`/explain`."""
    router = APIRouter(tags=["Incidents"])

    @router.get("/explain", summary="Why something was, or was not, told at an instant")
    async def explain(query: Annotated[ExplainParameters, Query()]) -> Json:
        scope = Scope(query.tenant, query.source, query.integration, query.pipeline)
        at = read_at(query.at)
        return explanation_shape(await ask_engine(lambda: explainer.explain(scope, at)))

    return router


def read_at(text: str | None) -> float | None:
    """Epoch seconds; None: nothing was given.

    Raises:
        PayloadError: no instant; says what is accepted.
    """
    try:
        return None if text is None else read_instant(text)
    except ValueError as error:
        raise PayloadError(f"at: expected {error}") from None


def explanation_shape(one: Explanation) -> Json:
    """An explanation as JSON; instants in RFC 3339, what is not known null."""
    silence = asdict(one.silence) if one.silence else None
    if silence:
        silence |= {name: instant(silence[name]) for name in _INSTANTS}
    return {
        **one.scope._asdict(),
        "at": instant(one.at),
        "seen_until": instant(one.seen_until),
        "words": list(one.words),
        "silence": silence,
        "errors": asdict(one.errors) if one.errors else None,
        "findings": [
            {
                "kind": finding.kind.value,
                "severity": finding.severity.value,
                **finding.scope._asdict(),
                "since": instant(finding.since),
                "summary": finding.summary,
                "evidence": dict(finding.evidence),
            }
            for finding in one.findings
        ],
    }
