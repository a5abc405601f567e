"""What people expect of flows: kept, changed once, shared, and told by whom."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.expected import Changes, ExpectedFlow, FlowEdit
from streamgauge.model.flow import Scope
from streamgauge.state.dump import StateDump, load_state
from streamgauge.state.expected import ExpectedFlows
from streamgauge.state.state import State

ACME, WEB = Scope("acme"), Scope("acme", "web/1")
HOURS = "mon-fri 08:00-18:00 Europe/Berlin"


@pytest.fixture
def flows(state: State, clock: SimulatedClock) -> ExpectedFlows:
    return ExpectedFlows(state, clock)


def put(flows: ExpectedFlows, scope: Scope, **changes: object) -> None:
    flows.apply([FlowEdit(scope, Changes(**changes))], "anna", {})  # type: ignore[typeddict-item]


def test_what_is_said_is_kept_by_scope(flows: ExpectedFlows) -> None:
    put(flows, ACME, calendar=HOURS)
    put(flows, WEB, expected_within_s=60.0, paused_until=2_000.0)
    put(flows, Scope("beta"), first_message_within_s=500.0)
    assert flows.all() == [
        ExpectedFlow(ACME, 1_000.0, calendar=HOURS, changed_at=1_000.0, changed_by="anna"),
        ExpectedFlow(WEB, 1_000.0, expected_within_s=60.0, paused_until=2_000.0,
                     changed_at=1_000.0, changed_by="anna"),
        ExpectedFlow(Scope("beta"), 1_000.0, first_message_by=1_500.0,
                     changed_at=1_000.0, changed_by="anna"),
    ]  # fmt: skip
    assert [one.scope for one in flows.all("acme")] == [ACME, WEB]


def test_the_same_said_twice_is_changed_once(flows: ExpectedFlows, clock: SimulatedClock) -> None:
    edit = FlowEdit(ACME, {"first_message_within_s": 60.0, "is_retired": True})
    (first,) = flows.apply([edit], "anna", {})
    version = flows.version()
    clock.advance(100)
    (again,) = flows.apply([edit], "bert", {})
    assert first.has_changed
    assert not again.has_changed
    assert flows.version() == version
    assert again.after is not None
    assert (again.after.retired_at, again.after.first_message_by) == (1_000.0, 1_060.0)


def test_what_is_left_out_stays_and_none_takes_away(
    flows: ExpectedFlows, clock: SimulatedClock
) -> None:
    put(flows, ACME, calendar=HOURS, expected_within_s=60.0)
    clock.advance(5)
    put(flows, ACME, calendar=None, paused_until=9_000.0)
    (one,) = flows.all()
    assert (one.calendar, one.expected_within_s, one.paused_until) == (None, 60.0, 9_000.0)
    assert (one.declared_at, one.changed_at) == (1_000.0, 1_005.0)


def test_every_change_is_told_with_who_and_when(
    flows: ExpectedFlows, clock: SimulatedClock
) -> None:
    put(flows, ACME, expected_within_s=60.0)
    clock.advance(1)
    put(flows, ACME, is_retired=True)
    clock.advance(1)
    flows.apply([FlowEdit(ACME, is_removal=True), FlowEdit(WEB, is_removal=True)], "bert", {})
    assert flows.all() == []
    told = [(e.at, e.actor, e.action, e.subject) for e in flows.audit("acme")]
    assert told == [
        (1_002.0, "bert", "flow removed", "customer acme"),
        (1_001.0, "anna", "flow changed", "customer acme"),
        (1_000.0, "anna", "flow declared", "customer acme"),
    ]
    changed = flows.audit("acme")[1]
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before["retired_at"], changed.after["retired_at"]) == (None, 1_001.0)
    assert flows.audit("beta") == []


def test_an_edit_begins_from_what_the_file_says(flows: ExpectedFlows) -> None:
    in_file = ExpectedFlow(ACME, 500.0, calendar=HOURS, retired_at=math.inf, is_configured=True)
    flows.apply([FlowEdit(ACME, {"expected_within_s": 9.0})], "anna", {ACME: in_file})
    (one,) = flows.all()
    assert (one.declared_at, one.calendar, one.expected_within_s) == (500.0, HOURS, 9.0)
    assert one.retired_at == 1_000.0


def test_when_the_file_first_named_a_scope_outlives_restarts(
    flows: ExpectedFlows, clock: SimulatedClock
) -> None:
    assert flows.remember_configured([ACME, WEB]) == {ACME: 1_000.0, WEB: 1_000.0}
    clock.advance(50)
    assert flows.remember_configured([ACME]) == {ACME: 1_000.0}
    assert flows.remember_configured([ACME, WEB]) == {ACME: 1_000.0, WEB: 1_050.0}


def test_several_processes_see_each_other_s_changes(
    flows: ExpectedFlows, state_url: str, clock: SimulatedClock
) -> None:
    other = State(state_url, clock)
    theirs = ExpectedFlows(other, clock)
    version = flows.version()
    put(theirs, ACME, expected_within_s=1.0)
    assert flows.version() != version
    assert flows.all() == theirs.all()
    other.close()


def test_a_restored_database_can_be_changed_on(
    flows: ExpectedFlows, state_url: str, tmp_path: Path, clock: SimulatedClock
) -> None:
    put(flows, ACME, expected_within_s=60.0)
    dump = StateDump(state_url)
    lines = list(dump.lines())
    url = f"sqlite:///{tmp_path / 'restored.sqlite3'}"
    load_state(url, dump.revision, lines)
    restored = State(url, clock)
    mine = ExpectedFlows(restored, clock)
    clock.advance(1)
    put(mine, ACME, expected_within_s=70.0)
    assert [entry.action for entry in mine.audit()] == ["flow changed", "flow declared"]
    restored.close()


def paused(flows: ExpectedFlows, clock: SimulatedClock, until: float) -> None:
    """One change, ten seconds after the one before."""
    clock.advance(10)
    put(flows, ACME, paused_until=until)


def test_the_audit_is_kept_for_its_time_and_no_longer(state: State, clock: SimulatedClock) -> None:
    flows = ExpectedFlows(state, clock, audit_kept_s=30)
    for number in range(5):
        paused(flows, clock, 5_000.0 + number)
    assert [entry.at for entry in flows.audit()] == [1_050.0, 1_040.0, 1_030.0, 1_020.0]
    version = flows.version()
    clock.advance(100)
    put(flows, WEB, calendar=HOURS)
    assert [entry.at for entry in flows.audit()] == [1_150.0]
    assert flows.version() != version
    assert [one.scope for one in flows.all()] == [ACME, WEB], "what was said stays"


def test_the_audit_has_no_more_than_so_many_entries(state: State, clock: SimulatedClock) -> None:
    flows = ExpectedFlows(state, clock, audit_most=3)
    for number in range(5):
        paused(flows, clock, 5_000.0 + number)
    assert [entry.at for entry in flows.audit()] == [1_050.0, 1_040.0, 1_030.0]
    clock.advance(10)
    scopes = [Scope(f"t{number}") for number in range(4)]
    flows.apply([FlowEdit(scope, {"is_retired": True}) for scope in scopes], "anna", {})
    assert [entry.at for entry in flows.audit()] == [1_060.0] * 4, "of one request none is lost"
