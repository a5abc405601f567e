"""Reads and unzips bodies without ever holding more than is allowed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from starlette.requests import ClientDisconnect, Request

from streamgauge.model.errors import LimitExceeded, Overloaded, PayloadError
from streamgauge.receive import metrics
from streamgauge.receive.limits import ReceiveLimits

_GZIP = zlib.MAX_WBITS | 16
_STEP_BYTES = 1 << 20
_DISCARDED_BODIES = 4
"""A refused body is read to its end up to so many times the size that is taken."""


class BodyTooLarge(LimitExceeded):
    """The body, as sent or unzipped, has more bytes than are taken."""


class UnknownEncoding(PayloadError):
    """A Content-Encoding that is not understood."""


class InFlight:
    """Bytes of all bodies that are being read or wait for a parser. Lives on one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._bytes, self._max_bytes = 0, max_bytes

    @contextmanager
    def hold(self) -> Iterator[Held]:
        """Account for one body until it is answered."""
        held = Held(self)
        try:
            yield held
        finally:
            self._change(-held.size)

    def add(self, size: int) -> None:
        """More bytes arrived.

        Raises:
            Overloaded: too many bytes are on their way already.
        """
        if self._bytes + size > self._max_bytes:
            raise Overloaded("too many bodies are waiting to be parsed; try again", 1)
        self._change(size)

    def _change(self, size: int) -> None:
        self._bytes += size
        metrics.IN_FLIGHT.set(self._bytes)


class Held:
    """One body's share."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight, self.size = in_flight, 0

    def add(self, size: int) -> None:
        """More bytes of it arrived."""
        self._in_flight.add(size)
        self.size += size


async def read_body(
    chunks: AsyncIterator[bytes], declared: str | None, held: Held, limits: ReceiveLimits
) -> bytes:
    """The whole body as it is sent.

    Args:
        chunks: as they arrive.
        declared: the Content-Length header.
        held: told of every chunk.
        limits: how much is taken.

    Raises:
        BodyTooLarge: as soon as it is known to be.
        Overloaded: too much is on its way already.
    """
    limit = limits.max_body_bytes
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge("body bytes", int(declared), limit)
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge("body bytes", size, limit)
        held.add(len(chunk))
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def discard_rest(request: Request, limits: ReceiveLimits) -> None:
    """Read what is still coming of a body that is refused, and keep none of it.

    A sender that is cut off while it writes sees a broken connection in place of the answer. One
    that asked whether it may go on (`Expect`) is not made to; one without end is cut off.
    """
    if "expect" in request.headers:
        return
    size = 0
    with suppress(RuntimeError, ClientDisconnect):  # it had all been read; it is gone
        async for chunk in request.stream():
            size += len(chunk)
            if size > _DISCARDED_BODIES * limits.max_body_bytes:
                return


def decode(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        UnknownEncoding: neither gzip nor identity.
        PayloadError: broken gzip; the texts are those of Go's gzip, which InfluxDB passes on.
        BodyTooLarge: more than `max_bytes` unzipped; no more than that is ever unzipped.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body, max_bytes)
        case unknown:
            raise UnknownEncoding(
                f"Content-Encoding {unknown[:40]!r} is not understood; use gzip, or send plain text"
            )


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size, rest = 0, body
    while True:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            part = _step(member, rest)
            size += len(part)
            if size > max_bytes:
                raise BodyTooLarge("unzipped body bytes", size, max_bytes)
            parts.append(part)
            rest = member.unconsumed_tail
            if not part and not rest and not member.eof:
                raise PayloadError("unexpected EOF: the gzip data is cut off")
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return b"".join(parts)


def _step(member: zlib._Decompress, data: bytes) -> bytes:
    try:
        return member.decompress(data, _STEP_BYTES)
    except zlib.error as error:
        text = str(error)
        if "incorrect header" in text:
            raise PayloadError("gzip: invalid header; the body is not gzip") from error
        if "incorrect data check" in text or "incorrect length" in text:
            raise PayloadError("gzip: invalid checksum; the gzip data is damaged") from error
        raise PayloadError("gzip: the data is damaged") from error
