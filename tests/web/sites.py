"""A small platform, and someone who asks about it as browsers and programs do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI
from lxml import html

from streamgauge.model.clock import SimulatedClock
from streamgauge.testing.figures import FakeMetrics
from streamgauge.testing.incidents import FakeIncidents, platform_under_trouble
from streamgauge.testing.operations import FakeOperations
from streamgauge.web.application import create_app

NOW_S = 1_795_500_000.0
"""2026-11-24T06:00:00Z."""
BROWSER = {"accept": "text/html,application/xhtml+xml"}


@dataclass
class Site:
    """The application over fakes that a test can change."""

    clock: SimulatedClock
    metrics: FakeMetrics
    incidents: FakeIncidents
    operations: FakeOperations = field(default_factory=FakeOperations)

    @cached_property
    def app(self) -> FastAPI:
        return create_app(self.metrics, self.incidents, self.operations, self.clock, [])

    def get(self, address: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.ask("GET", address, headers)

    def ask(self, method: str, address: str, headers: dict[str, str] | None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gauge:8686") as it:
                return await it.request(method, address, headers=headers)

        return asyncio.run(ask())

    def json(self, address: str) -> Any:
        response = self.get(address)
        assert response.status_code == 200, response.text
        return response.json()

    def page(self, address: str) -> html.HtmlElement:
        response = self.get(address, BROWSER)
        assert response.status_code == 200, response.text
        return html.document_fromstring(response.text)


def make_site(**changes: Any) -> Site:
    clock = SimulatedClock(NOW_S)
    return Site(clock, FakeMetrics(clock.now, **changes), FakeIncidents())


def troubled_site(now_s: float = NOW_S) -> Site:
    """23 customers; one is silent, one integration fails, a backlog is over."""
    made = make_site(silent={"dunder": now_s - 1320}, failing={"webhook": (now_s - 900, 0.182)})
    made.incidents.incidents = platform_under_trouble(now_s)
    return made
