"""ASGI middleware that counts what an application receives, by customer. No dependency."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from streamgauge.client.gauge import Gauge

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Name = Callable[[Scope], str | None]


class CountReceived:
    """Counts each HTTP request as a message at the stage `received`, with how long it took.

    An answer of 4xx or 5xx is an `error` with the reason `http_404`; so is an exception, and a
    request that was cancelled before it was answered.

    Args:
        app: the application.
        gauge: counts.
        tenant: whose request it is, asked when it was answered, so that what authentication put
            into the scope is there; None: it is not counted.
        source: where it comes from.
        pipeline: the route.
    """

    def __init__(
        self,
        app: App,
        gauge: Gauge,
        tenant: Name,
        source: Name | None = None,
        pipeline: str = "",
    ) -> None:
        self._app, self._gauge = app, gauge
        self._tenant, self._source, self._pipeline = tenant, source, pipeline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        reason = "unanswered"

        async def watched(message: Message) -> None:
            nonlocal reason
            if message["type"] == "http.response.start":
                status = message["status"]
                reason = f"http_{status}" if status >= 400 else ""
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except BaseException as error:
            reason = "exception" if isinstance(error, Exception) else "cancelled"
            raise
        finally:
            self._count(scope, time.perf_counter() - began, reason)

    def _count(self, scope: Scope, latency_s: float, reason: str) -> None:
        try:
            tenant = self._tenant(scope)
            source = self._source(scope) if self._source else ""
        except Exception as error:
            self._gauge.complain(f"the middleware cannot name a request's customer: {error!r}")
            return
        if tenant is not None:
            self._gauge.message(
                tenant=tenant,
                source=source,
                pipeline=self._pipeline,
                stage="received",
                outcome="error" if reason else "ok",
                reason=reason,
                latency_s=latency_s,
            )
