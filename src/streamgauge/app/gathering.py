"""Everything that gathers beside the HTTP routes: listeners and collectors, each a loop of its own.

They begin once the store takes bodies and end before it is closed. One that fails ends nothing but
itself: it is expected to go on by itself and to say in its health why it cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from streamgauge.app.collecting import collectors
from streamgauge.app.configuration import Configuration
from streamgauge.app.listening import listeners
from streamgauge.app.otlp import otlp_listeners
from streamgauge.app.scraping import scrapers
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.intake import Intake
from streamgauge.receive.meaning.metering import Metering

log = structlog.get_logger()


class Gatherer(Protocol):
    """One way in."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Gather until `stop`."""
        ...


def gatherers(
    configuration: Configuration, intake: Intake, metering: Metering, registry: GathererRegistry
) -> list[Gatherer]:
    """What is configured; each tells `registry` how it is doing."""
    return [
        *collectors(configuration, intake, registry),
        *scrapers(configuration, metering, registry),
        *otlp_listeners(configuration, metering),
        *listeners(configuration, metering, registry),
    ]


async def gather(ways: Sequence[Gatherer], stop: asyncio.Event) -> None:
    """Run all of them until `stop`."""
    async with asyncio.TaskGroup() as group:
        for way in ways:
            group.create_task(_run(way, stop), name=way.name)


async def _run(way: Gatherer, stop: asyncio.Event) -> None:
    try:
        await way.run(stop)
    except Exception as error:  # a mistake of ours must not end the others
        why = f"{type(error).__name__}: {error}"
        log.error("no longer gathers", way=way.name, reason=why)  # noqa: TRY400
