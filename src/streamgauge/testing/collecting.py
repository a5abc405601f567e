"""A collector that answers as told, and a runner of any collector on a sink in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from streamgauge.model.clock import Clock, SystemClock
from streamgauge.model.gatherer import GathererHealth, QueueReading
from streamgauge.receive.collectors.build import build_collector
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.collectors.runner import CollectorRunner, Make
from streamgauge.receive.gates import gates_of
from streamgauge.receive.intake import Intake
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.testing.receiving import MemorySink

WITHIN_S = 30.0


@dataclass
class FakeCollector:
    """Answers one after the other; the last one again and again."""

    answers: Sequence[Sequence[QueueReading] | BaseException | str]
    """Readings, what is raised, or `hang` and `hang on` (also when it is cancelled once)."""
    kind: str = "fake"
    opened: int = 0
    closed: int = 0
    reads: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends what hangs on."""

    async def open(self) -> None:
        """Count it."""
        self.opened += 1

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

    async def read(self) -> Sequence[QueueReading]:
        """The next answer."""
        answer = self.answers[min(self.reads, len(self.answers) - 1)]
        self.reads += 1
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, str):
            try:
                await self.left.wait()
            except asyncio.CancelledError:
                if answer == "hang":
                    raise
                await self.left.wait()
            return []
        return answer


@dataclass
class Bench:
    """A runner, and what came of it."""

    runner: CollectorRunner
    sink: MemorySink
    registry: GathererRegistry

    @property
    def health(self) -> GathererHealth:
        """Of the one collector."""
        return self.registry.all()[0]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of queues that were kept, oldest first."""
        return [row for body in self.sink.bodies for row in body.batch.queue.to_pylist()]

    def last(self, queue: str) -> dict[str, Any] | None:
        """The newest row of a queue."""
        found = [row for row in self.rows if row["queue"] == queue]
        return found[-1] if found else None

    async def until(self, look: Callable[[Bench], Any], within_s: float = WITHIN_S) -> Any:  # noqa: ANN401
        """The first truthy answer of `look`.

        Raises:
            AssertionError: there was none in time; says how the collector is doing.
        """
        try:
            async with asyncio.timeout(within_s):
                while not (found := look(self)):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"did not come: {self.health}; {self.rows[-3:]}") from None
        return found

    def look(self) -> Bench:
        """Look once, in an event loop of its own."""

        async def run() -> None:
            async with self.running():
                await self.until(lambda bench: bench.health.reads_total)

        asyncio.run(run())
        return self

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block runs, it polls."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.runner.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, WITHIN_S)


def bench_of(
    settings: CollectorSettings, make: Make = build_collector, clock: Clock | None = None
) -> Bench:
    """A runner of its own; nothing is limited."""
    clock = clock or SystemClock()
    sink, registry = MemorySink(), GathererRegistry(clock)
    intake = Intake(sink, gates_of(clock, ReceiveLimits()))
    pulse = registry.add(settings.name, settings.kind, settings.address.shown, settings.every_s)
    return Bench(CollectorRunner(settings, intake, pulse, make), sink, registry)
