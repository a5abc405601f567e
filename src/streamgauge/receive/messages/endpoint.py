"""`POST /v1/messages`: NDJSON, a line a message's hop.

The answers are those of `/write`: 204; 400 where lines were refused, the good ones being kept; 429
and 503 with `Retry-After` where nothing was; 413, 415.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.receive import metrics
from streamgauge.receive.bodies import BodyTooLarge, UnknownEncoding
from streamgauge.receive.gating import gated
from streamgauge.receive.messages.decoding import Decoded, decode_lines
from streamgauge.receive.messages.left_out import LeftOut, header_of, keys_left_out
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.quotas import MAX_TOLD, Admission, OverLimit, OverQuota
from streamgauge.receive.workshop import FAILURES, Workshop

PATH = "/v1/messages"
DB = "messages"
"""The name space of what is sent without `?db=`."""
_STORE_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class MessagesEndpoint:
    """Takes hops."""

    workshop: Workshop
    redaction: Redaction = field(default_factory=Redaction)
    left_out: LeftOut | None = None
    """Is told of keys that are not understood."""

    async def answer(self, request: Request) -> Response:
        """Answer one body."""
        try:
            response = await self._take(request)
        except FAILURES as error:
            response = _failed(error)
        metrics.BODIES.labels(request.url.path, str(response.status_code)).inc()
        return response

    async def _take(self, request: Request) -> Response:
        gates = self.workshop.intake.gates
        db = request.query_params.get("db") or DB
        left_out: list[str] = []

        def read(plain: bytes, admission: Admission | None) -> Parsed:
            decoded = decode_lines(plain, int(gates.clock.now() * 1e9), self.redaction, db)
            kept = gated(decoded.parsed, gates.guard, admission, len(plain))
            left_out[:] = keys_left_out(plain)
            return numbered(decoded, kept)

        done = await self.workshop.take(request, read)
        if self.left_out is not None:
            self.left_out.note(left_out)
        headers = header_of(left_out)
        if not done.parsed.rejected_count:
            return Response(status_code=204, headers=headers)
        return JSONResponse(partly(done.parsed, done.over), 400, headers)


def numbered(decoded: Decoded, kept: Parsed) -> Parsed:
    """The same with the lines that limits keep out told by where they stand in the body."""
    earlier = len(decoded.parsed.rejected)
    if len(kept.rejected) == earlier:
        return kept
    numbers = decoded.numbers()
    later = [
        replace(line, line_number=int(numbers[line.line_number - 1]))
        for line in kept.rejected[earlier:]
    ]
    told = sorted([*kept.rejected[:earlier], *later], key=lambda line: line.line_number)
    return replace(kept, rejected=told)


def partly(parsed: Parsed, over: Sequence[OverLimit] = ()) -> dict[str, Any]:
    """What to say of a body with refused lines."""
    accepted = parsed.line_count - parsed.rejected_count
    limits = list(dict.fromkeys(one.text for one in over[:MAX_TOLD]))
    first = next((line for line in parsed.rejected if line.reason not in limits), None)
    told = limits + ([f"line {first.line_number}: {first.reason}"] if first else [])
    kept = " (the others are kept, do not send them again)" if accepted else ""
    return {
        "error": f"{parsed.rejected_count} of {parsed.line_count} lines were refused{kept}: "
        + "; ".join(told),
        "accepted": accepted,
        "rejected": parsed.rejected_count,
        "lines": [{"line": line.line_number, "reason": line.reason} for line in parsed.rejected],
    }


def _failed(error: Exception) -> Response:
    match error:
        case BodyTooLarge():
            advice = f"{error.limit_name}: {error.actual:,.0f}, limit {error.limit:,.0f}"
            return _told(413, f"the body is too large ({advice}); send smaller batches")
        case UnknownEncoding():
            return _told(415, str(error))
        case Overloaded():
            status = 429 if isinstance(error, OverQuota) else 503
            return _told(status, str(error), {"Retry-After": str(error.retry_after_s)})
        case StoreError():
            return _told(503, str(error), {"Retry-After": str(_STORE_RETRY_S)})
        case _:
            return _told(400, str(error))


def _told(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)
