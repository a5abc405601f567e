"""Every kind of queue keeps the same promises: all events accounted, nothing lost by a restart."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from examples.router.clock import LiveClock
from examples.router.message import Message, id_of
from examples.router.queues import DEAD_LETTER, MessageQueue, make_queue
from examples.router.reporting.by_client import ByClient
from examples.router.vendors import VendorFault
from examples.router.worker import Policy
from tests.client.taking import Taking
from tests.examples.recorded import Recorded
from tests.examples.rig import INTEGRATIONS, Rig

from streamgauge.client import Gauge, Trace, read

PORTS = {"rabbitmq": 5672, "nats": 4222}
WITHIN_S = 30.0


def listens(port: int) -> bool:
    """Whether somebody answers on that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(
    params=[
        pytest.param("rabbitmq", marks=pytest.mark.broker),
        pytest.param("nats", marks=pytest.mark.broker),
    ]
)
def broker(request: pytest.FixtureRequest) -> str:
    """A kind of broker that runs on this machine."""
    kind = str(request.param)
    if not listens(PORTS[kind]):
        pytest.skip(f"no {kind} listens on 127.0.0.1:{PORTS[kind]}")
    return kind


async def _remove(kind: str, prefix: str) -> None:
    """Leave nothing behind at the broker."""
    if kind == "rabbitmq":
        import aio_pika

        async with await aio_pika.connect("amqp://guest:guest@127.0.0.1") as connection:
            channel = await connection.channel()
            for name in (*INTEGRATIONS, DEAD_LETTER):
                await channel.queue_delete(f"{prefix}.{name}")
    else:
        import nats

        client = await nats.connect("nats://127.0.0.1:4222")
        await client.jetstream().delete_stream(prefix)
        await client.close()


def on_broker(kind: str, scene: Callable[[str], Awaitable[None]]) -> None:
    """Run a scene under a prefix of its own and clean up."""

    async def run() -> None:
        prefix = f"test-{uuid.uuid4().hex[:12]}"
        try:
            async with asyncio.timeout(WITHIN_S * 2):
                await scene(prefix)
        finally:
            await _remove(kind, prefix)

    asyncio.run(run())


async def eventually(look: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll until true."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await look():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {WITHIN_S:g} s") from None


def test_every_event_is_accounted_on_a_real_broker(broker: str) -> None:
    async def scene(prefix: str) -> None:
        clock = LiveClock()
        quick = Policy(attempts=2, first_backoff_s=0.01)
        server = Taking()
        gauge = Gauge(router="router-7", interval_s=86_400, transport=server)
        recorded = Recorded(also=ByClient(gauge))
        rig = Rig(clock, make_queue(broker, "", clock, prefix), quick, reporting=recorded)
        rig.fail(
            VendorFault("ga4", "status", ("globex",), status=500),
            VendorFault("webhook", "status", ("acme",), status=401),
        )
        async with rig.service.running():
            for _ in range(5):
                assert (await rig.post("acme", 20)).status_code == 202
                assert (await rig.post("acme", 5, consent=False)).status_code == 202
                assert (await rig.post("globex", 10)).status_code == 202

            async def is_empty() -> bool:
                return not any((await rig.waiting()).values())

            async def is_accounted() -> bool:
                # an empty queue may still have events in a worker's hands
                return not any((await rig.unaccounted()).values())

            await eventually(is_empty, "the end of the burst")
            await eventually(is_accounted, "the account of every event")
            letters = (await rig.queue.depths())[DEAD_LETTER]
            assert letters.backlog == 5 * 10 + 5 * 25
            assert await gauge.aflush(WITHIN_S)
        assert server.messages == len(recorded.hops), "the client told each of them once"
        told = [json.loads(line) for line in server.body("/v1/messages").splitlines()]
        assert Counter(one["reason"] for one in told if one["outcome"] == "error") == {
            "http_500": 50,
            "unauthorized": 125,
        }
        words = {one["reason"]: one["error"] for one in told if one["outcome"] == "error"}
        assert words["http_500"].startswith("status 500: ")
        assert words["unauthorized"].startswith("status 401: ")
        ends = recorded.counts("tenant", "integration", "outcome", "reason")
        assert ends["acme", "ga4", "ok", ""] == 100
        assert ends["acme", "ga4", "filtered", "consent"] == 25
        assert ends["globex", "ga4", "error", "http_500"] == 50
        assert ends["globex", "ga4", "retried", "http_500"] == 50
        assert ends["acme", "webhook", "error", "unauthorized"] == 125
        assert ends["globex", "webhook", "ok", ""] == 50

    on_broker(broker, scene)


