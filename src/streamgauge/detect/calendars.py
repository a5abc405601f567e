"""Weekly hours in which messages are expected, in a time zone, without holidays.

    mon-fri 08:00-18:00 Europe/Berlin
    mon-fri 08:00-12:00, 13:00-17:00, sat 09:00-12:00 Europe/Berlin except 2026-12-25, 2026-12-26
    daily 22:00-06:00

Days come before hours; hours without days are of the days before them; hours that end before they
begin reach into the next day. Without a zone it is UTC. A holiday is a local date on which no hours
begin. Pure; `open_time` joins it with what was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE = '"mon-fri 08:00-18:00 Europe/Berlin", or "… except 2026-12-25, 2026-12-26"'
_PART = re.compile(
    r"(?P<days>daily|[a-z]{3}(?:-[a-z]{3})?)?\s*(?P<hours>\d\d?:\d\d\s*-\s*\d\d?:\d\d)?"
)
_DAY_MINUTES = 1440
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """When messages are expected."""

    spans: tuple[tuple[int, int, int], ...]
    """(weekday from Monday 0, first minute of the day, end in minutes, beyond 1440: next day)."""
    zone: str = "UTC"
    holidays: frozenset[date] = frozenset()

    def open_spans(self, from_s: float, to_s: float) -> list[tuple[float, float]]:
        """(begin, end) in epoch seconds, ascending and joined, of what is open in a range."""
        zone = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(from_s, zone).date() - timedelta(days=2)
        last = datetime.fromtimestamp(to_s, zone).date()
        found: list[tuple[float, float]] = []
        while day <= last:
            if day not in self.holidays:
                found += [
                    (_instant(day, begin, zone), _instant(day, end, zone))
                    for weekday, begin, end in self.spans
                    if weekday == day.weekday()
                ]
            day += timedelta(days=1)
        clipped = [(max(b, from_s), min(e, to_s)) for b, e in found if e > from_s and b < to_s]
        return _joined(sorted(clipped))

    def opened_at(self, at: float) -> float | None:
        """When the hours that hold `at` began (a week back at most); None: they are closed."""
        for begin, end in self.open_spans(at - 7 * 86_400.0, at + 60.0):
            if begin <= at < end:
                return begin
        return None


def _instant(day: date, minute: int, zone: ZoneInfo) -> float:
    day += timedelta(days=minute // _DAY_MINUTES)
    hour, rest = divmod(minute % _DAY_MINUTES, 60)
    return (
        datetime(day.year, day.month, day.day, hour, rest, tzinfo=zone).astimezone(UTC).timestamp()
    )


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > begin:
            joined.append((begin, end))
    return joined


@lru_cache(4096)
def parse_calendar(text: str) -> Calendar:
    """Read a calendar.

    Raises:
        ValueError: says what is wrong, and what is accepted.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT} characters")
    weekly, _, holidays = text.partition(" except ")
    hours, zone = _split_zone(weekly.strip())
    return Calendar(_spans(hours), zone, frozenset(_dates(holidays)))


def _split_zone(weekly: str) -> tuple[str, str]:
    head, _, last = weekly.rpartition(" ")
    if not head or re.match(r"[\d]", last):
        return weekly, "UTC"
    try:
        ZoneInfo(last)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{last[:64]!r} is no time zone; accepted are such as {EXAMPLE}") from None
    return head, last


def _spans(hours: str) -> tuple[tuple[int, int, int], ...]:
    spans: list[tuple[int, int, int]] = []
    days: list[int] = []
    is_told = True
    for part in hours.lower().split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or not part.strip():
            raise ValueError(f"{part.strip()[:64]!r} is not understood; accepted are {EXAMPLE}")
        if match["days"]:
            days = [*([] if is_told else days), *_weekdays(match["days"])]
            is_told = False
        if match["hours"]:
            begin, end = _minutes(match["hours"])
            spans += [(day, begin, end) for day in days or range(7)]
            is_told = True
    if not is_told or not spans:
        raise ValueError(f"days without hours; accepted are {EXAMPLE}")
    return tuple(spans)


def _weekdays(text: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    names = text.split("-")
    for name in names:
        if name not in DAYS:
            raise ValueError(f"{name!r} is no day; accepted are daily, {', '.join(DAYS)}")
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return [(first + n) % 7 for n in range((last - first) % 7 + 1)]


def _minutes(text: str) -> tuple[int, int]:
    begin, end = (_minute(part.strip()) for part in text.split("-"))
    if begin in {_DAY_MINUTES, end}:
        raise ValueError(f"{text!r} is no span of hours")
    return begin, end if end > begin else end + _DAY_MINUTES


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if minute > 59 or hour * 60 + minute > _DAY_MINUTES:
        raise ValueError(f"{text!r} is no time of the day, 00:00 to 24:00")
    return hour * 60 + minute


def _dates(text: str) -> list[date]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(date.fromisoformat(part))
        except ValueError:
            raise ValueError(f"{part[:64]!r} is no date such as 2026-12-25") from None
    return found
