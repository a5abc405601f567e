"""Bodies packed and unpacked, by the names HTTP has for it."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import lz4.frame

from streamgauge.store.host.failures import UNKNOWN_COMPRESSION_METHOD, refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Pack = Callable[[bytes], bytes]
_FAST_LEVEL = 1


def _unpack_lz4(data: bytes) -> bytes:
    """One frame after the other: the client packs block by block."""
    parts = []
    while data:
        unpacker = lz4.frame.LZ4FrameDecompressor()
        parts.append(unpacker.decompress(data))
        data = unpacker.unused_data or b""
    return b"".join(parts)


_UNPACK: dict[str, Pack] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": _unpack_lz4,
    "zstd": zstd.decompress,
}
_PACK: dict[str, Pack] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, _FAST_LEVEL),
    "gzip": lambda data: gzip.compress(data, _FAST_LEVEL),
    "deflate": lambda data: zlib.compress(data, _FAST_LEVEL),
}
"""The cheapest first: of those the client takes, it is used."""


def unpacked(data: bytes, coding: str) -> bytes:
    """The body as it was meant.

    Raises:
        Refused: nothing we know is called `coding`, or the body is not packed so.
    """
    if coding in {"", "identity"}:
        return data
    if coding not in _UNPACK:
        raise _unknown(f"Unknown compression method: {coding}")
    try:
        return _UNPACK[coding](data)
    except (OSError, EOFError, RuntimeError, ValueError, zlib.error, zstd.ZstdError) as error:
        raise _unknown(f"the body is not {coding}: {error}") from error


def _unknown(sentence: str) -> Exception:
    return refusal(UNKNOWN_COMPRESSION_METHOD, sentence, "UNKNOWN_COMPRESSION_METHOD")


def packed(data: bytes, accepted: str) -> tuple[bytes, str]:
    """The body as one of `Accept-Encoding`'s names, and the name; empty: as it is."""
    names = {part.split(";", 1)[0].strip() for part in accepted.split(",")}
    coding = next((name for name in _PACK if name in names), "")
    return (_PACK[coding](data), coding) if coding else (data, "")
