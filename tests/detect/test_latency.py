"""Latency: found, folded by cause, told in words, closed, and quiet where nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import DAY, START, TAGS, Fleet, Sender, make
from streamgauge.detect.detector import Detector
from streamgauge.model.feed import Delta
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind, Severity, Suspected

LEARNED = 2 * DAY
USUAL_S = 0.3


@dataclass
class Slowness:
    """Who is slow, from when to when (minutes of the run), and by how much."""

    tenants: set[str]
    integration: str | None = "ga4"
    first: int = LEARNED + 60
    last: int = 10**9
    times: float = 10.0


@dataclass
class Case:
    sentence: str
    slowness: list[Slowness]
    latency: set[str]
    minutes: int = LEARNED + 90
    severity: Severity | None = None
    suspected: Suspected | None = None
    words: str = ""
    mood: float = 0.0
    """Standard deviation of the log latency's own wandering, hour by hour."""
    senders: list[Sender] = field(default_factory=list)
    usual_s: float = USUAL_S


def fleet_of(tenants: int, minutes: int, per_hour: float = 600.0) -> Fleet:
    senders = [
        Sender(Flow(f"t{i:02d}", "web", name, "main", "delivered"), per_hour)
        for i in range(tenants)
        for name in ("ga4", "s3", "webhook")
    ]
    return make(senders, minutes)


def everyone(tenants: int) -> set[str]:
    return {f"t{i:02d}" for i in range(tenants)}


