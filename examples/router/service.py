"""The router put together: ingest, queue, workers and reporter, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx
from examples.router.clock import Clock
from examples.router.delivery import VendorClient
from examples.router.ingest import Ingest
from examples.router.ledger import Ledger
from examples.router.lines import Identity
from examples.router.outbox import Outbox
from examples.router.queues import MessageQueue
from examples.router.reporter import Reporter
from examples.router.routes import Routes
from examples.router.worker import Policy, Worker


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen when a router is started."""

    vendors_url: str
    report_url: str
    """streamgauge's address; lines go to `/write` below it."""
    integrations: Sequence[str]
    interval_s: float = 5.0
    identity: Identity = field(default_factory=lambda: Identity("router-1", "1.0.0"))
    policy: Policy = field(default_factory=Policy)
    vendor_timeout_s: float = 5.0
    drain_s: float = 1.5
    """Given to messages in hand, and again to the last report, when the router is told to stop."""


class Service:
    """One router. Its HTTP clients can be given, so that tests need no sockets."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        queue: MessageQueue,
        clock: Clock,
        vendor_client: httpx.AsyncClient,
        report_client: httpx.AsyncClient,
    ) -> None:
        self.ledger = Ledger()
        self._queue, self._clock, self._settings = queue, clock, settings
        self.app = Ingest(routes, queue, self.ledger, clock).app()
        self.outbox = Outbox(report_client, write_url(settings.report_url), clock)
        self.reporter = Reporter(
            self.ledger,
            queue.depths,
            self.outbox,
            clock,
            settings.identity,
            settings.interval_s,
        )
        self._workers = [
            Worker(
                name,
                queue,
                VendorClient(vendor_client, settings.vendors_url, name),
                routes,
                self.ledger,
                clock,
                settings.policy,
            )
            for name in settings.integrations
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Workers and reporter run while the context lasts; then all in hand is finished."""
        await self._queue.open(self._settings.integrations)
        loops = [self.reporter.run(), self.outbox.run(), *(one.run() for one in self._workers)]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._finish()

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                await asyncio.gather(*(one.finish() for one in self._workers))
        await self.reporter.report(self._clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                await self.outbox.drain()
        await self._queue.close()


def write_url(base_url: str) -> str:
    """Where lines are written to."""
    return f"{base_url.rstrip('/')}/write?db=router&precision=ns"
