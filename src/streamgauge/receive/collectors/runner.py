"""Polls one collector for as long as the process runs, whatever happens to its broker.

A poll is: connect if need be → read, both within one time limit → whose queues they are → the age
of their oldest message where it was not told → keep → tell the health. A poll that fails closes the
connection; the next one comes later and later, up to a minute, with jitter, and connects anew. A
library that ignores that it is cancelled is left behind, not waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.model.gatherer import Fault, QueueReading
from streamgauge.receive.collectors.age import Ages
from streamgauge.receive.collectors.build import build_collector
from streamgauge.receive.collectors.collector import Collector, CollectorSettings
from streamgauge.receive.collectors.faults import CollectorFault, explain, hangs
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.collectors.rows import parsed_of
from streamgauge.receive.gating import gated
from streamgauge.receive.intake import Intake, Origin

log = structlog.get_logger()
T = TypeVar("T")

MAX_BACKOFF_S = 60.0
MAX_BACKOFF_POLLS = 6.0
CANCEL_GRACE_S = 1.0
MAX_QUEUES = 10_000

Make = Callable[[CollectorSettings], Collector]


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait for the next poll."""

    every_s: float

    def after_failures(self, failures: int, chance: float) -> float:
        """Seconds: doubled by each failure in a row, up to a minute or six polls; ± 20 %.

        Args:
            failures: in a row, at least one.
            chance: 0 … 1.
        """
        longest_s = max(self.every_s, min(MAX_BACKOFF_S, MAX_BACKOFF_POLLS * self.every_s))
        pause_s = min(self.every_s * 2.0 ** min(failures - 1, 16), longest_s)
        return pause_s * (0.8 + 0.4 * chance)


class CollectorRunner:
    """A gatherer: `app.gathering` runs it."""

    def __init__(
        self,
        settings: CollectorSettings,
        intake: Intake,
        pulse: Pulse,
        make: Make = build_collector,
    ) -> None:
        """Nothing is imported or connected before `run`.

        Args:
            settings: of the collector.
            intake: keeps what is read; its clock stamps it.
            pulse: is told how each poll went.
            make: makes the collector; called in a thread.
        """
        self.name = pulse.health.name
        self._settings, self._intake, self._pulse, self._make = settings, intake, pulse, make
        self._origin = Origin(path=f"collector:{self.name}", is_answered=False, is_collected=True)
        self._ages = Ages()
        self._pause = Pause(settings.every_s)
        self._collector: Collector | None = None
        self._is_open = False

    @property
    def pulse(self) -> Pulse:
        """How it is doing."""
        return self._pulse

    def take_over(self) -> None:
        """Another process polled meanwhile: how queues moved before is not known here."""
        self._ages = Ages()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`."""
        polling = asyncio.create_task(self._poll_for_ever(), name=f"poll {self.name}")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
            stopping.cancel()
            await asyncio.wait({polling, stopping})
            await self._close()

    async def _poll_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self.poll()
            failures = self._pulse.health.failed_in_a_row
            pause_s = (
                self._pause.after_failures(failures, random.random())  # noqa: S311 - jitter
                if failures and not self._is_open
                else self._settings.every_s - (loop.time() - started)
            )
            await asyncio.sleep(max(pause_s, 0.0))

    async def poll(self) -> None:
        """One look; whatever fails ends in the health."""
        settings, where = self._settings, self._settings.address.where
        before = self._pulse.health
        try:
            late = hangs(where, settings.timeout_s)
            told = await within(self._read(), settings.timeout_s, late)
            readings = await asyncio.to_thread(self._kept, told)
        except (Overloaded, StoreError) as error:
            self._intake.count_failure(error)
            self._pulse.failed(Fault.OURS, f"what was read could not be kept: {error}")
        except Exception as error:  # one catch a turn: the next one tries again
            fault = explain(error, where)
            self._pulse.failed(fault.fault, settings.address.scrub(str(fault)))
            await self._close()
        else:
            self._pulse.succeeded(readings)
        self._tell(before.last_error if before.failed_in_a_row else "")

    async def _read(self) -> Sequence[QueueReading]:
        if self._collector is None:
            self._collector = await asyncio.to_thread(self._make, self._settings)
        if not self._is_open:
            await self._collector.open()
            self._is_open = True
        return await self._collector.read()

    def _kept(self, told: Sequence[QueueReading]) -> list[QueueReading]:
        """Named, with their ages, and kept. Blocks: in a thread."""
        named = self._settings.naming.named(told)
        if len(named) > MAX_QUEUES:
            raise CollectorFault(
                Fault.ANSWER,
                f"{len(named)} queues can be seen, {MAX_QUEUES} at most are read: "
                "choose by `include` or `exclude`",
            )
        now, guard = self._intake.gates.clock.now(), self._intake.gates.guard
        readings = self._ages.filled(named, now)
        good = [one for one in readings if not one.problem]
        if good:
            parsed = parsed_of(good, now)
            self._intake.take(
                self._origin, b"", lambda admission: gated(parsed, guard, admission, 0)
            )
        return readings

    async def _close(self) -> None:
        collector, self._is_open = self._collector, False
        if collector is None:
            return
        try:
            await within(collector.close(), CANCEL_GRACE_S, TimeoutError())
        except Exception as error:  # a broken connection may refuse even that
            log.debug("a collector did not close", collector=self.name, reason=type(error).__name__)
            self._collector = None

    def _tell(self, error_before: str) -> None:
        """Say in the log what changed, not every failure."""
        health = self._pulse.health
        error = health.last_error if health.failed_in_a_row else ""
        if error and error != error_before:
            log.warning("a collector cannot read", collector=self.name, reason=error)
        elif error_before and not error:
            log.info("a collector reads again", collector=self.name)


async def within(work: Coroutine[Any, Any, T], timeout_s: float, late: Exception) -> T:
    """What `work` returns, or `late` raised after `timeout_s`.

    The work is cancelled then; should it not listen, it is left behind after a second.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_forget)
        raise
    if done:
        return task.result()
    task.cancel()
    task.add_done_callback(_forget)
    await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
    raise late


def _forget(task: asyncio.Future[Any]) -> None:
    """Take the outcome of what nobody waits for any more."""
    if not task.cancelled():
        task.exception()
