"""OTLP over HTTP: `POST /v1/metrics`, and what is said to those who bring traces and logs.

Source: OTLP specification, "OTLP/HTTP".
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.receive import metrics
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.otlp import messages
from streamgauge.receive.otlp.taking import (
    DEFAULT_DB,
    Code,
    Failure,
    Success,
    UnknownContent,
    failure_of,
    take,
)
from streamgauge.receive.workshop import FAILURES, Workshop

PATHS = frozenset({"/v1/metrics", "/v1/traces", "/v1/logs"})
"""Where OTLP is answered."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_PROTOBUFS = frozenset({PROTOBUF, "application/protobuf"})


class MetricsEndpoint:
    """The route."""

    def __init__(self, workshop: Workshop, metering: Metering) -> None:
        self._workshop, self._metering = workshop, metering

    async def answer(self, request: Request) -> Response:
        """Answer an export."""
        is_json = _media(request) not in _PROTOBUFS
        try:
            success = await self._take(request)
        except FAILURES as error:
            response = _failed(failure_of(error), is_json=is_json)
        else:
            content = messages.response(success, is_json=is_json)
            response = _answer(200, content, is_json=is_json)
        metrics.BODIES.labels(request.url.path, str(response.status_code)).inc()
        return response

    async def _take(self, request: Request) -> Success:
        media = _media(request)
        if media != JSON and media not in _PROTOBUFS:
            error = UnknownContent(
                f"Content-Type {media[:100]!r} is not understood; send {PROTOBUF} or {JSON}"
            )
            await self._workshop.refuse(request, error)
            raise error
        db = request.query_params.get("db", DEFAULT_DB)

        def work(origin: Origin, plain: bytes) -> Success:
            return take(self._metering, origin, plain, db=db, is_json=media == JSON)

        return await self._workshop.work_on(request, work)


async def only_metrics(request: Request) -> Response:
    """Answer an export of traces or logs: never to be sent again."""
    text = (
        f"{request.url.path} is not served: streamgauge takes metrics only, at /v1/metrics; "
        "turn this exporter off (OTEL_TRACES_EXPORTER=none, OTEL_LOGS_EXPORTER=none)"
    )
    is_json = _media(request) not in _PROTOBUFS
    return _failed(Failure(404, Code.NOT_FOUND, text), is_json=is_json)


def unauthenticated(request: Request, text: str) -> Response:
    """Answer an export without a token, in OTLP's words; it is not to be sent again."""
    is_json = _media(request) not in _PROTOBUFS
    return _failed(Failure(401, Code.UNAUTHENTICATED, text), is_json=is_json)


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _failed(failure: Failure, *, is_json: bool) -> Response:
    wait_s = failure.retry_after_s
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    content = messages.status(failure, is_json=is_json)
    return _answer(failure.status, content, headers, is_json=is_json)


def _answer(
    status: int, content: bytes, headers: dict[str, str] | None = None, *, is_json: bool
) -> Response:
    media = JSON if is_json else PROTOBUF
    return Response(content, status, {**(headers or {}), "Content-Type": media})
