"""Numbers as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.web import format as formats

NOW_S = 1_795_500_000.0
finite = st.floats(0, 1e15, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("write", "value", "expected"),
    [
        pytest.param(formats.count, 1234, "1,234", id="thousands are parted"),
        pytest.param(formats.count, 99_999, "99,999", id="under 100,000 in full"),
        pytest.param(formats.count, 100_000, "100k", id="from 100,000 three digits"),
        pytest.param(formats.count, 0, "0", id="none at all is 0"),
        pytest.param(formats.count, None, "unknown", id="a count not known is a word"),
        pytest.param(formats.rate, 12_345, "12.3k/s", id="a fast rate"),
        pytest.param(formats.rate, 1, "1/s", id="once a second"),
        pytest.param(formats.rate, 0.5, "30/min", id="slower than a second by the minute"),
        pytest.param(formats.rate, 3 / 86_400, "3/d", id="three a day never reads as 0"),
        pytest.param(formats.rate, 0, "0/s", id="a rate of 0"),
        pytest.param(formats.share, 0.9995, "99.95 %", id="two digits near the whole"),
        pytest.param(formats.share, 0.999999, ">99.99 %", id="never 100 % unless it is"),
        pytest.param(formats.share, 1.0, "100 %", id="all"),
        pytest.param(formats.share, 0.000001, "<0.01 %", id="never 0 % unless it is"),
        pytest.param(formats.share, 0.0, "0 %", id="none"),
        pytest.param(formats.share, 0.5, "50.0 %", id="one digit in the middle"),
        pytest.param(formats.duration, 0.34, "340 ms", id="milliseconds"),
        pytest.param(formats.duration, 0.9996, "1 s", id="just under a second rounds up a unit"),
        pytest.param(formats.duration, 1.2, "1.2 s", id="seconds"),
        pytest.param(formats.duration, 59.7, "1 min", id="just under a minute"),
        pytest.param(formats.duration, 190, "3 min 10 s", id="minutes and seconds"),
        pytest.param(formats.duration, 3599.9, "1 h", id="just under an hour"),
        pytest.param(formats.duration, 11_400, "3 h 10 min", id="hours and minutes"),
        pytest.param(formats.duration, 187_200, "2 d 4 h", id="days and hours"),
        pytest.param(formats.duration, 0, "0 ms", id="no time at all"),
        pytest.param(formats.duration, float("nan"), "unknown", id="not a number is not known"),
        pytest.param(formats.data_size, 1_200_000, "1.2 MB", id="a size"),
        pytest.param(formats.data_size, 512, "512 B", id="a small size"),
    ],
)
def test_writes(write: object, value: float | None, expected: str) -> None:
    assert callable(write)
    assert str(write(value)).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("passed_s", "expected"),
    [
        pytest.param(0.4, "just now", id="this second"),
        pytest.param(59, "59 s ago", id="under a minute"),
        pytest.param(60, "1 min ago", id="a minute"),
        pytest.param(11_400, "3 h 10 min ago", id="hours and minutes"),
        pytest.param(40_000, "11 h ago", id="over ten hours"),
        pytest.param(200_000, "2 d ago", id="days"),
        pytest.param(-120, "in 2 min", id="ahead"),
    ],
)
def test_relative_times(passed_s: float, expected: str) -> None:
    assert formats.ago(NOW_S - passed_s, NOW_S).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(NOW_S, "06:00 UTC", id="today"),
        pytest.param(NOW_S - 86_400, "23 Nov, 06:00 UTC", id="yesterday"),
        pytest.param(NOW_S - 365 * 86_400, "24 Nov 2025, 06:00 UTC", id="last year"),
    ],
)
def test_absolute_times(at: float, expected: str) -> None:
    assert formats.utc_short(at, NOW_S).replace("\u00a0", " ") == expected


@given(finite)
def test_a_duration_never_shows_a_full_unit_of_the_next(seconds: float) -> None:
    text = str(formats.duration(seconds)).replace("\u00a0", " ")
    assert not re.search(r"\b(1000 ms|60 s|60 min|24 h)\b", text), text


@given(st.floats(0, 1))
def test_a_share_is_written_as_none_or_all_only_if_it_is(ratio: float) -> None:
    number = formats.share(ratio).number
    assert (number == "0") == (ratio == 0)
    assert (number == "100") == (ratio == 1)
    assert number not in {"0.00", "100.00"}


@given(finite)
def test_compact_keeps_three_digits(value: float) -> None:
    assert len(re.sub(r"[^0-9]", "", formats.compact(value)).lstrip("0")) <= 4
