"""NATS JetStream: every count is exact, on a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, RetentionPolicy
from tests import services
from tests.receive.collectors.conftest import settings_of
from tests.services import Service

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker
NAMES = ("backlog", "in_flight", "in_total", "out_total")


def looked(server: Service, scene: Callable[[Client, str], Awaitable[None]]) -> Bench:
    """What one look finds after a scene on a stream of its own, whose name is given."""
    stream = f"T{uuid.uuid4().hex[:8]}"

    async def run() -> Bench:
        client = await nats.connect(f"nats://127.0.0.1:{server.port}")
        bench = bench_of(settings_of("nats", f"nats://127.0.0.1:{server.port}"))
        try:
            await scene(client, stream)
            async with bench.running():
                await bench.until(lambda b: b.health.reads_total)
        finally:
            await client.jetstream().delete_stream(stream)
            await client.close()
        return bench

    return asyncio.run(run())


def test_a_consumer_of_all_is_counted_by_messages(nats_server: Service) -> None:
    async def scene(client: Client, stream: str) -> None:
        js = client.jetstream()
        await js.add_stream(name=stream, subjects=[f"{stream}.>"])
        for number in range(10):
            await js.publish(f"{stream}.{number % 2}", b"x")
        pull = await js.pull_subscribe("", durable="mail", stream=stream)
        taken = await pull.fetch(6)
        await asyncio.gather(*(one.ack_sync() for one in taken[:2]))
        await taken[2].nak()
        await client.flush()
        (again,) = await pull.fetch(1)
        assert again.metadata.num_delivered == 2
        await js.add_consumer(stream, ConsumerConfig(durable_name="idle"))

    bench = looked(nats_server, scene)
    mail, idle = (next(r for r in bench.rows if r["queue"].endswith(n)) for n in ("mail", "idle"))
    assert [mail[name] for name in NAMES] == [4, 4, 10, 2]
    assert [idle[name] for name in NAMES] == [10, 0, 10, 0]
    assert mail["consumers"] is None, "who pulls is not known between two pulls"
    assert 0 < mail["oldest_age_s"] < idle["oldest_age_s"] < 60
    assert {one.oldest_age_method for one in bench.health.queues} == {AgeMethod.HEAD}


def test_a_consumer_of_a_subject_sees_its_own_only(nats_server: Service) -> None:
    async def scene(client: Client, stream: str) -> None:
        js = client.jetstream()
        await js.add_stream(name=stream, subjects=[f"{stream}.>"])
        for number in range(9):
            await js.publish(f"{stream}.{number % 3}", b"x")
        pull = await js.pull_subscribe(f"{stream}.1", durable="ones", stream=stream)
        for one in await pull.fetch(2):
            await one.ack_sync()

    (row,) = looked(nats_server, scene).rows
    assert [row[name] for name in NAMES] == [1, 0, 3, 2]
    assert row["oldest_age_s"] > 0


def test_push_consumers_and_streams_that_nobody_consumes(nats_server: Service) -> None:
    async def scene(client: Client, stream: str) -> None:
        js = client.jetstream()
        await js.add_stream(
            name=stream, subjects=[stream], retention=RetentionPolicy.LIMITS, max_msgs=4
        )
        for _ in range(6):
            await js.publish(stream, b"x")

    (row,) = looked(nats_server, scene).rows
    assert [row[name] for name in NAMES] == [4, None, 6, 2]

    async def pushed(client: Client, stream: str) -> None:
        js = client.jetstream()
        await js.add_stream(name=stream, subjects=[stream])
        config = ConsumerConfig(durable_name="push", deliver_subject=f"to-{stream}")
        await js.add_consumer(stream, config)

    (row,) = looked(nats_server, pushed).rows
    assert (row["consumers"], row["backlog"], row["oldest_age_s"]) == (0, 0, 0)


ACCOUNTS = """
jetstream {{ store_dir: "{folder}/store" }}
accounts {{
  JS {{ jetstream: enabled, users: [
    {{ user: "all", password: "s3cret" }},
    {{ user: "few", password: "s3cret", permissions: {{ publish: "orders.>" }} }} ] }}
  PLAIN {{ users: [ {{ user: "plain", password: "s3cret" }} ] }}
}}
"""


def test_who_may_not_read_is_told_so(tmp_path: Path) -> None:
    server = services.nats(tmp_path / "nats", ACCOUNTS.format(folder=tmp_path))
    with services.running(server):
        url = f"nats://127.0.0.1:{server.port}"

        def told(user: str, password: str) -> tuple[Fault | None, str]:
            settings = settings_of("nats", url, username=user, password=password, timeout_s=2.0)
            health = bench_of(settings).look().health
            assert password not in health.last_error
            return health.fault, health.last_error

        assert told("all", "s3cret") == (None, "")
        fault, text = told("all", "wr0ng")
        assert fault is Fault.CREDENTIALS
        assert "does not accept the credentials (user all)" in text
        fault, text = told("few", "s3cret")
        assert fault is Fault.PERMISSION
        assert "does not let few ask $JS.API" in text
        fault, text = told("plain", "s3cret")
        assert fault is Fault.GONE
        assert "JetStream is not enabled there, or not for this account" in text
