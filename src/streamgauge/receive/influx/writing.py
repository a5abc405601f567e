"""Takes one write: body → lines → sink → answer. Shared by the two versions of the protocol.

Only reading the body happens on the event loop; unzipping, parsing and keeping run in a worker
thread, a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.receive import metrics
from streamgauge.receive.bodies import (
    BodyTooLarge,
    Held,
    InFlight,
    UnknownEncoding,
    decode,
    discard_rest,
    read_body,
)
from streamgauge.receive.guard import SeriesGuard
from streamgauge.receive.influx.answers import Shape, common_headers, taken
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.influx.questions import WriteQuestion
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.ports import Sink
from streamgauge.receive.retry import retry_key

_STORE_RETRY_S = 5


class Workshop:
    """What all writes share: where they go, their limits, the threads that parse."""

    def __init__(self, sink: Sink, clock: Clock, limits: ReceiveLimits, guard: SeriesGuard) -> None:
        self.sink, self.clock, self.limits, self.guard = sink, clock, limits, guard
        self.in_flight = InFlight(limits.max_in_flight_bytes)
        self._parsers: anyio.CapacityLimiter | None = None

    @property
    def parsers(self) -> anyio.CapacityLimiter:
        """Bounds how many bodies are parsed at once; made on the event loop that serves."""
        if self._parsers is None:
            self._parsers = anyio.CapacityLimiter(self.limits.parser_count)
        return self._parsers


@dataclass(frozen=True, slots=True)
class WriteEndpoint:
    """One version's `POST …/write`."""

    workshop: Workshop
    shape: Shape
    ask: Callable[[Mapping[str, str]], WriteQuestion]

    async def answer(self, request: Request) -> Response:
        """Answer a write."""
        headers = common_headers(
            request.headers.get("x-request-id") or request.headers.get("request-id")
        )
        try:
            with self.workshop.in_flight.hold() as held:
                response = await self._take(request, held, headers)
        except ClientDisconnect:
            response = self.shape.failed(400, "the body was cut off", headers)
        except (PayloadError, BodyTooLarge, Overloaded, StoreError) as error:
            response = _failed(self.shape, error, headers)
            await discard_rest(request, self.workshop.limits)
        path = request.url.path
        metrics.BODIES.labels(path, str(response.status_code)).inc()
        return response

    async def _take(self, request: Request, held: Held, headers: Mapping[str, str]) -> Response:
        question = self.ask(request.query_params)
        limits = self.workshop.limits
        declared = request.headers.get("content-length")
        body = await read_body(request.stream(), declared, held, limits)
        metrics.BODY_BYTES.labels(request.url.path).inc(len(body))
        work = partial(self._work, request, question, body)
        parsed = await anyio.to_thread.run_sync(work, limiter=self.workshop.parsers)
        return taken(parsed, self.shape, headers)

    def _work(self, request: Request, question: WriteQuestion, body: bytes) -> Parsed:
        """Runs in a worker thread."""
        shop = self.workshop
        received_at = shop.clock.now()
        encoding = request.headers.get("content-encoding", "")
        plain = decode(body, encoding, shop.limits.max_body_bytes)
        parsed = parse(
            plain,
            precision=question.precision,
            db=question.db,
            received_at_ns=int(received_at * 1e9),
            guard=shop.guard,
        )
        path = request.url.path
        if parsed.line_count and not shop.sink.write(
            parsed, _retry_key(request, plain, parsed), received_at
        ):
            metrics.DUPLICATES.labels(path).inc()
        metrics.count_parsed(path, parsed)
        return parsed


def _retry_key(request: Request, body: bytes, parsed: Parsed) -> bytes | None:
    address = request.client.host if request.client else ""
    return retry_key(
        path=request.url.path,
        query=request.query_params.multi_items(),
        credential=request.headers.get("authorization", ""),
        sender=f"{address} {request.headers.get('x-forwarded-for', '')}",
        body=body,
        idempotency_key=request.headers.get("idempotency-key"),
        has_all_timestamps=parsed.has_all_timestamps,
    )


def _failed(shape: Shape, error: Exception, headers: Mapping[str, str]) -> Response:
    match error:
        case BodyTooLarge():
            advice = f"{error.limit_name}: {error.actual:,.0f}, limit {error.limit:,.0f}"
            text = f"{shape.too_large} ({advice}); send smaller batches"
            return shape.failed(413, text, headers)
        case UnknownEncoding():
            return shape.failed(415, str(error), headers)
        case Overloaded():
            return shape.failed(
                503, str(error), {**headers, "Retry-After": str(error.retry_after_s)}
            )
        case StoreError():
            return shape.failed(503, str(error), {**headers, "Retry-After": str(_STORE_RETRY_S)})
        case _:
            return shape.failed(400, str(error), headers)
