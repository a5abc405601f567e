"""Lines without answers, at real sockets: everything is kept once, or counted as lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError, Overloaded, StoreError
from streamgauge.model.gatherer import GathererHealth, GathererState
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.datagrams.keeping import Lines
from streamgauge.receive.datagrams.listeners import DatagramListener
from streamgauge.receive.datagrams.sockets import udp_socket, unix_socket
from streamgauge.receive.datagrams.streams import StreamListener
from streamgauge.receive.datagrams.waiting import MAX_LINES, Waiting
from streamgauge.receive.gates import Gates, gates_of
from streamgauge.receive.influx import parse
from streamgauge.receive.intake import Intake
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.testing.receiving import MemorySink

NOW = 1_800_000_000
Listener = DatagramListener | StreamListener


class World:
    """One listener on a sink in memory."""

    def __init__(self, quotas: QuotaSettings | None = None) -> None:
        self.sink, self.clock = MemorySink(), SimulatedClock(NOW)
        self.gates: Gates = gates_of(self.clock, ReceiveLimits(), quotas)
        self.metering = Metering(Intake(self.sink, self.gates))
        self.registry = GathererRegistry(self.clock)

    def udp(self, **options: Any) -> DatagramListener:
        pulse = self.registry.add("udp", "udp", "127.0.0.1")
        lines = Lines("udp", "udp", options.pop("precision", "ns"))
        opening = options.pop("opening", partial(udp_socket, "127.0.0.1", 0))
        return DatagramListener(lines, opening, self.metering, pulse, **options)

    def unixgram(self, path: Path, mode: int = 0o660) -> DatagramListener:
        pulse = self.registry.add("unixgram", "unixgram", str(path))
        opening = partial(unix_socket, path, socket.SOCK_DGRAM, mode)
        return DatagramListener(Lines("unixgram", "unix", "ns"), opening, self.metering, pulse)

    def unix(self, path: Path, **options: Any) -> StreamListener:
        pulse = self.registry.add("unix", "unix", str(path))
        opening = partial(unix_socket, path, socket.SOCK_STREAM, 0o660)
        lines = Lines("unix", "unix", "ns")
        return StreamListener(lines, opening, self.metering, pulse, **options)

    @property
    def health(self) -> GathererHealth:
        return self.registry.all()[0]

    @property
    def refused(self) -> dict[str, int]:
        """Lost lines, requests or datagrams by reason, as the page Refused has them."""
        return {one.reason.value: one.lost_day for one in self.gates.ledger.refusals()}


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[Any]:
    """Run it; what was sent is dealt with when the block is left."""
    stop = asyncio.Event()
    running = asyncio.create_task(listener.run(stop))
    await until(lambda: listener.address is not None or running.done())
    try:
        yield listener.address
    finally:
        stop.set()
        await running


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.01)


def send(address: Any, *datagrams: bytes) -> None:
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for one in datagrams:
            sender.sendto(one, address)


def message(count: int = 1, tenant: str = "acme", tail: str = "") -> bytes:
    return f"messages,tenant={tenant} count={count}i{tail}".encode()


def test_datagrams_are_joined_and_counted_also_equal_ones() -> None:
    world = World()

    async def go() -> None:
        async with listening(world.udp()) as address:
            send(address, message(2, tail=f" {NOW}000000000"), message(3) + b"\n" + message(4))
            send(address, message(2, tail=f" {NOW}000000000"), b"", b"\n\n# nothing\n")
            await until(lambda: world.sink.message_count == 11)

    asyncio.run(go())
    assert world.sink.keys == [None] * len(world.sink.bodies), "nobody retries here"
    assert (world.refused, world.health.lost_total) == ({}, 0)
    assert world.health.state is GathererState.OK


def test_lines_without_a_stamp_mean_when_they_came() -> None:
    world = World()

    async def go() -> None:
        async with listening(world.udp(precision="s")) as address:
            send(address, message(), message(tail=f" {NOW - 60}"))

    asyncio.run(go())
    stamps = [at for body in world.sink.bodies for at in body.batch.messages["time_ns"].to_pylist()]
    assert sorted(stamps) == [(NOW - 60) * 10**9, NOW * 10**9]


BAD = [
    (b"messages,tenant=acme count=oops", "syntax"),
    (b"messages,tenant=acme\xff count=1i", "encoding"),
    (message(tail=" -1"), "stamp"),
    (b"messages,tenant=acme count=-1i", "count"),
    (b'm,tenant=acme note="cut off', "syntax"),
]


@pytest.mark.parametrize(
    ("bad", "reason"), BAD, ids=[reason for _, reason in BAD[:4]] + ["cut off"]
)
def test_a_bad_datagram_costs_itself_alone(bad: bytes, reason: str) -> None:
    world = World()

    async def go() -> None:
        async with listening(world.udp()) as address:
            send(address, message(), bad, message(), bad, message())

    asyncio.run(go())
    assert world.sink.message_count == 3
    assert world.refused == {reason: 2}
    (row,) = world.gates.ledger.refusals()
    assert row.sample_line
    assert row.sample_reason
    assert not row.is_told


def test_what_our_own_buffer_cannot_hold_is_counted_exactly() -> None:
    world = World()
    world.sink.failure = Overloaded("the disk is full", 1)
    one = message(tenant="acme" + "x" * 50)

    async def go() -> None:
        async with listening(world.udp(max_waiting_bytes=10 * (len(one) + 1))) as address:
            send(address, *[one] * 25)
            await until(lambda: world.health.lost_total == 15)
            await until(lambda: world.health.state is GathererState.FAILING)
            assert "the disk is full" in world.health.last_error
            world.sink.failure = None
            await until(lambda: world.sink.message_count == 10)
            send(address, one)

    asyncio.run(go())
    assert world.sink.message_count == 11
    assert world.refused == {"unanswered": 15}
    assert (world.health.lost_total, world.health.state) == (15, GathererState.OK)


def test_what_the_kernel_drops_is_counted_exactly() -> None:
    world = World()

    def small() -> socket.socket:
        opened = udp_socket("127.0.0.1", 0)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return opened

    async def go() -> None:
        async with listening(world.udp(opening=small)) as address:
            send(address, *[message()] * 500)  # the event loop does not read meanwhile
            await until(lambda: world.sink.message_count and world.health.lost_total)

    asyncio.run(go())
    lost = world.health.lost_total
    assert lost
    assert lost > 400
    assert world.sink.message_count + lost == 500
    assert world.refused == {"unanswered": lost}


def test_what_is_over_a_limit_is_lost_and_told_as_such() -> None:
    world = World(QuotaSettings(default=TenantLimits(lines_per_s=1), burst_s=1))

    async def go() -> None:
        async with listening(world.udp()) as address:
            send(address, message())
            await until(lambda: world.sink.message_count == 1)
            send(address, b"\n".join([message()] * 5))

    asyncio.run(go())
    assert (world.sink.message_count, world.refused) == (1, {"lines_per_s": 5})
    (row,) = world.gates.ledger.refusals()
    assert (row.tenant, row.deferred_day, row.is_told) == ("acme", 0, False)


def test_only_addresses_that_are_allowed_may_send() -> None:
    world = World()
    allow = (ip_network("10.0.0.0/8"), ip_network("127.0.0.2/32"))

    async def go() -> None:
        async with listening(world.udp(allow=allow)) as address:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("127.0.0.2", 0))
                sender.sendto(message(), address)
            send(address, message(), message())

    asyncio.run(go())
    assert (world.sink.message_count, world.refused) == (1, {"not_allowed": 2})


@pytest.mark.parametrize(
    "failure",
    [StoreError("broken", permanent=True), RuntimeError("a mistake")],
    ids=["what can never be kept", "a mistake of ours"],
)
def test_a_body_that_cannot_be_kept_costs_itself_alone(failure: Exception) -> None:
    world = World()
    world.sink.failure = failure

    async def go() -> None:
        async with listening(world.udp()) as address:
            send(address, message(), message())
            await until(lambda: world.health.lost_total == 2)
            world.sink.failure = None
            send(address, message())

    asyncio.run(go())
    assert (world.sink.message_count, world.refused) == (1, {"unanswered": 2})


def test_what_waits_at_the_end_and_cannot_be_kept_is_counted() -> None:
    world = World()
    world.sink.failure = StoreError("no disk", permanent=False)

    async def go() -> None:
        async with listening(world.udp()) as address:
            send(address, *[message()] * 7)

    asyncio.run(go())
    assert (world.health.lost_total, world.refused) == (7, {"unanswered": 7})


def test_datagrams_of_a_unix_socket(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"

    async def go() -> None:
        async with listening(world.unixgram(path, 0o620)) as address:
            assert stat.S_IMODE(path.stat().st_mode) == 0o620
            send(address, message(2), b"\n".join([message(tenant="x" * 90)] * 1_000))

    asyncio.run(go())
    assert world.sink.message_count == 1_002
    assert not path.exists()


def test_a_stream_is_cut_at_line_breaks_only(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"
    body = b"".join(message(tenant=f"t{n}") + b"\n" for n in range(20_000))

    async def go() -> None:
        async with listening(world.unix(path)):
            _, one = await asyncio.open_unix_connection(path)
            _, two = await asyncio.open_unix_connection(path)
            two.write(b"messages,tenant=ac")
            await two.drain()
            one.write(body)
            await one.drain()
            two.write(b"me count=5i\nmessages,tenant=acme count=12")
            await two.drain()
            for writer in (one, two):
                writer.close()
                await writer.wait_closed()
            await until(lambda: world.sink.message_count == 20_005)

    asyncio.run(go())
    assert world.refused == {"unreadable_body": 1}, "its last line may be cut off in its count"


def test_a_stream_is_held_back_and_loses_nothing(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"
    world.sink.failure = Overloaded("the journal is full", 1)
    line = message(tenant="x" * 90) + b"\n"

    async def go() -> None:
        async with listening(world.unix(path, max_waiting_bytes=200_000)):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(line * 20_000)
            draining = asyncio.create_task(writer.drain())
            await until(lambda: world.health.state is GathererState.FAILING)
            assert not draining.done(), "its sender feels that nothing is taken"
            world.sink.failure = None
            await draining
            writer.close()

    asyncio.run(go())
    assert (world.sink.message_count, world.refused) == (20_000, {})


def test_open_connections_hand_over_what_was_sent_when_it_stops(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"
    with socket.socket(socket.AF_UNIX) as idle, socket.socket(socket.AF_UNIX) as busy:

        async def go() -> None:
            async with listening(world.unix(path)):
                for one in (idle, busy):
                    one.connect(str(path))
                busy.sendall(message() + b"\n")
                await until(lambda: world.sink.message_count == 1)
                busy.sendall(message(tenant="x" * 90) + b"\n" + message() + b"\nmess")

        asyncio.run(go())
        assert [one.recv(1) for one in (idle, busy)] == [b"", b""], "their connections are ended"
    assert (world.sink.message_count, world.refused) == (3, {"unreadable_body": 1})


def test_what_a_stream_sent_and_nothing_can_keep_is_counted_at_the_end(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"
    world.sink.failure = StoreError("no disk", permanent=False)
    line = message(tenant="x" * 90) + b"\n"

    async def go() -> None:
        async with listening(world.unix(path, max_waiting_bytes=100_000)):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(line * 1_500)
            await until(lambda: world.health.state is GathererState.FAILING)
            await writer.drain()
        writer.close()

    asyncio.run(go())
    assert (world.health.lost_total, world.refused) == (1_500, {"unanswered": 1_500})


def test_a_line_without_end_ends_its_connection_alone(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "gauge.sock"

    async def go() -> None:
        async with listening(world.unix(path)):
            reader, writer = await asyncio.open_unix_connection(path)
            with contextlib.suppress(ConnectionError):
                writer.write(b"x" * 2_000_000)
                await writer.drain()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            _, other = await asyncio.open_unix_connection(path)
            other.write(message() + b"\n")
            await other.drain()
            await until(lambda: world.sink.message_count == 1)
            other.close()
            writer.close()

    asyncio.run(go())
    assert world.refused == {"body_too_large": 1}
    assert not world.gates.ledger.refusals()[0].is_told


def test_a_stale_file_is_replaced_and_a_living_one_respected(tmp_path: Path) -> None:
    path = tmp_path / "gauge.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_DGRAM):
        opened = unix_socket(path, kind, 0o600)
        if kind is socket.SOCK_STREAM:
            opened.listen()
        for other in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with pytest.raises(ConfigError, match="another program listens there"):
                unix_socket(path, other, 0o600)
        opened.close()
    path.unlink()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("file", "is another file, no socket", id="another file"),
        pytest.param("no/such/gauge.sock", "there is no folder", id="no folder"),
        pytest.param("x" * 108, "longer than 107 bytes", id="too long"),
    ],
)
def test_where_no_socket_can_be(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match=text):
        unix_socket(tmp_path / name, socket.SOCK_DGRAM, 0o600)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_port_in_use_is_told_in_the_health(tmp_path: Path) -> None:
    world = World()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        opening = partial(udp_socket, *other.getsockname())
        with pytest.raises(ConfigError, match="cannot be listened on"):
            asyncio.run(world.udp(opening=opening).run(asyncio.Event()))
    assert world.health.state is GathererState.FAILING


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(max_size=40), max_size=30), limit=st.integers(1, 400))
def test_all_that_is_let_in_comes_out_once_and_in_order(pieces: list[bytes], limit: int) -> None:
    waiting = Waiting(limit)
    let_in = [one for one in pieces if waiting.add(one, NOW)]
    waiting.seal()
    joined, count = b"", 0
    while (body := waiting.first()) is not None:
        joined += bytes(body.content)
        count += body.piece_count
        waiting.done()
    assert joined == b"".join(one + b"\n" for one in let_in)
    assert (count, waiting.has_some.is_set()) == (len(let_in), False)
    assert waiting.add(b"x" * (limit - 1), NOW), "there is room again for all"


PIECES = st.sampled_from(
    [
        *(b"messages count=1i", b"m", b" v=", b"1i", b",t=a", b',t="', b'="', b'"', b'"x"', b"\\"),
        *(b" ", b"\n", b",", b"#", b"=", b"\t", b'v="it', b'm v="x y",w=2 1', b"\r", b"\xff"),
    ]
)
DATAGRAMS = st.lists(st.lists(PIECES, max_size=7).map(b"".join), max_size=8)


def understood(body: bytes) -> tuple[int, int, int, int]:
    """Messages, points, lines, refused lines."""
    parsed = parse(body, precision="ns", db="", received_at_ns=NOW * 10**9)
    batch = parsed.batch
    messages, points = batch.messages.num_rows, batch.points.num_rows
    return messages, points, parsed.line_count, parsed.rejected_count


def added(found: list[tuple[int, int, int, int]]) -> list[int]:
    return [sum(column) for column in zip(*found, strict=True)]


@settings(max_examples=100, deadline=None)
@given(datagrams=DATAGRAMS)
@example(datagrams=[b'm v="x', b"messages count=1i", b'm v="'])
@example(datagrams=[b'm,t=" v=" ', b"messages count=1i", b'm,t=" v="'])
@example(datagrams=[b'm v="x\\"', b"messages count=1i", b'm v="x\\"'])
def test_no_datagram_changes_what_another_means(datagrams: list[bytes]) -> None:
    waiting = Waiting()
    for one in datagrams:
        waiting.add(one, NOW)
    waiting.seal()
    bodies = []
    while (body := waiting.first()) is not None:
        bodies.append(bytes(body.content))
        waiting.done()
    assert added([understood(one) for one in bodies]) == added(
        [understood(one) for one in datagrams]
    )


def test_a_body_is_due_when_it_is_full() -> None:
    waiting = Waiting()
    for _ in range(MAX_LINES - 1):
        waiting.add(b"m v=1", NOW)
    assert not waiting.is_due.is_set()
    waiting.add(b"m v=1", NOW)
    assert waiting.is_due.is_set()
