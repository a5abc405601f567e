"""How numbers, durations and instants are written on every page; None is the word `unknown`.

A space that must not break is U+00A0. All times are UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple, TypeGuard

NBSP = "\u00a0"
UNKNOWN = "unknown"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
JUST_NOW_S = 1.5
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Quantity(NamedTuple):
    """A number and its unit, apart so that a page can set the unit smaller."""

    number: str
    unit: str = ""

    def __str__(self) -> str:
        """`1.2 s`; `12.3k/s` without a space."""
        return f"{self.number}{self.gap}{self.unit}"

    @property
    def gap(self) -> str:
        """What stands between the two."""
        return "" if not self.unit or self.unit.startswith("/") else NBSP


NOTHING_KNOWN = Quantity(UNKNOWN)


def count(value: float | None) -> Quantity:
    """`1,234`, `12.3k` from 100,000."""
    if not _is_known(value):
        return NOTHING_KNOWN
    return Quantity(f"{value:,.0f}" if abs(value) < 1e5 else compact(value))


def rate(per_second: float | None) -> Quantity:
    """`12.3k/s`; a slow one by the minute, hour or day, so that it never reads as 0."""
    if not _is_known(per_second):
        return NOTHING_KNOWN
    for seconds, unit in ((1, "/s"), (MINUTE_S, "/min"), (HOUR_S, "/h")):
        if per_second * seconds >= 1 or per_second == 0:
            return Quantity(compact(per_second * seconds), unit)
    return Quantity(compact(per_second * DAY_S), "/d")


def share(ratio: float | None) -> Quantity:
    """`99.95 %`; never rounded to 0 % or 100 % unless it is."""
    if not _is_known(ratio):
        return NOTHING_KNOWN
    percent = ratio * 100
    if 0 < percent < 0.01:
        return Quantity("<0.01", "%")
    if 99.99 < percent < 100:
        return Quantity(">99.99", "%")
    digits = 0 if percent in {0, 100} else 1 if 10 <= percent < 90 or percent > 100 else 2
    return Quantity(f"{percent:.{digits}f}", "%")


def duration(seconds: float | None) -> Quantity:
    """`340 ms`, `1.2 s`, `3 min 10 s`, `3 h 10 min`, `2 d 4 h`."""
    if not _is_known(seconds):
        return NOTHING_KNOWN
    if seconds < 0.9995:
        return Quantity(_three_digits(seconds * 1000), "ms")
    if seconds < 59.5:
        return Quantity(_three_digits(seconds), "s")
    for size, unit, smaller, smaller_unit in (
        (DAY_S, "d", HOUR_S, "h"),
        (HOUR_S, "h", MINUTE_S, "min"),
        (MINUTE_S, "min", 1, "s"),
    ):
        whole, rest = divmod(round(seconds / smaller), size // smaller)
        if whole:
            tail = f"{NBSP}{rest}{NBSP}{smaller_unit}" if rest and whole < 100 else ""
            return Quantity(str(whole), unit + tail)
    return Quantity("1", "min")


def data_size(size_bytes: float | None) -> Quantity:
    """`1.2 MB`."""
    if not _is_known(size_bytes):
        return NOTHING_KNOWN
    scale, prefix = next(((s, p) for s, p in PREFIXES if abs(size_bytes) >= s), (1.0, ""))
    return Quantity(_three_digits(size_bytes / scale), f"{prefix}B")


def ago(at: float | None, now: float) -> str:
    """`3 min ago`; `in 3 min` for what lies ahead."""
    if not _is_known(at):
        return UNKNOWN
    passed_s = now - at
    if abs(passed_s) < JUST_NOW_S:
        return "just now"
    text = _roughly(abs(passed_s))
    return f"{text}{NBSP}ago" if passed_s > 0 else f"in{NBSP}{text}"


def utc(at: float | None) -> str:
    """`24 Nov 2026, 12:04:33 UTC`."""
    if not _is_known(at):
        return UNKNOWN
    instant = datetime.fromtimestamp(at, tz=UTC)
    return f"{instant.day}{NBSP}{instant:%b}{NBSP}{instant:%Y}, {instant:%H:%M:%S}{NBSP}UTC"


def utc_short(at: float | None, now: float) -> str:
    """`12:04 UTC`, with the date when that is not today's."""
    if not _is_known(at):
        return UNKNOWN
    instant, today = datetime.fromtimestamp(at, tz=UTC), datetime.fromtimestamp(now, tz=UTC)
    clock = f"{instant:%H:%M}{NBSP}UTC"
    if instant.date() == today.date():
        return clock
    year = "" if instant.year == today.year else f"{NBSP}{instant.year}"
    return f"{instant.day}{NBSP}{instant:%b}{year}, {clock}"


def iso(at: float) -> str:
    """For `<time datetime>`: to the second."""
    return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def compact(value: float) -> str:
    """Three digits and a prefix: `12.3k`, `999`, `0.5`."""
    for scale, prefix in PREFIXES:
        if abs(value) >= scale * 0.9995:
            return _three_digits(value / scale) + prefix
    return _three_digits(value)


def plural(number: int, noun: str) -> str:
    """`1 customer`, `23 customers`."""
    return f"{number:,}{NBSP}{noun}{'' if number == 1 else 's'}"


def _roughly(seconds: float) -> str:
    if seconds < MINUTE_S:
        return f"{int(seconds)}{NBSP}s"
    if seconds < HOUR_S:
        return f"{int(seconds // MINUTE_S)}{NBSP}min"
    if seconds < 10 * HOUR_S:
        return str(duration(seconds))
    size, unit = (HOUR_S, "h") if seconds < 2 * DAY_S else (DAY_S, "d")
    return f"{int(seconds // size):,}{NBSP}{unit}"


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    text = f"{value:.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
