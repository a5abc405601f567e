"""Finds bytes that are not UTF-8, and makes the body safe for what expects text."""

from __future__ import annotations

import codecs

import numpy as np

from streamgauge.receive.influx.strings import Positions

_TO_ASCII = bytes(range(128)) + b"?" * 128


def mask_bad_utf8(body: bytes) -> tuple[bytes, Positions]:
    """`body` ending in a line break and without invalid UTF-8, and where that was.

    On a line with bad bytes all bytes beyond ASCII become `?`, so that positions stay.
    """
    if not body.endswith(b"\n"):
        body += b"\n"
    if body.isascii():
        return body, np.zeros(0, np.int64)
    safe: bytearray | None = None
    view, bad_at, position = memoryview(body), [], 0
    while (at := _first_bad(view, position)) is not None:
        start, end = body.rfind(b"\n", 0, at) + 1, body.index(b"\n", at)
        safe = safe if safe is not None else bytearray(body)
        safe[start:end] = body[start:end].translate(_TO_ASCII)
        bad_at.append(at)
        position = end
    return (body if safe is None else bytes(safe)), np.array(bad_at, np.int64)


def _first_bad(body: memoryview, start: int) -> int | None:
    """The first byte from `start` on that does not belong to UTF-8."""
    try:
        codecs.utf_8_decode(body[start:], "strict", True)
    except UnicodeDecodeError as error:
        return start + error.start
    return None
