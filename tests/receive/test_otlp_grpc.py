"""The gRPC port as an exporter meets it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Request,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse as Answer,
)

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError, Overloaded
from streamgauge.model.gatherer import GathererState
from streamgauge.receive.collectors.health import GathererRegistry, Pulse
from streamgauge.receive.gates import gates_of
from streamgauge.receive.intake import Intake
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.otlp.grpc_server import PATH, OtlpListener
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.testing.process import free_port
from streamgauge.testing.receiving import MemorySink

NOW = 1_800_000_000
Send = Callable[..., Awaitable[bytes]]


def request(*stamps_s: float) -> bytes:
    made = Request()
    metric = made.resource_metrics.add().scope_metrics.add().metrics.add(name="temperature")
    for at in stamps_s:
        point = metric.gauge.data_points.add(time_unix_nano=round(at * 1e9), as_double=21.5)
        point.attributes.add(key="tenant").value.string_value = "acme"
    return made.SerializeToString()


def a_pulse() -> Pulse:
    return GathererRegistry(SimulatedClock(NOW)).add("otlp-grpc", "otlp", "here")


@asynccontextmanager
async def serving(
    sink: Any,
    limits: ReceiveLimits | None = None,
    quotas: QuotaSettings | None = None,
    stop: asyncio.Event | None = None,
    **given: Any,
) -> AsyncIterator[Send]:
    limits = limits or ReceiveLimits()
    intake = Intake(sink, gates_of(SimulatedClock(NOW), limits, quotas))
    address = f"127.0.0.1:{free_port()}"
    pulse = given.pop("pulse", None) or a_pulse()
    listener = OtlpListener(Metering(intake), limits, address, pulse, **given)
    stop = stop or asyncio.Event()
    running = asyncio.create_task(listener.run(stop))
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(PATH)

            async def send(body: bytes, **options: Any) -> bytes:
                return bytes(await call(body, wait_for_ready=True, timeout=20, **options))

            yield send
    finally:
        stop.set()
        await running


def told(error: grpc.aio.AioRpcError) -> Status:
    (details,) = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    return Status.FromString(details)


def test_good_zipped_and_repeated_messages_are_kept_once() -> None:
    sink = MemorySink()

    async def go() -> None:
        async with serving(sink) as send:
            assert await send(request(NOW)) == b""
            assert await send(request(NOW), compression=grpc.Compression.Gzip) == b""
            assert await send(b"") == b""

    asyncio.run(go())
    assert sink.row_count == 1


def test_refused_points_are_a_partial_success() -> None:
    sink = MemorySink()

    async def go() -> Answer:
        async with serving(sink) as send:
            return Answer.FromString(await send(request(NOW, 0)))

    partial = asyncio.run(go()).partial_success
    assert (partial.rejected_data_points, sink.row_count) == (1, 1)
    assert "no time stamp" in partial.error_message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(request(NOW)[:-2], grpc.StatusCode.INVALID_ARGUMENT, id="truncated"),
        pytest.param(b"x" * 2_000, grpc.StatusCode.RESOURCE_EXHAUSTED, id="too large"),
    ],
)
def test_what_can_never_be_taken_is_not_to_be_sent_again(
    body: bytes, code: grpc.StatusCode
) -> None:
    async def go() -> grpc.aio.AioRpcError:
        async with serving(MemorySink(), ReceiveLimits(max_body_bytes=1_000)) as send:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await send(body)
            return failed.value

    error = asyncio.run(go())
    assert error.code() is code
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        assert told(error).details[0].Unpack(BadRequest())


def test_what_can_be_taken_later_says_when() -> None:
    sink = MemorySink(failure=Overloaded("the journal is full", 7))
    info = RetryInfo()

    async def go() -> None:
        async with serving(sink) as send:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await send(request(NOW))
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
            assert told(failed.value).details[0].Unpack(info)
            sink.failure = None
            await send(request(NOW))

    asyncio.run(go())
    assert (info.retry_delay.seconds, sink.row_count) == (7, 1)


def test_all_of_it_over_a_limit_says_when_there_is_room() -> None:
    info = RetryInfo()

    async def go() -> grpc.StatusCode:
        quotas = QuotaSettings(tenants={"acme": TenantLimits(lines_per_s=0.1)})
        async with serving(MemorySink(), quotas=quotas) as send:
            await send(request(NOW - 9, NOW - 8, NOW - 7))
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await send(request(NOW))
            assert told(failed.value).details[0].Unpack(info)
            return failed.value.code()

    assert asyncio.run(go()) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info.retry_delay.seconds > 0


@pytest.mark.parametrize(
    ("metadata", "is_in"),
    [
        pytest.param((("authorization", "Bearer right"),), True, id="its token"),
        pytest.param((("authorization", "Bearer wrong"),), False, id="another"),
        pytest.param((), False, id="none"),
    ],
)
def test_tokens(metadata: Any, is_in: bool) -> None:
    async def go() -> grpc.StatusCode:
        async with serving(MemorySink(), is_known=lambda told: told == "Bearer right") as send:
            try:
                await send(request(NOW), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

    expected = grpc.StatusCode.OK if is_in else grpc.StatusCode.UNAUTHENTICATED
    assert asyncio.run(go()) is expected


def test_traces_are_not_implemented() -> None:
    async def go() -> grpc.StatusCode:
        address = f"127.0.0.1:{free_port()}"
        intake = Intake(MemorySink(), gates_of(SimulatedClock(NOW), ReceiveLimits()))
        listener = OtlpListener(Metering(intake), ReceiveLimits(), address, a_pulse())
        stop = asyncio.Event()
        running = asyncio.create_task(listener.run(stop))
        async with grpc.aio.insecure_channel(address) as channel:
            traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await channel.unary_unary(traces)(b"", wait_for_ready=True, timeout=20)
        stop.set()
        await running
        return failed.value.code()

    assert asyncio.run(go()) is grpc.StatusCode.UNIMPLEMENTED


class SlowSink(MemorySink):
    """Keeps a body when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_keeping, self.go_on = threading.Event(), threading.Event()

    def write(self, parsed: Parsed, retry_key: bytes | None, received_at: float) -> bool:
        self.is_keeping.set()
        assert self.go_on.wait(20)
        return super().write(parsed, retry_key, received_at)


