"""One router with vendors and a reporting, all in this process and without sockets."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
from examples.router.clock import Clock
from examples.router.fleet import Vendor
from examples.router.queues import MessageQueue
from examples.router.routes import Route, Routes, consent
from examples.router.service import Service, Settings
from examples.router.vendors import VendorFault, Vendors
from examples.router.worker import Policy
from starlette.applications import Starlette
from tests.examples.recorded import Recorded

INTEGRATIONS = ("ga4", "webhook", "s3")
HABITS = [Vendor(name, 0.05, 0.3, 0.0, 0.0) for name in INTEGRATIONS]
ROUTES = Routes(
    {
        "key-acme": Route("acme", ("ga4", "webhook", "s3"), (consent,)),
        "key-globex": Route("globex", ("ga4", "webhook")),
        "key-kwik": Route("kwik", ("s3",)),
    }
)
ROUTED = {"acme": ("ga4", "webhook", "s3"), "globex": ("ga4", "webhook"), "kwik": ("s3",)}


def _client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://router")


@dataclass
class Rig:
    """Everything around one router."""

    clock: Clock
    queue: MessageQueue
    policy: Policy = field(default_factory=Policy)
    interval_s: float = 5.0
    reporting: Recorded = field(default_factory=Recorded)

    def __post_init__(self) -> None:
        self.vendors = Vendors(self.clock, seed=1, habits=HABITS)
        settings = Settings(
            vendors_url="http://vendors",
            integrations=INTEGRATIONS,
            interval_s=self.interval_s,
            policy=self.policy,
            drain_s=0.05,
        )
        self.service = Service(
            settings,
            ROUTES,
            self.queue,
            self.clock,
            _client(self.vendors.app()),
            self.reporting,
        )
        self.ingest = _client(self.service.app)

    def fail(self, *faults: VendorFault) -> None:
        """What is wrong with the vendors from now on."""
        self.vendors.faults = faults

    async def post(
        self, tenant: str, count: int, source: str = "web", *, consent: bool = True
    ) -> httpx.Response:
        """Send so many events of one customer."""
        events = [{"id": f"{tenant}-{i}", "name": "view", "consent": consent} for i in range(count)]
        return await self.ingest.post(
            "/v1/events",
            params={"source": source},
            headers={"x-api-key": f"key-{tenant}"},
            json=events,
        )

    async def waiting(self) -> dict[str, int]:
        """Messages not dealt with yet, by integration."""
        depths = await self.queue.depths()
        return {name: depths[name].backlog + depths[name].in_flight for name in INTEGRATIONS}

    async def unaccounted(self) -> dict[str, int]:
        """Received minus delivered, filtered, failed and waiting, by integration: all 0."""
        counts = self.reporting.counts("tenant", "integration", "outcome", "stage")
        missing = await self.waiting()
        missing = {name: -count for name, count in missing.items()}
        for (tenant, name, outcome, stage), count in counts.items():
            if stage == "received":
                for routed in ROUTED[tenant]:
                    missing[routed] += count
            elif outcome != "retried":
                missing[name] -= count
        return missing
