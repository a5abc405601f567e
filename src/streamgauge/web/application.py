"""Puts pages, API and what others bring (receivers) together as one ASGI application."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from starlette.routing import BaseRoute

from streamgauge.model.clock import Clock
from streamgauge.model.feed import Records
from streamgauge.web.answers import Sources
from streamgauge.web.api.budget import budget_router
from streamgauge.web.api.collectors import collectors_router
from streamgauge.web.api.errors import errors_router
from streamgauge.web.api.explain import explain_router
from streamgauge.web.api.figures import figures_router
from streamgauge.web.api.flows import flows_router
from streamgauge.web.api.incidents import incidents_router
from streamgauge.web.api.messages import messages_router
from streamgauge.web.api.records import records_router
from streamgauge.web.api.refusals import refusals_router
from streamgauge.web.api.stored import stored_router
from streamgauge.web.api.unmapped import unmapped_router
from streamgauge.web.assets import asset_routes
from streamgauge.web.expected import NothingSaid
from streamgauge.web.headers import SecurityHeaders
from streamgauge.web.pages.routes import page_routes
from streamgauge.web.ports import Expected, Explainer, Incidents, Metrics, Operations
from streamgauge.web.probes import probe_routes
from streamgauge.web.problems import add_problem_handlers


def create_app(
    metrics: Metrics,
    incidents: Incidents,
    operations: Operations,
    clock: Clock,
    extra_routes: Sequence[BaseRoute],
    expected: Expected | None = None,
    hops_whole_s: float = 2 * 3600,
    explainer: Explainer | None = None,
    records: Records | None = None,
) -> FastAPI:
    """The application.

    Args:
        metrics: answers questions about the key metrics; asked in threads.
        incidents: reads incidents; asked in threads.
        operations: how the process itself is doing.
        clock: what `now` is.
        extra_routes: what the receivers serve; they win over ours.
        expected: what people say of flows, and routers; asked in threads.
        hops_whole_s: how long all hops are kept after their hour.
        explainer: why something was, or was not, told; None: that is not asked here.
        records: what detection is fed, for a look back; None: the same.
    """
    sources = Sources(
        metrics, incidents, operations, clock, expected or NothingSaid(), hops_whole_s
    )
    app = FastAPI(
        title="streamgauge",
        version=version("streamgauge"),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.router.routes.extend(extra_routes)
    app.include_router(figures_router(sources), prefix="/api/v1")
    app.include_router(flows_router(sources), prefix="/api/v1")
    app.include_router(incidents_router(sources), prefix="/api/v1")
    app.include_router(errors_router(sources), prefix="/api/v1")
    app.include_router(messages_router(sources), prefix="/api/v1")
    app.include_router(budget_router(sources), prefix="/api/v1")
    app.include_router(collectors_router(sources), prefix="/api/v1")
    app.include_router(refusals_router(sources), prefix="/api/v1")
    if explainer is not None:
        app.include_router(explain_router(explainer), prefix="/api/v1")
    if records is not None:
        app.include_router(records_router(records), prefix="/api/v1")
    app.include_router(stored_router(sources), prefix="/api/v1")
    app.include_router(unmapped_router(sources), prefix="/api/v1")
    app.router.routes.extend((*probe_routes(sources), *asset_routes(), *page_routes(sources, app)))
    add_problem_handlers(app)
    app.add_middleware(SecurityHeaders)
    return app
