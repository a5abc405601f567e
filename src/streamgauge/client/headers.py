"""Carries a message's id and first stamp through the headers of whatever it travels by.

`streamgauge-id` is the message's id, `streamgauge-first` the instant at which it was first seen, in
seconds since the epoch. Known shapes: a mapping (AMQP, NATS, HTTP; names in any case; values text,
bytes, numbers or lists of them), and pairs (Kafka: text and bytes; ASGI: bytes and bytes).
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, overload

ID, FIRST = "streamgauge-id", "streamgauge-first"
MAX_ID_CHARACTERS = 128
_LATEST_S = 1e11
"""A number beyond is no instant in seconds."""

Name = TypeVar("Name", str, bytes)


@dataclass(frozen=True, slots=True)
class Trace:
    """What a message's headers tell of it."""

    id: str | None = None
    """None where they tell none."""
    first_at: float | None = None
    """When it was first seen, seconds since the epoch."""

    def latency_s(self, now: float | None = None) -> float | None:
        """Seconds since the first stamp, 0 where clocks disagree; None where there is none."""
        if self.first_at is None:
            return None
        return max((time.time() if now is None else now) - self.first_at, 0.0)


@overload
def stamp(
    headers: Mapping[str, Any] | None = None, *, id: str | None = None, at: float | None = None
) -> dict[str, Any]: ...


@overload
def stamp(
    headers: Iterable[tuple[Name, Any]], *, id: str | None = None, at: float | None = None
) -> list[tuple[Name, Any]]: ...


def stamp(
    headers: Mapping[str, Any] | Iterable[tuple[Any, Any]] | None = None,
    *,
    id: str | None = None,  # noqa: A002
    at: float | None = None,
) -> dict[str, Any] | list[tuple[Any, Any]]:
    """The same headers with an id and a first stamp, in their own shape; those there stay.

    Args:
        headers: of a message, in any of the shapes above; None where it has none. Not changed.
        id: of the message; a new one unless given.
        at: when it was first seen, seconds since the epoch; now unless given.
    """
    is_pairs = not (headers is None or isinstance(headers, Mapping))
    pairs = list(_pairs(headers))
    trace = read(pairs)
    new = {
        ID: trace.id or (id or uuid.uuid4().hex)[:MAX_ID_CHARACTERS],
        FIRST: f"{time.time() if at is None else at:.6f}",
    }
    if trace.first_at is not None:
        del new[FIRST]
    if trace.id is not None:
        del new[ID]
    kept = [(name, value) for name, value in pairs if _text(name).lower() not in new]
    if not is_pairs:
        return {**dict(kept), **new}
    has_byte_names = any(isinstance(name, bytes) for name, _ in pairs)
    has_text_values = bool(pairs) and all(isinstance(value, str) for _, value in pairs)
    added: list[tuple[Any, Any]] = [
        (
            name.encode() if has_byte_names else name,
            value if has_text_values else value.encode(),
        )
        for name, value in new.items()
    ]
    return kept + added


def read(headers: Mapping[str, Any] | Iterable[tuple[Any, Any]] | None) -> Trace:
    """What headers tell of their message; never raises, whatever they are."""
    found: dict[str, str] = {}
    try:
        for name, value in _pairs(headers):
            found.setdefault(_text(name).lower(), _text(value))
    except Exception:  # a foreign object that is no headers at all
        return Trace()
    return Trace(_id(found.get(ID, "")), _instant(found.get(FIRST, "")))


def _pairs(headers: Mapping[str, Any] | Iterable[tuple[Any, Any]] | None) -> Iterator[Any]:
    if headers is None:
        return iter(())
    return iter(headers.items() if isinstance(headers, Mapping) else headers)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("latin-1")
    if isinstance(value, list | tuple):
        return _text(value[0]) if value else ""
    if isinstance(value, datetime):
        return repr(value.timestamp())
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)


def _id(text: str) -> str | None:
    text = text.strip()
    return text if text.isprintable() and 0 < len(text) <= MAX_ID_CHARACTERS else None


def _instant(text: str) -> float | None:
    try:
        at = float(text)
    except ValueError:
        return None
    return at if math.isfinite(at) and 0 < at < _LATEST_S else None
