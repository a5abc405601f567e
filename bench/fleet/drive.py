"""Runs the real detector and the real incident machine over a run, a minute at a time."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

from bench.fleet.made import Made
from bench.fleet.plan import START_MINUTE
from streamgauge.app.decide.judge import Judge
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.change import ChangeReason
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident

_TICK_AFTER_S = 1.0
"""Each minute is judged as soon as it is over."""


@dataclass(slots=True)
class Opened:
    """An incident as the run left it. Minutes are those of the run."""

    incident: Incident
    opened: float
    """When it first opened."""
    first: Incident
    """As it was then."""
    is_part: bool = False
    """A larger one took its place."""


@dataclass(slots=True)
class Driven:
    """What a run came to."""

    opened: list[Opened] = field(default_factory=list)
    observe_s: float = 0.0
    """Processor time."""
    decide_s: float = 0.0
    learn_s: float = 0.0
    slowest_tick_s: float = 0.0


def drive(run: Made, until: int | None = None) -> Driven:
    """All incidents of a run, or of its minutes before `until`, in the order they opened."""
    plan, driven = run.plan, Driven()
    numbers = itertools.count(1)
    judge = Judge(Detector(), make_id=lambda: f"i{next(numbers):05d}")
    began = time.process_time()
    if plan.live_from:
        judge.detector.learn(run.telemetry.history(plan.live_from))
    driven.learn_s = time.process_time() - began
    known: dict[str, Opened] = {}
    leaving = _leaving(run)
    for minute in range(plan.live_from, plan.minutes if until is None else until):
        if minute in leaving:
            judge.detector.expect(leaving[minute])
        delta = run.telemetry.take(minute)
        now = 60.0 * (START_MINUTE + minute + 1) + _TICK_AFTER_S
        t0 = time.process_time()
        judge.detector.observe(delta)
        t1 = time.process_time()
        changes = judge.decide(now)
        judge.accept(change.incident for change in changes)
        t2 = time.process_time()
        driven.observe_s, driven.decide_s = driven.observe_s + t1 - t0, driven.decide_s + t2 - t1
        driven.slowest_tick_s = max(driven.slowest_tick_s, t2 - t0)
        for change in changes:
            one = known.get(change.incident.id)
            if one is None:
                at = now / 60.0 - START_MINUTE
                one = known[change.incident.id] = Opened(change.incident, at, change.incident)
            one.incident = change.incident
            one.is_part = change.reason is ChangeReason.PART_OF_PARENT
    driven.opened = list(known.values())
    return driven


def _leaving(run: Made) -> dict[int, Expectations]:
    """What is said of those who leave, from the minute in which it is said."""
    said: list[ExpectedFlow] = []
    found: dict[int, Expectations] = {}
    for one in sorted(run.customers, key=lambda customer: customer.last_minute):
        if one.is_leaving_told and one.last_minute < run.plan.minutes:
            at = 60.0 * (START_MINUTE + one.last_minute)
            said.append(ExpectedFlow(Scope(one.name), at, retired_at=at))
            found[max(one.last_minute, run.plan.live_from)] = Expectations(tuple(said))
    return found
