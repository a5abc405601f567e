"""The stage: streamgauge, the router, its vendors and its customers, each a process."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from examples.router.demo.children import Children
from examples.router.demo.errors import DemoError
from examples.router.demo.gauge import Gauge
from examples.router.serving import find_free_port

HOST = "127.0.0.1"
READY_S = 60.0
ANSWER_S = 30.0

Question = Callable[[], Awaitable[str | None]]
"""Why it is not yet as it should be; None once it is."""


def choose_port(wanted: int) -> int:
    """The wanted port, or another one if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            return find_free_port(HOST)
    return wanted


class Stage:
    """Starts the processes and knows where they are.

    Args:
        folder: for data, configuration and logs; of the caller.
        port: of streamgauge.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self.children = Children(folder)
        self.gauge = Gauge(f"http://{HOST}:{port}")
        self._router_url = self._vendors_url = ""

    async def start_streamgauge(self, pager_port: int) -> None:
        """Start it and wait until it takes and answers everything."""
        program = Path(sys.executable).with_name("streamgauge")
        if not program.exists():
            raise DemoError(f"{program} is not there: run `make setup` first")
        config = self._folder / "streamgauge.toml"
        config.write_text(
            '[[notify]]\nkind = "opsgenie"\napi_key = "of-the-demo"\n'
            f'url = "http://{HOST}:{pager_port}"\n'
        )
        self.children.start(
            "streamgauge",
            *(str(program), "up", "--config", str(config)),
            *("--data", str(self._folder / "data"), "--listen", f"{HOST}:{self._port}"),
        )
        await self.until(self.gauge.find_unready_reason, READY_S, "streamgauge is not ready")

    async def start_router(self) -> None:
        """Start the vendors and the router and wait until both answer."""
        router, vendors = find_free_port(), find_free_port()
        self._router_url, self._vendors_url = f"http://{HOST}:{router}", f"http://{HOST}:{vendors}"
        self.children.start_module("vendors", "examples.router.vendors", "--port", str(vendors))
        self.children.start_module(
            "router",
            "examples.router",
            *("--port", str(router), "--report", self.gauge.url, "--vendors", self._vendors_url),
        )
        await self._until_answering("the router", f"{self._router_url}/health")
        await self._until_answering("the vendors", f"{self._vendors_url}/control/faults")

    def start_load(self, start_at: float, arguments: list[str]) -> None:
        """Start the customers, who begin to send at `start_at` (epoch seconds)."""
        self.children.start_module(
            "load",
            "examples.router.load",
            *("--router", self._router_url, "--vendors", self._vendors_url),
            *("--start-at", str(start_at), *arguments),
        )

    async def _until_answering(self, name: str, url: str) -> None:
        async def find_complaint() -> str | None:
            answer = await self.gauge.client.get(url)
            return None if answer.is_success else f"{answer.status_code}: {answer.text[:200]}"

        await self.until(find_complaint, ANSWER_S, f"{name} do not answer")

    async def until(self, ask: Question, within_s: float, problem: str) -> None:
        """Ask until all is well.

        Raises:
            DemoError: it is not in time, or a process has ended.
        """
        deadline = time.monotonic() + within_s
        while True:
            try:
                complaint = await ask()
            except httpx.HTTPError as error:
                complaint = repr(error)
            if complaint is None:
                return
            self.children.must_live()
            if time.monotonic() > deadline:
                words = self.children.last_words()
                raise DemoError(f"{problem} after {within_s:g} s: {complaint}\n{words}")
            await asyncio.sleep(0.2)

    async def stop(self) -> None:
        """End all processes."""
        await self.children.stop()
        await self.gauge.client.aclose()
