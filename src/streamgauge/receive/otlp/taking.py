"""Takes one request of metrics, however it came, and says in OTLP's words what became of it.

Source: OTLP specification, "Partial Success", "Failures", "OTLP/gRPC Throttling".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.receive.bodies import BodyTooLarge, UnknownEncoding
from streamgauge.receive.intake import Origin, Taken
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.otlp.json_mapping import to_protobuf
from streamgauge.receive.otlp.protobuf import decode
from streamgauge.receive.quotas import OverQuota

DEFAULT_DB = "otlp"
"""The name space of what is sent without `?db=`."""
_STORE_RETRY_S = 5


class UnknownContent(PayloadError):
    """A Content-Type that is not understood."""


class Code(IntEnum):
    """Of google.rpc.Code, those that are used."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing of a request was kept."""

    status: int
    """Of HTTP."""
    code: Code
    """Of gRPC."""
    message: str
    retry_after_s: int | None = None
    """After which to send the same again; None: never."""


@dataclass(frozen=True, slots=True)
class Success:
    """What was not kept of a request that was."""

    rejected_points: int = 0
    message: str = ""


def take(
    metering: Metering, origin: Origin, plain: bytes, *, db: str = DEFAULT_DB, is_json: bool = False
) -> Success:
    """Keep the metrics of one request. Blocks: call it in a thread.

    Raises:
        PayloadError: it is no such request.
        OverQuota, Overloaded, StoreError: nothing was kept.
    """
    received_at_ns = int(metering.intake.gates.clock.now() * 1e9)
    decoded = decode(to_protobuf(plain) if is_json else plain, received_at_ns)
    taken = metering.take(
        origin,
        plain,
        decoded.measured,
        db=db,
        rejected=decoded.refused,
        rejected_count=decoded.refused_count,
    )
    return _success(taken, decoded.point_count)


def _success(taken: Taken, point_count: int) -> Success:
    parsed = taken.parsed
    if not parsed.rejected_count:
        return Success()
    count = min(parsed.rejected_count, point_count)
    message = f"{count} of {point_count} data points were refused, the others are kept"
    if parsed.rejected:
        first = parsed.rejected[0]
        message += f"; the first one, {first.line}: {first.reason}"
    return Success(count, message)


def failure_of(error: Exception) -> Failure:
    """What a sender is told: drop it, or send it again later."""
    match error:
        case BodyTooLarge():
            advice = f"{error.limit_name}: {error.actual:,.0f}, limit {error.limit:,.0f}"
            return Failure(413, Code.RESOURCE_EXHAUSTED, f"{advice}; send smaller batches")
        case UnknownEncoding() | UnknownContent():
            return Failure(415, Code.UNIMPLEMENTED, str(error))
        case OverQuota():
            return Failure(429, Code.RESOURCE_EXHAUSTED, str(error), error.retry_after_s)
        case Overloaded():
            return Failure(503, Code.UNAVAILABLE, str(error), error.retry_after_s)
        case StoreError():
            return Failure(503, Code.UNAVAILABLE, str(error), _STORE_RETRY_S)
        case _:
            return Failure(400, Code.INVALID_ARGUMENT, str(error))
