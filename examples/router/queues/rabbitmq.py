"""RabbitMQ: durable queues, persistent messages, publisher confirms, acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractRobustConnection
from examples.router.clock import Clock
from examples.router.message import Message
from examples.router.queues import DEAD_LETTER, Depth, Taken
from examples.router.queues.counts import Counts

PREFETCH = 1000
"""Messages a worker may hold unacknowledged."""


class RabbitQueue:
    """One durable queue per integration, named `<prefix>.<integration>`."""

    def __init__(self, url: str, clock: Clock, prefix: str) -> None:
        self._url, self._clock, self._prefix = url, clock, prefix
        self._counts: dict[str, Counts] = {}
        self._arrived: dict[str, asyncio.Queue[AbstractIncomingMessage]] = {}
        self._connection: AbstractRobustConnection | None = None
        self._publishing: AbstractChannel | None = None
        self._consuming: list[AbstractChannel] = []

    async def open(self, names: Sequence[str]) -> None:
        """Connect, declare the queues, and start consuming all but the dead-letter."""
        self._connection = await aio_pika.connect_robust(self._url)
        self._publishing = await self._connection.channel(publisher_confirms=True)
        for name in (*names, DEAD_LETTER):
            await self._publishing.declare_queue(self._queue_name(name), durable=True)
            self._counts[name] = Counts(consumers=int(name != DEAD_LETTER))
        for name in names:
            await self._consume(self._connection, name)

    async def _consume(self, connection: AbstractRobustConnection, name: str) -> None:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.declare_queue(self._queue_name(name), durable=True)
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._arrived[name] = arrived
        await queue.consume(arrived.put)
        self._consuming.append(channel)

    def _queue_name(self, name: str) -> str:
        return f"{self._prefix}.{name}"

    async def put(self, messages: Sequence[Message], name: str | None = None) -> None:
        """Publish persistently; returns when the broker has confirmed all of them."""
        await asyncio.gather(*(self._publish(one, name or one.integration) for one in messages))

    async def _publish(self, message: Message, name: str) -> None:
        assert self._publishing is not None, "open() first"  # noqa: S101
        body = aio_pika.Message(
            message.encode(),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message.id,
            headers=message.headers(),
        )
        await self._publishing.default_exchange.publish(body, routing_key=self._queue_name(name))
        self._counts[name].put(1)

    async def take(self, name: str, limit: int) -> list[Taken]:
        """Up to `limit` of the prefetched messages, waiting for the first."""
        arrived = self._arrived[name]
        incoming = [await arrived.get()]
        while len(incoming) < limit and not arrived.empty():
            incoming.append(arrived.get_nowait())
        now = self._clock.now()
        taken = [Taken(Message.decode(one.body, one.headers), now, one) for one in incoming]
        self._counts[name].taken(len(taken), taken[-1].message.queued_at)
        return taken

    async def acknowledge(self, name: str, taken: Sequence[Taken]) -> None:
        """Acknowledge each: those of other tenants around them may still be in flight."""
        for one in taken:
            await one.token.ack()
        self._counts[name].acknowledged(len(taken))

    async def depths(self) -> dict[str, Depth]:
        """Waiting at the broker, and prefetched but not yet in a worker's hands."""
        now = self._clock.now()
        return {
            name: counts.depth(await self._waiting(name), now)
            for name, counts in self._counts.items()
        }

    async def _waiting(self, name: str) -> int:
        assert self._publishing is not None, "open() first"  # noqa: S101
        # a robust channel answers a passive declaration from its memory; the one below asks
        channel = await self._publishing.get_underlay_channel()
        declared = await channel.queue_declare(self._queue_name(name), passive=True)
        prefetched = self._arrived[name].qsize() if name in self._arrived else 0
        return (declared.message_count or 0) + prefetched

    async def close(self) -> None:
        """Disconnect; the broker gives unacknowledged messages to the next consumer."""
        for channel in self._consuming:
            await channel.close()
        if self._connection is not None:
            await self._connection.close()
