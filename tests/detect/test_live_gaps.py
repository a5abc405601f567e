"""Rows of which some minutes come late: quiet live, filled in a little later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from test_life import Watch, learned

from fleet import DAY, Fleet, Sender, delta_of, make
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.live_gaps import LiveGaps
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind

HISTORY = 3 * DAY


def arrivals(minutes: list[int], rows: list[int]) -> Arrivals:
    n, minute = len(minutes), np.array(minutes, np.int64)
    places = np.zeros((n, 6), np.int32)
    places[:, 0] = rows
    no, stamps = np.zeros(n, bool), 60.0 * minute
    return Arrivals(minute, np.zeros(n, np.int32), places, np.ones(n), no, no, stamps, stamps, None)


def large_fleet(minutes: int) -> Fleet:
    senders = [Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), 15_000.0) for i in range(5)]
    return make(senders, minutes)


def run_late(fleet: Fleet, late: set[int], until: int) -> Watch:
    """Customer 2's minutes in `late` come as a whole 12 minutes later."""
    watch = learned(fleet, HISTORY)
    waits: dict[int, pa.Table] = {}
    for minute in range(HISTORY, until):
        table = fleet.table(minute, minute + 1)
        if minute in late:
            is_late = np.array(table["tenant"].to_pylist()) == "t2"
            waits[minute + 12] = table.filter(is_late)
            table = table.filter(~is_late)
        watch.detector.observe(delta_of(table))
        if minute in waits:
            watch.detector.observe(delta_of(waits.pop(minute)))
        watch.ask(60.0 * (fleet.start + minute + 1) + 1.0)
    return watch


def late_minutes(until: int) -> set[int]:
    return set(range(HISTORY + 20, until, 25))


def test_a_customer_whose_minutes_come_late_is_paged_for_it_once_at_most() -> None:
    until = HISTORY + 400
    watch = run_late(large_fleet(until), late_minutes(until), until)
    opened = [f for _, f in watch.opened if f.kind is Kind.SILENCE]
    assert len(opened) <= 1


def test_its_real_silence_is_told_a_few_minutes_later_than_that_of_others() -> None:
    until, stop = HISTORY + 400, HISTORY + 380
    fleet = large_fleet(until).silence([2, 3], stop)
    watch = run_late(fleet, late_minutes(stop), until)
    opened = {f.scope.tenant: at / 60.0 - fleet.start - stop for at, f in watch.opened[-2:]}
    assert opened["t3"] <= 3.1
    assert opened["t3"] < opened["t2"] <= 8.0


def observe(gaps: LiveGaps, new: Arrivals, last_s: np.ndarray) -> None:
    gaps.observe(new, np.unique(new.rows), last_s)


def test_minutes_that_never_come_teach_nothing() -> None:
    gaps = LiveGaps()
    last_s = np.full(4, 60.0 * 100)
    for minute in [101, 105, 106, 200]:
        observe(gaps, arrivals([minute], [1]), last_s)
        last_s[1] = 60.0 * minute
    assert np.isinf(gaps.most_nats(np.array([1]), np.array([600.0])))[0]
    observe(gaps, arrivals([199], [1]), last_s)
    assert np.isinf(gaps.most_nats(np.array([1]), np.array([600.0])))[0]


def test_minutes_that_came_late_limit_what_quiet_is_worth() -> None:
    gaps = LiveGaps()
    last_s = np.full(4, 60.0 * 100)
    observe(gaps, arrivals([103], [1]), last_s)
    last_s[1] = 60.0 * 103
    observe(gaps, arrivals([101, 104], [1, 1]), last_s)
    quiet = np.array([60.0, 240.0])
    one, four = gaps.most_nats(np.array([1, 1]), quiet)
    assert 0.0 <= one < four < np.inf


@settings(max_examples=50, deadline=None)
@given(
    calls=st.lists(
        st.lists(st.tuples(st.integers(-200, 10**7), st.integers(0, 5)), max_size=8), max_size=12
    )
)
def test_no_order_of_minutes_makes_numbers_that_are_none(
    calls: list[list[tuple[int, int]]],
) -> None:
    gaps, last_s = LiveGaps(), np.full(6, -np.inf)
    for call in calls:
        new = arrivals([m for m, _ in call], [r for _, r in call])
        observe(gaps, new, last_s)
        for minute, row in call:
            last_s[row] = max(last_s[row], 60.0 * minute)
    most = gaps.most_nats(np.arange(6), np.full(6, 3600.0))
    assert not np.isnan(most).any()
    assert (most >= 0.0).all()
