"""Every history of the table, seen by all detectors at once."""

import math

import pytest
from histories import CASES, Case

from fleet import delta_of
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind


def answers(case: Case) -> list[Finding]:
    """Learn, then go on minute by minute; what holds at the end."""
    retired = ExpectedFlow(Scope(tenant="t19"), 0.0, retired_at=math.inf)
    detector = Detector(Expectations((retired,)))
    fleet = case.fleet()
    if case.learned:
        detector.learn(fleet.history(case.learned))
    else:
        detector.observe(fleet.delta())
    if case.queues is not None:
        detector.observe(delta_of(fleet.table(0, 0), case.queues(fleet.start + fleet.minutes - 1)))
    for minute in range(case.learned or fleet.minutes, fleet.minutes):
        detector.observe(fleet.delta(minute, minute + 1))
        detector.evaluate(60.0 * (fleet.start + minute) + 2.0)
    now = fleet.end_s - 60.0 + case.wait_s
    if (case.learned or fleet.minutes) == fleet.minutes:
        detector.evaluate(now - 600.0)  # what has just been loaded is let settle
    return detector.evaluate(now)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_every_detector_answers(case: Case) -> None:
    found = [f for f in answers(case) if not f.over_reason]
    keys = {kind: {f.key for f in found if f.kind is kind} for kind in Kind}

    assert keys[Kind.SILENCE] == case.silence
    assert keys[Kind.ERRORS] == case.errors
    assert keys[Kind.BACKLOG] == case.backlog
    assert keys[Kind.LOSS] == case.loss
    assert bool(keys[Kind.BLIND]) is case.blind
    assert case.suspected is None or {f.suspected for f in found} == {case.suspected}
    assert len(found) == sum(len(found_keys) for found_keys in keys.values())
