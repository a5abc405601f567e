"""The load: customers' sources sending events to the router, on a seed, following the script.

Every (customer, source) posts every two seconds, each at a moment of its own, what fell
due since its last post: a Poisson number around its rate at that time of the week.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import httpx
import numpy as np
from examples.router.clock import Clock, LiveClock
from examples.router.faults import Script, demo_script
from examples.router.fleet import PERIOD_S, SEED, Customer, customers, daily_factor
from examples.router.serving import until_told_to_stop

KEPT_EVENTS = 2000
"""Events a source keeps for its next post when the router does not take them."""
NAMES = ("page_view", "add_to_cart", "purchase", "sign_up", "search")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to."""

    router_url: str
    vendors_url: str
    start_at: float
    """Epoch seconds; the script's seconds count from here."""


class Sender:
    """One source of one customer."""

    def __init__(self, customer: Customer, source: str, share: float, seed: Sequence[int]) -> None:
        self.customer, self.source = customer, source
        self._rate_per_s = customer.messages_per_s * share
        self._rng = np.random.default_rng(seed)
        self._made = 0
        self.waiting: list[dict[str, Any]] = []

    @property
    def phase_s(self) -> float:
        """Its own moment of the period."""
        return crc32(f"{self.customer.key}/{self.source}".encode()) % 1000 / 1000 * PERIOD_S

    def fall_due(self, at: float, sending_s: float) -> None:
        """Make the events of `sending_s` seconds up to `at` (epoch seconds)."""
        factor = float(daily_factor(np.array([at]))[0])
        for _ in range(int(self._rng.poisson(self._rate_per_s * factor * sending_s))):
            self.waiting.append(self._event(at))
        del self.waiting[:-KEPT_EVENTS]

    def _event(self, at: float) -> dict[str, Any]:
        self._made += 1
        return {
            "id": f"{self.customer.name}-{self.source}-{round(at * 1000)}-{self._made}",
            "name": NAMES[int(self._rng.integers(len(NAMES)))],
            "user": f"u{int(self._rng.integers(100_000))}",
            "time": round(at, 3),
            "consent": bool(self._rng.random() >= self.customer.refused_ratio),
            "properties": {"path": "/products/42", "value": int(self._rng.integers(1, 500))},
        }


class Load:
    """All sources of all customers, and the faults of the vendors."""

    def __init__(
        self,
        fleet: Sequence[Customer],
        script: Script,
        target: Target,
        client: httpx.AsyncClient,
        clock: Clock,
        seed: int = SEED,
    ) -> None:
        self._script, self._target, self._client, self._clock = script, target, client, clock
        pairs = [(one, *source) for one in fleet for source in one.sources]
        self.senders = [Sender(*pair, seed=(seed, i)) for i, pair in enumerate(pairs)]
        self.accepted: Counter[str] = Counter()
        """Events that the router took, by customer."""

    async def run(self) -> None:
        """Send for ever, beginning exactly at the start."""
        await self._clock.sleep(max(0.0, self._target.start_at - self._clock.now()))
        await asyncio.gather(self._follow_script(), *(self._send(one) for one in self.senders))

    async def _follow_script(self) -> None:
        told: object = None
        while True:
            faults = self._script.vendor_faults(self._clock.now() - self._target.start_at)
            if faults != told and await self._tell(faults):
                told = faults
            await self._clock.sleep(0.5)

    async def _tell(self, faults: Sequence[Any]) -> bool:
        body = [{name: getattr(one, name) for name in one.__slots__} for one in faults]
        try:
            answer = await self._client.put(f"{self._target.vendors_url}/control/faults", json=body)
        except httpx.TransportError:
            return False
        return answer.is_success

    async def _send(self, sender: Sender) -> None:
        start_at = self._target.start_at
        last_at, due_at = start_at, start_at + sender.phase_s
        while True:
            await self._clock.sleep(max(0.0, due_at - self._clock.now()))
            now = max(self._clock.now(), last_at)
            sending_s = self._script.sending_s(
                sender.customer.name, last_at - start_at, now - start_at
            )
            sender.fall_due(now, sending_s)
            await self._post(sender)
            last_at, due_at = now, max(due_at + PERIOD_S, now)

    async def _post(self, sender: Sender) -> None:
        if not sender.waiting:
            return
        sent = len(sender.waiting)
        try:
            answer = await self._client.post(
                f"{self._target.router_url}/v1/events",
                params={"source": sender.source},
                headers={"x-api-key": sender.customer.key, "content-type": "application/json"},
                content=json.dumps(sender.waiting, separators=(",", ":")),
            )
        except httpx.TransportError:
            return
        if answer.is_success:
            self.accepted[sender.customer.name] += sent
            del sender.waiting[:sent]


async def run(options: argparse.Namespace) -> None:
    """Send until cancelled."""
    clock, fleet = LiveClock(), customers(options.seed)
    script = Script()
    if options.faults == "demo":
        script = demo_script(
            fleet,
            options.silence_after,
            options.silence,
            options.outage_after,
            options.outage,
        )
    start_at = options.start_at or clock.now()
    target = Target(options.router, options.vendors, start_at)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        await Load(fleet, script, target, client, clock, options.seed).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m examples.router.load")
    parser.add_argument("--router", default="http://127.0.0.1:8700", help="the router's address")
    parser.add_argument("--vendors", default="http://127.0.0.1:8701", help="the vendors' address")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--start-at", type=float, default=0.0, help="epoch seconds; default: now")
    parser.add_argument("--faults", choices=("none", "demo"), default="none")
    parser.add_argument("--silence-after", type=float, default=60.0, help="seconds from the start")
    parser.add_argument("--outage-after", type=float, default=80.0, help="seconds from the start")
    parser.add_argument("--silence", type=float, default=240.0, help="seconds it lasts")
    parser.add_argument("--outage", type=float, default=180.0, help="seconds it lasts")
    options = parser.parse_args(arguments)
    asyncio.run(until_told_to_stop(run(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