def _message(number: int, now: float) -> Message:
    return Message(f"m-{number}", "acme", "web", "s3", now, now, 11, {"n": number})


async def _take(queue: MessageQueue, count: int) -> list[str]:
    taken = []
    while len(taken) < count:
        some = await queue.take("s3", 50)
        await queue.acknowledge("s3", some)
        taken += [one.message.id for one in some]
    return sorted(taken)


def test_messages_outlive_the_router_that_held_them(broker: str) -> None:
    async def scene(prefix: str) -> None:
        clock = LiveClock()
        first = make_queue(broker, "", clock, prefix)
        await first.open(INTEGRATIONS)
        sent = [_message(number, 1_795_500_000.25) for number in range(20)]
        await first.put(sent)
        held = await first.take("s3", 8)
        await first.close()

        second = make_queue(broker, "", clock, prefix)
        await second.open(INTEGRATIONS)

        async def is_empty() -> bool:
            depth = (await second.depths())["s3"]
            return (depth.backlog, depth.in_flight, depth.out_total) == (0, 0, 20)

        try:
            assert await _take(second, 20) == sorted(one.id for one in sent)
            assert held[0].message in sent, "the stamps travel with the message"
            await eventually(is_empty, "an empty queue")
        finally:
            await second.close()

    on_broker(broker, scene)


async def _headers_of_one(kind: str, prefix: str) -> Any:
    """What a foreign consumer finds beside the first message."""
    if kind == "rabbitmq":
        import aio_pika

        async with await aio_pika.connect("amqp://guest:guest@127.0.0.1") as connection:
            queue = await (await connection.channel()).get_queue(f"{prefix}.{DEAD_LETTER}")
            return (await queue.get(timeout=WITHIN_S, no_ack=True)).headers
    import nats

    client = await nats.connect("nats://127.0.0.1:4222")
    try:
        found = await client.jetstream().get_msg(prefix, seq=1)
        return found.headers
    finally:
        await client.close()


def test_id_and_first_stamp_stand_in_the_headers_for_any_consumer(broker: str) -> None:
    async def scene(prefix: str) -> None:
        queue = make_queue(broker, "", LiveClock(), prefix)
        await queue.open(INTEGRATIONS)
        try:
            await queue.put([_message(7, 1_795_500_000.25)], DEAD_LETTER)
            assert read(await _headers_of_one(broker, prefix)) == Trace("m-7", 1_795_500_000.25)
        finally:
            await queue.close()

    on_broker(broker, scene)


def test_the_body_does_not_say_it_again() -> None:
    message = _message(7, 1_795_500_000.25)
    assert not {"id", "received_at"} & set(json.loads(message.encode()))
    assert Message.decode(message.encode(), message.headers()) == message
    bare = Message.decode(message.encode(), None)
    assert (bare.id, bare.received_at) == ("", message.queued_at)


@pytest.mark.parametrize("given", ["", None, "\u0000\n", " "])
def test_an_event_without_an_id_that_headers_can_carry_gets_one(given: str | None) -> None:
    assert len(id_of({"id": given})) == 32


def test_a_long_id_is_the_same_before_and_behind_the_broker() -> None:
    assert id_of({"id": "x" * 300}) == "x" * 128
    assert id_of({"id": 7}) == "7"


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'kafka'; there are memory, rabbitmq and nats"):
        make_queue("kafka", "", LiveClock())
