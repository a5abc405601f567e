"""What holds of incidents whatever is found, and whenever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alert.incident_world import World, finding

from streamgauge.alert import actions
from streamgauge.model.change import Action, ChangeReason
from streamgauge.model.finding import Finding
from streamgauge.model.words import IncidentState, Severity

TENANTS = ("a", "b", "c")
KEYS = tuple(finding(tenant).key for tenant in TENANTS)

findings = st.builds(
    finding,
    tenant=st.sampled_from(TENANTS),
    severity=st.sampled_from(Severity),
    affected=st.integers(0, 9),
    over=st.sampled_from(["", "", "messages came back"]),
    covers=st.lists(st.sampled_from(KEYS), max_size=2).map(tuple),
)
turns = st.lists(
    st.tuples(st.sampled_from([10, 60, 600, 601]), st.lists(findings, max_size=4)), max_size=12
)
hands = st.lists(st.sampled_from(["", "", "acknowledge", "close"]), min_size=12, max_size=12)


def play(world: World, history: Sequence[tuple[int, list[Finding]]], by_hand: list[str]) -> None:
    now = 0.0
    for (pause, holding), act in zip(history, by_hand, strict=False):
        now += pause
        world.turn(now, holding)
        check_nothing_is_open_twice(world)
        if act and world.open:
            incident = next(iter(world.open.values()))
            change = getattr(actions, act)(incident, "kim", "by hand", now)
            if change:
                world.take(change)


def check_nothing_is_open_twice(world: World) -> None:
    keys = Counter(
        one.key for one in world.incidents.values() if one.state is not IncidentState.CLOSED
    )
    assert all(count == 1 for count in keys.values())


@settings(deadline=None)
@given(turns, hands)
def test_open_and_closed_alternate_and_each_is_told_once(
    history: list[tuple[int, list[Finding]]], by_hand: list[str]
) -> None:
    world = World()
    play(world, history, by_hand)
    for incident_id, incident in world.incidents.items():
        own = [change for change in world.log if change.incident.id == incident_id]
        told = [change.notify for change in own if change.notify is not Action.UPDATE]
        told = [action for action in told if action]
        assert told[::2] == [Action.CREATE] * len(told[::2])
        assert told[1::2] == [Action.CLOSE] * len(told[1::2])
        is_closed = incident.state is IncidentState.CLOSED
        assert is_closed == (told[-1] is Action.CLOSE)
        assert is_closed == (incident.closed_at is not None)


@settings(deadline=None)
@given(turns, hands)
def test_every_transition_has_its_number_and_its_reason(
    history: list[tuple[int, list[Finding]]], by_hand: list[str]
) -> None:
    world = World()
    play(world, history, by_hand)
    for incident in world.incidents.values():
        assert incident.sequence == len(incident.timeline)
        assert all(entry.reason and entry.actor for entry in incident.timeline)
    for change in world.log:
        assert (change.entry is None) == (change.reason is ChangeReason.REFRESHED)


@settings(deadline=None)
@given(turns)
def test_after_a_quiet_turn_nothing_is_open(history: list[tuple[int, list[Finding]]]) -> None:
    world = World()
    play(world, history, [""] * len(history))
    world.turn(1e6, [])
    assert world.open == {}
    assert world.turn(2e6, []) == []


@settings(deadline=None)
@given(turns, st.lists(findings, max_size=4))
def test_the_same_findings_again_change_nothing(
    history: list[tuple[int, list[Finding]]], holding: list[Finding]
) -> None:
    world = World()
    play(world, history, [""] * len(history))
    world.turn(1e6, holding)
    assert world.turn(1e6 + 10, holding) == []


@settings(deadline=None)
@given(turns)
def test_growth_is_told_only_above_what_was_told(
    history: list[tuple[int, list[Finding]]],
) -> None:
    world = World()
    play(world, history, [""] * len(history))
    last: dict[str, tuple[str, int]] = {}
    for change in world.log:
        incident = change.incident
        if change.notify is Action.UPDATE:
            severity, count = last[incident.id]
            has_grown = len(incident.affected) >= max(2 * count, count + 2)
            assert incident.severity.value < severity or has_grown
        if change.notify in {Action.CREATE, Action.UPDATE}:
            worst = incident.told_severity
            assert worst is not None
            last[incident.id] = (worst.value, len(incident.affected))
