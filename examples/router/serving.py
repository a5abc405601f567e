"""What every process here needs: an HTTP server, and a quiet end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

T = TypeVar("T")


def find_free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(app: Starlette, host: str, port: int) -> AsyncIterator[None]:
    """Serve `app` on granian within this event loop while the context lasts."""
    server = Server(
        app, host, port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False
    )
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([task], timeout=1)


async def until_told_to_stop(work: Coroutine[Any, Any, T]) -> T | None:
    """Run `work` until it ends, or SIGINT or SIGTERM comes (then None)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    try:
        return await working
    except asyncio.CancelledError:
        return None
