"""NATS JetStream: one file-backed work-queue stream, a durable pull consumer per integration."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import nats
from examples.router.clock import Clock
from examples.router.message import Message
from examples.router.queues import DEAD_LETTER, Depth, Taken
from examples.router.queues.counts import Counts
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

ACK_WAIT_S = 120.0
"""After that long unacknowledged, a message is handed out again."""
FETCH_TIMEOUT_S = 2.0
MAX_IN_FLIGHT = 5000


class NatsQueue:
    """Subjects `<prefix>.<integration>` of the stream `<prefix>`."""

    def __init__(self, url: str, clock: Clock, prefix: str) -> None:
        self._url, self._clock, self._prefix = url, clock, prefix
        self._counts: dict[str, Counts] = {}
        self._held: dict[int, Msg] = {}
        self._pulls: dict[str, JetStreamContext.PullSubscription] = {}
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None

    async def open(self, names: Sequence[str]) -> None:
        """Connect, make the stream, and bind a durable consumer to each subject."""
        self._client = await nats.connect(self._url)
        self._stream = self._client.jetstream()
        await self._stream.add_stream(
            StreamConfig(
                name=self._prefix,
                subjects=[f"{self._prefix}.*"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
            )
        )
        for name in (*names, DEAD_LETTER):
            self._counts[name] = Counts(consumers=int(name != DEAD_LETTER))
            await self._bind(self._stream, name)

    async def _bind(self, stream: JetStreamContext, name: str) -> None:
        config = ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=MAX_IN_FLIGHT)
        self._pulls[name] = await stream.pull_subscribe(
            self._subject(name), durable=name, stream=self._prefix, config=config
        )

    def _subject(self, name: str) -> str:
        return f"{self._prefix}.{name}"

    async def put(self, messages: Sequence[Message], name: str | None = None) -> None:
        """Publish; returns when JetStream has stored all of them."""
        await asyncio.gather(*(self._publish(one, name or one.integration) for one in messages))

    async def _publish(self, message: Message, name: str) -> None:
        assert self._stream is not None, "open() first"  # noqa: S101
        subject = self._subject(name)
        await self._stream.publish(subject, message.encode(), headers=message.headers())
        self._counts[name].put(1)

    async def take(self, name: str, limit: int) -> list[Taken]:
        """Fetch up to `limit` messages, asking again until there is one."""
        fetched: list[Msg] = []
        while not fetched:
            with contextlib.suppress(nats.errors.TimeoutError):
                fetched = await self._pulls[name].fetch(limit, timeout=FETCH_TIMEOUT_S)
        now = self._clock.now()
        self._held.update((id(one), one) for one in fetched)
        taken = [Taken(Message.decode(one.data, one.headers), now, one) for one in fetched]
        self._counts[name].taken(len(taken), taken[-1].message.queued_at)
        return taken

    async def acknowledge(self, name: str, taken: Sequence[Taken]) -> None:
        """Acknowledge each."""
        for one in taken:
            await one.token.ack()
            self._held.pop(id(one.token), None)
        self._counts[name].acknowledged(len(taken))

    async def depths(self) -> dict[str, Depth]:
        """What the consumers have not handed out yet."""
        now = self._clock.now()
        waiting = {name: await pull.consumer_info() for name, pull in self._pulls.items()}
        return {
            name: self._counts[name].depth(info.num_pending or 0, now)
            for name, info in waiting.items()
        }

    async def close(self) -> None:
        """Give back what is in hand, so that others need not wait for ACK_WAIT_S; disconnect."""
        for message in self._held.values():
            await message.nak()
        if self._client is not None:
            await self._client.close()
