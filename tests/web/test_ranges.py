"""`from`, `to` and `step`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.model.clock import rfc3339
from streamgauge.model.errors import PayloadError
from streamgauge.web.ranges import MAX_STEPS, Range, parse_instant, parse_range, parse_step

NOW_S = 1_795_500_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("1764000000", 1_764_000_000.0, id="epoch seconds"),
        pytest.param("1764000000.5", 1_764_000_000.5, id="epoch seconds with a fraction"),
        pytest.param("2025-11-24T16:00:00Z", 1_764_000_000.0, id="RFC 3339, UTC"),
        pytest.param("2025-11-24T18:00:00+02:00", 1_764_000_000.0, id="RFC 3339, another zone"),
        pytest.param("2025-11-24T18:00:00 02:00", 1_764_000_000.0, id="a plus that became a space"),
        pytest.param("2025-11-24T16:00:00", 1_764_000_000.0, id="no zone is UTC"),
        pytest.param("2025-11-24 16:00:00", 1_764_000_000.0, id="a space between date and time"),
    ],
)
def test_reads_instants(text: str, at: float) -> None:
    assert parse_instant("from", text) == at


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("yesterday", id="a word"),
        pytest.param("-5", id="before 1970"),
        pytest.param("nan", id="not a number"),
        pytest.param("1e999", id="infinity"),
        pytest.param("999999999999", id="after the year 9999"),
        pytest.param("1764000000000000000", id="nanoseconds"),
        pytest.param("2025-13-01T00:00:00Z", id="a thirteenth month"),
    ],
)
def test_refuses_what_is_not_an_instant(text: str) -> None:
    with pytest.raises(PayloadError, match=r"from=.*epoch seconds"):
        parse_instant("from", text)


@given(st.integers(0, 4_000_000_000))
def test_an_instant_reads_back(at: int) -> None:
    assert parse_instant("to", rfc3339(at)) == parse_instant("to", str(at)) == at


def test_the_last_hour_is_meant_when_nothing_is_said() -> None:
    assert parse_range(None, None, NOW_S) == Range(NOW_S - 3600, NOW_S)


def test_an_hour_before_the_end_is_meant_without_a_beginning() -> None:
    assert parse_range(None, "7200", NOW_S) == Range(3600, 7200)


@pytest.mark.parametrize("end", ["3600", "3599"], ids=["empty", "backwards"])
def test_refuses_a_range_without_time_in_it(end: str) -> None:
    with pytest.raises(PayloadError, match="not before"):
        parse_range("3600", end, NOW_S)


@pytest.mark.parametrize(
    ("text", "length_s", "step_s"),
    [
        pytest.param(None, 3600, 60, id="an hour by the minute"),
        pytest.param(None, 86_400, 300, id="a day in at most 300 values"),
        pytest.param(None, 90 * 86_400, 43_200, id="a quarter by half days"),
        pytest.param("30", 3600, 30, id="seconds without a unit"),
        pytest.param("5m", 3600, 300, id="minutes"),
        pytest.param("1h", 86_400, 3600, id="hours"),
        pytest.param("1d", 86_400, 86_400, id="days"),
        pytest.param("1", MAX_STEPS, 1, id="as many values as there may be"),
    ],
)
def test_reads_steps(text: str | None, length_s: float, step_s: float) -> None:
    assert parse_step(text, Range(0, length_s)) == step_s


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        pytest.param("0", 3600, id="none"),
        pytest.param("-60", 3600, id="backwards"),
        pytest.param("1w", 3600, id="an unknown unit"),
        pytest.param("soon", 3600, id="a word"),
        pytest.param("1", MAX_STEPS + 1, id="one value too many"),
        pytest.param("0.000000001", 3600, id="very many values"),
    ],
)
def test_refuses_steps(text: str, length_s: float) -> None:
    with pytest.raises(PayloadError, match="step="):
        parse_step(text, Range(0, length_s))
