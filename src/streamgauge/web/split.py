"""What is served where receiving and the rest run in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from streamgauge.web.answers import Sources
from streamgauge.web.probes import probe_routes

WRITES = (
    "/write",
    "/api/v2/write",
    "/api/v1/write",
    "/v1/metrics",
    "/v1/traces",
    "/v1/logs",
    "/v1/messages",
)
RETRY_AFTER_S = 5


def create_receiver(sources: Sources, receiving: Sequence[BaseRoute]) -> Starlette:
    """The application of a process that receives only: what it receives by, and the probes."""
    ways = [Route("/{path:path}", _not_here)]
    return Starlette(routes=[*receiving, *probe_routes(sources), *ways])


def elsewhere_routes() -> list[Route]:
    """In place of receiving: an answer after which senders keep their lines and try again."""
    return [Route(path, _elsewhere, methods=["POST"]) for path in WRITES]


async def _not_here(_: Request) -> Response:
    error = (
        "this process only receives (--roles receive): pages and API are where detect,page,web run"
    )
    return JSONResponse({"error": error}, status_code=404)


async def _elsewhere(_: Request) -> Response:
    error = "this process does not receive (--roles detect,page,web): send to one that does"
    return JSONResponse({"error": error}, 503, headers={"Retry-After": str(RETRY_AFTER_S)})
