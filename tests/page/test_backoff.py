"""When a notification is tried again."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.page.backoff import Backoff

attempts = st.integers(1, 500)
seeds = st.integers(0, 1_000)


@settings(deadline=None)
@given(attempts, seeds)
def test_the_delay_doubles_between_half_and_all_up_to_the_most(attempt: int, seed: int) -> None:
    longest = min(900.0, 5.0 * 2 ** min(attempt - 1, 20))
    assert longest / 2 <= Backoff().delay_s(attempt, Random(seed)) <= longest


@settings(deadline=None)
@given(attempts, seeds, st.floats(0, 1e5))
def test_it_never_comes_before_the_receiver_asked(attempt: int, seed: int, asked: float) -> None:
    assert Backoff().delay_s(attempt, Random(seed), asked) >= asked


def test_the_same_seed_gives_the_same_delay() -> None:
    assert Backoff().delay_s(3, Random(7)) == Backoff().delay_s(3, Random(7))


def test_it_is_given_up_after_a_day() -> None:
    backoff = Backoff(first_s=10.0, most_s=10.0)
    assert backoff.retry_at(0.0, 86_390.0, 9, Random(1)) is not None
    assert backoff.retry_at(0.0, 86_400.0, 9, Random(1)) is None
    assert backoff.retry_at(0.0, 0.0, 1, Random(1), retry_after_s=86_401.0) is None
