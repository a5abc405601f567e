"""What is forgotten when, and what is answered then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.views import Filters
from streamgauge.store import Store, StoreSettings

pytestmark = pytest.mark.chdb
ALL = Filters()
HOUR, DAY = 3600, 86_400
MIDNIGHT = NOW - NOW % DAY
SETTINGS = StoreSettings(segment_max_wait_s=0.001)


@contextmanager
def running(
    folder: Path, clock: SimulatedClock, settings: StoreSettings = SETTINGS
) -> Iterator[Store]:
    store = Store(f"chdb://{folder}/engine", folder, clock, settings)
    store.open()
    try:
        yield store
    finally:
        store.close()


def put(store: Store, *at: float) -> None:
    rows: list[Row] = [{"at": each, "tenant": "a", "latency_s": 0.5} for each in at]
    queue: list[Row] = [{"at": each, "queue": "q", "backlog": 3.0} for each in at]
    points: list[Row] = [
        {"at": each, "measurement": "cpu", "field": "f", "value": 1} for each in at
    ]
    store.write(body(rows, queue, points), None, NOW)
    assert store.flush(30)


def rows(store: Store) -> dict[str, int]:
    names = [
        f"{prefix}{level}"
        for level in ("minute", "hour", "day")
        for prefix in ("", "queue_", "point_")
    ]
    tables = ["messages", "queue", "points", *names]
    selects = (f"SELECT '{name}' AS name, count() AS n FROM {name}" for name in tables)
    answer = store._engine.query(" UNION ALL ".join(selects)).to_pylist()
    return {row["name"]: row["n"] for row in answer if row["n"]}


def test_each_level_is_forgotten_in_its_own_time(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    kept: list[set[str]] = []
    settings = replace(SETTINGS, day_retention_s=800 * DAY)
    with running(folder, clock, settings) as store:
        put(store, MIDNIGHT)
        for age_days in (8, 9, 43, 440, 1200):
            clock.move_to(MIDNIGHT + age_days * DAY)
            store.retain()
            kept.append(set(rows(store)))
        assert store.retain() == 0, "nothing is left to be dropped"
        seen = store._engine.query("SELECT count() AS n FROM seen_minute").to_pylist()
    raw = {"messages", "queue", "points"}
    minutes, hours, days = (
        {level, f"queue_{level}", f"point_{level}"} for level in ("minute", "hour", "day")
    )
    assert kept[0] - raw == minutes | hours | days
    assert kept[1:] == [minutes | hours | days, hours | days, days, set()]
    assert seen == [{"n": 0}]


def test_for_ever_is_for_ever(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    forever = StoreSettings(
        raw_retention_s=math.inf,
        minute_retention_s=math.inf,
        hour_retention_s=math.inf,
        day_retention_s=math.inf,
    )
    with running(folder, clock, forever) as store:
        put(store, MIDNIGHT, 5.0)
        assert store.settle(30)
        before = rows(store)
        clock.advance(20 * 365 * DAY)
        assert store.retain() == 0
        assert rows(store) == before


def test_a_range_is_cut_where_what_is_kept_can_be_cut(folder: Path) -> None:
    """Minutes are gone: a border inside an hour moves on to the hour's end, at both ends."""
    clock = SimulatedClock(MIDNIGHT)
    with running(folder, clock) as store:
        put(store, *(MIDNIGHT + minute * 60 for minute in range(0, 240, 10)))
        half = MIDNIGHT + HOUR / 2
        ask = [(half, half + HOUR), (half + HOUR, half + 2 * HOUR), (half, half + 60)]
        assert [store.overview(*each, ALL).messages for each in ask] == [6, 6, 1]
        clock.advance(60 * DAY)
        store.retain()
        found = [store.overview(*each, ALL) for each in ask]
        assert [each.messages for each in found] == [6, 6, None], "no hour begins in one minute"
        assert found[0].messages_per_second == 6 / HOUR
        assert found[0].queue.backlog == 3.0
        assert found[2].queue.backlog is None
        assert found[0].latency.p50_s == pytest.approx(0.5, rel=0.0111)


def test_a_step_is_as_long_as_what_is_kept(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    with running(folder, clock) as store:
        put(store, *(MIDNIGHT + minute * 60 for minute in range(0, 240, 10)))
        clock.advance(60 * DAY)
        store.retain()
        answer = store.timeseries("messages", MIDNIGHT, MIDNIGHT + 6 * HOUR, 60, [], ALL)
        assert [at - MIDNIGHT for at in answer.timestamps] == [n * HOUR for n in range(6)]
        assert list(answer.series[0].values) == [6, 6, 6, 6, None, None]
        answer = store.timeseries(
            "messages", MIDNIGHT + 60, MIDNIGHT + 2 * HOUR + 60, 5400, [], ALL
        )
        assert [at - MIDNIGHT for at in answer.timestamps] == [0, 2 * HOUR]
        assert list(answer.series[0].values) == [6, 6], "the first hour began before the range"
        clock.advance(500 * DAY)
        store.retain()
        answer = store.timeseries("messages", MIDNIGHT, MIDNIGHT + HOUR, 60, [], ALL)
        assert (list(answer.timestamps), list(answer.series[0].values)) == ([MIDNIGHT], [24])


@pytest.mark.parametrize("age_days", [10, 50, 450])
def test_lines_that_come_after_a_level_was_emptied_are_in_the_coarser_ones_at_once(
    folder: Path, age_days: int
) -> None:
    clock = SimulatedClock(MIDNIGHT + age_days * DAY)
    with running(folder, clock) as store:
        put(store, MIDNIGHT)
        store.retain()
        put(store, MIDNIGHT + 600)
        assert store.overview(MIDNIGHT, MIDNIGHT + DAY, ALL).messages == 2
        store.retain()
        assert store.overview(MIDNIGHT, MIDNIGHT + DAY, ALL).messages == 2


def test_minutes_do_not_go_while_an_hour_is_waiting(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    with running(folder, clock, replace(SETTINGS, rollup_wait_s=3600.0)) as store:
        put(store, MIDNIGHT)
        assert "hour" not in rows(store)
        clock.advance(100 * DAY)
        store.retain()
        assert {"hour", "day"} <= set(rows(store))
        assert store.overview(MIDNIGHT, MIDNIGHT + HOUR, ALL).messages == 1


def test_a_longer_retention_does_not_make_gone_minutes_zero(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    with running(folder, clock) as store:
        put(store, MIDNIGHT + 600)
        clock.advance(60 * DAY)
        store.retain()
    with running(folder, clock, replace(SETTINGS, minute_retention_s=math.inf)) as store:
        assert store.overview(MIDNIGHT, MIDNIGHT + HOUR, ALL).messages == 1
        assert store.overview(MIDNIGHT + 540, MIDNIGHT + 660, ALL).messages is None


def test_learning_looks_back_35_days_whatever_minutes_are_left(folder: Path) -> None:
    clock = SimulatedClock(MIDNIGHT)
    with running(folder, clock, replace(SETTINGS, minute_retention_s=2 * DAY)) as store:
        put(store, *(MIDNIGHT + minute * 60 for minute in (0, 0, 7)), MIDNIGHT + 30 * DAY)
        clock.advance(34 * DAY)
        store.retain()
        assert rows(store)["minute"] == 1
        past = store.history(clock.now())
    first, second = past.hours.to_pylist()
    assert (first["count"], first["active_minutes"]) == (3, 2)
    assert (second["count"], second["active_minutes"]) == (1, 1)
    minute = int(MIDNIGHT // 60)
    assert [seen - minute for seen in past.seen_minutes.to_pylist()] == [0, 7, 30 * 24 * 60]
