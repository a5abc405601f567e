"""Takes one write: body → lines → intake → answer. Shared by the two versions of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.receive import metrics
from streamgauge.receive.bodies import BodyTooLarge, UnknownEncoding
from streamgauge.receive.influx.answers import Shape, common_headers, taken
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.influx.questions import WriteQuestion
from streamgauge.receive.intake import Origin, Taken
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.quotas import Admission, OverQuota
from streamgauge.receive.workshop import FAILURES, Workshop

_STORE_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class WriteEndpoint:
    """One version's `POST …/write`."""

    workshop: Workshop
    shape: Shape
    ask: Callable[[Mapping[str, str]], WriteQuestion]
    metering: Metering

    async def answer(self, request: Request) -> Response:
        """Answer a write."""
        headers = common_headers(
            request.headers.get("x-request-id") or request.headers.get("request-id")
        )
        try:
            response = await self._take(request, headers)
        except FAILURES as error:
            response = _failed(self.shape, error, headers)
        metrics.BODIES.labels(request.url.path, str(response.status_code)).inc()
        return response

    async def _take(self, request: Request, headers: Mapping[str, str]) -> Response:
        try:
            question = self.ask(request.query_params)
        except PayloadError as error:
            await self.workshop.refuse(request, error)
            raise
        gates = self.workshop.intake.gates

        def read(plain: bytes, admission: Admission | None) -> Parsed:
            return parse(
                plain,
                precision=question.precision,
                db=question.db,
                received_at_ns=int(gates.clock.now() * 1e9),
                guard=gates.guard,
                admission=admission,
            )

        def take(origin: Origin, plain: bytes) -> Taken:
            return self.metering.take_lines(origin, plain, partial(read, plain))

        done = await self.workshop.work_on(request, take)
        return taken(done.parsed, self.shape, headers, done.over)


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
