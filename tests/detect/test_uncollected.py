"""Queues that a failing collector leaves unseen: one finding for each collector, none too early."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from streamgauge.detect.backlog import Backlogs
from streamgauge.detect.detector import Detector
from streamgauge.detect.uncollected import uncollected, uncollected_key
from streamgauge.model.gatherer import Fault, GathererHealth, GathererState, QueueReading
from streamgauge.model.words import Kind, Severity, Suspected

NOW = 1_800_000_000.0
QUEUES = tuple(
    QueueReading(f"events.{tenant}.{number}", tenant=tenant)
    for tenant in ("tiny", "acme")
    for number in range(40)
)


def health(failing_s: float, *, failures: int = 3, **changes: object) -> GathererHealth:
    """Of a collector that looks every ten seconds and fails since then."""
    failing = GathererHealth(
        name="rabbit",
        kind="rabbitmq",
        address="http://10.0.0.7:15672",
        every_s=10.0,
        state=GathererState.FAILING,
        since=NOW - failing_s,
        last_success_at=NOW - failing_s,
        last_error="10.0.0.7:15672 refuses connections: look whether it runs",
        fault=Fault.REFUSED,
        failed_in_a_row=failures,
        queues=QUEUES,
    )
    return replace(failing, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "is_told", "holds"),
    [
        (health(29.9), False, False),
        (health(30.0), False, True),
        (health(300.0, failures=1), False, False),
        (health(1.0), True, True),
        (health(30.0, every_s=300.0), False, False),
        (health(900.0, every_s=300.0), False, True),
        (health(8.0, every_s=0.1), False, False),
        (health(10.0, every_s=0.1), False, True),
        (health(900.0, every_s=None), False, False),
        (health(900.0, state=GathererState.UNKNOWN), False, False),
    ],
    ids=[
        "three looks are not yet missed",
        "three looks are missed",
        "a single failure is none, however rare the looks",
        "what is told goes on while it fails",
        "of rare looks one must be missed three times, too",
        "and then it is told",
        "a broker may restart",
        "but not for long",
        "a listener looks for nothing",
        "not tried is not failed",
    ],
)
def test_when_it_is_told(one: GathererHealth, is_told: bool, holds: bool) -> None:
    found = uncollected(one, NOW, is_told=is_told)
    assert [finding.over_reason for finding in found] == ([""] if holds else [])


def test_one_finding_names_all_queues_and_customers() -> None:
    (finding,) = uncollected(health(180.0), NOW, is_told=False)
    assert finding.key == uncollected_key("rabbit")
    assert (finding.kind, finding.suspected) == (Kind.BLIND, Suspected.COLLECTOR)
    assert finding.severity is Severity.P2
    assert finding.since == NOW - 180.0
    assert finding.affected == ("acme", "tiny")
    assert finding.summary == (
        "The collector rabbit has not seen 80 queues (events.tiny.0, events.tiny.1, events.tiny.2 "
        "and 77 more) since 07:57 UTC (3 min), so that is unknown: 10.0.0.7:15672 refuses "
        "connections: look whether it runs."
    )
    assert finding.evidence["unseen_queue_count"] == 80
    assert len(finding.evidence["unseen_queues"]) == 50  # type: ignore[arg-type]


def test_a_part_that_is_dark_names_that_part() -> None:
    part = (*QUEUES[:3], replace(QUEUES[40], problem="no such queue"))
    (finding,) = uncollected(health(180.0, queues=part), NOW, is_told=False)
    assert finding.evidence["unseen_queues"] == ["events.acme.0"]
    assert finding.affected == ("acme",)


def test_it_is_over_when_it_is_read_again() -> None:
    well = health(5.0, state=GathererState.OK, failed_in_a_row=0)
    assert uncollected(well, NOW, is_told=False) == []
    (finding,) = uncollected(well, NOW, is_told=True)
    assert finding.over_reason == "it is read again since 07:59 UTC"


def test_detection_leaves_the_blindness_of_collectors_to_them() -> None:
    detector = Detector()
    detector.restore([(uncollected_key("rabbit"), NOW - 600.0), ("a key of others", NOW)])
    assert detector.evaluate(NOW) == []


def _reports(minutes: range, age_s: float) -> pa.Table:
    """Of one queue, a report a minute."""
    count = len(minutes)
    columns = {
        "minute": list(minutes),
        "queue": ["q"] * count,
        **{name: [""] * count for name in ("pipeline", "integration", "tenant")},
        "backlog": [50.0] * count,
        "oldest_age_s": [age_s] * count,
        **{name: [None] * count for name in ("in_total", "out_total", "consumers")},
        "last_ns": [minute * 60 * 10**9 for minute in minutes],
    }
    return pa.table(columns)


def test_a_backlog_is_not_over_because_nobody_looks() -> None:
    backlogs = Backlogs()
    first = int(NOW // 60)
    backlogs.observe(_reports(range(first, first + 60), 5.0))
    assert backlogs.judge(60.0 * (first + 59), 60.0 * (first + 59), is_blind=False) == []
    backlogs.observe(_reports(range(first + 60, first + 64), 900.0))
    (opened,) = backlogs.judge(60.0 * (first + 63), 60.0 * (first + 63), is_blind=False)
    for minute in range(first + 64, first + 180, 5):  # others report, this collector fails
        assert [
            one.key for one in backlogs.judge(60.0 * minute, 60.0 * minute, is_blind=False)
        ] == [opened.key]
        assert backlogs.ended == {}
    back = first + 180
    backlogs.observe(_reports(range(back, back + 1), 5.0))
    assert backlogs.judge(60.0 * back, 60.0 * back, is_blind=False), "one report is not enough"
    backlogs.observe(_reports(range(back + 1, back + 2), 5.0))
    assert backlogs.judge(60.0 * (back + 1), 60.0 * (back + 1), is_blind=False) == []


def test_nothing_begins_by_what_was_not_seen() -> None:
    backlogs = Backlogs()
    first = int(NOW // 60)
    backlogs.observe(_reports(range(first, first + 60), 5.0))
    backlogs.judge(60.0 * (first + 59), 60.0 * (first + 59), is_blind=False)
    assert backlogs.judge(60.0 * (first + 600), 60.0 * (first + 600), is_blind=False) == []
