"""Whatever is found, delivered, lost or killed: what a receiver shows in the end is what is so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alert.incident_world import finding
from tests.state.incident_story import decide

from streamgauge.model.change import Action
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.notification import Notification
from streamgauge.model.words import IncidentState, Severity
from streamgauge.page.routing import Recipient, Router
from streamgauge.state.state import State

FOUND = ("holds", "worse", "over")
OUTCOMES = ("taken", "answer lost", "refused", "killed after", "killed before")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """One database for all examples, each of which has a customer of its own."""
    folder = tmp_path_factory.mktemp("outbox")
    state = State(f"sqlite:///{folder / 'state.sqlite3'}", SimulatedClock())
    state.open()
    yield state
    state.close()


class Story:
    """One customer's incidents, and a receiver that folds by alias as Opsgenie does."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.tenant = f"customer-{next(_numbers)}"
        self.router = Router([Recipient(self.tenant)])
        self.now = 1_000.0
        self.shown: dict[str, bool] = {}
        """By incident: whether the receiver has it open."""
        self.created_total = 0

    def happen(self, event: str) -> None:
        self.now += 61.0  # leases of 60 s have run out, retries are due
        if event in FOUND:
            self.detect(event)
        else:
            self.work(event)

    def detect(self, event: str) -> None:
        severity = Severity.P1 if event == "worse" else Severity.P3
        found = [] if event == "over" else [finding(self.tenant, severity=severity)]
        self.state.apply(decide(self.state, self.now, found), self.router)

    def work(self, outcome: str) -> int:
        claimed = self.state.claim_due(self.now, 1, 60.0, "worker", [self.tenant])
        for one in claimed:
            self.attempt(one, outcome)
        return len(claimed)

    def attempt(self, one: Notification, outcome: str) -> None:
        incident = self.state.get_incident(one.incident_id)
        if one.action is not Action.CLOSE:
            assert incident.state is not IncidentState.CLOSED, "told of what is over"
        if outcome in {"taken", "answer lost", "killed after"}:
            self.take(one)
        if outcome == "taken":
            self.state.delivered(one.id, self.now, "202")
        elif outcome in {"answer lost", "refused"}:
            self.state.failed(one.id, self.now, outcome, self.now + 30)

    def take(self, one: Notification) -> None:
        if one.action is Action.CREATE and not self.shown.get(one.incident_id):
            self.created_total += 1
            self.shown[one.incident_id] = True
        if one.action is Action.CLOSE:
            self.shown[one.incident_id] = False

    def drain(self) -> None:
        self.now += 61.0
        while self.work("taken"):
            pass


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.sampled_from(FOUND + OUTCOMES), max_size=14))
def test_the_receiver_ends_up_with_what_is_so(shared_state: State, events: list[str]) -> None:
    story = Story(shared_state)
    for event in events:
        story.happen(event)
    story.drain()
    for incident in shared_state.list_incidents(tenant=story.tenant):
        is_open = incident.state is not IncidentState.CLOSED
        assert story.shown.get(incident.id, False) == is_open
        opened = [e for e in shared_state.get_incident(incident.id).timeline if "open" in e.action]
        assert story.created_total <= len(opened)
    story.detect("over")
    story.drain()
    assert not any(story.shown.values())
