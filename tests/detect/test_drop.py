"""Drops and surges: found, folded by cause, told in words, over, and quiet where all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from histories import of
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import DAY, Fleet, Sender, make
from streamgauge.detect.detector import Detector
from streamgauge.detect.excursions import Excursions
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind, Severity, Suspected

STEP = 15
THREE_WEEKS, WATCHED = 22 * DAY, 480
BEGIN = THREE_WEEKS + 120


@cache
def _steady(minutes: int) -> Fleet:
    senders = [
        Sender(Flow(f"t{i:02d}", source, name, "main", "delivered"), 300.0)
        for i in range(6)
        for source in ("web", "ios")
        for name in ("ga4", "s3")
    ]
    return make(senders, minutes)


def steady(minutes: int = THREE_WEEKS + WATCHED) -> Fleet:
    fleet = _steady(minutes)
    return Fleet(fleet.senders, fleet.ok.copy(), fleet.failed)


def scaled(
    fleet: Fleet, who: list[int], first: int, times: float, last: int | None = None
) -> Fleet:
    part = fleet.ok[who, first:last]
    thinned = np.random.default_rng(2).binomial(part, min(times, 1.0))
    fleet.ok[who, first:last] = thinned if times < 1.0 else part * int(times)
    return fleet


def watch(fleet: Fleet, learned: int = THREE_WEEKS) -> list[list[Finding]]:
    """All drops and surges told, a quarter of an hour at a time."""
    detector, told = Detector(), []
    detector.learn(fleet.history(learned))
    for minute in range(learned, fleet.minutes, STEP):
        detector.observe(fleet.delta(minute, minute + STEP))
        found = detector.evaluate(60.0 * (fleet.start + minute + STEP) - 58.0)
        told.append([f for f in found if f.kind in {Kind.DROP, Kind.SURGE}])
    return told


@dataclass
class Case:
    sentence: str
    fleet: Callable[[], Fleet]
    keys: set[str]
    severity: Severity | None = None
    suspected: Suspected | None = None
    words: str = ""


def _moody() -> Fleet:
    senders = [
        Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), 600.0, shape=shape, hourly=0.3)
        for i, shape in enumerate(["flat", "diurnal", "office"] * 3)
    ]
    return make(senders, THREE_WEEKS + 2 * DAY)


def _growing() -> Fleet:
    fleet = steady()
    grown = np.linspace(1.0, 3.0, fleet.minutes)
    fleet.ok = np.random.default_rng(4).poisson(fleet.ok * grown)
    return fleet


def _source_silent() -> Fleet:
    fleet = steady()
    return fleet.silence(of(fleet, tenant="t02", source="ios"), BEGIN)


def _failing() -> Fleet:
    """Half of the messages fail at a stage before, and so are not delivered."""
    fleet = steady()
    lost = of(fleet, tenant="t02")
    before = fleet.ok[lost, BEGIN:].copy()
    fleet = scaled(fleet, lost, BEGIN, 0.5)
    size = len(fleet.senders)
    for number, sender in enumerate([fleet.senders[i] for i in lost]):
        flow = sender.flow._replace(stage="processed")
        fleet.senders = [*fleet.senders, Sender(flow, 300.0)]
        missing = before[number] - fleet.ok[lost[number], BEGIN:]
        extra = np.zeros((1, fleet.minutes), np.int64)
        extra[0, BEGIN:] = missing
        fleet.ok = np.vstack([fleet.ok, np.zeros_like(extra)])
        fleet.failed = np.vstack([fleet.failed, extra])
    fleet.reason = dict.fromkeys(range(size, len(fleet.senders)), "timeout")
    return fleet


def _late() -> Fleet:
    """Nothing of a customer for 40 minutes, and then all of it, stamped late: as many as ever."""
    fleet = steady()
    who = of(fleet, tenant="t02")
    held = fleet.ok[who, BEGIN : BEGIN + 10].sum(axis=1)
    fleet.ok[who, BEGIN : BEGIN + 10] = 0
    fleet.ok[who, BEGIN + 10] += held
    return fleet


CASES = [
    Case("nothing changes: nothing", steady, set()),
    Case("half of a customer's messages: that customer",
         lambda: scaled(f := steady(), of(f, tenant="t02"), BEGIN, 0.5),
         {"drop/t02/*/*/*/"}, Severity.P3, Suspected.CUSTOMER,
         "Customer t02 sends 5"),
    Case("half of what one integration gets of a customer: that integration there",
         lambda: scaled(f := steady(), of(f, tenant="t02", integration="s3"), BEGIN, 0.4),
         {"drop/t02/*/s3/*/"}, Severity.P3, Suspected.INTEGRATION,
         "Integration s3 delivers for t02 4"),
    Case("half of what an integration delivers: the integration",
         lambda: scaled(f := steady(), of(f, integration="s3"), BEGIN, 0.5),
         {"drop/*/*/s3/*/"}, Severity.P2, Suspected.INTEGRATION),
    Case("half of everything: the platform",
         lambda: scaled(f := steady(), of(f), BEGIN, 0.5),
         {"drop/*/*/*/*/"}, Severity.P1, Suspected.PLATFORM, "All customers together send 5"),
    Case("one source of a customer falls: that source",
         lambda: scaled(f := steady(), of(f, tenant="t02", source="ios"), BEGIN, 0.3),
         {"drop/t02/ios/*/*/"}, Severity.P3, Suspected.CUSTOMER),
    Case("three times as much of a customer: a ticket of that customer",
         lambda: scaled(f := steady(), of(f, tenant="t02"), BEGIN, 3.0),
         {"surge/t02/*/*/*/"}, Severity.P4, Suspected.CUSTOMER,
         "Customer t02 sends 2.9 times as much as usual"),
    Case("a customer that grows three times in three weeks: nothing", _growing, set()),
    Case("a silent source is told as silence, not as its customer's drop", _source_silent, set()),
    Case("messages that fail before they are delivered are told as errors", _failing, set()),
    Case("messages that are late all at once are no drop and no surge", _late, set()),
    Case("customers whose hours differ as by dice: nothing in two days", _moody, set()),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_changed_levels_are_told_by_their_cause(case: Case) -> None:
    told = watch(case.fleet())
    last = [f for f in told[-1] if not f.over_reason]
    assert {f.key for f in last} == case.keys
    if not case.keys:
        assert not any(told)
    for finding in last:
        assert case.severity in {None, finding.severity}
        assert case.suspected in {None, finding.suspected}
        assert finding.summary.startswith(case.words)
        assert abs(finding.since - 60.0 * (steady().start + BEGIN)) <= 1800.0


def test_a_customers_drop_is_found_within_an_hour_and_over_within_two() -> None:
    fleet = steady()
    told = watch(scaled(fleet, of(fleet, tenant="t02"), BEGIN, 0.5, BEGIN + 180))
    is_open = [any(not f.over_reason for f in quarter) for quarter in told]
    begin = (BEGIN - THREE_WEEKS) // STEP
    assert not any(is_open[:begin])
    assert all(is_open[begin + 4 : begin + 12])
    assert not any(is_open[begin + 20 :])
    (over,) = [f for quarter in told for f in quarter if f.over_reason]
    assert over.over_reason.startswith("as many messages as usual again")


def test_evidence_shows_what_was_expected_and_what_was_seen() -> None:
    fleet = steady()
    (finding,) = watch(scaled(fleet, of(fleet, tenant="t02"), BEGIN, 0.5))[-1]
    seen = finding.evidence
    assert seen["usual_per_hour"] == pytest.approx(1200, rel=0.1)
    assert seen["observed_per_hour"] == pytest.approx(600, rel=0.1)
    low, high = seen["expected_low_count"], seen["expected_high_count"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert seen["observed_count"] < low < seen["expected_count"] < high  # type: ignore[operator]
    assert "were expected." in finding.summary


def test_until_three_weeks_are_learned_it_is_a_ticket() -> None:
    fleet = steady(9 * DAY + WATCHED)
    begin = 9 * DAY + 60
    (finding,) = watch(scaled(fleet, of(fleet, tenant="t02"), begin, 0.4), 9 * DAY)[-1]
    assert finding.severity is Severity.P4


def test_what_goes_on_for_two_days_is_usual_and_told_as_such() -> None:
    fleet = steady(THREE_WEEKS + 3 * DAY + DAY // 2)
    told = watch(scaled(fleet, of(fleet, tenant="t02"), BEGIN, 0.5))
    overs = [f.over_reason for quarter in told for f in quarter if f.over_reason]
    told_over = [why for why in overs if not why.startswith("part of")]
    assert told_over == ["lower than before for two days (50 % of usual), now usual"]
    assert not any(told[-96:])


@settings(max_examples=100, deadline=None)
@given(
    counted=st.lists(st.sampled_from([0.0, 1.0, 12.0, 1e6, 1e13]), min_size=1, max_size=30),
    expected=st.sampled_from([10.0, 1e4, 1e13]),
    dispersion=st.sampled_from([1e-4, 0.1, 20.0, 80.0]),
)
def test_no_count_makes_evidence_that_is_no_number(
    counted: list[float], expected: float, dispersion: float
) -> None:
    away, one = Excursions(0.6), np.array([0])
    for block, count in enumerate(counted):
        away.add(one, np.array([count]), np.array([expected]), np.array([0.25]),
                 np.array([block]), np.array([dispersion]))  # fmt: skip
        assert np.isfinite(away.nats).all()
        assert np.isfinite(away.evidence(one, np.array([0.1]))).all()
        assert away.expected[0] >= 0.0
