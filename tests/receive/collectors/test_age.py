"""The age of the oldest message, by position and time: right, or not told."""

from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.model.gatherer import AgeMethod, QueueReading
from streamgauge.receive.collectors.age import MAX_POINTS, Ages, QueueHistory

LOOKS = [
    ("nothing waits", [(0, 0, 5)], (0, 0, 0)),
    ("what was there before the first look is not known", [(0, 3, 5)], (0, math.inf, None)),
    (
        "its age is at least as long as it was watched",
        [(0, 3, 5), (60, 3, 5)],
        (60, math.inf, None),
    ),
    ("one that came between two looks", [(0, 0, 5), (10, 1, 6)], (0, 10, 0)),
    ("the first of two that came between", [(0, 0, 5), (10, 2, 7)], (0, 10, 5)),
    ("the same one, later", [(0, 0, 5), (10, 1, 6), (70, 1, 6)], (60, 70, 60)),
    ("others behind it change nothing", [(0, 0, 5), (10, 1, 6), (70, 9, 14)], (60, 70, 60)),
    (
        "the next one, once it is gone",
        [(0, 0, 5), (10, 1, 6), (20, 2, 7), (30, 1, 7)],
        (10, 20, 10),
    ),
    (
        "old ones leave, and what came since is known",
        [(0, 50, 100), (10, 60, 110), (20, 5, 110)],
        (10, 20, 15 - 1),
    ),
    (
        "a counter that begins anew tells nothing of before",
        [(0, 0, 100), (10, 4, 104), (20, 4, 2)],
        (0, math.inf, None),
    ),
    (
        "and tells again what came after",
        [(0, 0, 100), (10, 4, 104), (20, 4, 2), (30, 1, 3)],
        (0, 10, 0),
    ),
    (
        "what is given back comes to the front again",
        [(0, 0, 0), (10, 2, 2), (20, 0.0 + 1, 2), (30, 2, 2)],
        (20, 30, 25),
    ),
    ("only the backlog, and it was empty a moment ago", [(0, 0, None), (10, 3, None)], (0, 10, 5)),
    ("only the backlog, and long not empty", [(0, 0, None), (50, 3, None)], (0, 50, None)),
    ("only the backlog, never seen empty", [(0, 3, None), (50, 3, None)], (0, math.inf, None)),
]


@pytest.mark.parametrize(
    ("looks", "expected"), [case[1:] for case in LOOKS], ids=[case[0] for case in LOOKS]
)
def test_ages(
    looks: list[tuple[float, float, float | None]], expected: tuple[float, float, float | None]
) -> None:
    history = QueueHistory()
    (*_, last) = [history.age(*look) for look in looks]
    low_s, high_s, likely_s = expected
    assert (last.low_s, last.high_s) == (low_s, high_s)
    assert last.likely_s == (None if likely_s is None else pytest.approx(likely_s, abs=1.1))


STEP = st.tuples(
    st.floats(0.1, 30.0),  # seconds until the next look
    st.lists(st.floats(0.0, 1.0), max_size=6),  # when messages come between, as a share of it
    st.integers(0, 6),  # how many leave at the end
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=30), st.integers(0, 5), st.booleans())
def test_the_true_age_lies_within_the_bounds(
    steps: list[tuple[float, list[float], int]], present: int, is_counted: bool
) -> None:
    now, total = 1000.0, present
    waiting = deque([now - 500.0] * present)
    history = QueueHistory()
    for pause_s, arrivals, leaving in steps:
        put = sorted(now + pause_s * share for share in arrivals)
        waiting.extend(put)
        total += len(put)
        now += pause_s
        for _ in range(min(leaving, len(waiting))):
            waiting.popleft()
        age = history.age(now, len(waiting), total if is_counted else None)
        true_s = now - waiting[0] if waiting else 0.0
        assert age.low_s - 1e-6 <= true_s <= age.high_s + 1e-6
        if age.likely_s is not None:
            assert age.low_s - 1e-6 <= age.likely_s <= age.high_s + 1e-6


def test_a_queue_that_never_moves_costs_no_more_memory() -> None:
    history = QueueHistory()
    history.age(0.0, 0, 0)
    for second in range(1, 10 * MAX_POINTS):
        age = history.age(float(second), second, second)
        assert len(history.times) <= MAX_POINTS + 1
        assert age.low_s <= second - 1 <= age.high_s


def test_only_what_was_not_told_is_filled() -> None:
    ages = Ages()
    told = QueueReading("told", backlog=1, oldest_age_s=7, oldest_age_method=AgeMethod.BROKER)
    derived = QueueReading("derived", backlog=0, out_total=5)
    ages.filled([told, derived, QueueReading("dark")], 1000.0)
    later = [told, QueueReading("derived", backlog=2, out_total=5, in_flight=1)]
    found = ages.filled(later, 1010.0)
    assert found[0] is later[0]
    # of three that came in ten seconds, one is in hands: the second is the oldest that waits
    assert found[1].oldest_age_s == pytest.approx(10 / 3)
    assert found[1].oldest_age_method is AgeMethod.POSITION


def test_counts_without_a_backlog_are_remembered() -> None:
    ages = Ages()
    ages.filled([QueueReading("q", in_total=1)], 1000.0)
    (found,) = ages.filled([QueueReading("q", backlog=1, in_total=2)], 1010.0)
    assert found.oldest_age_s == 0
