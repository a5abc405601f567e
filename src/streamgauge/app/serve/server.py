"""Serves the ASGI application on granian, in this very process.

No worker is started: what was received, journal and questions meet in one process (docs/adr/0003).
"""

from __future__ import annotations

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Callable

from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp

from streamgauge.app.config import Server as ServerSettings
from streamgauge.model.errors import ConfigError

BACKLOG = 1024
"""Connections that wait to be accepted, as far as the system allows."""
MAX_CONNECTIONS = 10_000
"""Connections at the same time, most of them idle: every router keeps some open. granian would stop
at its backlog, and then not even answer `/health`."""


def free_address(settings: ServerSettings, by: str = "--listen") -> tuple[str, int]:
    """The address to listen on, proven free (granian would share a port that is in use).

    Args:
        settings: which one.
        by: what another can be given by.

    Raises:
        ConfigError: in use, not allowed, or not an address of this machine.
    """
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, settings.port))
        except OSError as error:
            raise ConfigError(_explain(settings.listen, error, by)) from error
        return host, int(probe.getsockname()[1])


def _explain(listen: str, error: OSError, by: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{listen} is in use by another program: stop that, or give another by {by}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{listen}: not allowed (ports below 1024 need root): give another by {by}"
    return f"cannot listen on {listen} ({error.strerror}): give an address of this machine"


async def serve(application: ASGIApp, host: str, port: int, on_started: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_started` runs once connections are taken."""
    server = Server(
        application,
        address=host,
        port=port,
        interface="asgi",  # type: ignore[arg-type]  # the enum's value is what is documented
        log_enabled=False,
        websockets=False,
        backlog=BACKLOG,
        backpressure=_connections_allowed(),
        http1_settings=HTTP1Settings(),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    serving = asyncio.create_task(server.serve())
    await _until_connectable(host, port, serving)
    on_started()
    await serving


def _connections_allowed() -> int:
    """As many as file descriptors allow; a quarter of them is left to the store."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 2 * MAX_CONNECTIONS)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    return max(min(MAX_CONNECTIONS, hard * 3 // 4), 1)


async def _until_connectable(host: str, port: int, serving: asyncio.Task[None]) -> None:
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
