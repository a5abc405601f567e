"""Hours that are kept in memory: asked for by flow, they are those that were added."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.past import KeptHours, some_minutes

ROWS = st.tuples(st.integers(0, 200), st.integers(0, 9), st.integers(0, 5), st.booleans())
"""Minute, flow, messages, whether they failed."""


def arrivals(rows: list[tuple[int, int, int, bool]]) -> Arrivals:
    minute, flow, count, failed = (np.array(column) for column in zip(*rows, strict=True))
    none, at = np.zeros(len(rows), bool), minute * 60.0
    in_no_row = np.zeros((len(rows), 6), np.int32)
    return Arrivals(
        minute, flow, in_no_row, count.astype(float), failed.astype(bool), none, at, at, None
    )


@settings(max_examples=100, deadline=None)
@given(
    parts=st.lists(st.lists(ROWS, min_size=1), min_size=1, max_size=25),
    wanted=st.sets(st.integers(0, 9)),
)
def test_what_was_added_is_found_by_flow(
    parts: list[list[tuple[int, int, int, bool]]], wanted: set[int]
) -> None:
    kept = KeptHours()
    for part in parts:
        kept.add(arrivals(part))
    expected: dict[tuple[int, int], tuple[int, int, int]] = {}
    for minute, flow, count, failed in (row for part in parts for row in part):
        if flow in wanted:
            before = expected.get((minute // 60, flow), (0, 0, 0))
            bits = before[2] | 1 << minute % 60
            expected[minute // 60, flow] = before[0] + count, before[1] + count * failed, bits
    (found,) = kept.hours(np.array(sorted(wanted), np.int64), 0, 10)
    told: dict[tuple[int, int], tuple[float, float, int]] = {}
    columns = (found.hour, found.flow, found.count, found.failed, found.minutes)
    for hour, flow, count, failed, bits in zip(*(c.tolist() for c in columns), strict=True):
        before = told.get((hour, flow), (0, 0, 0))
        told[hour, flow] = before[0] + count, before[1] + failed, before[2] | bits
    assert told == expected


def test_made_up_minutes_are_as_many_as_were_told() -> None:
    count = np.repeat(np.arange(61), 20)
    minutes = some_minutes(count, np.arange(len(count)))
    assert np.array_equal(np.bitwise_count(minutes), count)
    assert (minutes >> np.uint64(60) == 0).all()
