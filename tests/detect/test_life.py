"""How findings open, hold and close as time goes on."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from histories import WEEK_LEARNED, fans_out, of

from fleet import DAY, START, Fleet, Sender, delta_of, make, queue_table, steady
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow, Scope
from streamgauge.model.words import Kind, Severity, Suspected

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))


class Watch:
    """Runs a detector minute by minute and keeps what opened and closed, with the time."""

    def __init__(self, detector: Detector | None = None) -> None:
        self.detector = detector or Detector()
        self.opened: list[tuple[float, Finding]] = []
        self.closed: list[tuple[float, Finding]] = []
        self.open: dict[str, Finding] = {}

    def ask(self, now: float) -> list[Finding]:
        found = self.detector.evaluate(now)
        for finding in found:
            if finding.over_reason:
                self.closed.append((now, finding))
                self.open.pop(finding.key, None)
            elif finding.key not in self.open:
                self.opened.append((now, finding))
                self.open[finding.key] = finding
        return found

    def run(self, fleet: Fleet, first: int, last: int, ticks: int = 1) -> Watch:
        for minute in range(first, last):
            self.detector.observe(fleet.delta(minute, minute + 1))
            for tick in range(ticks):
                self.ask(60.0 * (fleet.start + minute) + fleet.stamp_s + 1.0 + tick * 60.0 / ticks)
        return self


def learned(fleet: Fleet, until: int, expectations: Expectations | None = None) -> Watch:
    detector = Detector(expectations)
    detector.learn(fleet.history(until))
    return Watch(detector)


def test_a_silence_opens_once_and_closes_soon_after_messages_came_back() -> None:
    fleet = steady(20, 3 * DAY + 60).silence([7], 3 * DAY + 5, 3 * DAY + 40)
    watch = learned(fleet, 3 * DAY).run(fleet, 3 * DAY, 3 * DAY + 60)

    (opened_at, opened), (closed_at, closed) = watch.opened[0], watch.closed[0]
    assert len(watch.opened) == len(watch.closed) == 1
    assert opened.scope == Scope(tenant="t07")
    assert opened.suspected is Suspected.CUSTOMER
    assert (opened_at - 60.0 * (fleet.start + 3 * DAY + 5)) <= 240.0
    assert closed_at - 60.0 * (fleet.start + 3 * DAY + 40) <= 120.0
    assert closed.over_reason.startswith("messages came back at 00:40 UTC after 36 min")


def test_one_stray_message_of_a_big_customer_does_not_close_its_silence() -> None:
    senders = [Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), 6000.0) for i in range(5)]
    fleet = make(senders, WEEK_LEARNED + 40).silence([2], WEEK_LEARNED + 5)
    fleet.ok[2, WEEK_LEARNED + 20] = 1
    watch = learned(fleet, WEEK_LEARNED).run(fleet, WEEK_LEARNED, WEEK_LEARNED + 40)
    assert [f.key for f in watch.open.values()] == ["silence/t2/*/*/*/"]
    assert not watch.closed


@pytest.mark.parametrize("late_s", [0.0, 9.9], ids=["start is stamped", "end is stamped"])
def test_a_modest_customer_is_missed_within_ninety_seconds(late_s: float) -> None:
    """Lines every ten seconds, 30 a minute, a week learned; 25 customers.

    Senders that stamp the end of their interval were taken for such as report once a minute.
    """
    rng = np.random.default_rng(5)
    senders = [
        Sender(Flow(f"t{i:02d}", "web", "ga4", "main", stage), 1800.0)
        for i in range(25)
        for stage in ("received", "delivered")
    ]
    fleet = make(senders, WEEK_LEARNED)
    fleet.first_s, fleet.stamp_s = late_s, 50.0 + late_s
    watch = learned(fleet, WEEK_LEARNED)
    stopped_at = fleet.end_s + 120.0
    for step in range(36):
        now = fleet.end_s + 10.0 * step
        speaking = [i for i in range(50) if now < stopped_at or i // 2 != 7]
        part = Fleet([senders[i] for i in speaking], np.zeros(0), np.zeros(0), int(now // 60))
        part.ok = rng.poisson(5.0, (len(speaking), 1))
        part.failed = np.zeros_like(part.ok)
        part.stamp_s = now % 60.0 + late_s
        watch.detector.observe(part.delta())
        watch.ask(now + late_s + 1.0)
    (opened_at, opened), *more = watch.opened
    assert opened.scope == Scope(tenant="t07")
    assert not more
    assert opened_at - (stopped_at - 10.0 + late_s) <= 90.0


def test_a_few_failing_customers_are_one_incident_that_closes_soon_after() -> None:
    senders = [
        Sender(Flow(f"t{i:02d}", "web", name, "main", "delivered"), rate, error_ratio=0.003)
        for i, rate in enumerate([60, 120, 600, 6000, 400_000] * 5)
        for name in ("ga4", "s3")
    ]
    fleet = make(senders, WEEK_LEARNED + 40)
    begin, end = WEEK_LEARNED + 5, WEEK_LEARNED + 25
    fleet.fail(of(fleet, tenant={"t02", "t08", "t10"}, integration="ga4"), begin, end, 0.8)
    watch = learned(fleet, WEEK_LEARNED).run(fleet, WEEK_LEARNED, WEEK_LEARNED + 40, ticks=2)

    assert [f.key for _, f in watch.opened] == ["errors/*/*/ga4/*/"]
    (opened_at, opened), (closed_at, closed) = watch.opened[0], watch.closed[0]
    assert opened_at - 60.0 * (fleet.start + begin) <= 180.0
    assert closed_at - 60.0 * (fleet.start + end) <= 180.0
    assert set(watch.closed[0][1].affected) <= {"t02", "t08", "t10"}
    assert "of 25 customers" in opened.summary
    assert "mostly “timeout”" in opened.summary
    assert "back to usual" in closed.over_reason


def test_over_a_restart_while_blind_nothing_closes_and_nothing_opens_twice() -> None:
    fleet = steady(20, 3 * DAY).silence([7], -120)
    first = learned(fleet, 3 * DAY)
    first.ask(fleet.end_s)
    (key,) = first.open

    again = learned(fleet, 3 * DAY)
    again.detector.restore([(key, first.open[key].since)])
    assert {f.kind for f in again.ask(fleet.end_s + 3600.0)} == {Kind.SILENCE}  # senders find us
    found = again.ask(fleet.end_s + 3800.0)
    assert {f.kind for f in found} == {Kind.SILENCE, Kind.BLIND}
    assert not again.closed
    assert again.open[key].since == first.open[key].since


def test_the_hour_in_which_a_silence_begins_does_not_become_the_habit() -> None:
    """At the next full hour half of what was expected was forgotten."""
    fleet = steady(20, 3 * DAY + 120).silence([7], 3 * DAY + 12)
    watch = learned(fleet, 3 * DAY).run(fleet, 3 * DAY, 3 * DAY + 120)
    ((_, found),) = watch.opened
    at_the_end = watch.open[found.key]
    assert watch.closed == []
    expected = float(watch.ask(fleet.end_s)[0].evidence["expected_count"])
    assert expected == pytest.approx(108, abs=6)
    assert at_the_end.since == found.since


def test_a_history_loaded_customer_by_customer_opens_nothing_but_what_is_wrong_in_it() -> None:
    fleet = steady(8, 3 * DAY).silence([3], -120)
    table = fleet.table()
    watch = Watch()
    tenants = table["tenant"].to_pylist()
    for step, tenant in enumerate(sorted(set(tenants), reverse=True)):
        rows = [at for at, name in enumerate(tenants) if name == tenant]
        half = len(rows) // 2
        for part, seconds in ((rows[:half], 0.0), (rows[half:], 10.0)):
            watch.detector.observe(delta_of(table.take(part)))
            watch.ask(fleet.end_s + 20.0 * step + seconds)
    loaded_at = fleet.end_s + 20.0 * 8
    for seconds in (0.0, 5.0, 10.0):
        watch.ask(loaded_at + seconds)
    assert [f.key for _, f in watch.opened] == ["silence/t03/*/*/*/"]
    watch.ask(loaded_at + 300.0)
    assert [f.kind for _, f in watch.opened] == [Kind.SILENCE, Kind.BLIND]


def test_a_silence_that_ended_while_we_were_away_is_told_as_over() -> None:
    fleet = steady(20, 3 * DAY)
    watch = learned(fleet, 3 * DAY)
    watch.detector.restore([("silence/t07/*/*/*/", fleet.end_s - 7200.0)])
    found = watch.ask(fleet.end_s)
    assert [(f.key, bool(f.over_reason)) for f in found] == [("silence/t07/*/*/*/", True)]


def test_blindness_before_a_restart_ends_with_how_long_it_was() -> None:
    fleet = steady(3, 3 * DAY)
    watch = learned(fleet, 3 * DAY)
    watch.detector.restore([("blind/*/*/*/*/", fleet.end_s - 3600.0), ("rule/*/*/*/*/depth", 1.0)])
    (found,) = watch.ask(fleet.end_s)
    assert found.over_reason == "lines are reported again, after 60 min"


def test_names_with_slashes_and_spaces_survive_a_restart() -> None:
    senders = [
        Sender(Flow(f"a/b {i}", "web", "ga4", "main", "delivered"), 60.0, every=1, regular=True)
        for i in range(5)
    ]
    fleet = make(senders, 3 * DAY).silence([2], -120)
    watch = learned(fleet, 3 * DAY)
    (first,) = watch.ask(fleet.end_s)
    again = learned(fleet, 3 * DAY)
    again.detector.restore([(first.key, first.since)])
    (found,) = again.ask(fleet.end_s)
    assert (found.key, found.scope.tenant) == (first.key, "a/b 2")


def test_blindness_is_told_once_holds_everything_and_says_how_long_it_was() -> None:
    fleet = steady(20, 3 * DAY + 30).silence(list(range(20)), 3 * DAY + 5, 3 * DAY + 20)
    watch = learned(fleet, 3 * DAY).run(fleet, 3 * DAY, 3 * DAY + 30)
    assert [f.kind for _, f in watch.opened] == [Kind.BLIND]
    assert watch.opened[0][1].severity is Severity.P1
    assert watch.opened[0][1].suspected is Suspected.COLLECTOR
    assert watch.closed[0][1].over_reason == "lines are reported again, after 16 min"


def test_time_in_which_we_were_blind_is_no_silence() -> None:
    """All stop for three hours; one customer takes five minutes longer to come back."""
    fleet = steady(20, 3 * DAY + 240).silence(list(range(20)), 3 * DAY + 5, 3 * DAY + 185)
    fleet.silence([3], 3 * DAY + 185, 3 * DAY + 187)
    watch = learned(fleet, 3 * DAY).run(fleet, 3 * DAY, 3 * DAY + 240)
    assert {f.kind for _, f in watch.opened} == {Kind.BLIND}


def test_an_empty_detector_and_one_without_lines_say_nothing() -> None:
    detector = Detector()
    assert detector.evaluate(1.7e9) == []
    detector.observe(delta_of(steady(2, 0).table()))
    assert detector.evaluate(1.7e9) == []


def test_a_declared_flow_never_seen_is_told_after_its_time() -> None:
    declared_at = 60.0 * (START + DAY)
    declared = ExpectedFlow(Scope(tenant="new"), declared_at, expected_within_s=3600.0)
    fleet = steady(3, DAY)
    watch = learned(fleet, DAY, Expectations((declared,)))
    assert watch.ask(fleet.end_s) == []
    fleet = steady(3, DAY + 62)
    watch.run(fleet, DAY, DAY + 62)
    (found,) = watch.open.values()
    assert (found.severity, found.scope) == (Severity.P4, Scope(tenant="new"))
    assert found.summary.startswith("Declared but never seen: customer new.")


def test_the_silent_time_does_not_become_the_habit() -> None:
    fleet = steady(5, 10 * DAY).silence([1], 3 * DAY)
    watch = learned(fleet, 3 * DAY)
    for first in range(3 * DAY, 10 * DAY, 240):
        watch.detector.observe(fleet.delta(first, first + 240))
        watch.ask(60.0 * (fleet.start + first + 240))
    assert [f.key for f in watch.open.values()] == ["silence/t01/*/*/*/"]
    assert not watch.closed


def test_a_backlog_says_when_it_drains_or_that_it_never_will() -> None:
    fleet = steady(3, 3 * DAY)
    end = fleet.start + 3 * DAY
    minutes = list(range(end - 300, end))
    grows = [20.0] * 290 + [20.0 + 600.0 * k for k in range(1, 11)]
    put_in = [100.0 * k for k in range(290)] + [29_000.0 + 700.0 * k for k in range(10)]
    out = [100.0 * k for k in range(300)]
    table = queue_table("out", minutes, {"backlog": grows, "in_total": put_in, "out_total": out})
    watch = learned(fleet, 3 * DAY)
    watch.detector.observe(delta_of(fleet.table(0, 0), table))
    watch.ask(fleet.end_s)
    (found,) = watch.open.values()
    assert "it never drains" in found.summary

    faster = {"backlog": [6020.0 - 1200.0], "in_total": [36_000.0], "out_total": [50_000.0]}
    watch.detector.observe(delta_of(fleet.table(0, 0), queue_table("out", [end], faster)))
    found = watch.ask(fleet.end_s + 60.0)[0]
    assert "Drains at 00:" in found.summary


ALONE = [("flat",), ("office",), ("diurnal",)]
TOGETHER = [("flat", "office", "diurnal")]


@pytest.mark.slow
@pytest.mark.parametrize("shapes", ALONE if IS_NIGHTLY else TOGETHER, ids="+".join)
@pytest.mark.parametrize("clump", [0.0, 2.0], ids=["poisson", "clumpy"])
def test_a_healthy_fleet_of_all_sizes_pages_next_to_nobody(
    shapes: tuple[str, ...], clump: float
) -> None:
    """24 customers from 3 a day to 3 million a day; a week learned, a week watched."""
    rates = 3 / 24 * 1e6 ** np.linspace(0.0, 1.0, 24)
    senders = [
        Sender(Flow(f"t{i:02d}{shape}", "web", "ga4", "main", "delivered"), rate, shape=shape,
               clump=clump, hourly=0.1 * clump, error_ratio=0.002)
        for shape in shapes
        for i, rate in enumerate(rates)
    ]  # fmt: skip
    fleet = make(senders, 14 * DAY, seed=3)
    watch = learned(fleet, 7 * DAY)
    step = 10 if IS_NIGHTLY else 30
    for first in range(7 * DAY, 14 * DAY, step):
        watch.detector.observe(fleet.delta(first, first + step))
        watch.ask(60.0 * (fleet.start + first + step - 1) + 1.0)
    assert len(watch.opened) <= 1


@pytest.mark.parametrize(
    "shape_of_time", [lambda n: n, lambda n: n - 7200.0, lambda n: n + 1e9, lambda n: -n],
    ids=["as it is", "two hours back", "decades ahead", "before 1970"],
)  # fmt: skip
def test_a_clock_that_jumps_makes_no_storm(shape_of_time: Callable[[float], float]) -> None:
    fleet = steady(20, 3 * DAY)
    watch = learned(fleet, 3 * DAY)
    watch.ask(fleet.end_s)
    found = watch.ask(shape_of_time(fleet.end_s))
    assert len(found) <= 1
    watch.ask(fleet.end_s + 1.0)


def test_a_received_customer_without_deliveries_is_not_the_customers_fault() -> None:
    fleet = fans_out(4, WEEK_LEARNED + 30)
    fleet.silence(of(fleet, tenant="t01", integration="s3"), WEEK_LEARNED + 5)
    watch = learned(fleet, WEEK_LEARNED).run(fleet, WEEK_LEARNED, WEEK_LEARNED + 30)
    (found,) = watch.open.values()
    assert found.suspected is Suspected.INTEGRATION
    assert "still received" in found.summary


def test_one_report_a_minute_at_any_second_is_missed_by_whole_minutes() -> None:
    """Two minutes of a random sender may lie three minutes apart: that was told as silence."""
    rng = np.random.default_rng(8)
    senders = [
        Sender(Flow(f"t{i:02d}", "web", "ga4", "main", "delivered"), 300.0) for i in range(20)
    ]
    fleet = make(senders, 3 * DAY + 30)
    fleet.ok[7] = np.maximum(fleet.ok[7], 1)
    fleet.seconds = rng.uniform(0.0, 59.9, fleet.ok.shape)
    last, back = 3 * DAY + 5, 3 * DAY + 8
    fleet.ok[7, last + 1 : back] = 0
    fleet.seconds[7, last], fleet.seconds[7, back] = 1.0, 58.0
    fleet.ok[7, back + 6 :] = 0
    watch = learned(fleet, 3 * DAY).run(fleet, 3 * DAY, 3 * DAY + 30)
    (opened_at, opened), *more = watch.opened
    assert opened.scope == Scope(tenant="t07")
    assert not more
    assert 0.0 < opened_at - 60.0 * (fleet.start + back + 6) <= 300.0


def test_an_integrations_incident_names_to_its_end_who_failed() -> None:
    senders = [Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), 600.0) for i in range(8)]
    fleet = make(senders, WEEK_LEARNED + 40)
    fleet.fail([1], WEEK_LEARNED + 5, WEEK_LEARNED + 15, 0.9)
    fleet.fail([4], WEEK_LEARNED + 5, WEEK_LEARNED + 25, 0.9)
    watch = learned(fleet, WEEK_LEARNED).run(fleet, WEEK_LEARNED, WEEK_LEARNED + 40, ticks=2)
    ((_, closed),) = watch.closed
    assert set(closed.affected) == {"t1", "t4"}
    assert "fails for 2 of 8 customers" in closed.summary
    assert "1 of them is well again." in closed.summary


def test_a_common_cause_told_before_a_restart_is_not_told_by_customer_after_it() -> None:
    fleet = fans_out(6, WEEK_LEARNED + 30)
    fleet.silence(of(fleet, tenant={"t01", "t02"}, integration="s3"), -20)
    first = learned(fleet, WEEK_LEARNED).run(fleet, WEEK_LEARNED, WEEK_LEARNED + 30)
    (key,) = first.open
    assert key == "silence/*/*/s3/*/"
    fleet.ok[of(fleet, tenant="t02", integration="s3"), -8:] = 10  # one of the two is back
    again = learned(fleet, WEEK_LEARNED + 30)
    again.detector.restore([(key, first.open[key].since)])
    again.ask(fleet.end_s - 10.0)
    assert set(again.open) == {key}


def test_errors_that_ended_while_we_were_away_say_why_they_are_over() -> None:
    fleet = fans_out(6, WEEK_LEARNED)
    watch = learned(fleet, WEEK_LEARNED)
    watch.detector.restore([("errors/t02/*/s3/*/", fleet.end_s - 7200.0)])
    (found,) = watch.ask(fleet.end_s)
    assert found.over_reason.startswith("fewer fail than would be told anew")


def test_an_hour_full_on_three_days_is_not_sure_for_who_comes_and_goes_in_others() -> None:
    """Ten quiet minutes of a customer with wildly clumped hours were told as silence."""
    rng = np.random.default_rng(5)
    fleet = steady(20, 3 * DAY + 15 * 60)
    hour = np.arange(fleet.minutes) // 60
    factor = np.where(hour % 24 == 14, 1.0, rng.gamma(0.5, 2.0, hour.max() + 1)[hour])
    fleet.ok[3] = rng.poisson(13.0 * factor)
    at = 3 * DAY + 14 * 60
    fleet.silence([3], at, at + 12)
    watch = learned(fleet, 3 * DAY).run(fleet, at - 60, at + 30)
    assert not watch.opened


def test_a_second_quiet_saturday_of_an_office_is_no_silence() -> None:
    """The first one held a stray message an hour; much more was expected of the second."""
    rng = np.random.default_rng(3)
    hour = np.arange(13 * DAY) / 60.0
    is_office = ((hour // 24) % 7 < 5) & (hour % 24 >= 8) & (hour % 24 < 18)
    fleet = steady(20, 13 * DAY)
    fleet.ok[:10] = rng.poisson(np.where(is_office, 4.0, 0.01), (10, 13 * DAY))
    watch = learned(fleet, 12 * DAY)
    for first in range(12 * DAY, 13 * DAY, 5):
        watch.detector.observe(fleet.delta(first, first + 5))
        watch.ask(60.0 * (fleet.start + first + 4) + 1.0)
    assert not watch.opened


def test_a_customer_silent_after_others_were_together_is_told_alone() -> None:
    """What several had in common was remembered for ever, and told of the next one alone."""
    fleet = steady(20, 3 * DAY + 180)
    first = 3 * DAY
    fleet.silence([3, 5, 7], first + 5, first + 40).silence([11], first + 120)
    watch = learned(fleet, first).run(fleet, first, fleet.minutes)
    assert [f.scope.tenant for _, f in watch.opened] == [None, "t11"]
