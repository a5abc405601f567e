"""The token bucket and the count of active series: pure, with time as an argument."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.receive.activeseries import ActiveSeries
from streamgauge.receive.bucket import TokenBucket

RATE, BURST = 10.0, 50.0
STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.integers(1, 200)),
    min_size=1,
    max_size=60,
)
"""Seconds to the next body, and how many lines it has."""


@given(STEPS)
def test_no_stretch_of_time_gets_more_than_its_rate_and_one_burst(
    steps: list[tuple[float, int]],
) -> None:
    bucket, now = TokenBucket(RATE, BURST, 0.0), 0.0
    taken: list[tuple[float, int]] = []
    for pause, amount in steps:
        now += pause
        if not bucket.wait_s(amount, now):
            bucket.take(amount)
            taken.append((now, amount))
    for first, (since, _) in enumerate(taken):
        came = [amount for _, amount in taken[first:]]
        allowed = RATE * (taken[-1][0] - since) + max(BURST, came[-1])
        assert sum(came) <= allowed + 1e-6


@given(STEPS)
def test_who_waits_as_long_as_told_gets_in(steps: list[tuple[float, int]]) -> None:
    bucket, now = TokenBucket(RATE, BURST, 0.0), 0.0
    for pause, amount in steps:
        now += pause
        wait_s = bucket.wait_s(amount, now)
        assert wait_s <= (BURST + 200) / RATE, "also what is larger than the burst"
        now += wait_s + 1e-6
        assert bucket.wait_s(amount, now) == 0
        bucket.take(amount)


@pytest.mark.parametrize(
    ("sentence", "taken", "at", "asked", "wait_s"),
    [
        ("a full bucket gives its burst", 0, 0, 50, 0),
        ("an empty one gives nothing", 50, 0, 1, 0.1),
        ("it fills by its rate", 50, 2, 20, 0),
        ("it fills by no more than its rate", 50, 2, 21, 0.1),
        ("it never holds more than the burst", 0, 1000, 60, 0),
        ("what is larger than the burst comes when it is full", 1, 0, 60, 0.1),
        ("and is paid off before anything else", 150, 9, 1, 1.1),
    ],
)
def test_bucket(sentence: str, taken: float, at: float, asked: float, wait_s: float) -> None:
    bucket = TokenBucket(RATE, BURST, 0.0)
    bucket.take(taken)
    assert bucket.wait_s(asked, at) == pytest.approx(wait_s), sentence


def test_a_clock_that_is_set_back_stops_nothing_for_long() -> None:
    bucket = TokenBucket(RATE, BURST, 1000.0)
    bucket.take(50)
    assert bucket.wait_s(10, 0.0) == pytest.approx(1)
    assert bucket.wait_s(10, 1.0) == 0


def hashes(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint64)


def test_as_many_series_as_allowed_are_active_and_the_first_of_a_body_win() -> None:
    active = ActiveSeries(window_s=100)
    assert active.admit("acme", hashes(0, 8), 10, 0.0).all()
    assert active.admit("acme", hashes(5, 8), 10, 0.0).tolist() == [True] * 5 + [False] * 3
    assert active.count("acme") == 10
    assert active.admit("zeta", hashes(100, 10), 10, 0.0).all(), "others are not touched"


def test_one_series_twice_in_a_body_counts_once() -> None:
    active = ActiveSeries()
    twice = np.array([7, 7, 8, 9, 7], np.uint64)
    assert active.admit("acme", twice, 2, 0.0).tolist() == [True, True, True, False, True]
    assert active.count("acme") == 2


def test_series_that_keep_coming_stay_and_others_make_room() -> None:
    active = ActiveSeries(window_s=100)
    active.admit("acme", hashes(0, 10), 10, 0.0)
    assert active.wait_s(30.0) == 70
    active.admit("acme", hashes(0, 4), 10, 150.0)
    assert active.count("acme") == 10, "seen in the window before this one"
    assert active.admit("acme", hashes(20, 7), 10, 250.0).tolist() == [True] * 6 + [False]
    assert active.admit("acme", hashes(20, 1), 10, 1e6).all()
    assert active.count("acme") == 1, "nothing of long ago is active"


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.floats(0, 80))))
def test_the_count_is_that_of_a_plain_set(steps: list[tuple[int, int, float]]) -> None:
    window_s, limit, now = 100.0, 15, 0.0
    active = ActiveSeries(window_s)
    last_window: dict[int, int] = {}
    for first, count, pause in steps:
        now += pause
        window = math.floor(now / window_s)
        last_window = {one: seen for one, seen in last_window.items() if seen >= window - 1}
        expected = []
        for one in range(first, first + count):
            expected.append(one in last_window or len(last_window) < limit)
            if expected[-1]:
                last_window[one] = window
        assert active.admit("acme", hashes(first, count), limit, now).tolist() == expected
        assert active.count("acme") == len(last_window)


def test_memory_is_bounded() -> None:
    active = ActiveSeries(window_s=1e9, max_series=100)
    for body in range(50):
        active.admit(f"tenant-{body}", hashes(body * 10, 10), 10**6, 0.0)
        assert len(active._newer) + len(active._older) <= 2 * 110
