"""OTLP over gRPC: the MetricsService on a port of its own.

A message is read only when there is room for it, so that memory stays bounded however many send:
on the wire a call with one message is the same as one with a stream of messages, and a stream is
read when it is asked for. Until then gRPC's flow control holds the sender back.

Source: OTLP specification, "OTLP/gRPC"; opentelemetry/proto/collector/metrics/v1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import grpc
import grpc.aio
import structlog

from streamgauge.model.errors import ConfigError, Overloaded, StoreError
from streamgauge.model.gatherer import Fault
from streamgauge.receive import metrics
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.intake import Origin
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.otlp import messages
from streamgauge.receive.otlp.taking import Code, Failure, failure_of, take
from streamgauge.receive.quotas import OverQuota
from streamgauge.receive.workshop import FAILURES, Workshop

log = structlog.get_logger()

SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
PATH = f"/{SERVICE}/Export"
READ_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0
"""Calls that are under way at the end have so long."""
_MAX_STREAMS = 100
"""Calls at the same time on one connection; further ones wait at the sender."""
_SHARE = 4
"""The part of `max_in_flight_bytes` that is used: one in so many."""
_CODES = {int(code.value[0]): code for code in grpc.StatusCode}


class OtlpListener:
    """Serves until it is told to stop.

    Args:
        metering: keeps what comes.
        limits: of bodies.
        address: HOST:PORT.
        pulse: its health.
        is_known: whether the value of `authorization` may come in; None: everybody may.
        read_within_s: a message that takes longer to arrive is given up, so that it does not keep
            others out.
    """

    name = "otlp-grpc"

    def __init__(
        self,
        metering: Metering,
        limits: ReceiveLimits,
        address: str,
        pulse: Pulse,
        is_known: Callable[[str], bool] | None = None,
        read_within_s: float = READ_WITHIN_S,
    ) -> None:
        self._metering, self._limits, self._address = metering, limits, address
        self._pulse, self._read_within_s = pulse, read_within_s
        self._is_known, self._workshop = is_known, Workshop(metering.intake, limits)
        room = limits.max_in_flight_bytes // _SHARE // limits.max_body_bytes
        self._readers = asyncio.Semaphore(min(max(room, 2), 16))
        self.port = 0
        """Once it serves."""

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; calls that are under way are finished.

        Raises:
            ConfigError: the address is in use.
        """
        server = self._server()
        try:
            self.port = server.add_insecure_port(self._address)
        except RuntimeError as error:
            why = f"{self._address} cannot be listened on for OTLP/gRPC"
            self._pulse.failed(Fault.REFUSED, why)
            raise ConfigError(why) from error
        await server.start()
        self._pulse.succeeded()
        log.info(f"OTLP/gRPC is taken at {self._address}")
        try:
            await stop.wait()
        finally:
            await server.stop(STOP_WITHIN_S)

    def _server(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._limits.max_body_bytes),
                ("grpc.max_concurrent_streams", _MAX_STREAMS),
                ("grpc.so_reuseport", 0),
            ]
        )
        export = grpc.stream_unary_rpc_method_handler(self._export)
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Export": export})
        server.add_generic_rpc_handlers((handler,))
        return server

    async def _export(self, _: object, context: grpc.aio.ServicerContext) -> bytes:
        """One call: its message, then the answer."""
        said = dict(context.invocation_metadata() or ())
        credential = str(said.get("authorization", ""))
        if self._is_known is not None and not self._is_known(credential):
            text = "a token is needed: send the metadata `authorization: Bearer <token>`"
            await _abort(context, Failure(401, Code.UNAUTHENTICATED, text))
        origin = Origin(
            path=PATH,
            credential=credential,
            sender=_address_of(context.peer()),
            idempotency_key=said.get("idempotency-key"),
        )
        async with self._readers:
            body = await self._read(context)
            failure, answer = await self._take(origin, body)
        status = failure.code.name if failure else "OK"
        metrics.BODIES.labels(PATH, status).inc()
        if failure:
            await _abort(context, failure)
        return answer

    async def _read(self, context: grpc.aio.ServicerContext) -> bytes | None:
        """The message; None where it does not come."""
        try:
            async with asyncio.timeout(self._read_within_s):
                message = await context.read()
        except TimeoutError:
            return None
        return message if isinstance(message, bytes) else None

    async def _take(self, origin: Origin, body: bytes | None) -> tuple[Failure | None, bytes]:
        if body is None:
            text = f"no message came within {self._read_within_s:g} s"
            return Failure(408, Code.UNAVAILABLE, text, retry_after_s=1), b""
        metrics.BODY_BYTES.labels(PATH).inc(len(body))
        try:
            work = partial(take, self._metering, origin, body)
            success = await self._workshop.in_thread(work)
        except FAILURES as error:
            self._metering.intake.count_failure(error)
            self._tell(error)
            return failure_of(error), b""
        self._pulse.succeeded()
        return None, messages.response(success, is_json=False)

    def _tell(self, error: Exception) -> None:
        """What a sender did wrong, or sent too much of, is no trouble of ours."""
        if isinstance(error, Overloaded | StoreError) and not isinstance(error, OverQuota):
            self._pulse.failed(Fault.OURS, f"nothing can be kept for now: {error}")
        else:
            self._pulse.succeeded()


async def _abort(context: grpc.aio.ServicerContext, failure: Failure) -> None:
    """End a call with a status; raises."""
    code = _CODES[int(failure.code)]
    details = ("grpc-status-details-bin", messages.status(failure))
    await context.abort(code, failure.message[:1_000], trailing_metadata=(details,))


def _address_of(peer: str) -> str:
    """`ipv4:127.0.0.1:50000` without what differs from connection to connection."""
    _, _, address = peer.partition(":")
    return address.rpartition(":")[0] or peer
