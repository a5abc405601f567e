"""Stands for Opsgenie, so that the page is seen to arrive.

Source: Opsgenie Alert API: `POST /v2/alerts`, `POST /v2/alerts/{alias}/close?identifierType=alias`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Page:
    """One call of the pager."""

    at: float
    """Epoch seconds."""
    action: str
    """`create` or `close`."""
    alias: str
    """The incident's id."""
    message: str
    priority: str


class Inbox:
    """Takes alerts and remembers them."""

    def __init__(self, on_page: Callable[[Page], None]) -> None:
        self.pages: list[Page] = []
        self._on_page = on_page

    def app(self) -> Starlette:
        """The ASGI application."""
        create = Route("/v2/alerts", self._create, methods=["POST"])
        act = Route("/v2/alerts/{alias:path}/{action}", self._act, methods=["POST"])
        return Starlette(routes=[create, act])

    async def _create(self, request: Request) -> Response:
        alert = await request.json()
        return self._take(
            Page(
                time.time(),
                "create",
                str(alert.get("alias", "")),
                str(alert.get("message", "")),
                str(alert.get("priority", "")),
            )
        )

    async def _act(self, request: Request) -> Response:
        body = await request.body()
        note = json.loads(body).get("note", "") if body else ""
        alias, action = request.path_params["alias"], request.path_params["action"]
        return self._take(Page(time.time(), action, alias, str(note), ""))

    def _take(self, page: Page) -> Response:
        self.pages.append(page)
        self._on_page(page)
        answer = {"result": "Request will be processed", "took": 0.0, "requestId": page.alias}
        return JSONResponse(answer, status_code=202)
