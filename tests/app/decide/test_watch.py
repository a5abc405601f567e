"""The loop that decides: what it was fed, what it keeps, and what a restart must not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.app.decide.judge import Judge
from streamgauge.app.decide.watch import Watch
from streamgauge.detect.detector import Detector
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.feed import HOURS_COLUMNS, Delta, History
from streamgauge.model.words import IncidentState, Kind
from streamgauge.page.routing import Recipient, Router
from streamgauge.state.state import State

START = 29_400_000
"""A minute since the epoch."""
MINUTES = 3 * 1440
TENANTS = [f"customer-{number}" for number in range(5)]
SILENT = TENANTS[2]
NO_QUEUES = pa.table({"minute": pa.array([], pa.int64())})
NO_HOURS = pa.table(
    {"hour": pa.array([], pa.int64())}
    | {
        name: pa.array([], pa.string()).dictionary_encode()
        for name, kind in HOURS_COLUMNS.items()
        if kind == "tag"
    }
    | {name: pa.array([], pa.int64()) for name in ("count", "active_minutes", "last_ns")}
)


def delta(minutes: range, tenants: list[str]) -> Delta:
    """One message a minute of each tenant."""
    rows = [(minute, tenant) for minute in minutes for tenant in tenants]
    stamps = [minute * 60_000_000_000 for minute, _ in rows]

    def tag(values: list[str]) -> pa.Array:
        return pa.array(values, pa.string()).dictionary_encode()

    table = pa.table(
        {
            "minute": pa.array([minute for minute, _ in rows], pa.int64()),
            "tenant": tag([tenant for _, tenant in rows]),
            **{name: tag([""] * len(rows)) for name in ("source", "integration", "pipeline")},
            "stage": tag(["delivered"] * len(rows)),
            "outcome": tag(["ok"] * len(rows)),
            "reason": tag([""] * len(rows)),
            "count": pa.array([1] * len(rows), pa.uint64()),
            "first_ns": pa.array(stamps, pa.int64()),
            "last_ns": pa.array(stamps, pa.int64()),
        }
    )
    return Delta(table, NO_QUEUES, max(stamps, default=0))


def history_of(recent: Delta) -> History:
    minutes = sorted(set(recent.minutes["minute"].to_pylist()))
    return History(NO_HOURS, recent, START, pa.array(minutes, pa.int64()))


class ListFeed:
    """Gives what it was put in, and all of it as history."""

    def __init__(self) -> None:
        self.waiting: list[Delta | None] = []
        self.past = delta(range(0), [])

    def take(self) -> Delta | None:
        return self.waiting.pop(0) if self.waiting else delta(range(0), [])

    def history(self, until_s: float) -> History:
        del until_s
        return history_of(self.past)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(60.0 * (START + MINUTES) + 10)


@pytest.fixture
def state(tmp_path: Path, clock: SimulatedClock) -> Iterator[State]:
    state = State(f"sqlite:///{tmp_path}/state.sqlite3", clock)
    state.open()
    yield state
    state.close()


def make_watch(
    feed: ListFeed,
    state: State,
    clock: SimulatedClock,
    waiting_since: Callable[[], float | None] = lambda: None,
) -> Watch:
    router = Router([Recipient("log")])
    return Watch(feed, Judge(Detector()), state, router, clock, 10.0, waiting_since)


def three_days_with_a_silence() -> Delta:
    spoken = delta(range(START, START + MINUTES - 120), TENANTS)
    others = delta(
        range(START + MINUTES - 120, START + MINUTES), [one for one in TENANTS if one != SILENT]
    )
    both = pa.concat_tables([spoken.minutes, others.minutes]).unify_dictionaries()
    return Delta(both, NO_QUEUES, others.newest_ns)


def settle(watch: Watch, clock: SimulatedClock) -> None:
    """Nothing opens while a history is still being loaded: let that be over."""
    for _ in range(5):
        watch.turn()
        clock.advance(5)


def test_a_silence_is_kept_and_routed_once(state: State, clock: SimulatedClock) -> None:
    feed = ListFeed()
    watch = make_watch(feed, state, clock)
    feed.waiting = [three_days_with_a_silence()]
    settle(watch, clock)
    found = state.list_incidents()
    assert [(one.kind, one.scope.tenant) for one in found] == [(Kind.SILENCE, SILENT)]
    assert len(state.list_notifications(found[0].id)) == 1


def test_a_restart_opens_nothing_twice_and_messages_close_it(
    state: State, clock: SimulatedClock
) -> None:
    feed = ListFeed()
    first = make_watch(feed, state, clock)
    feed.past = three_days_with_a_silence()
    feed.waiting = [feed.past]
    settle(first, clock)
    (incident,) = state.list_incidents()

    second = make_watch(feed, state, clock)
    second.learn()
    clock.advance(10)
    assert [change for change in second.turn() if change.entry] == []
    assert [one.id for one in state.list_incidents()] == [incident.id]

    for minute in range(START + MINUTES, START + MINUTES + 5):
        clock.advance(60)
        feed.waiting = [delta(range(minute, minute + 1), TENANTS)]
        second.turn()
    after = state.get_incident(incident.id)
    assert after.state is IncidentState.CLOSED
    assert "came back" in after.timeline[-1].reason
    assert len(state.list_incidents()) == 1


def test_an_overflow_starts_again_from_history(state: State, clock: SimulatedClock) -> None:
    feed = ListFeed()
    watch = make_watch(feed, state, clock)
    feed.past = three_days_with_a_silence()
    feed.waiting = [None]
    watch.turn()
    watch.turn()
    assert [one.scope.tenant for one in state.list_incidents()] == [SILENT]


def test_what_could_not_be_kept_is_decided_again(state: State, clock: SimulatedClock) -> None:
    feed = ListFeed()
    watch = make_watch(feed, state, clock)
    feed.waiting = [three_days_with_a_silence()]

    class RefusingState:
        """The database, once away."""

        def __getattr__(self, name: str) -> object:
            if name == "apply":
                raise ConnectionError("the database is away")
            return getattr(state, name)

    broken = Watch(
        feed,
        watch._judge,
        RefusingState(),
        Router([]),
        clock,
        tick_s=10.0,  # type: ignore[arg-type]
    )
    with pytest.raises(ConnectionError):
        broken.turn()
    assert state.list_incidents() == []
    settle(watch, clock)
    assert [one.scope.tenant for one in state.list_incidents()] == [SILENT]


def test_lines_that_wait_for_the_engine_are_neither_silence_nor_blindness(
    state: State, clock: SimulatedClock
) -> None:
    feed, waiting_since = ListFeed(), [clock.now()]
    watch = make_watch(feed, state, clock, lambda: waiting_since[0])
    feed.waiting = [delta(range(START, START + MINUTES), TENANTS)]
    watch.turn()
    for _ in range(6 * 60):
        clock.advance(10)
        watch.turn()
    assert state.list_incidents() == []

    late = delta(range(START + MINUTES, START + MINUTES + 60), TENANTS)
    feed.waiting, waiting_since[0] = [late], None  # type: ignore[call-overload]
    settle(watch, clock)
    assert state.list_incidents() == [], "it has caught up"


def test_nothing_that_comes_is_blindness_also_while_the_engine_is_away(
    state: State, clock: SimulatedClock
) -> None:
    feed = ListFeed()
    watch = make_watch(feed, state, clock, lambda: None)
    feed.waiting = [delta(range(START, START + MINUTES), TENANTS)]
    for _ in range(6 * 60):
        watch.turn()
        clock.advance(10)
    assert [one.kind for one in state.list_incidents()] == [Kind.BLIND]
