"""Which of several processes polls a broker or scrapes a target: one at a time does.

Each collector and each scrape has a lease of its own, so that receivers that are configured
differently do not stand in each other's way. With its lease the process tells the others how it is
doing: whoever decides tells people of a broker that another process cannot read.

A turn, every few seconds:
1. Take or renew the leases of all that is configured here.
2. Begin what is ours now, as a takeover where another process had it last; end what is not.
3. Look how the others are doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from streamgauge.app.gather.told_health import health_of, told_of
from streamgauge.model.errors import StoreError
from streamgauge.model.gatherer import GathererHealth
from streamgauge.receive.collectors.health import GathererRegistry, Pulse
from streamgauge.state.leases import Held, Lease, Leases

log = structlog.get_logger()

PREFIX = "gather "
LEASE_S = 30.0
"""A process that stopped without a word is followed by another one after so long."""
RENEW_S = 5.0
LAST_RENEWAL_S = LEASE_S - RENEW_S
"""Who could not renew for so long stops: another process may begin."""


class Gatherer(Protocol):
    """One way in."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Gather until `stop`."""
        ...


class Polled(Gatherer, Protocol):
    """What one process at a time gathers; it can run again after it has stopped."""

    @property
    def pulse(self) -> Pulse:
        """How it is doing."""
        ...

    def take_over(self) -> None:
        """Another process did this before: what is remembered here is no longer true."""
        ...


@dataclass(slots=True)
class _Run:
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Leasing:
    """Runs what is ours of the collectors and scrapes of this process. Lives on one event loop."""

    name = "leases"

    def __init__(
        self, leases: Leases, polled: Sequence[Polled], registry: GathererRegistry
    ) -> None:
        """Nothing is taken before `run`.

        Args:
            leases: shared with other processes; their clock is ours.
            polled: what is configured here; a process that does not receive has none.
            registry: is told how the others are doing.
        """
        self._leases, self._registry = leases, registry
        self._polled = {lease_name(one.pulse.health): one for one in polled}
        self._runs: dict[str, _Run] = {}
        self._renewed_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`; then another process may begin at once."""
        try:
            while not stop.is_set():
                await self.turn()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RENEW_S)
        finally:
            ours = list(self._runs)
            await self._end(ours)
            with contextlib.suppress(StoreError):  # else they end by themselves
                await asyncio.to_thread(self._leases.give_up, ours)

    async def turn(self) -> None:
        """One look."""
        asked_at = self._leases.clock.now()
        try:
            held = await asyncio.to_thread(self._leases.hold, self._told(), LEASE_S)
            found = await asyncio.to_thread(self._leases.told, PREFIX)
        except StoreError as error:
            log.debug("leases cannot be renewed", reason=str(error))
            if asked_at - self._renewed_at > LAST_RENEWAL_S:
                await self._end(list(self._runs))
            return
        self._renewed_at = asked_at
        await self._end([name for name in self._runs if name not in held])
        for name, lease in held.items():
            if name not in self._runs:
                self._begin(name, lease)
        self._registry.others(_told_by_others(found, self._runs))

    def _told(self) -> dict[str, dict[str, object] | None]:
        return {name: told_of(one.pulse.health) for name, one in self._polled.items()}

    def _begin(self, name: str, lease: Held) -> None:
        way, run = self._polled[name], _Run()
        if lease.owner_before not in {None, self._leases.owner}:
            log.info("gathers what another process did", way=way.name)
            way.take_over()
        run.task = asyncio.create_task(run_apart(way, run.stop), name=way.name)
        self._runs[name] = run

    async def _end(self, names: Sequence[str]) -> None:
        runs = [self._runs.pop(name) for name in names]
        for run in runs:
            run.stop.set()
        await asyncio.gather(*(run.task for run in runs if run.task))


async def run_apart(way: Gatherer, stop: asyncio.Event) -> None:
    """Run one until `stop`; a mistake of ours in it ends no other."""
    try:
        await way.run(stop)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        log.error("no longer gathers", way=way.name, reason=why)  # noqa: TRY400


def lease_name(health: GathererHealth) -> str:
    """The same in every process that is configured to gather the same."""
    what = "\n".join((health.kind, health.name, health.address))
    return PREFIX + hashlib.blake2b(what.encode(), digest_size=16).hexdigest()


def _told_by_others(
    found: Mapping[str, Lease], runs: Mapping[str, _Run]
) -> dict[str, GathererHealth]:
    """By name; of a lease that nobody renews nothing is known."""
    told = {}
    for name, lease in found.items():
        health = health_of(lease.told) if name not in runs and lease.told else None
        if health is not None:
            told[health.name] = health if lease.is_held else _unknown(health)
    return told


def _unknown(health: GathererHealth) -> GathererHealth:
    return GathererHealth(health.name, health.kind, health.address, health.every_s)
