"""The state machine told as timelines: what is found when, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.alert.incident_world import World, finding

from streamgauge.model.change import Action
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity

P1, P2, P3, P4 = Severity.P1, Severity.P2, Severity.P3, Severity.P4
ACME = finding().key
BETA = finding("beta").key
VENDOR = finding(None, Kind.ERRORS, P1, 300, summary="ga4 is down", covers=(ACME, BETA))

Turn = tuple[float, list[Finding], list[str]]
"""Seconds, what holds, and the changes: `tenant entry/notify: reason`."""

TIMELINES: dict[str, list[Turn]] = {
    "a silence opens once, and closes when messages come back": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (10, [finding()], []),
        (20, [finding(over="messages came back")], ["acme closed/close: messages came back"]),
        (30, [], []),
    ],
    "what no detector tells any more closes with a reason by its kind": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (10, [], ["acme closed/close: messages are no longer missing"]),
        (20, [], []),
    ],
    "what is told to be over but was never open is nothing": [
        (0, [finding(over="messages came back")], []),
    ],
    "the same trouble within ten minutes is the same incident, reopened": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (10, [], ["acme closed/close: messages are no longer missing"]),
        (
            610,
            [finding()],
            ["acme reopened/create: came again 10 min after it closed: it is quiet"],
        ),
        (620, [], ["acme closed/close: messages are no longer missing"]),
    ],
    "the same trouble after more than ten minutes is a new incident": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (10, [], ["acme closed/close: messages are no longer missing"]),
        (611, [finding()], ["acme opened/create: first evidence: it is quiet"]),
    ],
    "a risen severity is told once, and not again after a fall": [
        (0, [finding(severity=P3)], ["acme opened/create: first evidence: it is quiet"]),
        (10, [finding(severity=P2)], ["acme updated/update: severity rose P3 → P2"]),
        (20, [finding(severity=P4)], ["acme updated/-: severity fell P2 → P4"]),
        (30, [finding(severity=P2)], ["acme updated/-: severity rose P4 → P2"]),
        (40, [finding(severity=P1)], ["acme updated/update: severity rose P2 → P1"]),
    ],
    "a growing incident is told again when twice as many are hurt as were told": [
        (0, [finding(affected=3)], ["acme opened/create: first evidence: it is quiet"]),
        (10, [finding(affected=5)], ["acme -/-: refreshed"]),
        (20, [finding(affected=6)], ["acme updated/update: affects 6 customers, was 3"]),
        (30, [finding(affected=11)], ["acme -/-: refreshed"]),
        (40, [finding(affected=12)], ["acme updated/update: affects 12 customers, was 6"]),
    ],
    "one more is no material growth, even if it is twice as many": [
        (0, [finding(affected=1)], ["acme opened/create: first evidence: it is quiet"]),
        (10, [finding(affected=2)], ["acme -/-: refreshed"]),
        (20, [finding(affected=3)], ["acme updated/update: affects 3 customers, was 1"]),
    ],
    "numbers are written anew when they moved, and nobody is told": [
        (0, [finding(evidence={"n": 100.0})], ["acme opened/create: first evidence: it is quiet"]),
        (10, [finding(evidence={"n": 110.0})], []),
        (20, [finding(evidence={"n": 112.0})], ["acme -/-: refreshed"]),
        (30, [finding(evidence={"m": 112.0})], ["acme -/-: refreshed"]),
    ],
    "a larger cause closes its parts, which stay closed while it covers them": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (
            10,
            [finding(), finding("beta"), VENDOR],
            [
                "acme closed/close: part of: ga4 is down",
                "* opened/create: first evidence: ga4 is down",
            ],
        ),
        (20, [finding(), finding("beta"), VENDOR], []),
        (30, [VENDOR], []),
        (40, [], ["* closed/close: errors are back at their habit"]),
    ],
    "a part that outlives its larger cause comes back as itself": [
        (0, [finding()], ["acme opened/create: first evidence: it is quiet"]),
        (
            10,
            [finding(), VENDOR],
            [
                "acme closed/close: part of: ga4 is down",
                "* opened/create: first evidence: ga4 is down",
            ],
        ),
        (
            70,
            [finding()],
            [
                "* closed/close: errors are back at their habit",
                "acme reopened/create: came again 1 min after it closed: it is quiet",
            ],
        ),
    ],
    "of two findings with one key the first counts": [
        (
            0,
            [finding(summary="one"), finding(summary="two")],
            ["acme opened/create: first evidence: one"],
        ),
    ],
    "two rules on one customer are two incidents": [
        (
            0,
            [
                finding(kind=Kind.RULE, subject="a", summary="a"),
                finding(kind=Kind.RULE, subject="b", summary="b"),
            ],
            ["acme opened/create: first evidence: a", "acme opened/create: first evidence: b"],
        ),
        (10, [finding(kind=Kind.RULE, subject="b", summary="b")], [
            "acme closed/close: the rule no longer holds, or was removed"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("timeline", TIMELINES.values(), ids=TIMELINES)
def test_incidents_follow_the_timeline(timeline: list[Turn]) -> None:
    world = World()
    for now, findings, expected in timeline:
        told = [
            f"{change.incident.scope.tenant or '*'} "
            f"{change.entry.action if change.entry else '-'}/{change.notify or '-'}: "
            f"{change.entry.reason if change.entry else change.reason}"
            for change in world.turn(now, findings)
        ]
        assert told == expected, f"at {now} s"


def test_an_incident_began_at_the_earliest_time_ever_told() -> None:
    world = World()
    world.turn(100, [finding(since=90)])
    world.turn(110, [finding(since=60)])
    world.turn(120, [finding(since=80)])
    assert world.open[ACME].since == 60
    assert world.open[ACME].opened_at == 100


def test_an_incident_from_outside_is_not_closed_by_detection() -> None:
    world = World()
    world.turn(0, [finding(kind=Kind.EXTERNAL)])
    assert world.turn(10, []) == []
    assert len(world.open) == 1


def test_the_timeline_is_numbered_by_the_sequence() -> None:
    world = World()
    world.turn(0, [finding()])
    world.turn(10, [])
    world.turn(20, [finding()])
    (incident,) = world.open.values()
    assert [entry.action for entry in incident.timeline] == ["opened", "closed", "reopened"]
    assert incident.sequence == 3


def test_a_closed_incident_names_everyone_it_ever_hurt_those_hurt_last_first() -> None:
    world = World()
    first, last = finding(affected=3), finding(affected=1)
    world.turn(0.0, [first])
    world.turn(10.0, [replace(last, affected=("tenant-2",))])
    world.turn(20.0, [])
    (incident,) = world.incidents.values()
    assert incident.affected == ("tenant-2", "tenant-0", "tenant-1")


def test_growth_is_told_also_when_the_severity_falls_in_the_same_turn() -> None:
    world = World()
    world.turn(0.0, [finding(severity=Severity.P2, affected=1)])
    (change,) = world.turn(10.0, [finding(severity=Severity.P3, affected=5)])
    assert change.notify is Action.UPDATE
    assert world.turn(20.0, [finding(severity=Severity.P3, affected=5)]) == []
