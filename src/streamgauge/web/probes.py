"""What orchestrators, load balancers and Prometheus ask: is it alive, is it ready, how is it."""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from streamgauge.web.answers import Sources, in_thread

PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def probe_routes(sources: Sources) -> list[BaseRoute]:
    """`/health`, `/ready` and `/metrics`."""

    async def ready(_: Request) -> Response:
        problems = sources.operations.problems()
        notices = await in_thread(sources.operations.notices)
        status = "not ready" if problems else "ready"
        content = {"status": status, "reasons": problems, "notices": notices}
        return JSONResponse(content, status_code=503 if problems else 200)

    async def metrics(_: Request) -> Response:
        text = await in_thread(sources.operations.prometheus)
        return Response(text, headers={"content-type": PROMETHEUS_TYPE})

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


async def health(_: Request) -> Response:
    """200 while the process lives.

    Source: InfluxDB 2 API, `GET /health`; its clients read `name`, `status` and `message`.
    """
    return JSONResponse(
        {
            "name": "streamgauge",
            "message": "alive; /ready says whether writes and queries are served",
            "status": "pass",
            "checks": [],
            "version": version("streamgauge"),
        }
    )
