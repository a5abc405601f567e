"""Takes one write: body → lines → sink → answer. Shared by the two versions of the protocol.

Only reading the body happens on the event loop; unzipping, parsing and keeping run in a worker
thread, a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.model.refusal import RefusalReason
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
from streamgauge.receive.gates import Gates
from streamgauge.receive.influx.answers import Shape, common_headers, taken
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.influx.questions import WriteQuestion
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.ports import Sink
from streamgauge.receive.quotas import Admission, OverLimit, OverQuota
from streamgauge.receive.retry import retry_key

_STORE_RETRY_S = 5


class Workshop:
    """What all writes share: where they go, their limits, the threads that parse."""

    def __init__(self, sink: Sink, limits: ReceiveLimits, gates: Gates) -> None:
        self.sink, self.limits, self.gates = sink, limits, gates
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
            self._count(error)
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
        parsed, over = await anyio.to_thread.run_sync(work, limiter=self.workshop.parsers)
        return taken(parsed, self.shape, headers, over)

    def _work(
        self, request: Request, question: WriteQuestion, body: bytes
    ) -> tuple[Parsed, Sequence[OverLimit]]:
        """Runs in a worker thread."""
        shop = self.workshop
        plain = decode(
            body, request.headers.get("content-encoding", ""), shop.limits.max_body_bytes
        )
        parsed, admission = self._parse(request, question, plain)
        path = request.url.path
        is_new = not parsed.line_count or self._keep(request, plain, parsed, admission)
        if is_new:
            shop.gates.ledger.count_body(parsed, is_deferred=False)
        else:
            metrics.DUPLICATES.labels(path).inc()
        metrics.count_parsed(path, parsed)
        return parsed, admission.over if admission else ()

    def _parse(
        self, request: Request, question: WriteQuestion, plain: bytes
    ) -> tuple[Parsed, Admission | None]:
        """The lines of a body, without those of tenants that are over their limits.

        A body that was kept before is not asked for again, whatever its tenants have left.
        """
        gates = self.workshop.gates
        read = partial(
            parse,
            plain,
            precision=question.precision,
            db=question.db,
            received_at_ns=int(gates.clock.now() * 1e9),
            guard=gates.guard,
        )
        admission = gates.quotas.admission()
        parsed = read(admission=admission)
        if admission is None or not admission.over:
            return parsed, admission
        key = _retry_key(request, plain, parsed)
        if key is not None and self.workshop.sink.knows(key):
            admission.give_back()
            return read(), None
        if parsed.rejected_count == parsed.line_count:
            raise OverQuota(admission.over, parsed)
        return parsed, admission

    def _keep(
        self, request: Request, plain: bytes, parsed: Parsed, admission: Admission | None
    ) -> bool:
        """Whether it was new; what is not kept costs its tenants nothing."""
        shop = self.workshop
        is_new = False
        try:
            is_new = shop.sink.write(
                parsed, _retry_key(request, plain, parsed), shop.gates.clock.now()
            )
        finally:
            if admission is not None and not is_new:
                admission.give_back()
        return is_new

    def _count(self, error: Exception) -> None:
        ledger = self.workshop.gates.ledger
        match error:
            case OverQuota():
                ledger.count_body(error.parsed, is_deferred=True)
                metrics.count_deferred(error.parsed)
            case BodyTooLarge():
                ledger.count_request(RefusalReason.BODY_TOO_LARGE, str(error), is_deferred=False)
            case Overloaded() | StoreError():
                ledger.count_request(RefusalReason.OVERLOADED, str(error), is_deferred=True)
            case _:
                ledger.count_request(RefusalReason.UNREADABLE_BODY, str(error), is_deferred=False)


def _retry_key(request: Request, body: bytes, parsed: Parsed) -> bytes | None:
    address = request.client.host if request.client else ""
    return retry_key(
        path=request.url.path,
        query=request.query_params.multi_items(),
        credential=request.headers.get("authorization", ""),
        sender=_sender(address, request.headers.get("x-forwarded-for", "")),
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
            status = 429 if isinstance(error, OverQuota) else 503
            return shape.failed(
                status, str(error), {**headers, "Retry-After": str(error.retry_after_s)}
            )
        case StoreError():
            return shape.failed(503, str(error), {**headers, "Retry-After": str(_STORE_RETRY_S)})
        case _:
            return shape.failed(400, str(error), headers)


def _sender(address: str, forwarded_for: str) -> str:
    """The first that is told: a retry may come through another balancer, to another receiver."""
    return forwarded_for.partition(",")[0].strip() or address
