"""The server itself, on a socket of the loopback."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from streamgauge.app.config import Server
from streamgauge.app.serve.server import free_address, serve

IDLE_CONNECTIONS = 300


async def _alive(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("alive")


async def _ask(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def _idle(host: str, port: int) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(host, port)
    return writer


async def _answer_beside_idle_connections() -> bytes:
    host, port = free_address(Server(listen="127.0.0.1:0"))
    started = asyncio.Event()
    application = Starlette(routes=[Route("/", _alive)])
    serving = asyncio.create_task(serve(application, host, port, on_started=started.set))
    await started.wait()
    async with AsyncExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            stack.callback((await _idle(host, port)).close)
        answer = await asyncio.wait_for(_ask(host, port), 20)
    os.kill(os.getpid(), signal.SIGTERM)
    await serving
    return answer


def test_connections_that_senders_keep_open_shut_nobody_out() -> None:
    """granian takes no more connections than its backlog of 128, unless it is told to."""
    answer = asyncio.run(_answer_beside_idle_connections())
    assert answer.startswith(b"HTTP/1.1 200")
