"""What our own collectors look up: no sign of life, and a clock where there is no other."""

from __future__ import annotations

from dataclasses import replace

from test_life import Watch, learned

from fleet import DAY, START, Fleet, delta_of, queue_table, steady
from streamgauge.detect.detector import Detector
from streamgauge.model.feed import Delta, History
from streamgauge.model.words import Kind


def collected(minute: int, backlog: float = 10.0, age_s: float = 5.0) -> Delta:
    """One look at one queue."""
    fields: dict[str, list[float | None]] = {"backlog": [backlog], "oldest_age_s": [age_s]}
    no_minutes = steady(1, 1).table(0, 0)
    return Delta(no_minutes, queue_table("orders", [minute], fields), newest_ns=0)


def goes_on_alone(fleet: Fleet, minutes: int, age_s: float = 5.0) -> Watch:
    """All senders stop after three days; the collector goes on."""
    watch = learned(fleet, 3 * DAY)
    for minute in range(3 * DAY, 3 * DAY + 60):
        watch.detector.observe(fleet.delta(minute, minute + 1))
        watch.detector.observe(collected(fleet.start + minute))
        watch.ask(60.0 * (fleet.start + minute) + 1.0)
    for minute in range(3 * DAY + 60, 3 * DAY + 60 + minutes):
        watch.detector.observe(collected(fleet.start + minute, age_s=age_s))
        watch.ask(60.0 * (fleet.start + minute) + 1.0)
    return watch


def test_all_senders_stop_while_a_collector_goes_on_is_blind_and_no_silence() -> None:
    watch = goes_on_alone(steady(20, 3 * DAY + 60), minutes=30)
    assert {one.kind for one in watch.open.values()} == {Kind.BLIND}
    (blind,) = watch.open.values()
    assert blind.scope == (None, None, None, None)
    assert blind.since == 60.0 * (START + 3 * DAY + 59)


def test_a_queue_that_is_looked_at_is_judged_while_nobody_reports() -> None:
    watch = goes_on_alone(steady(20, 3 * DAY + 60), minutes=30, age_s=4000.0)
    assert {one.kind for one in watch.open.values()} == {Kind.BLIND, Kind.BACKLOG}
    minute = START + 3 * DAY + 90
    for later in range(6):
        watch.detector.observe(collected(minute + later))
        watch.ask(60.0 * (minute + later) + 1.0)
    assert {one.kind for one in watch.open.values()} == {Kind.BLIND}, "its end is seen, too"


def test_queues_alone_have_a_clock() -> None:
    watch = Watch()
    for minute in range(START, START + 120):
        watch.detector.observe(collected(minute, age_s=5.0 if minute < START + 100 else 4000.0))
        watch.ask(60.0 * minute + 1.0)
    assert {one.kind for one in watch.open.values()} == {Kind.BACKLOG}
    assert watch.detector.watermark(60.0 * (START + 120)) == 60.0 * (START + 119)


def test_the_first_who_reports_sets_the_clock_after_a_time_of_queues_alone() -> None:
    detector = Detector()
    for minute in range(START, START + 30):
        detector.observe(collected(minute))
    fleet = steady(3, 10)
    detector.observe(replace(fleet.delta(0, 1), newest_ns=60 * START * 10**9))
    detector.observe(collected(START + 30))
    assert detector.watermark(60.0 * (START + 40)) == 60.0 * START


def test_learned_from_rollups_collectors_are_no_clock_beside_senders() -> None:
    fleet = steady(20, 3 * DAY)
    history = fleet.history(3 * DAY)
    queues = queue_table("orders", [fleet.start + 3 * DAY + 10], {"backlog": [3.0]})
    detector = Detector()
    detector.learn(replace(history, recent=replace(history.recent, queues=queues)))
    assert detector.watermark(60.0 * (fleet.start + 3 * DAY + 20)) == 60.0 * (
        fleet.start + 3 * DAY - 1
    )


def test_learned_from_rollups_of_queues_alone_collectors_are_the_clock() -> None:
    empty = steady(1, 1).history(0)
    queues = queue_table("orders", [START + 1, START + 2], {"backlog": [3.0, 4.0]})
    recent = replace(delta_of(empty.recent.minutes), queues=queues)
    detector = Detector()
    detector.learn(
        History(
            hours=empty.hours,
            recent=recent,
            recent_from_minute=START,
            seen_minutes=empty.seen_minutes,
        )
    )
    assert detector.watermark(60.0 * (START + 20)) == 60.0 * (START + 2)
