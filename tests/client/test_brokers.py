"""Ids and first stamps travel through real brokers, each in its own shape of headers."""

from __future__ import annotations

import asyncio
import socket
import uuid
from typing import Any

import pytest

from streamgauge.client import Trace, read, stamp

AT = 1_795_500_000.25
EXPECTED = Trace("m-1", AT)
WITHIN_S = 30.0


def needs(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)):
            pytest.skip(f"no broker listens on 127.0.0.1:{port}")


@pytest.mark.broker
def test_rabbitmq() -> None:
    aio_pika = pytest.importorskip("aio_pika")
    needs(5672)

    async def run() -> Any:
        async with await aio_pika.connect("amqp://guest:guest@127.0.0.1") as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(f"test-{uuid.uuid4().hex}", exclusive=True)
            headers = stamp({"retries": 3}, id="m-1", at=AT)
            message = aio_pika.Message(b"body", headers=headers)
            await channel.default_exchange.publish(message, routing_key=queue.name)
            return (await queue.get(timeout=WITHIN_S, no_ack=True)).headers

    headers = asyncio.run(run())
    assert read(headers) == EXPECTED
    assert headers["retries"] == 3
    assert read(stamp(headers, id="m-2", at=7.0)) == EXPECTED


@pytest.mark.broker
def test_nats() -> None:
    nats = pytest.importorskip("nats")
    needs(4222)

    async def run() -> Any:
        client = await nats.connect("nats://127.0.0.1:4222")
        subject = f"test.{uuid.uuid4().hex}"
        subscription = await client.subscribe(subject)
        await client.publish(subject, b"body", headers=stamp({"Kind": "view"}, id="m-1", at=AT))
        await client.publish(subject, b"body")
        found = [(await subscription.next_msg(WITHIN_S)).headers for _ in range(2)]
        await client.close()
        return found

    stamped, bare = asyncio.run(run())
    assert read(stamped) == EXPECTED
    assert stamped["Kind"] == "view"
    assert read(bare) == Trace()
    assert read(stamp(bare, id="m-1", at=AT)) == EXPECTED


def test_kafka() -> None:
    kafka = pytest.importorskip("confluent_kafka")
    topic = f"test-{uuid.uuid4().hex}"
    producer = kafka.Producer({"test.mock.num.brokers": 1})
    brokers = ",".join(
        f"{broker.host}:{broker.port}" for broker in producer.list_topics(topic).brokers.values()
    )
    sent = stamp([("kind", b"view"), ("empty", None)], id="m-1", at=AT)
    producer.produce(topic, b"body", headers=sent)
    assert producer.flush(WITHIN_S) == 0
    consumer = kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(WITHIN_S)
    headers = message.headers()
    consumer.close()
    assert headers == sent
    assert read(headers) == EXPECTED
    assert read(stamp(headers, id="m-2")) == EXPECTED
