"""The queue between ingest and workers: in process, RabbitMQ or NATS JetStream.

Every kind keeps one queue per integration and one for dead letters, hands messages out until they
are acknowledged (a worker that dies gives its messages back), and tells its depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from examples.router.clock import Clock
from examples.router.message import Message

DEAD_LETTER = "dead-letter"


class QueueFull(Exception):
    """Nothing more is taken now, and nothing of this call was."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in a worker's hands, not yet acknowledged."""

    message: Message
    taken_at: float
    token: Any
    """The queue's own handle."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How full one queue is."""

    backlog: int
    """Messages waiting, not counting those in workers' hands."""
    oldest_age_s: float
    """Age of the oldest waiting message; 0 when none waits."""
    in_total: int
    """Put since this router started."""
    out_total: int
    """Acknowledged since this router started."""
    consumers: int
    in_flight: int
    """In workers' hands."""


class MessageQueue(Protocol):
    """What ingest, workers and the report need of a queue."""

    async def open(self, names: Sequence[str]) -> None:
        """Connect and make sure that these queues exist."""
        ...

    async def put(self, messages: Sequence[Message], name: str | None = None) -> None:
        """Keep the messages, each in its integration's queue or all in `name`'s.

        Returns once they are safe to the degree the queue promises.

        Raises:
            QueueFull: nothing was kept.
        """
        ...

    async def take(self, name: str, limit: int) -> list[Taken]:
        """Up to `limit` waiting messages, at least one: waits until there is one."""
        ...

    async def acknowledge(self, name: str, taken: Sequence[Taken]) -> None:
        """These are dealt with."""
        ...

    async def depths(self) -> dict[str, Depth]:
        """How full each queue is now."""
        ...

    async def close(self) -> None:
        """Give everything unacknowledged back and disconnect."""
        ...


def make_queue(kind: str, url: str, clock: Clock, prefix: str = "router") -> MessageQueue:
    """The queue called `kind`: `memory`, `rabbitmq` or `nats`.

    Raises:
        ValueError: no such kind.
    """
    if kind == "memory":
        from examples.router.queues.memory import MemoryQueue

        return MemoryQueue(clock)
    if kind == "rabbitmq":
        from examples.router.queues.rabbitmq import RabbitQueue

        return RabbitQueue(url or "amqp://guest:guest@127.0.0.1", clock, prefix)
    if kind == "nats":
        from examples.router.queues.nats import NatsQueue

        return NatsQueue(url or "nats://127.0.0.1:4222", clock, prefix)
    raise ValueError(f"no queue of kind {kind!r}; there are memory, rabbitmq and nats")
