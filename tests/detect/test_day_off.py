"""Holidays: many customers that do not open are one ticket, one that does not is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from test_life import Watch

from fleet import DAY, Fleet, Sender, make
from streamgauge.detect.days import days_of
from streamgauge.detect.detector import Detector
from streamgauge.model.feed import History
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind, Severity

LEARNED = 9 * DAY
"""A week and two days, so that it is a Wednesday."""
WATCHED, STEP = 14 * 60, 20
OFFICES = list(range(8))
HOLIDAY = "drop/*/*/*/*/day%20off"


@cache
def _ever() -> Fleet:
    """Eight offices of 30 to 4,000 messages an hour that close at weekends, four that never do."""
    sizes = np.geomspace(30.0, 4000.0, len(OFFICES))
    senders = [Sender(Flow(f"t{i}", "web", "ga4", "m"), sizes[i], "office") for i in OFFICES]
    senders += [Sender(Flow(f"flat{i}", "web", "s3", "m"), 600.0) for i in range(4)]
    return make(senders, LEARNED + WATCHED)


@cache
def history() -> History:
    return _ever().history(LEARNED)


def fleet() -> Fleet:
    return Fleet(_ever().senders, _ever().ok.copy(), _ever().failed)


def free(who: list[int], ratio: float = 0.003) -> Fleet:
    made = fleet()
    part = made.ok[who, LEARNED:]
    made.ok[who, LEARNED:] = np.random.default_rng(3).binomial(part, ratio)
    return made


def most_are_free_and_one_stops_at_noon() -> Fleet:
    return free(OFFICES[:6]).silence([6], LEARNED + 12 * 60)


def all_but_one_stop_at_noon() -> Fleet:
    return fleet().silence(list(range(11)), LEARNED + 12 * 60)


@dataclass
class Case:
    """A day, and the keys of all that opens in it."""

    sentence: str
    made: Callable[[], Fleet]
    opened: list[str]


CASES = [
    Case("a day as ever: nothing", fleet, []),
    Case("nobody opens: one ticket", lambda: free(OFFICES), [HOLIDAY]),
    Case("six of eight do not: one ticket", lambda: free(OFFICES[:6]), [HOLIDAY]),
    Case("one does not: it is silent", lambda: free([5], 0.0), ["silence/t5/*/*/*/"]),
    Case("six do not, and one stops at noon: that one is silent",
         most_are_free_and_one_stops_at_noon, [HOLIDAY, "silence/t6/*/*/*/"]),
    Case("all but one stop at noon: that is no holiday", all_but_one_stop_at_noon,
         ["silence/*/*/*/*/several%20customers", "silence/*/*/ga4/*/"]),
]  # fmt: skip


def watched(made: Fleet) -> Watch:
    watch = Watch(Detector())
    watch.detector.learn(history())
    for minute in range(LEARNED, LEARNED + WATCHED, STEP):
        watch.detector.observe(made.delta(minute, minute + STEP))
        watch.ask(60.0 * (made.start + minute + STEP) - 40.0)
    return watch


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_what_opens(case: Case) -> None:
    assert sorted({finding.key for _, finding in watched(case.made()).opened}) == case.opened


def test_the_ticket_names_who_is_free() -> None:
    found = watched(free(OFFICES[:6])).open[HOLIDAY]
    assert (found.kind, found.severity) == (Kind.DROP, Severity.P4)
    assert set(found.affected) == {f"t{i}" for i in OFFICES[:6]}
    assert found.summary.startswith(
        "6 customers (t5, t4, t3 and 3 more) are as quiet as on their day off since 08:00 UTC: a "
        "holiday?"
    )


def test_a_customer_that_does_not_open_alone_is_told_in_the_morning() -> None:
    made = free([7], 0.0)
    ((at, _),) = watched(made).opened
    assert at <= 60.0 * (made.start + LEARNED + 11 * 60)


@pytest.mark.parametrize(
    ("weekend", "has_off"), [(1.0, False), (0.6, False), (0.4, True), (0.0, True)]
)
@pytest.mark.parametrize("shift", [0, 9, 17])
def test_a_day_off_brings_less_than_half(weekend: float, has_off: bool, shift: int) -> None:
    day = np.where((np.arange(24) >= 8) & (np.arange(24) < 18), 10.0, 0.1)
    week = np.concatenate([np.tile(day, 2), np.tile(day * weekend, 2), np.tile(day, 3)])
    found = days_of(np.roll(week, shift)[None])
    assert bool(found.has_off[0]) is has_off
    assert int(found.begins[0]) == shift
    assert int(found.opens[0]) == 8
