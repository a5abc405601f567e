"""A site served over real HTTP by granian."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server
from tests.web.sites import Site

from streamgauge.testing.waiting import eventually

STARTS_IN_S = 20.0


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of the site while the block runs."""
    port = free_port()
    server = Server(
        site.app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()))
    thread.start()
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(address), within_s=STARTS_IN_S, what="the server")
        yield address
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(STARTS_IN_S)
        loop.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


def answers(address: str) -> bool:
    """Whether somebody serves there."""
    try:
        return httpx.get(f"{address}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
