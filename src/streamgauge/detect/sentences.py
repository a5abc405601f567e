"""Times, durations and numbers as an engineer reads them at 3 a.m."""

from __future__ import annotations

from datetime import UTC, datetime

_DAY = 86_400.0


def at_utc(at: float, now: float) -> str:
    """`12:04 UTC`; with the day when it is not within 20 hours of `now`."""
    instant = datetime.fromtimestamp(at, tz=UTC)
    if abs(now - at) < 20 * 3600:
        return f"{instant:%H:%M} UTC"
    return f"{instant:%a} {instant.day} {instant:%b %H:%M} UTC"


def duration(seconds: float) -> str:
    """`45 s`, `7 min`, `2 h 10 min`, `3 days`."""
    seconds = max(seconds, 0.0)
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if seconds < 2 * _DAY:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h" if rest < 5 or hours >= 12 else f"{hours} h {rest} min"
    return f"{seconds / _DAY:.0f} days"


def number(value: float) -> str:
    """`0.4`, `12`, `1,200`, `3.4 million`."""
    if value < 10 and abs(value - round(value)) > 0.05:
        return f"{value:.1f}"
    if value < 1e6:
        return f"{value:,.0f}"
    if value < 1e9:
        return f"{value / 1e6:.1f} million"
    return f"{value / 1e9:.1f} billion"


def share(ratio: float) -> str:
    """`0.03 %`, `4 %`, `62 %`."""
    percent = 100.0 * ratio
    if percent >= 9.95 or percent == 0.0:
        return f"{percent:.0f} %"
    if percent < 0.01:
        return "under 0.01 %"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def usual_pace(per_hour: float) -> str:
    """`a message every 60 s`, `30 messages a minute`, `3 messages a day`."""
    if per_hour >= 7_200:
        return f"{number(per_hour / 3600)} messages a second"
    if per_hour >= 90:
        return f"{number(per_hour / 60)} messages a minute"
    if per_hour >= 1:
        return f"a message every {duration(3600 / per_hour)}"
    per_day = 24 * per_hour
    return f"{number(per_day)} messages a day" if per_day >= 1.5 else "a message a day or less"


def count_of(count: int, noun: str) -> str:
    """`1 customer`, `3 customers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def named(names: list[str], limit: int = 3) -> str:
    """`a, b and 4 more`."""
    if len(names) > limit + 1:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
