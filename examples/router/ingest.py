"""The HTTP ingest: customers' events in, one message per event and integration out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from examples.router.clock import Clock
from examples.router.message import Message, id_of
from examples.router.queues import MessageQueue, QueueFull
from examples.router.reporting import Hop, Reporting
from examples.router.routes import Route, Routes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute

MAX_EVENTS = 5000


class Ingest:
    """`POST /v1/events?source=web` with `X-Api-Key`, one event or a list of them."""

    def __init__(
        self, routes: Routes, queue: MessageQueue, reporting: Reporting, clock: Clock
    ) -> None:
        self._routes, self._queue, self._reporting, self._clock = routes, queue, reporting, clock

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                HttpRoute("/v1/events", self._post_events, methods=["POST"]),
                HttpRoute("/health", _health),
            ]
        )

    async def _post_events(self, request: Request) -> Response:
        route = self._routes.find(request.headers.get("x-api-key", ""))
        if route is None:
            return _refusal(401, "the header X-Api-Key names no customer")
        source = request.query_params.get("source", "") or request.headers.get("x-source", "")
        events, complaint = _events(await request.body())
        if complaint:
            return _refusal(400, complaint)
        try:
            await self._accept(route, source, events)
        except QueueFull as full:
            return _refusal(503, str(full), {"retry-after": "1"})
        return JSONResponse({"accepted": len(events)}, status_code=202)

    async def _accept(self, route: Route, source: str, events: Sequence[Mapping[str, Any]]) -> None:
        now = self._clock.now()
        sizes = [len(json.dumps(one, separators=(",", ":"))) for one in events]
        ids = [id_of(one) for one in events]
        messages = [
            Message(message_id, route.tenant, source, integration, now, now, size, event)
            for event, size, message_id in zip(events, sizes, ids, strict=True)
            for integration in route.integrations
        ]
        await self._queue.put(messages)
        for size, message_id in zip(sizes, ids, strict=True):
            self._reporting.message(
                Hop(
                    tenant=route.tenant,
                    source=source,
                    stage="received",
                    outcome="ok",
                    size_bytes=size,
                    message_id=message_id,
                )
            )


def _events(body: bytes) -> tuple[list[Mapping[str, Any]], str]:
    """The events of a body, and what is wrong with it ("" if nothing)."""
    try:
        content = json.loads(body)
    except ValueError as error:
        return [], f"the body is not JSON: {error}"
    events = content if isinstance(content, list) else [content]
    if not all(isinstance(one, dict) for one in events):
        return [], "the body has to be a JSON object, or a list of objects"
    if len(events) > MAX_EVENTS:
        return [], f"{len(events)} events in one body; at most {MAX_EVENTS} are taken"
    return events, ""


def _refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
