"""Everything that gathers beside the HTTP routes: listeners and collectors, each a loop of its own.

They begin once the store takes bodies and end before it is closed. One that fails ends nothing but
itself: it is expected to go on by itself and to say in its health why it cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamgauge.app.configuration import Configuration
from streamgauge.app.gather.collecting import collectors
from streamgauge.app.gather.leasing import Gatherer, Leasing, Polled, run_apart
from streamgauge.app.gather.listening import listeners
from streamgauge.app.gather.otlp import otlp_listeners
from streamgauge.app.gather.scraping import scrapers
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.intake import Intake
from streamgauge.receive.meaning.metering import Metering
from streamgauge.state.leases import Leases


def gatherers(
    configuration: Configuration,
    intake: Intake,
    metering: Metering,
    registry: GathererRegistry,
    leases: Leases | None = None,
) -> list[Gatherer]:
    """What is configured; each tells `registry` how it is doing.

    Args:
        configuration: all of it.
        intake: keeps what collectors read.
        metering: keeps what the others do.
        registry: is told how each is doing.
        leases: of a process that shares the work: of those that look by themselves, each runs in
            one process at a time. Listeners run in each.
    """
    polled: list[Polled] = [
        *collectors(configuration, intake, registry),
        *scrapers(configuration, metering, registry),
    ]
    heard: list[Gatherer] = [
        *otlp_listeners(configuration, metering, registry),
        *listeners(configuration, metering, registry),
    ]
    return [*(polled if leases is None else [Leasing(leases, polled, registry)]), *heard]


async def gather(ways: Sequence[Gatherer], stop: asyncio.Event) -> None:
    """Run all of them until `stop`."""
    async with asyncio.TaskGroup() as group:
        for way in ways:
            group.create_task(run_apart(way, stop), name=way.name)
