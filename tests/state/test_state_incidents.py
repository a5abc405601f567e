"""Incidents are kept as they were made, and each change only onto the state it was made from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.alert.incident_world import finding
from tests.state.incident_story import decide, to, turn

from streamgauge.alert import actions
from streamgauge.model.change import Change
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import NotFound
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState, Severity
from streamgauge.state.state import State


def opened(state: State, tenant: str = "acme", now: float = 1_000.0) -> Incident:
    (change,) = turn(state, now, [finding(tenant), *_still(state)])
    return change.incident


def _still(state: State) -> list:
    return [finding(one.scope.tenant) for one in state.open_incidents().values()]


def test_what_was_written_is_read_again(state: State) -> None:
    rich = finding(
        severity=Severity.P2,
        affected=3,
        since=900.123456,
        summary="ümlaut, 'quotes' and \n lines",
        evidence={"p_value": 1e-300, "share": 0.1, "count": 3, "names": ["a", "b"], "none": None},
    )
    (change,) = turn(state, 1_000.5, [rich])
    assert state.get_incident(change.incident.id) == change.incident
    assert state.open_incidents()[rich.key].evidence == rich.evidence


def test_evidence_that_json_cannot_hold_becomes_what_it_can(state: State) -> None:
    odd = {"nan": math.nan, "inf": math.inf, "np": np.float64(0.5), "int": np.int64(7)}
    (change,) = turn(state, 1_000, [finding(evidence=odd)])
    kept = state.get_incident(change.incident.id).evidence
    assert kept == {"nan": None, "inf": None, "np": 0.5, "int": 7}


def test_an_unknown_id_is_not_found(state: State) -> None:
    with pytest.raises(NotFound, match="no incident has the id 'nope'"):
        state.get_incident("nope")


def test_the_newest_come_first_and_only_as_many_as_asked(state: State) -> None:
    first, second = opened(state, "a", 1_000), opened(state, "b", 1_010)
    assert [one.id for one in state.list_incidents()] == [second.id, first.id]
    assert [one.id for one in state.list_incidents(limit=1)] == [second.id]


def test_incidents_are_found_by_state(state: State) -> None:
    incident = opened(state)
    turn(state, 1_010, [])
    assert [one.id for one in state.list_incidents(IncidentState.CLOSED)] == [incident.id]
    assert state.list_incidents(IncidentState.OPEN) == []


def test_a_customer_finds_what_is_about_it_and_what_merely_affects_it(state: State) -> None:
    turn(state, 1_000, [finding("acme"), finding(None, affected=3)])
    assert len(state.list_incidents(tenant="acme")) == 1
    assert len(state.list_incidents(tenant="tenant-0")) == 2
    assert len(state.list_incidents(tenant="tenant-2")) == 1
    assert state.list_incidents(tenant='t"enant') == []


def test_the_same_changes_again_change_nothing(state: State) -> None:
    changes = decide(state, 1_000, [finding()])
    assert state.apply(changes, to("pager")) == changes
    assert state.apply(changes, to("pager")) == []
    incident = state.get_incident(changes[0].incident.id)
    assert len(incident.timeline) == 1
    assert len(state.list_notifications(incident.id)) == 1


def test_a_change_made_from_an_older_state_is_left_out(state: State, clock: SimulatedClock) -> None:
    incident = opened(state)
    closing = decide(state, 1_010, [])
    state.act(incident.id, _acknowledge, to())
    assert state.apply(closing, to("pager")) == []
    assert state.get_incident(incident.id).state is IncidentState.ACKNOWLEDGED
    assert len(turn(state, 1_020, [])) == 1


def test_a_refresh_made_from_an_older_state_is_left_out(state: State) -> None:
    incident = opened(state)
    refresh = decide(state, 1_010, [finding(summary="newer")])
    state.act(incident.id, _acknowledge, to())
    state.apply(refresh, to())
    kept = state.get_incident(incident.id)
    assert (kept.state, kept.summary) == (IncidentState.ACKNOWLEDGED, "it is quiet")
    turn(state, 1_020, [finding(summary="newer")])
    assert state.get_incident(incident.id).summary == "newer"


def test_two_that_open_one_key_at_once_open_one_incident(state: State, state_url: str) -> None:
    other = State(state_url, SimulatedClock(1_000))
    mine, theirs = decide(state, 1_000, [finding()]), decide(other, 1_000, [finding()])
    assert len(state.apply(mine, to("pager"))) == 1
    assert other.apply(theirs, to("pager")) == []
    assert len(state.list_incidents()) == 1
    other.close()


def test_reopening_gives_way_to_one_that_opened_meanwhile(state: State) -> None:
    old = opened(state)
    turn(state, 1_010, [])
    reopening = decide(state, 1_020, [finding()])
    new = decide(state, 9_000, [finding()])
    assert len(state.apply(new, to("pager"))) == 1
    assert state.apply(reopening, to("pager")) == []
    assert state.get_incident(old.id).state is IncidentState.CLOSED


def test_recently_closed_is_the_last_of_each_key_and_what_is_held(state: State) -> None:
    old = opened(state)
    turn(state, 1_010, [])
    new = opened(state, now=5_000)
    turn(state, 5_010, [])
    key = finding().key
    assert {k: one.id for k, one in state.recently_closed(5_010).items()} == {key: new.id}
    assert {k: one.id for k, one in state.recently_closed(0).items()} == {key: new.id}
    assert state.recently_closed(5_010.5) == {}
    third = opened(state, now=50_000)
    assert third.id not in {old.id, new.id}
    state.act(third.id, lambda one, now: actions.close(one, "kim", "known", 50_001), to())
    assert state.recently_closed(1e9)[key].is_held


def test_people_act_on_the_newest_state_at_the_time_of_the_clock(
    state: State, clock: SimulatedClock
) -> None:
    incident = opened(state)
    clock.move_to(1_042)
    after = state.act(incident.id, _acknowledge, to())
    assert after.state is IncidentState.ACKNOWLEDGED
    assert (after.timeline[-1].at, after.timeline[-1].actor) == (1_042, "kim")
    assert state.act(incident.id, _acknowledge, to()) == after


def test_acting_on_an_unknown_incident_is_not_found(state: State) -> None:
    with pytest.raises(NotFound):
        state.act("nope", _acknowledge, to())


def test_an_incident_survives_a_restart(state: State, state_url: str) -> None:
    incident = opened(state)
    state.close()
    again = State(state_url, SimulatedClock(2_000))
    again.open()
    assert again.get_incident(incident.id) == incident
    assert turn(again, 2_000, [finding()]) == []
    again.close()


def _acknowledge(incident: Incident, now: float) -> Change | None:
    return actions.acknowledge(incident, "kim", "on it", now)