def test_a_call_under_way_is_finished_before_the_end() -> None:
    sink = SlowSink()

    async def go() -> bytes:
        stop = asyncio.Event()
        async with serving(sink, stop=stop) as send:
            sending = asyncio.create_task(send(request(NOW)))
            assert await asyncio.to_thread(sink.is_keeping.wait, 20)
            stop.set()
            threading.Timer(0.1, sink.go_on.set).start()
            return await sending

    assert asyncio.run(go()) == b""
    assert sink.row_count == 1


def test_calls_without_a_message_do_not_keep_others_out() -> None:
    sink = MemorySink()

    async def go() -> grpc.aio.AioRpcError:
        address = f"127.0.0.1:{free_port()}"
        intake = Intake(sink, gates_of(SimulatedClock(NOW), ReceiveLimits()))
        listener = OtlpListener(
            Metering(intake), ReceiveLimits(), address, a_pulse(), read_within_s=0.2
        )
        stop = asyncio.Event()
        running = asyncio.create_task(listener.run(stop))
        async with grpc.aio.insecure_channel(address) as channel:
            open_call = channel.stream_unary(PATH)
            silent = [open_call(wait_for_ready=True, timeout=20) for _ in range(20)]
            await channel.unary_unary(PATH)(request(NOW), wait_for_ready=True, timeout=20)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await silent[0]
            for call in silent:
                call.cancel()
        stop.set()
        await running
        return failed.value

    error = asyncio.run(go())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "no message came" in str(error.details())
    assert sink.row_count == 1


def test_an_address_in_use_is_told() -> None:
    async def go() -> None:
        address = f"127.0.0.1:{free_port()}"
        intake = Intake(MemorySink(), gates_of(SimulatedClock(NOW), ReceiveLimits()))
        pulses = a_pulse(), a_pulse()
        first, second = (
            OtlpListener(Metering(intake), ReceiveLimits(), address, pulse) for pulse in pulses
        )
        stop = asyncio.Event()
        running = asyncio.create_task(first.run(stop))
        while not first.port:
            await asyncio.sleep(0.01)
        with pytest.raises(ConfigError, match="cannot be listened on"):
            await second.run(stop)
        stop.set()
        await running
        assert [pulse.health.state for pulse in pulses] == [GathererState.OK, GathererState.FAILING]
        assert "cannot be listened on" in pulses[1].health.last_error

    asyncio.run(go())


def test_how_it_is_doing_is_told() -> None:
    sink, pulse, states = MemorySink(), a_pulse(), []

    async def go() -> None:
        async with serving(sink, pulse=pulse) as send:
            await send(request(NOW))
            states.append(pulse.health.state)
            sink.failure = Overloaded("the journal is full", 7)
            with pytest.raises(grpc.aio.AioRpcError):
                await send(request(NOW - 1))
            states.append(pulse.health.state)
            sink.failure = None
            with pytest.raises(grpc.aio.AioRpcError):
                await send(b"no message")
            states.append(pulse.health.state)

    asyncio.run(go())
    assert states == [GathererState.OK, GathererState.FAILING, GathererState.OK]
    assert "the journal is full" in pulse.health.last_error
