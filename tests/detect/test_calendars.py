"""Weekly hours: how they are written, and when they are open."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.detect.calendars import DAYS, parse_calendar

BERLIN = ZoneInfo("Europe/Berlin")


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


OPEN: list[tuple[str, str, bool]] = [
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-12T08:00+01:00", True),
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-12T07:59+01:00", False),
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-12T17:59+01:00", True),
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-12T18:00+01:00", False),
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-07-13T06:00+00:00", True),
    ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-11T12:00+01:00", False),
    ("MON-FRI 8:00 - 18:00", "2026-01-12T08:00+00:00", True),
    ("mon, wed 09:00-10:00", "2026-01-14T09:30+00:00", True),
    ("mon, wed 09:00-10:00", "2026-01-13T09:30+00:00", False),
    ("mon-fri 08:00-12:00, 13:00-17:00", "2026-01-12T12:30+00:00", False),
    ("mon-fri 08:00-12:00, 13:00-17:00", "2026-01-12T13:00+00:00", True),
    ("sat-mon 00:00-24:00", "2026-01-11T23:59+00:00", True),
    ("sat-mon 00:00-24:00", "2026-01-13T00:00+00:00", False),
    ("daily 22:00-06:00", "2026-01-12T05:59+00:00", True),
    ("daily 22:00-06:00", "2026-01-12T06:00+00:00", False),
    ("fri 22:00-06:00", "2026-01-17T05:00+00:00", True),
    ("08:00-09:00", "2026-01-17T08:30+00:00", True),
    ("daily 08:00-18:00 except 2026-01-12", "2026-01-12T10:00+00:00", False),
    ("daily 08:00-18:00 except 2026-01-12", "2026-01-13T10:00+00:00", True),
    ("daily 22:00-06:00 except 2026-01-12", "2026-01-13T05:00+00:00", False),
    ("daily 00:00-24:00 Pacific/Auckland except 2026-01-13", "2026-01-12T12:00+00:00", False),
]


@pytest.mark.parametrize(("text", "at", "is_open"), OPEN, ids=[f"{t} at {a}" for t, a, _ in OPEN])
def test_when_hours_are_open(text: str, at: str, is_open: bool) -> None:
    assert (parse_calendar(text).opened_at(instant(at)) is not None) == is_open


WRONG: list[tuple[str, str]] = [
    ("", "is not understood"),
    ("always", "is not understood"),
    ("mon-fri", "days without hours"),
    ("monday 08:00-09:00", "is not understood"),
    ("abc 08:00-09:00", "'abc' is no day"),
    ("mon 08:00-08:00", "is no span of hours"),
    ("mon 24:00-08:00", "is no span of hours"),
    ("mon 08:61-09:00", "is no time of the day"),
    ("mon 08:00-25:00", "is no time of the day"),
    ("mon 08:00-09:00 Berlin", "'Berlin' is no time zone"),
    ("mon 08:00-09:00 ../etc/passwd", "is no time zone"),
    ("mon 08:00-09:00 except 25.12.2026", "is no date such as"),
    ("mon 08:00-09:00" + ", mon 08:00-09:00" * 300, "longer than"),
]


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[told + text[:20] for text, told in WRONG])
def test_what_is_wrong_is_said(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_calendar(text)


def test_hours_of_a_day_that_changes_the_clock_are_the_local_ones() -> None:
    night = parse_calendar("daily 01:00-04:00 Europe/Berlin")
    spring, autumn = (
        night.open_spans(instant(f"{day}T00:00+02:00"), instant(f"{day}T12:00+02:00"))
        for day in ("2026-03-29", "2026-10-25")
    )
    assert [end - begin for begin, end in spring] == [2 * 3600.0]
    assert [end - begin for begin, end in autumn] == [4 * 3600.0]


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(ValueError):
        assert parse_calendar(text).spans


@given(
    st.integers(0, 6),
    st.integers(0, 1438),
    st.integers(1, 1439),
    st.integers(0, 400 * 1440),
)
@settings(max_examples=60, deadline=None)
def test_a_minute_is_open_when_the_local_clock_says_so(
    weekday: int, begin: int, length: int, minute: int
) -> None:
    end = min(begin + length, 1439)
    if end == begin:
        return
    hours = f"{begin // 60:02d}:{begin % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    calendar = parse_calendar(f"{DAYS[weekday]} {hours} Europe/Berlin")
    at = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(minutes=minute)
    local = at.astimezone(BERLIN)
    of_day = local.hour * 60 + local.minute
    expected = local.weekday() == weekday and begin <= of_day < end
    changes = local.date().isoformat() in {"2026-03-29", "2026-10-25"}
    assert changes or (calendar.opened_at(at.timestamp()) is not None) == expected
