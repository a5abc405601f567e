"""Instants and durations as people and programs write them beside the configuration."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

LATEST_S = 253_402_300_800.0
"""10000-01-01."""
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([smhdw])\s*")
_EPOCH = re.compile(r"\s*\d{1,15}(?:\.\d{1,9})?\s*")


def read_instant(value: object) -> float:
    """Epoch seconds of RFC 3339 (UTC where no zone is named), a date with time, or a number.

    Raises:
        ValueError: none of these, or outside the years 1970 to 9999; says what is accepted.
    """
    at = _instant(value)
    if at is None or not 0.0 <= at < LATEST_S:
        raise ValueError(
            "an instant: RFC 3339 with a zone (2026-12-01T08:00:00Z), or epoch seconds"
        )
    return at


def read_duration(value: object) -> float:
    """Seconds of `90s`, `5m`, `2h`, `3d`, `1w`; more than none.

    Raises:
        ValueError: something else; says what is accepted.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if not 0.0 < seconds < LATEST_S:
        raise ValueError("a duration with its unit (s, m, h, d, w), such as 30m")
    return seconds


def is_duration(value: object) -> bool:
    """Whether it is written as one."""
    return isinstance(value, str) and _DURATION.fullmatch(value) is not None


def _instant(value: object) -> float | None:
    if isinstance(value, datetime):
        return _epoch(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    return _written(value) if isinstance(value, str) else None


def _written(text: str) -> float | None:
    if _EPOCH.fullmatch(text):
        return float(text)
    try:
        return _epoch(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def _epoch(instant: datetime) -> float:
    return instant.timestamp() if instant.tzinfo else instant.replace(tzinfo=UTC).timestamp()
