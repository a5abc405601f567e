"""What people do with incidents, and how detection goes on around it."""

from __future__ import annotations

from tests.alert.incident_world import World, finding

from streamgauge.alert import actions
from streamgauge.model.change import Action, ChangeReason
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState, Kind, Severity


def opened() -> tuple[World, Incident]:
    world = World()
    (change,) = world.turn(0, [finding()])
    return world, change.incident


def test_acknowledging_twice_is_acknowledging_once() -> None:
    _, incident = opened()
    change = actions.acknowledge(incident, "kim", "on it", 5)
    assert change is not None
    assert change.incident.state is IncidentState.ACKNOWLEDGED
    assert change.entry is not None
    assert (change.entry.actor, change.entry.reason) == ("kim", "on it")
    assert actions.acknowledge(change.incident, "lee", "me too", 6) is None


def test_an_acknowledged_incident_goes_on_and_closes_by_itself() -> None:
    world, incident = opened()
    world.take(actions.acknowledge(incident, "kim", "on it", 5))
    (risen,) = world.turn(10, [finding(severity=Severity.P1)])
    assert risen.incident.state is IncidentState.ACKNOWLEDGED
    (ended,) = world.turn(20, [])
    assert ended.incident.state is IncidentState.CLOSED


def test_closed_by_hand_stays_closed_while_the_trouble_goes_on() -> None:
    world, incident = opened()
    closing = actions.close(incident, "kim", "known", 5)
    assert closing is not None
    assert closing.notify is Action.CLOSE
    world.take(closing)
    for now in range(10, 100_000, 5_000):
        assert world.turn(now, [finding()]) == []


def test_closed_by_hand_may_open_again_once_the_trouble_was_over() -> None:
    world, incident = opened()
    world.take(actions.close(incident, "kim", "known", 5))
    (release,) = world.turn(1_000, [])
    assert release.reason is ChangeReason.HOLD_ENDED
    assert release.notify is None
    (again,) = world.turn(1_010, [finding()])
    assert again.reason is ChangeReason.FIRST_EVIDENCE


def test_closed_by_hand_comes_back_when_it_gets_worse() -> None:
    world, incident = opened()
    world.take(actions.close(incident, "kim", "known", 5))
    (back,) = world.turn(10, [finding(severity=Severity.P1)])
    assert back.reason is ChangeReason.WORSE_SINCE_CLOSED
    assert back.notify is Action.CREATE
    assert back.incident.id == incident.id
    assert back.entry is not None
    assert back.entry.reason == "severity rose P3 → P1 after it was closed by hand"


def test_closing_twice_is_closing_once() -> None:
    _, incident = opened()
    change = actions.close(incident, "kim", "known", 5)
    assert change is not None
    assert actions.close(change.incident, "lee", "known", 6) is None
    assert actions.acknowledge(change.incident, "lee", "late", 6) is None


def test_one_from_outside_is_not_held_after_closing_by_hand() -> None:
    world = World()
    (change,) = world.turn(0, [finding(kind=Kind.EXTERNAL)])
    closing = actions.close(change.incident, "kim", "done", 5)
    assert closing is not None
    assert not closing.incident.is_held


def test_a_note_changes_nothing_but_the_timeline() -> None:
    _, incident = opened()
    change = actions.note(incident, "kim", "asked them", 5)
    assert change.notify is None
    assert change.incident.state is incident.state
    assert [entry.reason for entry in change.incident.timeline][-1] == "asked them"