def latencies(
    fleet: Fleet, first: int, last: int, case: Case, rng: np.random.Generator, per: int = 1
) -> pa.Table:
    """LATENCIES_COLUMNS of a range of minutes; `per` 60: LATENCY_HOURS_COLUMNS."""
    counts = fleet.ok[:, first:last]
    who, when = np.nonzero(counts)
    each = counts[who, when]
    who, when = np.repeat(who, each), np.repeat(when, each) + first
    moods = np.random.default_rng(5).normal(0.0, 1.0, fleet.minutes // 60 + 2)
    log_s = (
        np.log(case.usual_s) + 0.4 * rng.standard_normal(len(who)) + case.mood * moods[when // 60]
    )
    for one in case.slowness:
        flows = [s.flow for s in fleet.senders]
        is_hit = np.array(
            [f.tenant in one.tenants and one.integration in {None, f.integration} for f in flows]
        )
        at = is_hit[who] & (when >= one.first) & (when < one.last)
        log_s = log_s + np.log(one.times) * at
    bucket = np.ceil(log_s / np.log(2.0) * 32).astype(np.int64) - 1
    bucket = bucket // 4 * 4 + 3
    unit = (fleet.start + when) // per
    names, number = np.unique(np.stack([unit, who, bucket], axis=1), axis=0, return_counts=True)
    tags = {
        tag: pa.array([getattr(s.flow, tag) for s in fleet.senders]).dictionary_encode()
        for tag in TAGS
    }
    return pa.table(
        {
            "minute" if per == 1 else "hour": pa.array(names[:, 0]),
            **{tag: values.take(pa.array(names[:, 1])) for tag, values in tags.items()},
            "bucket": pa.array(names[:, 2].astype(np.int16)),
            "count": pa.array(number.astype(np.uint64)),
        }
    )


def run(case: Case, tenants: int = 6, step: int = 1) -> tuple[Detector, list[list[Finding]]]:
    """Learn two days, then go on; all that was told, minute by minute."""
    fleet, rng = fleet_of(tenants, case.minutes), np.random.default_rng(3)
    detector = Detector()
    history = fleet.history(LEARNED)
    past = latencies(fleet, LEARNED - DAY, LEARNED, case, rng, per=60)
    detector.learn(
        type(history)(
            history.hours, history.recent, history.recent_from_minute, history.seen_minutes,
            latencies=past,
        )
    )  # fmt: skip
    told = []
    for minute in range(LEARNED, case.minutes, step):
        delta = fleet.delta(minute, minute + step)
        slow = latencies(fleet, minute, minute + step, case, rng)
        detector.observe(Delta(delta.minutes, delta.queues, delta.newest_ns, None, slow))
        found = detector.evaluate(60.0 * (fleet.start + minute + step) + 2.0)
        told.append([f for f in found if f.kind is Kind.LATENCY])
    return detector, told


CASES = [
    Case("nothing is slow: nothing", [], set()),
    Case("one customer's integration is slow: that customer there",
         [Slowness({"t02"})], {"latency/t02/*/ga4/*/"}, severity=Severity.P3,
         suspected=Suspected.INTEGRATION, words="Integration ga4 is slow for customer t02 since"),
    Case("two customers of one integration are slow: the integration",
         [Slowness({"t02", "t04"})], {"latency/*/*/ga4/*/"}, severity=Severity.P3,
         suspected=Suspected.INTEGRATION, words="is slow for 2 of 6 customers (t02 and t04) since"),
    Case("an integration is slow for all: P2 of the integration",
         [Slowness(everyone(6))], {"latency/*/*/ga4/*/"}, severity=Severity.P2,
         suspected=Suspected.INTEGRATION),
    Case("everything is slow: the platform",
         [Slowness(everyone(6), None)], {"latency/*/*/*/*/"}, severity=Severity.P2,
         suspected=Suspected.PLATFORM, words="Messages are slow all over the platform since"),
    Case("one customer is slow on all its integrations: the customer",
         [Slowness({"t01"}, None)], {"latency/t01/*/*/*/"}, suspected=Suspected.CUSTOMER),
    Case("a tenth slower than usual is no trouble",
         [Slowness(everyone(6), None, times=1.1)], set()),
    Case("twice as slow, but quick all the same, is no trouble",
         [Slowness(everyone(6), None, times=2.0)], set(), usual_s=0.06),
    Case("an integration that is slow and is well again: over",
         [Slowness(everyone(6), last=LEARNED + 90)], set(), minutes=LEARNED + 120),
    Case("latency that wanders by a third from hour to hour is habit", [], set(),
         minutes=LEARNED + 360, mood=0.3),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_slow_levels_are_told_by_their_cause(case: Case) -> None:
    _, told = run(case)
    last = [f for f in told[-1] if not f.over_reason]
    assert {f.key for f in last} == case.latency
    if not case.slowness:
        assert not any(told)
    for finding in last:
        assert case.severity in {None, finding.severity}
        assert case.suspected in {None, finding.suspected}
        assert case.words in finding.summary


def test_the_sentence_says_how_long_and_compared_with_what() -> None:
    _, told = run(Case("", [Slowness({"t02", "t04"})], set()))
    (finding,) = told[-1]
    assert finding.summary == (
        "Integration ga4 is slow for 2 of 6 customers (t02 and t04) since 01:00 UTC: half of the "
        "messages take more than 3.1 s; usually 95 of 100 take less than 595 ms."
    )
    assert finding.evidence["usual_s"] == pytest.approx(0.6, rel=0.1)
    assert finding.evidence["median_s"] == pytest.approx(3.0, rel=0.15)
    assert finding.affected == ("t02", "t04")


def test_it_is_found_within_minutes_and_over_soon_after() -> None:
    _, told = run(Case("", [Slowness(everyone(6), last=LEARNED + 90)], set(), LEARNED + 120))
    is_open = [any(not f.over_reason for f in minute) for minute in told]
    assert not any(is_open[:60])
    assert is_open[63:88] == [True] * 25
    assert not any(is_open[96:])
    (over,) = [f for minute in told for f in minute if f.over_reason and f.scope.tenant is None]
    assert "take as long as usual again" in over.over_reason


def test_after_a_restart_it_stays_open_until_it_is_over() -> None:
    case = Case("", [Slowness(everyone(6), first=LEARNED - 30, last=LEARNED + 20)], set(),
                LEARNED + 60)  # fmt: skip
    fleet, rng = fleet_of(6, case.minutes), np.random.default_rng(3)
    detector = Detector()
    history = fleet.history(LEARNED)
    past = latencies(fleet, LEARNED - DAY, LEARNED - 60, case, rng, per=60)
    detector.learn(
        type(history)(
            history.hours, history.recent, history.recent_from_minute, history.seen_minutes,
            latencies=past,
        )
    )  # fmt: skip
    key = "latency/*/*/ga4/*/"
    detector.restore([(key, 60.0 * (fleet.start + LEARNED - 30))])
    is_open = []
    for minute in range(LEARNED, case.minutes):
        delta, slow = (
            fleet.delta(minute, minute + 1),
            latencies(fleet, minute, minute + 1, case, rng),
        )
        detector.observe(Delta(delta.minutes, delta.queues, delta.newest_ns, None, slow))
        found = detector.evaluate(60.0 * (fleet.start + minute + 1) + 2.0)
        is_open.append(key in {f.key for f in found if not f.over_reason})
    assert all(is_open[:20])
    assert not any(is_open[30:])


@settings(max_examples=25, deadline=None)
@given(
    buckets=st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=30),
    counts=st.lists(st.sampled_from([0, 1, 7, 10**13, 2**62]), min_size=30, max_size=30),
    minutes=st.lists(st.integers(-(10**6), 10**6), min_size=30, max_size=30),
    is_known=st.booleans(),
)
def test_nothing_that_comes_in_makes_numbers_that_are_none(
    buckets: list[int], counts: list[int], minutes: list[int], is_known: bool
) -> None:
    fleet, n = fleet_of(2, 300), len(buckets)
    detector = Detector()
    detector.observe(fleet.delta())
    tags = {
        tag: pa.array([getattr(fleet.senders[i % 6].flow, tag) for i in range(n)]) for tag in TAGS
    }
    if not is_known:
        tags["tenant"] = pa.array(["nobody"] * n)
    table = pa.table(
        {
            "minute": pa.array([START + m for m in minutes[:n]], pa.int64()),
            **{tag: values.dictionary_encode() for tag, values in tags.items()},
            "bucket": pa.array(buckets, pa.int16()),
            "count": pa.array(counts[:n], pa.uint64()),
        }
    )
    for hours in range(1, 6):
        at = START + 300 + 60 * hours
        nothing = fleet.delta(0, 0)
        detector.observe(Delta(nothing.minutes, nothing.queues, 0, None, table))
        for finding in detector.evaluate(60.0 * at):
            assert "nan" not in finding.summary
    assert not detector._latencies.open or is_known
    assert np.isfinite(detector._latencies._runs.nats).all()
