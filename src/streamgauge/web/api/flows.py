"""What is expected of flows as JSON: said, taken back, offboarded; and routers, as senders."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from streamgauge.model.expected import Applied, FlowEdit
from streamgauge.model.flow import Scope
from streamgauge.web import names  # noqa: F401 makes `:name` known to routes
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.expected import (
    actor_of,
    audit_shape,
    read_json,
    refuse_foreign,
    router_shape,
    said_shape,
)
from streamgauge.web.flow_items import FIELDS, read_items
from streamgauge.web.shapes import Json

MAX_FAULTS = 1000
_TEXT = {"type": "string", "nullable": True}
_ITEM: dict[str, Any] = {
    "type": "object",
    "required": ["tenant"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(FIELDS, _TEXT),
        "tenant": {"type": "string", "maxLength": 1024, "example": "acme"},
        "expected_within": _TEXT | {"example": "2h"},
        "first_message_by": _TEXT | {"example": "2026-12-01T08:00:00Z"},
        "calendar": _TEXT | {"example": "mon-fri 08:00-18:00 Europe/Berlin"},
        "paused_until": _TEXT | {"example": "2026-12-01T08:00:00Z"},
        "retired": {"type": "boolean"},
        "remove": {"type": "boolean"},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["flows"],
                    "additionalProperties": False,
                    "properties": {"flows": {"type": "array", "items": _ITEM}},
                }
            }
        },
    }
}


def flows_router(sources: Sources) -> APIRouter:
    """`PUT /flows`, `DELETE /flows`, `/customers/{tenant}/offboard`, `/routers` and `/audit`."""
    router = APIRouter(tags=["Expectations"])

    @router.put("/flows", summary="Say what is expected of flows", openapi_extra=_BODY)
    async def put(request: Request) -> Response:
        refuse_foreign(request)
        edits, faults = read_items(await read_json(request), sources.clock.now())
        if faults:
            told = [
                {"index": one.index, "field": one.field, "reason": one.reason}
                for one in faults[:MAX_FAULTS]
            ]
            more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            error = f"{faults[0]}{more}: nothing was changed"
            return JSONResponse({"error": error, "faults": told}, status_code=400)
        return JSONResponse(await _applied(sources, request, edits))

    @router.delete("/flows", summary="Take back what was said of the flows of one scope")
    async def remove(
        request: Request,
        tenant: Annotated[str, Query(max_length=1024)],
        source: Annotated[str | None, Query(max_length=1024)] = None,
        integration: Annotated[str | None, Query(max_length=1024)] = None,
        pipeline: Annotated[str | None, Query(max_length=1024)] = None,
    ) -> Json:
        refuse_foreign(request)
        scope = Scope(tenant, source, integration, pipeline)
        return await _applied(sources, request, [FlowEdit(scope, is_removal=True)])

    @router.post(
        "/customers/{tenant:name}/offboard",
        summary="A customer leaves: retire its flows, close its incidents",
    )
    async def offboard(
        request: Request, tenant: Annotated[str, Path(description="The customer")]
    ) -> Json:
        refuse_foreign(request)
        ask = partial(sources.expected.offboard, tenant, actor_of(request))
        done = await in_thread(ask)
        said = said_shape(done.retired) if done.retired else None
        return {"tenant": tenant, "expected": said, "closed": done.closed}

    @router.get("/routers", summary="Routers as senders: alive, late, blind or gone")
    async def routers() -> Json:
        found = await in_thread(sources.expected.list_routers)
        return {"routers": [router_shape(one) for one in found]}

    @router.get("/audit", summary="Who changed what, newest first")
    async def audit(
        tenant: Annotated[str | None, Query(max_length=1024)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Json:
        found = await in_thread(partial(sources.expected.list_audit, tenant, limit))
        return {"entries": [audit_shape(entry) for entry in found]}

    return router


async def _applied(sources: Sources, request: Request, edits: list[FlowEdit]) -> Json:
    ask = partial(sources.expected.apply, edits, actor_of(request))
    done = await in_thread(ask)
    return {
        "flows": [_applied_shape(one) for one in done],
        "changed": sum(one.has_changed for one in done),
    }


def _applied_shape(one: Applied) -> Json:
    said = said_shape(one.after) if one.after else {}
    return {**one.scope._asdict(), **said, "changed": one.has_changed}
