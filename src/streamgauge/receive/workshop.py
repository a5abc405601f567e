"""What all requests that bring telemetry share: reading their bodies, threads, limits.

Only reading a body happens on the event loop; unzipping, parsing and keeping run in a worker
thread, a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.receive import metrics
from streamgauge.receive.bodies import BodyTooLarge, InFlight, decode, discard_rest, read_body
from streamgauge.receive.intake import Intake, Origin, Taken
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.quotas import Admission

Decode = Callable[[bytes, str, int], bytes]
"""A body, its Content-Encoding and how many bytes may come of it → the body without it."""
ReadBody = Callable[[bytes, Admission | None], Parsed]
T = TypeVar("T")

FAILURES = (PayloadError, BodyTooLarge, Overloaded, StoreError)
"""Of which an endpoint makes answers in its protocol's words."""


class Workshop:
    """Shared by all endpoints of a process."""

    def __init__(self, intake: Intake, limits: ReceiveLimits) -> None:
        self.intake, self.limits = intake, limits
        self.in_flight = InFlight(limits.max_in_flight_bytes)
        self._parsers: anyio.CapacityLimiter | None = None

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what takes a processor or a disk; so many at once as there are parsers."""
        if self._parsers is None:  # made on the event loop that serves
            self._parsers = anyio.CapacityLimiter(self.limits.parser_count)
        return await anyio.to_thread.run_sync(work, limiter=self._parsers)

    async def work_on(
        self,
        request: Request,
        work: Callable[[Origin, bytes], T],
        unpack: Decode = decode,
    ) -> T:
        """Read a request's body, unpack it, and do `work` with it in a thread.

        Args:
            request: its body is read here.
            work: given where it comes from and its plain body.
            unpack: takes the Content-Encoding off.

        Raises:
            PayloadError: cut off, or its encoding is not understood or damaged.
            BodyTooLarge: more than is taken.
            Overloaded, StoreError: nothing was kept; and whatever `work` raises.
        """
        origin = origin_of(request)
        try:
            with self.in_flight.hold() as held:
                declared = request.headers.get("content-length")
                body = await read_body(request.stream(), declared, held, self.limits)
                metrics.BODY_BYTES.labels(origin.path).inc(len(body))
                encoding = request.headers.get("content-encoding", "")

                def unpacked() -> T:
                    plain = unpack(body, encoding, self.limits.max_body_bytes)
                    return work(origin, plain)

                return await self.in_thread(unpacked)
        except ClientDisconnect:
            raise PayloadError("the body was cut off") from None
        except FAILURES as error:
            await self.refuse(request, error)
            raise

    async def refuse(self, request: Request, error: Exception) -> None:
        """Count a request of which nothing is kept, and read on what is still coming of it."""
        self.intake.count_failure(error)
        await discard_rest(request, self.limits)

    async def take(self, request: Request, read: ReadBody, unpack: Decode = decode) -> Taken:
        """Keep what `read` makes of a request's body.

        Raises:
            OverQuota: see `Intake.take`; and what `work_on` raises.
        """

        def work(origin: Origin, plain: bytes) -> Taken:
            return self.intake.take(origin, plain, partial(read, plain))

        return await self.work_on(request, work, unpack)


def origin_of(request: Request) -> Origin:
    """Where a request comes from."""
    address = request.client.host if request.client else ""
    return Origin(
        path=request.url.path,
        query=request.query_params.multi_items(),
        credential=request.headers.get("authorization", ""),
        sender=_sender(address, request.headers.get("x-forwarded-for", "")),
        idempotency_key=request.headers.get("idempotency-key"),
    )


def _sender(address: str, forwarded_for: str) -> str:
    """The first that is told: a retry may come through another balancer, to another receiver."""
    return forwarded_for.partition(",")[0].strip() or address
