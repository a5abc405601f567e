"""`POST /api/v1/write`: Prometheus remote write 1.0.

Senders drop what they sent after any 4xx but 429, and send it again after 5xx; so 400 says that a
body, or some samples of it, can never be taken, and 503 that it could not be kept now.

Source: https://prometheus.io/docs/specs/prw/remote_write_spec/ ("Invalid samples", "Retries &
Backoff"); https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ ("Content-Type").
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.receive import metrics
from streamgauge.receive.bodies import BodyTooLarge, UnknownEncoding
from streamgauge.receive.intake import Origin, Taken
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.prometheus.snappy import unpack
from streamgauge.receive.quotas import OverQuota
from streamgauge.receive.workshop import FAILURES, Workshop

if TYPE_CHECKING:
    from streamgauge.receive.prometheus.decoding import Decoder

DEFAULT_DB = "prometheus"
"""The name space of what is written without `?db=`."""

_STORE_RETRY_S = 5
_MEDIA = "application/x-protobuf"
_MESSAGE = "prometheus.WriteRequest"


class UnknownContent(PayloadError):
    """A Content-Type that is not understood."""


class RemoteWriteEndpoint:
    """The route, and what is remembered from body to body."""

    def __init__(self, workshop: Workshop, metering: Metering) -> None:
        self._workshop, self._metering = workshop, metering
        self._decoder: Decoder | None = None
        self._lock = threading.Lock()

    async def answer(self, request: Request) -> Response:
        """Answer a write."""
        try:
            response = _taken(await self._take(request))
        except FAILURES as error:
            response = _failed(error)
        metrics.BODIES.labels(request.url.path, str(response.status_code)).inc()
        return response

    async def _take(self, request: Request) -> Taken:
        try:
            _check_content(request.headers.get("content-type", ""))
        except UnknownContent as error:
            await self._workshop.refuse(request, error)
            raise
        db = request.query_params.get("db", DEFAULT_DB)
        clock = self._workshop.intake.gates.clock
        packed = b""

        def unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
            nonlocal packed
            packed = body
            return unpack(body, encoding, max_bytes)

        def work(origin: Origin, plain: bytes) -> Taken:
            decoded = self._open().decode(plain, int(clock.now() * 1e9))
            if decoded.exemplar_count:
                metrics.EXEMPLARS.inc(decoded.exemplar_count)
            return self._metering.take(
                _named(origin, packed),
                plain,
                decoded.measured,
                db=db,
                rejected=decoded.rejected,
                rejected_count=decoded.rejected_count,
            )

        return await self._workshop.work_on(request, work, unpacked)

    def _open(self) -> Decoder:
        """The decoder; made with the first body, as it takes memory."""
        with self._lock:
            if self._decoder is None:
                from streamgauge.receive.prometheus.decoding import Decoder

                self._decoder = Decoder()
            return self._decoder


def _named(origin: Origin, packed: bytes) -> Origin:
    """With a name for the body, of the bytes as they were sent.

    A sender tries again with the very same bytes, of which there are a tenth of what they unpack
    to; to hash all of that costs more than to decode it.
    """
    key = origin.retry_key(packed, has_all_timestamps=True)
    return origin if key is None else replace(origin, idempotency_key=key.hex())


def _check_content(content_type: str) -> None:
    """Whether the body is said to be of version 1.0; also one that says nothing is tried.

    Raises:
        UnknownContent: it is of another; a sender of 2.0 then falls back to 1.0.
    """
    media, *parameters = [part.strip() for part in content_type.split(";")]
    told = dict(part.partition("=")[::2] for part in parameters)
    message = told.get("proto", _MESSAGE).strip('"')
    if (media.lower() or _MEDIA) != _MEDIA or message != _MESSAGE:
        raise UnknownContent(
            f"Content-Type {content_type[:100]!r} is not understood; send remote write 1.0: "
            f"{_MEDIA};proto={_MESSAGE}"
        )


def _taken(taken: Taken) -> Response:
    parsed = taken.parsed
    if not parsed.rejected_count:
        return Response(status_code=204)
    first = parsed.rejected[0]
    return _text(
        400,
        f"{parsed.rejected_count} of {parsed.line_count} samples were refused, the others are "
        f"kept; the first one, {first.line}: {first.reason}",
    )


def _failed(error: Exception) -> Response:
    match error:
        case BodyTooLarge():
            advice = "set max_samples_per_send lower"
            return _text(
                413, f"{error.limit_name}: {error.actual:,.0f}, limit {error.limit:,.0f}; {advice}"
            )
        case UnknownEncoding() | UnknownContent():
            return _text(415, str(error))
        case Overloaded():
            status = 429 if isinstance(error, OverQuota) else 503
            return _text(status, str(error), error.retry_after_s)
        case StoreError():
            return _text(503, str(error), _STORE_RETRY_S)
        case _:
            return _text(400, str(error))


def _text(status: int, text: str, retry_after_s: int | None = None) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return PlainTextResponse(text.encode(errors="replace") + b"\n", status, headers)
