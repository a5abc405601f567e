import pytest

from streamgauge.detect.sentences import (
    at_utc,
    count_of,
    duration,
    named,
    number,
    share,
    usual_pace,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (7200, "2 h"),
     (7800, "2 h 10 min"), (172_800, "2 days"), (-5, "0 s")],
)  # fmt: skip
def test_a_duration_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("per_hour", "text"),
    [(60, "a message every 60 s"), (1800, "30 messages a minute"),
     (36_000, "10 messages a second"), (0.125, "3 messages a day"),
     (2, "a message every 30 min"), (0.01, "a message a day or less")],
)  # fmt: skip
def test_a_pace_is_told_as_people_count(per_hour: float, text: str) -> None:
    assert usual_pace(per_hour) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.44, "0.4"), (12, "12"), (1200, "1,200"), (3.4e6, "3.4 million"),
     (1e10, "10.0 billion"), ],
)  # fmt: skip
def test_a_number_is_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0 %"), (0.00001, "under 0.01 %"), (0.0025, "0.25 %"), (0.042, "4.2 %"), (0.62, "62 %")],
)  # fmt: skip
def test_a_share_keeps_the_digits_that_matter(ratio: float, text: str) -> None:
    assert share(ratio) == text


def test_an_instant_names_the_day_only_when_it_is_far() -> None:
    noon = 1_764_072_240.0
    assert at_utc(noon, noon + 3600) == "12:04 UTC"
    assert at_utc(noon, noon + 86_400) == "Tue 25 Nov 12:04 UTC"


def test_names_are_cut_after_a_few() -> None:
    assert named(["a"]) == "a"
    assert named(["a", "b", "c"]) == "a, b and c"
    assert named([*"abcdef"]) == "a, b, c and 3 more"
    assert count_of(1, "customer") == "1 customer"
    assert count_of(1200, "customer") == "1,200 customers"
