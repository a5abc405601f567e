"""Keeps what waits: joins for a quarter of a second, parses in a thread, tries again.

1. Something came: wait for more, 250 ms at most or until a body is full.
2. The oldest body is parsed and kept in a worker thread, as a body of line protocol over HTTP is.
3. The store takes nothing for now: the same body is tried again, and meanwhile the buffer fills.
4. At the end all that waits is tried once; what is not kept then is counted as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.model.gatherer import Fault
from streamgauge.receive import metrics
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.datagrams.losses import Loss, Losses
from streamgauge.receive.datagrams.waiting import Body, Waiting
from streamgauge.receive.influx import parse
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.quotas import Admission, OverQuota

log = structlog.get_logger()

JOIN_S = 0.25
"""What comes within so long is kept together."""
LOOK_S = 1.0
"""How often the kernel is asked what it dropped."""
MAX_PAUSE_S = 5.0
"""Between two tries of a body that could not be kept."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What lines of a listener mean."""

    path: str
    """`udp`, `unixgram`, `unix`: the origin, and the label in `/metrics`."""
    db: str
    """The name space of its rows."""
    precision: str
    """The unit of its time stamps; as `parse` takes it."""


class Keeper:
    """Between the buffer of one listener and the store."""

    def __init__(
        self, lines: Lines, metering: Metering, waiting: Waiting, losses: Losses, pulse: Pulse
    ) -> None:
        self._lines, self._metering, self._waiting = lines, metering, waiting
        self._losses, self._pulse = losses, pulse
        self._origin = Origin(lines.path, is_answered=False)

    async def run(self, stop: asyncio.Event, look: Callable[[], None]) -> None:
        """Keep until `stop`; what waits then is for `finish`. `look` is called every LOOK_S."""
        while not stop.is_set():
            look()
            await _first_of(stop, self._waiting.has_some, within_s=LOOK_S)
            if not self._waiting.has_some.is_set():
                continue
            await _first_of(stop, self._waiting.is_due, within_s=JOIN_S)
            self._waiting.seal()
            await self._keep_all(stop)

    async def finish(self) -> None:
        """Keep what waits, or count it as lost; nothing is added any more."""
        self._waiting.seal()
        why = "streamgauge was stopped while nothing could be kept"
        while (body := self._waiting.first()) is not None:
            if await self._keep(body) is not None:
                self._losses.count(Loss.NOT_KEPT, body.piece_count, why)
            self._waiting.done()

    async def _keep_all(self, stop: asyncio.Event) -> None:
        while not stop.is_set() and (body := self._waiting.first()) is not None:
            pause_s = await self._keep(body)
            if pause_s is None:
                self._waiting.done()
            else:
                await _first_of(stop, within_s=min(pause_s, MAX_PAUSE_S))

    async def _keep(self, body: Body) -> float | None:
        """None: it is dealt with. Else seconds after which it can be tried again."""
        try:
            await asyncio.to_thread(self._take, body)
        except OverQuota as error:
            self._count_refused(error.parsed)
        except Overloaded as error:
            return self._wait(error, float(error.retry_after_s))
        except StoreError as error:
            if not error.permanent:
                return self._wait(error, MAX_PAUSE_S)
            self._give_up(body, str(error))
        except Exception as error:  # a mistake of ours costs this body, and not the next ones
            self._give_up(body, f"{type(error).__name__}: {error}")
            log.exception("lines were lost", path=self._lines.path)
        else:
            self._pulse.succeeded()
        return None

    def _take(self, body: Body) -> None:
        """Parse and keep. Blocks: runs in a thread."""
        content = bytes(body.content)
        gates = self._metering.intake.gates

        def read(admission: Admission | None) -> Parsed:
            parsed = parse(
                content,
                precision=self._lines.precision,
                db=self._lines.db,
                received_at_ns=int(body.since * 1e9),
                guard=gates.guard,
                admission=admission,
            )
            # Nobody sends the same again here: equal bodies are two bodies.
            return replace(parsed, has_all_timestamps=False)

        self._metering.take_lines(self._origin, content, read)
        metrics.BODY_BYTES.labels(self._lines.path).inc(len(content))

    def _count_refused(self, parsed: Parsed) -> None:
        """All of a body is over limits; over HTTP it would be sent again, here it is lost."""
        ledger = self._metering.intake.gates.ledger
        ledger.count_body(parsed, is_deferred=False, is_told=False)
        metrics.count_parsed(self._lines.path, parsed)
        self._pulse.succeeded()

    def _wait(self, error: Exception, pause_s: float) -> float:
        self._pulse.failed(Fault.OURS, f"nothing can be kept for now: {error}")
        return pause_s

    def _give_up(self, body: Body, why: str) -> None:
        self._losses.count(Loss.NOT_KEPT, body.piece_count, why)
        self._pulse.failed(Fault.OURS, f"lines were lost: {why}")


async def _first_of(*events: asyncio.Event, within_s: float) -> None:
    """Wait until one of them is set, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
