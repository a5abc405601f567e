"""The middleware counts what an ASGI application receives."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.client.taking import Taking
from tests.examples.virtual import parse

from streamgauge.client import CountReceived, Gauge


async def answer(request: Request) -> Response:
    request.scope["customer"] = request.path_params["customer"]
    if request.query_params.get("fail"):
        raise RuntimeError("as asked")
    return PlainTextResponse("", int(request.query_params.get("status", 200)))


def tenant(scope: Any) -> str | None:
    customer = scope["customer"]
    return None if customer == "nobody" else str(customer)


def source(scope: Any) -> str:
    return dict(scope["headers"]).get(b"x-source", b"").decode()


def received(*paths: str, scopes: tuple[dict[str, Any], ...] = ()) -> Taking:
    """What is told after these requests."""
    server = Taking()
    gauge = Gauge(router="r", interval_s=86_400, transport=server)
    inner = Starlette(routes=[Route("/{customer}", answer)])
    app = CountReceived(inner, gauge, tenant=tenant, source=source, pipeline="in")

    async def run() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for path in paths:
                await client.get(path, headers={"x-source": "web"})
        for scope in scopes:
            with pytest.raises(KeyError):
                await app(scope, asyncio.Queue[Any]().get, asyncio.Queue[Any]().put)

    asyncio.run(run())
    assert gauge.close(60)
    return server


def test_requests_count_by_customer_and_by_what_became_of_them() -> None:
    server = received(
        "/acme", "/acme", "/globex?status=404", "/globex?status=302", "/acme?fail=1", "/nobody"
    )
    counted: Counter[tuple[str, ...]] = Counter()
    for line in parse(server.text):
        if line.measurement == "messages":
            assert (line.tags["stage"], line.tags["pipeline"], line.tags["source"]) == (
                "received",
                "in",
                "web",
            )
            assert line.fields["latency_s"] > 0
            key = line.tags["tenant"], line.tags["outcome"], line.tags.get("reason", "")
            counted[key] += int(line.fields["count"])
    assert counted == {
        ("acme", "ok", ""): 2,
        ("globex", "error", "http_404"): 1,
        ("globex", "ok", ""): 1,
        ("acme", "error", "exception"): 1,
    }


def test_a_request_whose_customer_cannot_be_named_is_a_bad_call() -> None:
    server = received("/unknown/path")
    assert server.messages == 0
    assert "bad_calls=1i" in server.text


def test_other_scopes_pass_untouched() -> None:
    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        scope["seen"] = (receive, send)

    scope: dict[str, Any] = {"type": "lifespan"}
    gauge = Gauge(interval_s=86_400, transport=Taking())
    asyncio.run(CountReceived(lifespan, gauge, tenant)(scope, len, print))  # type: ignore[arg-type]
    assert scope["seen"] == (len, print)
    gauge.close(60)


def test_a_request_that_is_cancelled_is_an_error_and_stays_cancelled() -> None:
    server = Taking()
    gauge = Gauge(interval_s=86_400, transport=server)

    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        scope["customer"] = "acme"
        await asyncio.Event().wait()

    async def run() -> None:
        app = CountReceived(hangs, gauge, tenant)
        task = asyncio.create_task(app({"type": "http"}, len, print))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    gauge.close(60)
    assert "outcome=error,reason=cancelled" in server.text
