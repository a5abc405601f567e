"""What people say of flows, as silence is judged by it; on simulated time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from test_life import Watch, learned

from fleet import DAY, START, Fleet, Sender, make, steady
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.expected import RETURNS_AFTER_S, ExpectedFlow
from streamgauge.model.flow import Flow, Scope
from streamgauge.model.words import Severity

T3 = Scope(tenant="t03")
LEARNED = DAY
HOURS = "mon-fri 08:00-18:00"


def at(minute: int) -> float:
    """Epoch seconds of a minute of the fleet."""
    return 60.0 * (START + minute)


def said(scope: Scope, **what: object) -> ExpectedFlow:
    return ExpectedFlow(scope, at(0), **what)  # type: ignore[arg-type]


def watched(fleet: Fleet, *flows: ExpectedFlow, until: int = LEARNED) -> Watch:
    return learned(fleet, until, Expectations(flows))


def opened(watch: Watch) -> list[tuple[int, str]]:
    """Minutes of the fleet at which each opened, and its key."""
    return [(round(when / 60.0) - START, finding.key) for when, finding in watch.opened]


def run(fleet: Fleet, *flows: ExpectedFlow, until: int = LEARNED) -> list[tuple[int, str]]:
    return opened(watched(fleet, *flows, until=until).run(fleet, until, fleet.minutes))


SILENT_T3 = "silence/t03/*/*/*/"


def silent_t3(minutes: int = 60, first: int = 5) -> Fleet:
    return steady(20, LEARNED + minutes).silence([3], LEARNED + first)


def test_nothing_said_is_judged_by_habit() -> None:
    ((minute, key),) = run(silent_t3())
    assert key == SILENT_T3
    assert minute <= LEARNED + 9


def test_a_pause_hides_silence_and_quiet_counts_from_its_end() -> None:
    ((minute, key),) = run(silent_t3(), said(T3, paused_until=at(LEARNED + 30)))
    assert key == SILENT_T3
    assert LEARNED + 33 <= minute <= LEARNED + 36


def test_a_pause_that_ended_before_a_restart_still_explains_its_quiet() -> None:
    fleet = silent_t3(minutes=40)
    ((minute, _),) = run(fleet, said(T3, paused_until=at(LEARNED + 30)), until=LEARNED + 31)
    assert LEARNED + 33 <= minute <= LEARNED + 36


def test_a_pause_said_later_ends_the_silence_that_is_open() -> None:
    fleet = silent_t3()
    watch = watched(fleet).run(fleet, LEARNED, LEARNED + 20)
    assert [*watch.open] == [SILENT_T3]
    watch.detector.expect(Expectations((said(T3, paused_until=at(LEARNED + 50)),)))
    watch.run(fleet, LEARNED + 20, LEARNED + 45)
    ((_, closed),) = watch.closed
    assert closed.over_reason == "it is paused until 00:50 UTC"
    assert not watch.open


def test_a_paused_source_is_no_silence_of_its_customer_and_the_other_source_is_judged() -> None:
    senders = [
        Sender(Flow(f"t{i}", source, "ga4", "m"), 60.0 if source == "web" else 600.0, every=1)
        for i in range(8)
        for source in ("web", "ios")
    ]
    paused = said(Scope("t3", "ios"), paused_until=math.inf)
    fleet = make(senders, LEARNED + 60).silence([7], LEARNED + 5)
    assert run(fleet, paused) == []
    fleet = make(senders, LEARNED + 60).silence([7], LEARNED + 5).silence([6], LEARNED + 20)
    found = run(fleet, paused)
    assert found
    assert all(minute >= LEARNED + 22 for minute, _ in found)
    assert {key.split("/")[1] for _, key in found} == {"t3"}


def test_when_all_but_one_customer_have_left_the_platform_is_not_silent() -> None:
    fleet = steady(10, LEARNED + 40).silence(list(range(1, 10)), LEARNED + 5)
    left = [said(Scope(f"t{i:02d}"), retired_at=at(LEARNED + 4)) for i in range(1, 10)]
    assert run(fleet, *left) == []


def office(days: int, minutes: int = 0, holiday: int | None = None, customers: int = 6) -> Fleet:
    """The last customer keeps office hours, exactly; the others speak around the clock."""
    fleet = steady(customers, days * DAY + minutes)
    minute = np.arange(fleet.minutes)
    day, of_day = minute // DAY, minute % DAY
    is_open = (day % 7 < 5) & (of_day >= 480) & (of_day < 1080)
    if holiday is not None:
        is_open &= day != holiday
    fleet.ok[-1] = np.where(is_open, fleet.ok[-1], 0)
    return fleet


T5 = Scope("t05")
SILENT_T5 = "silence/t05/*/*/*/"


def observed(
    fleet: Fleet, first: int, last: int, *flows: ExpectedFlow, every: int = 20
) -> list[tuple[int, str]]:
    """The same, asked every so many minutes: for days."""
    watch = watched(fleet, *flows, until=first)
    for minute in range(first, last, every):
        watch.detector.observe(fleet.delta(minute, minute + every))
        watch.ask(at(minute + every - 1) + 1.0)
    return opened(watch)


HOLIDAY = f"except {datetime.fromtimestamp(at(7 * DAY), UTC).date()}"


@pytest.mark.parametrize(
    ("calendar", "opens"),
    [(None, True), (HOURS, True), (f"{HOURS} {HOLIDAY}", False)],
    ids=["nothing said", "hours without the holiday", "hours with the holiday"],
)
def test_a_holiday_is_no_silence_where_it_was_said(calendar: str | None, opens: bool) -> None:
    fleet = office(9, holiday=7, customers=3)
    found = observed(fleet, 7 * DAY, 9 * DAY, said(Scope("t02"), calendar=calendar), every=60)
    assert [key for _, key in found] == (["silence/t02/*/*/*/"] if opens else [])


def test_a_calendar_makes_silence_sharper_where_little_is_known() -> None:
    """Known for a Thursday and a Friday; on Monday, a day never seen, nothing comes."""
    fleet = office(8, customers=6)
    fleet.ok[-1, : 3 * DAY] = 0
    fleet.ok[-1, 7 * DAY :] = 0
    ((sharp, key),) = observed(fleet, 7 * DAY, 8 * DAY, said(T5, calendar=HOURS), every=40)
    assert key == SILENT_T5
    assert sharp <= 7 * DAY + 480 + 40
    blunt = observed(fleet, 7 * DAY, 8 * DAY, every=40)
    assert all(minute > sharp for minute, _ in blunt)


def test_quiet_adds_up_over_the_hours_of_several_days() -> None:
    """Five messages a day: days of quiet hours are needed, and nights do not count."""
    fleet = office(18, customers=3)
    rng = np.random.default_rng(5)
    fleet.ok[-1] = fleet.ok[-1] * (rng.random(fleet.minutes) < 5 / 600)
    fleet.ok[-1, 14 * DAY :] = 0
    flow = said(Scope("t02"), calendar=HOURS)
    ((minute, key),) = observed(fleet, 14 * DAY, 18 * DAY, flow, every=120)
    assert key == "silence/t02/*/*/*/"
    assert 480 <= minute % DAY <= 1080
    assert minute >= 15 * DAY


def test_the_longest_pause_that_was_said_is_judged_in_the_hours() -> None:
    """A message every four hours is expected of one that sends three a day."""
    fleet = office(8)
    fleet.ok[-1] = 0
    fleet.ok[-1, [4 * DAY + 600, 4 * DAY + 960]] = 1
    flow = said(T5, expected_within_s=4 * 3600.0, calendar=HOURS)
    ((minute, key),) = observed(fleet, 5 * DAY, 8 * DAY, flow, every=40)
    assert key == SILENT_T5
    # From Friday 16:00 two hours were left; two more on Monday.
    assert 7 * DAY + 600 <= minute <= 7 * DAY + 640
    ((minute, _),) = observed(fleet, 5 * DAY, 6 * DAY, replace(flow, calendar=None))
    assert minute <= 5 * DAY + 20


def test_a_first_message_that_does_not_come_in_time_is_told_until_it_comes() -> None:
    fleet = steady(4, LEARNED + 40)
    fleet.ok[3, : LEARNED + 30] = 0
    flow = said(T3, first_message_by=at(LEARNED + 10))
    watch = watched(fleet, flow).run(fleet, LEARNED, LEARNED + 40)
    ((when, told),) = watch.opened
    assert round(when / 60.0) - START == LEARNED + 10
    assert told.severity is Severity.P3
    assert told.summary.startswith("Declared but never seen: customer t03. It never spoke since")
    ((when, _),) = watch.closed
    assert round(when / 60.0) - START == LEARNED + 30


def test_a_restart_keeps_the_incident_of_a_first_message() -> None:
    fleet = steady(3, LEARNED + 20)
    flow = said(T3, first_message_by=at(LEARNED + 2))
    watch = watched(fleet, flow).run(fleet, LEARNED, LEARNED + 10)
    (before,) = watch.open.values()
    again = watched(fleet, flow, until=LEARNED + 10)
    again.detector.restore([(before.key, before.since)])
    again.run(fleet, LEARNED + 10, LEARNED + 20)
    assert [(f.key, f.since) for f in again.open.values()] == [(before.key, before.since)]
    assert not again.closed


def last_speaks(minutes: Sequence[range], days: int) -> Fleet:
    """Customer t03 is known for a day, then speaks in these minutes only."""
    fleet = steady(8, days * DAY)
    spoken = fleet.ok[3].copy()
    fleet.ok[3, LEARNED:] = 0
    for some in minutes:
        fleet.ok[3, some] = spoken[some]
    return fleet


def test_a_customer_that_left_is_not_expected_though_its_queues_drain() -> None:
    fleet = last_speaks([range(LEARNED + 10, LEARNED + 300)], days=3)
    left = said(T3, retired_at=at(LEARNED))
    assert observed(fleet, LEARNED, 3 * DAY, left, every=60) == []


def test_a_customer_that_comes_back_after_a_day_is_expected_again() -> None:
    back = LEARNED + round(RETURNS_AFTER_S / 60) + 60
    fleet = last_speaks([range(back, back + 400)], days=4)
    left = said(T3, retired_at=at(LEARNED))
    ((minute, key),) = observed(fleet, LEARNED, 4 * DAY, left, every=60)
    assert key == SILENT_T3
    assert minute >= back + 400
    for_good = said(T3, retired_at=math.inf)
    assert observed(fleet, LEARNED, 4 * DAY, for_good, every=60) == []


def test_what_is_said_can_be_replaced_at_any_turn() -> None:
    fleet = silent_t3()
    watch = watched(fleet, said(T3, retired_at=math.inf)).run(fleet, LEARNED, LEARNED + 30)
    assert watch.opened == []
    watch.detector.expect(Expectations())
    watch.run(fleet, LEARNED + 30, LEARNED + 40)
    assert [*watch.open] == [SILENT_T3]


def test_of_thousands_of_words_a_turn_costs_no_more_than_a_few() -> None:
    """Every customer of a large fleet is declared, with a calendar and a longest pause."""
    count = 500
    fleet = steady(count, 70)
    names = {sender.flow.tenant for sender in fleet.senders}
    flows = [said(Scope(n), calendar="daily 00:00-24:00", expected_within_s=600.0) for n in names]
    flows += [said(Scope(f"new{n}"), first_message_by=at(10 * DAY)) for n in range(count)]
    detector = Detector(Expectations(tuple(flows)))
    detector.learn(fleet.history(60))
    assert Watch(detector).run(fleet, 60, 62).opened == []
