"""What a router holds: counts its messages and tells its queues, sums sent in the background."""

from __future__ import annotations

import atexit
import os
import socket
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Never, Self
from zlib import crc32

from streamgauge.client.courier import Courier
from streamgauge.client.flow import Flow
from streamgauge.client.headers import Trace
from streamgauge.client.intervals import MAX_ERROR_CHARACTERS, Hop, Identity, Intervals, Reading
from streamgauge.client.losses import Loss, Losses
from streamgauge.client.spool import Spool
from streamgauge.client.tally import RELIEVED_ABOVE, Key, Part, Tally
from streamgauge.client.transport import HttpTransport, Transport
from streamgauge.client.waiting import InMemory, Waiting

AT_EXIT_S = 2.0
"""Given to the last batch when the program ends."""
LEAST_INTERVAL_S = 0.01
ENDS_BADLY = frozenset({"error", "dropped", "expired"})


class Gauge:
    """Counts in process, and sends the sums every `interval_s`.

    Counting never blocks and never raises: any thread, coroutine or signal handler may do it. Make
    one for a process; in a forked process it goes on by itself, with nothing of its parent's.

    Args:
        url: of streamgauge; a path in it is kept.
        token: one of the server's tokens; None where it has none.
        router: the name of this router, the host's unless given.
        version: of the router.
        spool: a folder for what waits while the server is away; processes may share it. None: it
            waits in memory, and is lost with the process.
        interval_s: what a router that is killed loses at most.
        database: the name under which InfluxQL finds what was sent.
        journeys: the share of messages with an id that are told one by one, the same ones in every
            router; the others are only counted. Errors are always told.
        max_series: distinct series in one interval; messages of further ones are dropped.
        max_waiting_bytes: of batches that wait, gzipped; beyond, the oldest are given up.
        transport: carries batches in place of HTTP.

    Raises:
        ValueError: the url or the interval is none.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8686",
        token: str | None = None,
        *,
        router: str | None = None,
        version: str = "",
        spool: str | os.PathLike[str] | None = None,
        interval_s: float = 10.0,
        database: str = "router",
        journeys: float = 1.0,
        max_series: int = 10_000,
        max_waiting_bytes: int = 64_000_000,
        transport: Transport | None = None,
    ) -> None:
        if not interval_s >= LEAST_INTERVAL_S:
            raise ValueError(f"interval_s {interval_s}: at least {LEAST_INTERVAL_S} s are wanted")
        self._losses = Losses()
        identity = Identity(socket.gethostname() if router is None else router, version)
        waiting: Waiting = (
            InMemory(max_waiting_bytes, self._losses)
            if spool is None
            else Spool(Path(spool), max_waiting_bytes, self._losses)
        )
        self._waiting, self._transport = waiting, transport or HttpTransport(url, token)
        self._has_spool = spool is not None
        self._told_below = journeys * 2**32
        self._tally = Tally(self._losses, max_series, self._start)
        self._intervals = Intervals(self._tally, self._losses, identity, database)
        self._courier = Courier(
            self._tally.fold,
            self._intervals.close,
            waiting,
            self._transport,
            interval_s,
            self._losses,
        )
        self._courier.start()
        _GAUGES.add(self)

    def message(
        self,
        *misplaced: Never,
        tenant: Part = "default",
        source: Part = "",
        integration: Part = "",
        pipeline: Part = "",
        stage: Part = "delivered",
        outcome: Part = "ok",
        reason: Part = "",
        count: int = 1,
        bytes: int = 0,  # noqa: A002
        latency_s: float | None = None,
        queue_s: float | None = None,
        id: Part = None,  # noqa: A002
        error: object = None,
        trace: Trace | None = None,
        **unknown: Never,
    ) -> None:
        """Count what happened to a message, or to `count` of them alike.

        Args:
            misplaced: nothing; arguments are given by name.
            tenant: the customer.
            source: where the customer's messages come from.
            integration: where they are delivered.
            pipeline: the route.
            stage: the step on it: `received`, `queued`, `processed`, `delivered`.
            outcome: `ok`, `error`, `filtered`, `retried`, `dropped` or `expired`.
            reason: why, in a word that many messages share.
            count: so many messages.
            bytes: of all of them.
            latency_s: seconds since the message was first seen.
            queue_s: seconds it waited in the queue before this stage.
            id: of the message; with one, it is told by itself and its journey can be followed.
            error: what went wrong, in words or an exception; errors are grouped by them.
            trace: of the message's headers: gives the id and the latency where they are not given.
            unknown: nothing; a misspelt argument is counted as a bad call.
        """
        key: Key = (tenant, source, integration, pipeline, stage, outcome, reason)
        is_plain = id is None and error is None and trace is None
        if not is_plain or unknown or misplaced:
            try:
                if misplaced or unknown:
                    self.complain(f"message() does not know {[*misplaced, *unknown]}")
                if trace is not None:
                    id = id or trace.id  # noqa: A001
                    latency_s = trace.latency_s() if latency_s is None else latency_s
                if count and self._is_told(id, error, outcome):
                    name, words = _text(id), _text(error)[:MAX_ERROR_CHARACTERS]
                    self._intervals.add_hop(
                        Hop(time.time_ns(), name, key, latency_s, queue_s, count, bytes, words)
                    )
                    return
            except Exception as wrong:  # whatever an argument's own methods raise
                self.complain(f"a message has a bad argument: {wrong!r}")
        tally = self._tally
        tally.append((key, latency_s, queue_s, count, bytes))
        if len(tally.events) > RELIEVED_ABOVE:
            tally.relieve()

    def flow(
        self,
        *,
        tenant: Part = "default",
        source: Part = "",
        integration: Part = "",
        pipeline: Part = "",
        stage: Part = "delivered",
    ) -> Flow:
        """The flow of that name, for code that counts many of its messages: cheaper a call."""
        return Flow(self._tally, (tenant, source, integration, pipeline, stage))

    def queue(
        self,
        name: str,
        *,
        backlog: float | None = None,
        oldest_age_s: float | None = None,
        in_total: float | None = None,
        out_total: float | None = None,
        consumers: float | None = None,
        in_flight: float | None = None,
        pipeline: Part = "",
        integration: Part = "",
        tenant: Part = "",
    ) -> None:
        """Tell how full a queue is now; what is None is not told.

        Args:
            name: of the queue.
            backlog: messages that wait.
            oldest_age_s: seconds that the oldest of them has waited.
            in_total: messages that ever went in.
            out_total: messages that ever went out.
            consumers: who take from it.
            in_flight: messages that were handed out and are not yet acknowledged.
            pipeline: the route that it is a part of.
            integration: where its messages are delivered, if all go to one.
            tenant: whose they are, if all are one customer's.
        """
        tags = {"queue": name, "pipeline": pipeline, "integration": integration, "tenant": tenant}
        fields = {
            "backlog": backlog,
            "oldest_age_s": oldest_age_s,
            "in_total": in_total,
            "out_total": out_total,
            "consumers": consumers,
            "in_flight": in_flight,
        }
        self._intervals.add_reading(Reading(time.time_ns(), "queue", tags, fields))

    def point(
        self,
        measurement: str,
        fields: Mapping[str, float | int | str | bool | None],
        tags: Mapping[str, Part] | None = None,
    ) -> None:
        """Tell values of your own: they are stored, can be queried, charted and ruled on."""
        try:
            reading = Reading(time.time_ns(), measurement, dict(tags or {}), dict(fields))
        except (TypeError, ValueError) as error:
            self.complain(f"a point has a bad argument: {error}")
            return
        self._intervals.add_reading(reading)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send all that was counted; whether it was taken (or refused) in time. Blocks so long."""
        return self._courier.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Flush and end; what is counted afterwards is lost. A program's end calls it."""
        _GAUGES.discard(self)
        is_sent = self._courier.stop(timeout_s)
        if not is_sent:
            what_then = "it waits in the spool" if self._has_spool else "it is lost"
            self._losses.say("closed", f"closed before all was sent: {what_then}")
        return is_sent

    async def aflush(self, timeout_s: float = 10.0) -> bool:
        """As `flush`, for coroutines."""
        from asyncio import to_thread

        return await to_thread(self.flush, timeout_s)

    async def aclose(self, timeout_s: float = 10.0) -> bool:
        """As `close`, for coroutines."""
        from asyncio import to_thread

        return await to_thread(self.close, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _is_told(self, message_id: Part, error: object, outcome: Part) -> bool:
        """Whether a message is told by itself, and not only counted."""
        if error or not message_id:
            return bool(error)
        is_chosen = crc32(_text(message_id).encode(errors="replace")) < self._told_below
        return is_chosen or outcome in ENDS_BADLY

    def complain(self, text: str) -> None:
        """Count a call with an argument that cannot be used; the first is logged."""
        self._losses.add(Loss.BAD_CALLS, 1, text)

    def _start(self) -> None:
        self._courier.start()

    def _forget(self) -> None:
        """In a process that was forked: all here is the parent's, who tells it."""
        self._losses.forget_all()
        self._tally.forget()
        self._intervals.forget()
        self._waiting.forget()
        self._transport.close()  # the parent's connection, of which this process has a copy
        self._courier.forget()


def _text(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return "" if value is None else str(value)


_GAUGES: weakref.WeakSet[Gauge] = weakref.WeakSet()


def _forget_all() -> None:
    for gauge in list(_GAUGES):
        gauge._forget()


def _close_all() -> None:
    """Bounded in time: all gauges share it."""
    deadline = time.monotonic() + AT_EXIT_S
    for gauge in list(_GAUGES):
        gauge.close(max(deadline - time.monotonic(), 0.0))


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_close_all)
