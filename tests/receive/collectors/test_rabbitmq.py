"""RabbitMQ: every count is exact, by the management API and by passive declaration."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import aio_pika
import httpx
import pytest
from tests.receive.collectors.conftest import settings_of
from tests.receive.collectors.test_examples import example, seen
from tests.services import Rabbit, program

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.receive.collectors.naming import Naming
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker
NAMES = ("backlog", "in_flight", "in_total", "out_total", "consumers")
BEHIND_S = 8.0
"""So far behind are the broker's counts at most: it samples them every 5 s."""


@pytest.fixture(scope="module")
def api(rabbit: Rabbit) -> Iterator[httpx.Client]:
    """The management API, as the administrator; with a second virtual host and some users."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{rabbit.api_port}/api", auth=("guest", "guest")
    ) as it:
        it.put("/vhosts/eu", json={})
        for name, tags, vhost in (
            ("watcher", "monitoring", "eu"),
            ("nobody", "", "/"),
        ):
            it.put(f"/users/{name}", json={"password": "s3cret", "tags": tags})
            rights = {"configure": "", "write": "", "read": ".*"}
            it.put(f"/permissions/{vhost.replace('/', '%2F')}/{name}", json=rights)
        yield it


async def _filled(
    rabbit: Rabbit, vhost: str, name: str, **options: object
) -> aio_pika.abc.AbstractConnection:
    """A queue of 20 messages, of which 5 were taken and 3 of these acknowledged."""
    connection = await aio_pika.connect(
        host="127.0.0.1", port=rabbit.port, virtualhost=vhost, login="guest", password="guest"
    )
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=5)
    queue = await channel.declare_queue(name, durable=True, arguments=dict(options))
    first = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(20):
        message = aio_pika.Message(b"x", timestamp=first + timedelta(seconds=number))
        await channel.default_exchange.publish(message, name)
    taken = [await queue.get() for _ in range(5)]
    for one in taken[:3]:
        await one.ack()
    return connection


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_queues_of_both_types_by_the_management_api(
    rabbit: Rabbit, api: httpx.Client, kind: str
) -> None:
    name = f"events.acme.{kind}"
    naming = Naming(include=(name,), patterns=("events.{tenant}.{integration}",))
    url = f"http://guest:guest@127.0.0.1:{rabbit.api_port}"
    bench = bench_of(settings_of("rabbitmq", url, naming=naming, every_s=0.3))

    async def scene() -> None:
        connection = await _filled(rabbit, "/", name, **{"x-queue-type": kind})
        async with connection, bench.running():
            await bench.until(
                lambda b: [(b.last(name) or {}).get(one) for one in NAMES[:4]] == [15, 2, 20, 3]
            )

    asyncio.run(scene())
    row = bench.last(name)
    assert row
    assert (row["tenant"], row["integration"]) == ("acme", kind)
    (seen,) = bench.health.queues
    if kind == "classic":
        assert seen.oldest_age_method is AgeMethod.BROKER
        assert row["oldest_age_s"] == pytest.approx(295, abs=10), "the sixth waits at the head"
    else:
        assert seen.oldest_age_method is AgeMethod.NONE
        assert row["oldest_age_s"] is None, "all was put before the first look"


def test_the_age_is_known_by_position_once_messages_are_seen_to_come(
    rabbit: Rabbit, api: httpx.Client
) -> None:
    name = "aging"
    url = f"http://guest:guest@127.0.0.1:{rabbit.api_port}"
    settings = settings_of("rabbitmq", url, naming=Naming(include=(name,)), every_s=0.3)
    bench = bench_of(settings)

    async def scene() -> tuple[float, float]:
        connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{rabbit.port}/")
        async with connection, bench.running():
            channel = await connection.channel()
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
            await channel.default_exchange.publish(aio_pika.Message(b"x"), name)
            await bench.until(lambda b: (b.last(name) or {}).get("in_total") == 1)
            before = time.time()
            for _ in range(3):
                await channel.default_exchange.publish(aio_pika.Message(b"x"), name)
            queue = await channel.get_queue(name)
            await (await queue.get()).ack()
            after = time.time()
            await bench.until(lambda b: (b.last(name) or {}).get("oldest_age_s") is not None)
            await bench.until(lambda b: [b.last(name)[one] for one in NAMES[:4]] == [3, 0, 4, 1])
        return before, after

    before, after = asyncio.run(scene())
    row = bench.last(name)
    assert row
    put_at = row["time_ns"] / 1e9 - row["oldest_age_s"]
    assert before - 0.5 <= put_at <= after + BEHIND_S
    assert bench.health.queues[0].oldest_age_method is AgeMethod.POSITION


def test_virtual_hosts_and_what_a_user_may_see(rabbit: Rabbit, api: httpx.Client) -> None:
    api.put("/queues/eu/orders", json={"durable": True})
    api.put("/queues/%2F/orders", json={"durable": True})
    host = f"127.0.0.1:{rabbit.api_port}"

    def seen(url: str) -> Bench:
        return bench_of(settings_of("rabbitmq", url)).look()

    everything = {row["queue"] for row in seen(f"http://guest:guest@{host}").rows}
    assert {"orders", "eu/orders"} <= everything
    assert {row["queue"] for row in seen(f"http://guest:guest@{host}/eu").rows} == {"orders"}
    assert {row["queue"] for row in seen(f"http://guest:guest@{host}/%2F").rows} <= everything
    assert "eu/orders" not in {row["queue"] for row in seen(f"http://guest:guest@{host}/%2F").rows}

    for user, password, fault, text in (
        ("guest", "wr0ng", Fault.CREDENTIALS, "does not accept the credentials (user guest)"),
        ("nobody", "s3cret", Fault.PERMISSION, "does not let nobody read queues: it needs the tag"),
    ):
        health = seen(f"http://{user}:{password}@{host}").health
        assert health.fault is fault, health.last_error
        assert text in health.last_error
        assert password not in health.last_error + health.address
    assert seen(f"http://guest:guest@{host}/nowhere").health.fault is Fault.GONE


def test_named_queues_by_amqp(rabbit: Rabbit, api: httpx.Client) -> None:
    api.put("/queues/%2F/orders", json={"durable": True})

    url = f"amqp://guest:guest@127.0.0.1:{rabbit.port}/"
    names = ("plain", "gone", "exclusive", "orders")
    bench = bench_of(settings_of("rabbitmq", url, queues=names))

    async def scene() -> None:
        await (await _filled(rabbit, "/", "plain")).close()  # what was in hands is given back
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("exclusive", exclusive=True)
            async with bench.running():
                await bench.until(lambda b: b.health.reads_total)

    asyncio.run(scene())
    rows = {row["queue"]: row for row in bench.rows}
    assert rows.keys() == {"plain", "orders"}
    assert [rows["plain"][name] for name in NAMES] == [17, None, None, None, 0]
    assert rows["orders"]["backlog"] == 0
    assert rows["orders"]["oldest_age_s"] == 0
    assert [one.queue for one in bench.health.unseen] == ["gone", "exclusive"]
    assert "gone: no queue has that name" in bench.health.last_error
    assert "exclusive: the broker does not tell of it: RESOURCE_LOCKED" in bench.health.last_error

    base = f"127.0.0.1:{rabbit.port}"
    for url, fault, text in (
        (f"amqp://guest:wr0ng@{base}/", Fault.CREDENTIALS, "does not accept the credentials"),
        (f"amqp://guest:guest@{base}/nowhere", Fault.PERMISSION, "into the virtual host nowhere"),
    ):
        health = bench_of(settings_of("rabbitmq", url, queues=("plain",))).look().health
        assert health.fault is fault, health.last_error
        assert text in health.last_error
        assert "wr0ng" not in health.last_error


def test_the_examples_of_the_documentation(rabbit: Rabbit, api: httpx.Client) -> None:
    program("curl")
    ports = {"15672": rabbit.api_port, "5672": rabbit.port}
    by_api = seen(example("RabbitMQ", ports), "events.acme.ga4")["events.acme.ga4"]
    assert (by_api["tenant"], by_api["integration"]) == ("acme", "ga4")
    by_amqp = seen(example("RabbitMQ", ports, number=1), "events.acme.ga4")["events.acme.ga4"]
    assert by_amqp["backlog"] == 1


def test_a_node_that_dies_is_told_and_seen_again(rabbit: Rabbit, api: httpx.Client) -> None:
    api.put("/queues/%2F/orders", json={"durable": True})
    url = f"http://guest:guest@127.0.0.1:{rabbit.api_port}"
    by_api = bench_of(settings_of("rabbitmq", url, naming=Naming(include=("orders",))))
    url = f"amqp://guest:guest@127.0.0.1:{rabbit.port}/"
    by_amqp = bench_of(settings_of("rabbitmq", url, queues=("orders",)))

    async def scene() -> None:
        async with by_api.running(), by_amqp.running():
            for bench in (by_api, by_amqp):
                await bench.until(lambda b: b.last("orders"))
            await asyncio.to_thread(rabbit.kill)
            for bench in (by_api, by_amqp):
                await bench.until(lambda b: b.health.fault is Fault.REFUSED)
                assert [one.queue for one in bench.health.unseen] == ["orders"]
            if os.environ.get("STREAMGAUGE_NIGHTLY"):  # it takes a node's start
                await asyncio.to_thread(rabbit.start)
                for bench in (by_api, by_amqp):
                    await bench.until(lambda b: not b.health.unseen)

    asyncio.run(scene())
