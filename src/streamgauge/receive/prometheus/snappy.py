"""Snappy's block format, unpacked only as far as a body may be large."""

from __future__ import annotations

from streamgauge.model.errors import PayloadError
from streamgauge.receive.bodies import BodyTooLarge, UnknownEncoding

_LENGTH_BYTES = 5
"""The announced length is a varint of 32 bits."""


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """A body without its `Content-Encoding`, for `Workshop.work_on`.

    Remote write is always snappy, also where a sender does not say so.

    Raises:
        UnknownEncoding: something else is announced.
        PayloadError: damaged, or the framed format.
        BodyTooLarge: it announces more than `max_bytes`; nothing of it is unpacked then.

    Source: google/snappy, format_description.txt; the framed format begins with `ff 06 00 00`.
    """
    if encoding.strip().lower() not in {"", "snappy"}:
        raise UnknownEncoding(
            f"Content-Encoding {encoding[:40]!r} is not understood; remote write is snappy"
        )
    if body.startswith(b"\xff\x06\x00\x00sNaPpY"):
        raise PayloadError("snappy: this is the framed format; remote write uses the block format")
    length = announced_bytes(body)
    if length > max_bytes:
        raise BodyTooLarge("unpacked body bytes", length, max_bytes)
    import cramjam  # with the first body: it takes memory

    try:
        plain = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise PayloadError("snappy: the data is damaged or cut off") from error
    return plain


def announced_bytes(body: bytes) -> int:
    """How many bytes the block says it holds.

    Raises:
        PayloadError: it does not say.
    """
    length = 0
    for place, byte in enumerate(body[:_LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return length
    raise PayloadError("snappy: the data is damaged or cut off")
