"""The addresses of the pages."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from streamgauge.web import names  # noqa: F401 makes `:name` known to routes
from streamgauge.web.answers import Sources
from streamgauge.web.assets import asset
from streamgauge.web.pages.budget import budget_page
from streamgauge.web.pages.collectors import collectors_page
from streamgauge.web.pages.customers import customer_page, customers_page
from streamgauge.web.pages.errors import errors_page
from streamgauge.web.pages.expectations import (
    change_expectations,
    customer_expectations_page,
    expectations_page,
    routers_page,
)
from streamgauge.web.pages.front import front_page
from streamgauge.web.pages.incidents import incident_page, incidents_page
from streamgauge.web.pages.journey import journey_page, search_page
from streamgauge.web.pages.reference import reference_page
from streamgauge.web.pages.refused import refused_page
from streamgauge.web.pages.unmapped import unmapped_page


def page_routes(sources: Sources, app: FastAPI) -> list[BaseRoute]:
    """All pages; each is reached from `/` by plain links."""
    return [
        Route("/", front_page(sources)),
        Route("/customers", customers_page(sources)),
        Route("/expectations/{tenant:name}", customer_expectations_page(sources)),
        Route("/expectations/{tenant:name}", change_expectations(sources), methods=["POST"]),
        Route("/customers/{tenant:name}", customer_page(sources)),
        Route("/expectations", expectations_page(sources)),
        Route("/routers", routers_page(sources)),
        Route("/incidents", incidents_page(sources)),
        Route("/incidents/{incident_id:name}", incident_page(sources)),
        Route("/errors", errors_page(sources)),
        Route("/messages", search_page(sources)),
        Route("/messages/{message_id:name}", journey_page(sources)),
        Route("/refused", refused_page(sources)),
        Route("/unmapped", unmapped_page(sources)),
        Route("/budget", budget_page(sources)),
        Route("/collectors", collectors_page(sources)),
        Route("/api/docs", reference_page(app)),
        Route("/favicon.ico", lambda _: RedirectResponse(asset("favicon.svg"))),
    ]
