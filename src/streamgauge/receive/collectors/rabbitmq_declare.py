"""RabbitMQ without the management plugin: named queues are declared passively over AMQP.

That tells messages and consumers, changes nothing, and needs no more than to be let in.

Source: https://www.rabbitmq.com/amqp-0-9-1-reference#queue.declare (`passive`, `declare-ok`).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelNotFoundEntity,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from streamgauge.receive.collectors.collector import CollectorSettings, QueueReading
from streamgauge.receive.collectors.faults import not_permitted, wrong_credentials

PORTS = {"amqp": 5672, "amqps": 5671}


class DeclareCollector:
    """One connection."""

    kind = "rabbitmq"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._queues = [str(name) for name in settings.options.get("queues", ())]
        self._connection: AbstractConnection | None = None

    async def open(self) -> None:
        """Connect to the virtual host of the URL."""
        parts, where = self._address.parts, self._address.where
        user = self._address.user or "guest"
        try:
            self._connection = await aio_pika.connect(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or PORTS[parts.scheme],
                login=user,
                password=self._address.secret() or "guest",
                virtualhost=unquote(parts.path[1:]) or "/",
                ssl=parts.scheme == "amqps",
                timeout=self._settings.timeout_s,
            )
        except (AuthenticationError, ProbableAuthenticationError):
            raise wrong_credentials(where, user) from None
        except (ConnectionNotAllowed, InvalidFrameError):
            vhost = unquote(parts.path[1:]) or "/"
            text = f"into the virtual host {vhost}, or there is none of that name"
            raise not_permitted(where, user, text) from None

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def read(self) -> Sequence[QueueReading]:
        """The queues that are named; one that is not there hides no other."""
        connection = self._connection
        if connection is None or connection.is_closed:
            raise ConnectionResetError
        found: list[QueueReading] = []
        channel: AbstractChannel | None = None
        for name in self._queues:
            if channel is None or channel.is_closed:  # a refusal closes it
                channel = await connection.channel(publisher_confirms=False)
            found.append(await self._declared(channel, name))
        if channel is not None and not channel.is_closed:
            await channel.close()
        return found

    async def _declared(self, channel: AbstractChannel, name: str) -> QueueReading:
        try:
            queue = await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return QueueReading(name, problem="no queue has that name: check `queues`")
        except AMQPError as error:
            if self._connection is None or self._connection.is_closed:
                raise ConnectionResetError from error
            # Such as the queue that belongs to one connection alone.
            return QueueReading(name, problem=f"the broker does not tell of it: {error}")
        told = queue.declaration_result
        return QueueReading(name, backlog=told.message_count, consumers=told.consumer_count)
