"""The least possible delay: closed forms where there are some."""

from __future__ import annotations

import numpy as np
import pytest
from bench.fleet.evidence import change_nats, error_nats, late_start_nats, silence_nats
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_silence_of_a_poisson_sender_is_what_was_expected_of_it() -> None:
    mean = np.array([0.5, 1.0, 0.0, 2.0])
    assert silence_nats([mean], 0, 0.0, 0.0) == pytest.approx([0.5, 1.5, 1.5, 3.5])


def test_two_ways_in_say_as_much_as_one_of_both_together() -> None:
    mean = np.full(90, 0.3)
    whole = silence_nats([mean], 30, 0.0, 0.4)
    parts = silence_nats([mean / 3, mean * 2 / 3], 30, 0.0, 0.4)
    assert parts == pytest.approx(whole, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    hour=st.floats(0.02, 1.0), per_minute=st.floats(0.001, 50.0), first=st.integers(0, 59)
)  # fmt: skip
def test_a_gamma_factor_by_the_hour_is_a_negative_binomial(
    hour: float, per_minute: float, first: int
) -> None:
    """r·ln(1 + Λ/r) for each hour: the grid is fine enough where it matters, below 30 nats."""
    minutes = 120
    found = silence_nats([np.full(minutes, per_minute)], first, 0.0, hour)
    hours = (first + np.arange(minutes)) // 60
    expected = np.array([
        sum(np.log1p(hour * per_minute * n) / hour
            for n in np.unique(hours[: m + 1], return_counts=True)[1])
        for m in range(minutes)
    ])  # fmt: skip
    small = expected < 30.0
    assert found[small] == pytest.approx(expected[small], rel=0.03, abs=0.02)


def test_clumped_minutes_say_less() -> None:
    mean = np.full(30, 20.0)
    clumped = silence_nats([mean], 0, 1.0, 0.0)
    assert clumped == pytest.approx(np.arange(1, 31) * np.log(21.0))


def test_three_failures_of_three_are_evidence_and_one_of_many_is_not() -> None:
    three = error_nats(np.ones(3), np.ones(3), 0.002, 1.0, 0, 0.0)
    assert three[-1] == pytest.approx(3 * np.log(1 / 0.002), rel=1e-6)
    few = error_nats(np.array([1.0]), np.array([1000.0]), 0.002, 0.5, 0, 0.0)
    assert few[-1] < 0.0


def test_an_hour_that_often_fails_more_makes_failures_weaker_evidence() -> None:
    failed, total = np.full(20, 2.0), np.full(20, 100.0)
    steady = error_nats(failed, total, 0.005, 0.02, 0, 0.0)[-1]
    bursty = error_nats(failed, total, 0.005, 0.02, 0, 1.0)[-1]
    assert bursty < steady


def test_half_of_what_is_usual_is_evidence_for_a_drop_and_all_of_it_against() -> None:
    mean = np.full(60, 10.0)
    assert change_nats(mean / 2, mean, 0.5, 0, 0.0, 0.0)[-1] > 13.8
    assert change_nats(mean, mean, 0.5, 0, 0.0, 0.0)[-1] < -13.8


def test_a_batch_is_missed_some_standard_deviations_late_and_not_surer_than_its_size() -> None:
    nats = late_start_nats(np.arange(0, 60), np.array([20]), 4.0, 1000.0)
    assert nats[18] < 1.0
    assert 4.5 * 4.0 < int(np.argmax(nats >= 13.8)) + 1 - 20 < 5.5 * 4.0
    assert late_start_nats(np.arange(0, 60), np.array([20]), 4.0, 3.0).max() <= 3.0
