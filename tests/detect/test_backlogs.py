"""Queues that fill every night, queues by the thousand, and when they will be empty."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import START, queue_table
from streamgauge.detect.backlog import Backlogs
from streamgauge.detect.outlook import seconds_to_drain
from streamgauge.detect.queue_week import QueueWeek, code_of, value_of
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope

STEP = 10
"""Minutes between two reports."""
A_DAY = 1440 // STEP


def nightly(days: int, hours: tuple[float, ...] = (1.0,)) -> np.ndarray:
    """Backlogs of a queue that fills for two hours at these hours of each day, then drains."""
    hour = np.arange(days * A_DAY) * STEP / 60.0 % 24.0
    filled = np.zeros(len(hour))
    for at in hours:
        filled = np.maximum(filled, np.clip(2.0 - np.abs(hour - at - 2.0), 0.0, None))
    return 20.0 + 6000.0 * filled


class Run:
    """Feeds one queue report by report and notes what was told, with the number of the report."""

    def __init__(self) -> None:
        self.backlogs = Backlogs()
        self.told: list[tuple[int, Finding]] = []

    def go(self, backlog: np.ndarray, first: int = 0) -> Run:
        age = backlog / 6000.0 * 3600.0
        for number in range(first, len(backlog)):
            minute = START + STEP * number
            fields = {"backlog": [backlog[number]], "oldest_age_s": [age[number]]}
            self.backlogs.observe(queue_table("out", [minute], fields))
            now = 60.0 * minute + 5.0
            self.told += [(number, f) for f in self.backlogs.judge(now, now, is_blind=False)]
        return self


@pytest.fixture(scope="module")
def nights_and_a_noon() -> Run:
    """It fills every night; on the tenth day, at noon too."""
    usual, noon = nightly(10), nightly(10, (1.0, 12.0))
    return Run().go(np.concatenate([usual[: 9 * A_DAY], noon[9 * A_DAY :]]))


def test_a_queue_that_fills_every_night_is_told_of_in_its_first_week_at_most(
    nights_and_a_noon: Run,
) -> None:
    begins = 9 * A_DAY + 12 * 60 // STEP
    nights = {number // A_DAY for number, _ in nights_and_a_noon.told if number < begins}
    assert nights <= set(range(7))


def test_a_queue_that_fills_every_night_is_told_of_when_it_fills_at_noon(
    nights_and_a_noon: Run,
) -> None:
    first = next(number for number, _ in nights_and_a_noon.told if number >= 9 * A_DAY)
    begins = 9 * A_DAY + 12 * 60 // STEP
    assert begins <= first <= begins + 30 // STEP


def test_many_queues_in_trouble_are_one_finding_until_the_last_is_well() -> None:
    backlogs, keys = Backlogs(), []
    for step in range(40):
        minute = START + step
        bad = 20 if step < 30 else 2
        age = [700.0 + 60.0 * step if queue < bad else 1.0 for queue in range(60)]
        tables = [
            queue_table(f"q{n:02d}", [minute], {"backlog": [50.0], "oldest_age_s": [age[n]]})
            for n in range(60)
        ]
        backlogs.observe(pa.concat_tables([t.combine_chunks() for t in map(_plain, tables)]))
        now = 60.0 * minute + 5.0
        found = backlogs.judge(now, now, is_blind=False)
        keys.append([finding.key for finding in found])
    assert keys[5] == keys[-1] == ["backlog/*/*/*/*/several%20queues"]
    assert "2 queues (" in found[0].summary


def _plain(table: pa.Table) -> pa.Table:
    names = ("queue", "pipeline", "integration", "tenant")
    for name in names:
        column = table[name].cast(pa.string())
        table = table.set_column(table.column_names.index(name), name, column)
    return table


@pytest.mark.parametrize(
    ("load", "hours"),
    [
        (None, None),
        ([10.0] * 24, None),
        ([10.0] * 3 + [2.0] * 21, 3.0 + (1000.0 + 3 * 3600.0) / (7.0 * 3600.0)),
    ],
    ids=["as much comes", "as much usually comes", "less comes after three hours"],
)
def test_a_queue_drains_when_the_load_falls(load: list[float] | None, hours: float | None) -> None:
    def usual(first: int, count: int) -> np.ndarray:
        assert load is not None
        return np.array([load[hour % 24] for hour in range(first, first + count)])

    found = seconds_to_drain(1000.0, 10.0, 9.0, 0.0, usual if load else None)
    assert found == (None if hours is None else pytest.approx(3600.0 * hours))


def test_a_queue_that_gains_is_empty_when_its_backlog_is_gone() -> None:
    assert seconds_to_drain(1000.0, 10.0, 12.0, 1800.0) == pytest.approx(500.0)
    assert seconds_to_drain(1e6, 10.0, 12.0, 0.0) == pytest.approx(5e5)


def test_what_went_into_the_queues_of_a_scope_is_told() -> None:
    backlogs = Backlogs()
    hours = START // 60
    for hour, backlog in ((0, 50.0), (1, 500.0), (2, 900.0), (3, 100.0)):
        fields = {"backlog": [backlog]}
        backlogs.observe(queue_table("out", [60 * (hours + hour) + 30], fields))
    assert backlogs.grown(Scope("acme", None, "ga4"), hours + 1) == (50.0, 0.0)
    assert backlogs.grown(Scope(), hours + 3) == (0.0, 800.0)


@given(value=st.floats(0.0, 1e15))
def test_codes_hold_a_number_within_a_fifth(value: float) -> None:
    held = value_of(code_of(value))
    assert value <= held * (1 + 1e-9) + 1e-9
    assert held <= 1.2 * (value + 1.0)


@settings(max_examples=50, deadline=None)
@given(
    reports=st.lists(
        st.tuples(
            st.integers(-(10**7), 10**8),
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=30,
    )
)
def test_wild_reports_break_nothing(reports: list[tuple[int, float, float]]) -> None:
    week = QueueWeek()
    for minute, age_s, backlog in reports:
        week.learn(minute, age_s, backlog, backlog)
        week.end(minute, backlog)
        for usual in (week.usual_age_s(minute), week.usual_backlog(minute)):
            assert usual is None or np.isfinite(usual[0])
        assert np.isfinite(week.grown(minute // 60 - 3))
