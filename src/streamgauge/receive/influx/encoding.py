"""Finds bytes that are not UTF-8, and makes the body safe for what expects text."""

from __future__ import annotations

import numpy as np

from streamgauge.receive.influx.blanks import Positions

_TO_ASCII = bytes(range(128)) + b"?" * 128


def mask_bad_utf8(body: bytes) -> tuple[bytes, Positions]:
    """`body` ending in a line break and without invalid UTF-8, and where that was.

    On a line with bad bytes all bytes beyond ASCII become `?`, so that positions stay.
    """
    if not body.endswith(b"\n"):
        body += b"\n"
    if body.isascii() or _first_bad(body) is None:
        return body, np.zeros(0, np.int64)
    raw = np.frombuffer(body, np.uint8)
    breaks = np.flatnonzero(raw == ord("\n"))
    suspect = np.unique(np.searchsorted(breaks, np.flatnonzero(raw > 127)))
    starts, ends = np.append(-1, breaks)[suspect] + 1, breaks[suspect]
    safe, bad_at = bytearray(body), []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        bad = _first_bad(body[start:end])
        if bad is not None:
            safe[start:end] = body[start:end].translate(_TO_ASCII)
            bad_at.append(start + bad)
    return bytes(safe), np.array(bad_at, np.int64)


def _first_bad(text: bytes) -> int | None:
    """The first byte that does not belong to UTF-8; None if all do."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None
