"""The router put together: ingest, queue, workers and reports, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx
from examples.router.clock import Clock
from examples.router.delivery import VendorClient
from examples.router.ingest import Ingest
from examples.router.queues import DEAD_LETTER, MessageQueue
from examples.router.reporting import Reporting
from examples.router.routes import Routes
from examples.router.worker import Policy, Worker

log = logging.getLogger("router")


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen when a router is started."""

    vendors_url: str
    integrations: Sequence[str]
    interval_s: float = 5.0
    """Between two looks at how full the queues are."""
    policy: Policy = field(default_factory=Policy)
    vendor_timeout_s: float = 5.0
    drain_s: float = 1.5
    """Given to messages in hand, and again to the last report, when the router is told to stop."""


class Service:
    """One router. Its client and its reporting are given, so that tests need no sockets."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        queue: MessageQueue,
        clock: Clock,
        vendor_client: httpx.AsyncClient,
        reporting: Reporting,
    ) -> None:
        self._queue, self._clock, self._settings = queue, clock, settings
        self._reporting = reporting
        self.app = Ingest(routes, queue, reporting, clock).app()
        self._workers = [
            Worker(
                name,
                queue,
                VendorClient(vendor_client, settings.vendors_url, name),
                routes,
                reporting,
                clock,
                settings.policy,
            )
            for name in settings.integrations
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Workers and reports run while the context lasts; then all in hand is finished."""
        await self._queue.open(self._settings.integrations)
        loops = [self._report_depths(), *(one.run() for one in self._workers)]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._finish()

    async def _report_depths(self) -> None:
        """At whole multiples of the interval, for ever."""
        interval_s = self._settings.interval_s
        while True:
            now = self._clock.now()
            await self._clock.sleep((math.floor(now / interval_s) + 1) * interval_s - now)
            await self._report_depths_once()

    async def _report_depths_once(self) -> None:
        try:
            depths = dict(await self._queue.depths())
        except Exception as error:  # a broker that is away for a moment
            log.warning("the queues do not tell how full they are: %r", error)
            return
        dead_letters = depths.pop(DEAD_LETTER, None)
        for name, depth in depths.items():
            self._reporting.queue(name, depth)
        if dead_letters is not None:
            self._reporting.dead_letters(dead_letters.backlog)

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                await asyncio.gather(*(one.finish() for one in self._workers))
        await self._report_depths_once()
        await asyncio.to_thread(self._reporting.close, self._settings.drain_s)
        await self._queue.close()
