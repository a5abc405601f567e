"""Batch senders: one run a day, or an hour, of which the next may be late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_life import Watch, learned

from fleet import DAY, Fleet, Sender, make
from streamgauge.detect.batches import schedule_of
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind

THURSDAY = 168 * 2900
"""An hour: the first of a week of the epoch."""
PER_HOUR = 1000.0
LEARNED = 8 * DAY
STEP = 10


def runs(
    period: int, at: int, length: int, jitter: float, days: int, off_days: tuple[int, ...] = ()
) -> np.ndarray:
    """Which minutes are active."""
    rng = np.random.default_rng(3)
    is_on = np.zeros(days * DAY, bool)
    for start in range(at, days * DAY, period):
        if (start // DAY) % 7 not in off_days:
            begin = max(round(start + rng.normal(0.0, jitter)), 0)
            is_on[begin : begin + length] = True
    return is_on


def hours(is_on: np.ndarray, known_hours: int) -> tuple[np.ndarray, np.ndarray]:
    """Active minutes of hours, and the bits of the last of them."""
    by_hour = is_on.reshape(-1, 60)
    bits = (by_hour.astype(np.uint64) << np.arange(60, dtype=np.uint64)).sum(1, dtype=np.uint64)
    bits[: max(len(bits) - known_hours, 0)] = 0
    return by_hour.sum(1).astype(float), bits


@pytest.mark.parametrize(
    ("made", "known_hours", "period", "offset", "within"),
    [
        (runs(60, 32, 5, 3.0, 8), 48, 60, 32, 2),
        (runs(60, 58, 5, 3.0, 8), 48, 60, 58, 2),
        (runs(360, 35, 8, 10.0, 8), 48, 360, 35, 8),
        (runs(DAY, 1196, 121, 5.0, 8), 48, DAY, 1196, 6),
        (runs(DAY, 1196, 10, 5.0, 8), 192, DAY, 1196, 6),
        (runs(DAY, 600, 100, 3.0, 12, (5, 6)), 48, DAY, 600, 6),
    ],
    ids=["hourly", "at the hour", "six-hourly", "two hours a day", "ten minutes a day", "weekdays"],
)
def test_the_schedule_of_a_batch_sender_is_found(
    made: np.ndarray, known_hours: int, period: int, offset: int, within: int
) -> None:
    found = schedule_of(*hours(made, known_hours), THURSDAY, PER_HOUR)
    assert found is not None
    assert found.period_s == 60.0 * period
    assert abs(found.offset_s / 60.0 - offset) <= within


def test_days_on_which_it_never_ran_are_none_to_wait_for() -> None:
    found = schedule_of(*hours(runs(DAY, 600, 100, 3.0, 12, (5, 6)), 48), THURSDAY, PER_HOUR)
    assert found is not None
    assert found.days == (True,) * 5 + (False,) * 2


def test_a_missed_run_is_no_surer_than_it_has_messages_unless_many_came() -> None:
    made = hours(runs(DAY, 600, 10, 3.0, 9), 192)
    few, many = (schedule_of(*made, THURSDAY, a_day / 24.0) for a_day in (4.4, 500.0))
    assert few is not None
    assert many is not None
    assert few.most_nats == pytest.approx(4.4)
    assert many.most_nats == pytest.approx(500.0)
    one = schedule_of(*made, THURSDAY, 1.0 / 24.0)
    assert one is not None
    assert one.most_nats == pytest.approx(-np.log(0.5 / 10.0)), "one message in each of nine runs"


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5], ids=["sparse", "modest", "dense"])
def test_who_sends_by_chance_is_no_batch_sender(share: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        assert schedule_of(*hours(rng.random(14 * DAY) < share, 192), THURSDAY, PER_HOUR) is None


def test_who_works_office_hours_is_no_batch_sender() -> None:
    assert schedule_of(*hours(runs(DAY, 480, 600, 5.0, 14), 192), THURSDAY, PER_HOUR) is None


@settings(max_examples=50, deadline=None)
@given(
    active=st.lists(st.integers(0, 60), min_size=1, max_size=400),
    known=st.integers(0, 400),
    seed=st.integers(0, 99),
)
def test_no_history_makes_numbers_that_are_none(active: list[int], known: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    is_on = rng.random((len(active), 60)) < np.array(active)[:, None] / 60.0
    found = schedule_of(*hours(is_on.ravel(), known), THURSDAY, PER_HOUR)
    if found is not None:
        assert np.isfinite([found.period_s, found.offset_s, found.spread_s, found.sure_s]).all()
        assert found.spread_s > 0.0


def batch_fleet(days: int) -> Fleet:
    """A daily run of two hours, an hourly one of five minutes, and eight ordinary customers."""
    senders = [
        Sender(Flow(name, "web", "s3", "main", "delivered"), 600.0)
        for name in ("daily", "hourly", *(f"t{i}" for i in range(8)))
    ]
    fleet = make(senders, days * DAY)
    fleet.ok[0] *= runs(DAY, 1196, 121, 5.0, days)
    fleet.ok[1] *= runs(60, 32, 5, 2.0, days)
    return fleet


def run(fleet: Fleet) -> Watch:
    watch = learned(fleet, LEARNED)
    for minute in range(LEARNED, fleet.minutes, STEP):
        watch.detector.observe(fleet.delta(minute, minute + STEP))
        watch.ask(60.0 * (fleet.start + minute + STEP) + 20.0)
    return watch


def test_batch_senders_that_idle_are_not_silent() -> None:
    watch = run(batch_fleet(11))
    assert [f.summary for _, f in watch.opened if f.kind is Kind.SILENCE] == []


def test_the_first_run_that_does_not_come_is_told() -> None:
    fleet = batch_fleet(10)
    fleet.silence([0], LEARNED + DAY).silence([1], LEARNED + DAY)
    watch = run(fleet)
    at = {
        f.scope.tenant: at / 60.0 - fleet.start - LEARNED - DAY
        for at, f in watch.opened
        if f.kind is Kind.SILENCE
    }
    assert 1196.0 < at["daily"] <= 1196.0 + 60.0
    assert 32.0 < at["hourly"] <= 32.0 + 30.0
