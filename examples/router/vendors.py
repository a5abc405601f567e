"""Fake vendors, one path each, that can be told to fail, slow down, rate-limit or hang.

`POST /<integration>/events` takes a JSON list of events of the customer named by `X-Tenant`.
The control endpoint: `PUT /control/faults` with a list of faults replaces what holds (an empty
list ends all), `GET /control/faults` tells it.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from examples.router.clock import Clock, LiveClock
from examples.router.fleet import SEED, VENDORS, Vendor
from examples.router.serving import serving, until_told_to_stop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Mode = Literal["status", "slow", "rate_limit", "hang"]
HANG_S = 3600.0


@dataclass(frozen=True, slots=True)
class VendorFault:
    """What is wrong with one vendor, for some customers or (None) for all."""

    integration: str
    mode: Mode = "status"
    tenants: tuple[str, ...] | None = None
    status: int = 500
    """What `status` answers."""
    delay_s: float = 1.0
    """What `slow` adds to every answer."""
    events_per_s: float = 10.0
    """What `rate_limit` takes of one customer."""

    def hits(self, integration: str, tenant: str) -> bool:
        """Whether requests of that customer are hurt."""
        is_meant = self.tenants is None or tenant in self.tenants
        return is_meant and self.integration == integration

    @classmethod
    def parse(cls, content: dict[str, Any]) -> VendorFault:
        """A fault from JSON.

        Raises:
            ValueError: it names what is wrong.
        """
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        if unknown := content.keys() - known.keys():
            raise ValueError(f"unknown keys {sorted(unknown)}; a fault has {list(cls.__slots__)}")
        if known.get("mode", "status") not in get_args(Mode):
            raise ValueError(f"mode {known['mode']!r}; there are {list(get_args(Mode))}")
        if known.get("tenants") is not None:
            known["tenants"] = tuple(known["tenants"])
        return cls(**known)


class Vendors:
    """All vendors, on one port."""

    def __init__(self, clock: Clock, seed: int = SEED, habits: Sequence[Vendor] = VENDORS) -> None:
        self._clock = clock
        self._random = random.Random(seed)
        self._habits = {one.name: one for one in habits}
        self.faults: tuple[VendorFault, ...] = ()
        self._free_at: dict[tuple[str, str], float] = defaultdict(float)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/control/faults", self._get_faults, methods=["GET"]),
                Route("/control/faults", self._put_faults, methods=["PUT"]),
                Route("/{integration}/events", self._post_events, methods=["POST"]),
            ]
        )

    async def _get_faults(self, _request: Request) -> Response:
        return JSONResponse([asdict(one) for one in self.faults])

    async def _put_faults(self, request: Request) -> Response:
        try:
            self.faults = tuple(VendorFault.parse(one) for one in await request.json())
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return Response(status_code=204)

    async def _post_events(self, request: Request) -> Response:
        habit = self._habits.get(request.path_params["integration"])
        if habit is None:
            return JSONResponse({"error": "no such vendor"}, status_code=404)
        tenant = request.headers.get("x-tenant", "")
        event_count = len(cast("list[object]", await request.json()))
        await self._clock.sleep(self._random.lognormvariate(math.log(habit.median_s), habit.sigma))
        for fault in self.faults:
            if fault.hits(habit.name, tenant):
                refusal = await self._apply(fault, tenant, event_count)
                if refusal is not None:
                    return refusal
        return self._answer(habit, event_count)

    def _answer(self, habit: Vendor, event_count: int) -> Response:
        if self._random.random() < habit.unavailable_ratio:
            return JSONResponse({"error": "try again"}, status_code=503)
        rejected = [i for i in range(event_count) if self._random.random() < habit.rejected_ratio]
        return JSONResponse({"accepted": event_count - len(rejected), "rejected": rejected})

    async def _apply(self, fault: VendorFault, tenant: str, event_count: int) -> Response | None:
        """The answer that the fault forces, None if it lets the request pass."""
        match fault.mode:
            case "status":
                return JSONResponse({"error": "told to fail"}, status_code=fault.status)
            case "rate_limit":
                return self._limit(fault, tenant, event_count)
            case "slow":
                await self._clock.sleep(fault.delay_s)
            case "hang":
                await self._clock.sleep(HANG_S)
        return None

    def _limit(self, fault: VendorFault, tenant: str, event_count: int) -> Response | None:
        """A leaky bucket: a taken batch blocks the customer for as long as it is worth."""
        key, now = (fault.integration, tenant), self._clock.now()
        if self._free_at[key] > now:
            wait_s = max(1, math.ceil(self._free_at[key] - now))
            return JSONResponse(
                {"error": "slow down"}, status_code=429, headers={"retry-after": str(wait_s)}
            )
        self._free_at[key] = now + event_count / fault.events_per_s
        return None


async def run(options: argparse.Namespace) -> None:
    """Serve until cancelled."""
    async with serving(Vendors(LiveClock(), options.seed).app(), options.host, options.port):
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m examples.router.vendors")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8701)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    asyncio.run(until_told_to_stop(run(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
