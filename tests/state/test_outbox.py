"""Notifications are claimed by one worker at a time, in order, and finished once."""

from __future__ import annotations

from collections.abc import Sequence, Set

import pytest
from tests.alert.incident_world import finding
from tests.state.incident_story import decide, to, turn

from streamgauge.alert import actions
from streamgauge.model.change import Action, Change, Route
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import Severity
from streamgauge.state.state import State

PENDING, DELIVERED, FAILED, SUPPRESSED, OBSOLETE = DeliveryState


def claim(state: State, now: float, owner: str = "one", **options: object) -> list[Notification]:
    return state.claim_due(now, 10, 60.0, owner, **options)  # type: ignore[arg-type]


def states(state: State, incident_id: str) -> list[str]:
    return [f"{one.action} {one.state}" for one in state.list_notifications(incident_id)]


@pytest.fixture
def incident_id(state: State) -> str:
    """An incident that opened at 1,000 s, told to `pager`."""
    (change,) = turn(state, 1_000, [finding()])
    return change.incident.id


def test_only_one_worker_holds_a_notification(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    assert (held.incident_id, held.notifier, held.action) == (incident_id, "pager", Action.CREATE)
    assert held.attempts == 1
    assert claim(state, 1_059.9, "two") == []


def test_a_lease_that_ran_out_can_be_taken_by_another(state: State, incident_id: str) -> None:
    claim(state, 1_000)
    (again,) = claim(state, 1_060, "two")
    assert (again.incident_id, again.attempts) == (incident_id, 2)


def test_what_was_delivered_is_never_claimed_again(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    state.delivered(held.id, 1_001, "202")
    assert claim(state, 9_999) == []
    (kept,) = state.list_notifications(incident_id)
    assert (kept.state, kept.finished_at, kept.receipt) == (DELIVERED, 1_001, "202")


def test_what_waits_and_what_was_sent_is_counted(state: State, incident_id: str) -> None:
    nothing = dict.fromkeys(DeliveryState, 0)
    assert state.notification_counts() == nothing | {PENDING: 1}
    (held,) = claim(state, 1_000)
    state.delivered(held.id, 1_001, "202")
    assert state.notification_counts() == nothing | {DELIVERED: 1}


def test_what_failed_is_due_again_when_it_was_said(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    state.failed(held.id, 1_001, "500", 1_010)
    assert claim(state, 1_009) == []
    (again,) = claim(state, 1_010)
    assert (again.attempts, again.last_error) == (2, "500")


def test_what_was_given_up_stays_visible(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    state.failed(held.id, 1_001, "401: wrong key", None)
    assert claim(state, 9_999) == []
    (kept,) = state.list_notifications(incident_id)
    assert (kept.state, kept.last_error, kept.finished_at) == (FAILED, "401: wrong key", 1_001)


def test_no_more_than_the_limit_are_taken_oldest_first(state: State) -> None:
    for n in range(5):
        still = [finding(one.scope.tenant) for one in state.open_incidents().values()]
        turn(state, 1_000 + n, [*still, finding(f"t{n}")])
    taken = state.claim_due(2_000, 3, 60, "one")
    assert [one.created_at for one in taken] == [1_000, 1_001, 1_002]
    assert len(state.claim_due(2_000, 3, 60, "two")) == 2


def test_only_those_of_the_named_notifiers_are_taken(state: State) -> None:
    turn(state, 1_000, [finding()], ["pager", "hook"])
    assert [one.notifier for one in claim(state, 1_000, notifiers=["hook"])] == ["hook"]
    assert claim(state, 1_000, notifiers=[]) == []
    assert [one.notifier for one in claim(state, 1_000)] == ["pager"]


def test_a_closing_waits_for_its_opening_of_the_same_notifier(state: State) -> None:
    (change,) = turn(state, 1_000, [finding()], ["pager", "hook"])
    by_name = {one.notifier: one for one in claim(state, 1_000)}
    turn(state, 1_010, [], ["pager", "hook"])
    assert claim(state, 1_010) == []
    state.delivered(by_name["hook"].id, 1_011, "")
    assert [(one.notifier, one.action) for one in claim(state, 1_011)] == [("hook", Action.CLOSE)]
    state.failed(by_name["pager"].id, 1_012, "401", None)
    assert [(one.notifier, one.action) for one in claim(state, 1_012)] == [("pager", Action.CLOSE)]
    assert change.incident.id == by_name["pager"].incident_id


def test_nobody_is_told_of_what_was_over_before_it_was_sent(state: State, incident_id: str) -> None:
    turn(state, 1_010, [])
    assert claim(state, 1_010) == []
    opening, closing = state.list_notifications(incident_id)
    assert (opening.state, opening.last_error) == (OBSOLETE, "closed before it was sent")
    assert (closing.state, closing.reason) == (OBSOLETE, "its opening was never sent")


def test_an_opening_in_flight_when_its_incident_closes_is_not_retried(
    state: State, incident_id: str
) -> None:
    (held,) = claim(state, 1_000)
    turn(state, 1_010, [])
    state.failed(held.id, 1_011, "timeout", 1_020)
    assert states(state, incident_id) == ["create obsolete", "close pending"]
    assert [one.action for one in claim(state, 1_011)] == [Action.CLOSE]


def test_a_late_word_of_delivery_is_believed(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    turn(state, 1_100, [])  # the lease has run out
    assert states(state, incident_id) == ["create obsolete", "close pending"]
    state.delivered(held.id, 1_101, "202")
    assert states(state, incident_id) == ["create delivered", "close pending"]


def test_flapping_faster_than_delivery_tells_once(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    state.delivered(held.id, 1_001, "202")
    for now in range(1_010, 1_100, 20):
        turn(state, now, [])
        turn(state, now + 10, [finding()])
    assert claim(state, 1_100) == []
    turn(state, 1_110, [])
    assert [one.action for one in claim(state, 1_110)] == [Action.CLOSE]


def test_a_reason_is_kept_for_those_who_are_not_told(state: State) -> None:
    def nobody(change: Change, told: Set[str]) -> Sequence[Route]:
        return [Route("pager", Action.CREATE, is_sent=False, reason="is P5; pager takes P1")]

    (change,) = state.apply(decide(state, 1_000, [finding()]), nobody)
    (kept,) = state.list_notifications(change.incident.id)
    assert (kept.state, kept.reason) == (SUPPRESSED, "is P5; pager takes P1")
    assert claim(state, 9_999) == []


def test_routing_is_told_who_has_the_incident(state: State) -> None:
    asked: list[tuple[Action | None, set[str]]] = []

    def routing(change: Change, told: Set[str]) -> Sequence[Route]:
        asked.append((change.notify, set(told)))
        return to("pager", "hook")(change, told)

    state.apply(decide(state, 1_000, [finding()]), routing)
    for one in claim(state, 1_000):
        state.failed(one.id, 1_001, "401", None if one.notifier == "hook" else 1_002)
    state.apply(decide(state, 1_010, [finding(severity=Severity.P1)]), routing)
    state.apply(decide(state, 1_020, []), routing)
    assert asked == [
        (Action.CREATE, set()),
        (Action.UPDATE, {"pager"}),
        (Action.CLOSE, {"pager", "hook"}),
    ]


def test_what_waits_for_a_notifier_that_is_gone_is_given_up(state: State, incident_id: str) -> None:
    assert state.retire_notifiers(["pager"]) == 0
    assert state.retire_notifiers(["hook"]) == 1
    (kept,) = state.list_notifications(incident_id)
    assert (kept.state, kept.last_error) == (FAILED, "its notifier is no longer configured")


def test_closing_by_hand_is_told(state: State, incident_id: str) -> None:
    (held,) = claim(state, 1_000)
    state.delivered(held.id, 1_001, "")
    state.act(incident_id, lambda one, now: actions.close(one, "kim", "known", now), to("pager"))
    assert states(state, incident_id) == ["create delivered", "close pending"]


def test_notes_are_told_to_nobody(state: State, incident_id: str) -> None:
    state.act(incident_id, lambda one, now: actions.note(one, "kim", "hm", now), to("pager"))
    assert states(state, incident_id) == ["create pending"]
