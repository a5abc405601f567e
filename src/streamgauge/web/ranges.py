"""Reads the time parameters of a question: `from`, `to` and `step`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from streamgauge.model.errors import PayloadError

HOUR_S = 3600.0
MAX_STEPS = 11_000
"""Values a series may have. Source: Prometheus' limit for range queries."""
NICE_STEPS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400)
UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LATEST_S = 253_402_300_800.0
"""The end of the year 9999, the last that RFC 3339 can write."""


@dataclass(frozen=True, slots=True)
class Range:
    """`from_s <= event time < to_s`, epoch seconds."""

    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.to_s - self.from_s


def parse_range(from_: str | None, to: str | None, now_s: float) -> Range:
    """The range asked for; the last hour by default.

    Args:
        from_: epoch seconds or RFC 3339; None is an hour before `to`.
        to: the same; None is now.
        now_s: epoch seconds.

    Raises:
        PayloadError: not an instant, or an end that is not after the beginning.
    """
    to_s = now_s if to is None else parse_instant("to", to)
    from_s = to_s - HOUR_S if from_ is None else parse_instant("from", from_)
    if from_s >= to_s:
        raise PayloadError(f"from={from_} is not before to={to or 'now'}: swap or widen them")
    return Range(from_s, to_s)


def parse_instant(name: str, text: str) -> float:
    """Epoch seconds of an instant written as epoch seconds or RFC 3339.

    Raises:
        PayloadError: neither, or outside the years 1970 to 9999.
    """
    at = _epoch_seconds(text)
    if at is None or not 0 <= at < LATEST_S:
        raise PayloadError(
            f"{name}={text[:64]!r} is not an instant: give epoch seconds (1764000000) "
            "or RFC 3339 with a zone (2025-11-24T16:00:00Z)"
        )
    return at


def _epoch_seconds(text: str) -> float | None:
    if re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text):
        return float(text)
    try:
        # A `+` that was not percent-encoded arrives as a space.
        instant = datetime.fromisoformat(text.strip().replace(" ", "+" if "T" in text else "T"))
    except ValueError:
        return None
    return instant.timestamp() if instant.tzinfo else instant.replace(tzinfo=UTC).timestamp()


def parse_step(text: str | None, asked: Range) -> float:
    """The step asked for, seconds; by default a round one giving at most 300 values.

    Raises:
        PayloadError: not a positive duration, or so small that there were over 11,000 values.
    """
    if text is None:
        return nice_step(asked.length_s)
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text)
    step_s = float(match[1]) * UNITS_S[match[2]] if match else 0.0
    if step_s <= 0:
        raise PayloadError(
            f"step={text[:64]!r} is not a duration: give seconds (60) or 30s, 5m, 1h, 1d"
        )
    steps = math.ceil(asked.length_s / step_s)
    if steps > MAX_STEPS:
        raise PayloadError(
            f"step={text} gives {steps:,} values a series, limit {MAX_STEPS:,}: "
            f"take step={nice_step(asked.length_s):g} or a shorter range"
        )
    return step_s


def nice_step(length_s: float) -> float:
    """The smallest round step, seconds, that cuts a range into at most 300."""
    enough = (step for step in NICE_STEPS_S if length_s / step <= 300)
    return float(next(enough, math.ceil(length_s / 300 / 86_400) * 86_400))
