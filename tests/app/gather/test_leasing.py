"""Of several processes that could poll the same broker one does, and the others know how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamgauge.app.gather.leasing import LEASE_S, Leasing
from streamgauge.app.gather.told_health import MAX_QUEUES, health_of, told_of
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.model.gatherer import AgeMethod, Fault, GathererHealth, GathererState, QueueReading
from streamgauge.receive.collectors.health import GathererRegistry, Pulse
from streamgauge.state.leases import Held, Lease, Leases, Told
from streamgauge.state.state import State

NOW = 1_790_000_000.0


@dataclass
class Broker:
    """What is polled, as one process sees it."""

    pulse: Pulse
    runs: int = 0
    is_running: bool = False
    taken_over: int = 0
    name: str = field(default="broker")

    def take_over(self) -> None:
        self.taken_over += 1

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        self.is_running = True
        await stop.wait()
        self.is_running = False


class Cut(Leases):
    """Leases whose database can be cut off."""

    is_cut = False

    def hold(self, wanted: dict[str, Told | None], lease_s: float) -> dict[str, Held]:  # type: ignore[override]
        if self.is_cut:
            raise StoreError("cut", permanent=False)
        return super().hold(wanted, lease_s)

    def told(self, prefix: str) -> dict[str, Lease]:
        return super().told(prefix)


class Process:
    """One that is configured to poll some brokers."""

    def __init__(self, state: State, clock: SimulatedClock, owner: str, *brokers: str) -> None:
        self.registry = GathererRegistry(clock)
        self.brokers = [Broker(self.registry.add(b, "redis", f"{b}:1", 10.0)) for b in brokers]
        self.leases = Cut(state.engine, clock, owner)
        self.leasing = Leasing(self.leases, self.brokers, self.registry)

    async def turn(self) -> list[bool]:
        await self.leasing.turn()
        await asyncio.sleep(0)  # what was begun runs
        return [broker.is_running for broker in self.brokers]

    @property
    def states(self) -> dict[str, GathererState]:
        return {one.name: one.state for one in self.registry.all()}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def state(tmp_path: Path, clock: SimulatedClock) -> Iterator[State]:
    state = State(f"sqlite:///{tmp_path / 'state.sqlite3'}", clock)
    state.open()
    yield state
    state.close()


def test_one_polls_and_another_takes_over_when_it_dies(state: State, clock: SimulatedClock) -> None:
    async def scene() -> None:
        a, b = (Process(state, clock, name, "one", "two") for name in "ab")
        assert await a.turn() == [True, True]
        assert await b.turn() == [False, False]
        clock.advance(LEASE_S - 1)
        assert await a.turn() == [True, True]
        clock.advance(LEASE_S)  # a says nothing any more
        assert await b.turn() == [True, True]
        assert [one.taken_over for one in b.brokers] == [1, 1]
        assert await a.turn() == [False, False], "it wakes up and sees that it is not its turn"
        assert [one.runs for one in a.brokers] == [1, 1]

    asyncio.run(scene())


def test_who_stops_hands_over_at_once_and_takes_up_its_own_as_it_left_it(
    state: State, clock: SimulatedClock
) -> None:
    async def scene() -> None:
        a, b = Process(state, clock, "a", "one"), Process(state, clock, "b", "one")
        stop = asyncio.Event()
        running = asyncio.create_task(a.leasing.run(stop))
        while not a.brokers[0].is_running:
            await asyncio.sleep(0)
        stop.set()
        await running
        assert not a.brokers[0].is_running
        again = Process(state, clock, "a", "one")
        assert await again.turn() == [True]
        assert again.brokers[0].taken_over == 0, "nobody did it meanwhile"
        await again.leasing._end(list(again.leasing._runs))
        again.leases.give_up([*again.leasing._polled])
        assert await b.turn() == [True]
        assert b.brokers[0].taken_over == 1

    asyncio.run(scene())


def test_receivers_that_are_configured_differently_poll_what_is_theirs(
    state: State, clock: SimulatedClock
) -> None:
    async def scene() -> None:
        a, b = Process(state, clock, "a", "one", "here"), Process(state, clock, "b", "one", "there")
        assert await a.turn() == [True, True]
        assert await b.turn() == [False, True]

    asyncio.run(scene())


def test_who_cannot_renew_stops_before_another_may_begin(
    state: State, clock: SimulatedClock
) -> None:
    async def scene() -> None:
        a = Process(state, clock, "a", "one")
        assert await a.turn() == [True]
        a.leases.is_cut = True
        clock.advance(LEASE_S / 2)
        assert await a.turn() == [True], "the database is away for a moment"
        clock.advance(LEASE_S / 2)
        assert await a.turn() == [False]

    asyncio.run(scene())


def test_who_decides_knows_how_the_others_gather(state: State, clock: SimulatedClock) -> None:
    async def scene() -> None:
        a, b, decides = (
            Process(state, clock, "a", "one"),
            Process(state, clock, "b", "one"),
            Process(state, clock, "decides"),
        )
        await a.turn()
        a.brokers[0].pulse.failed(Fault.REFUSED, "one:1 refuses connections")
        for process in (a, b, decides):
            await process.turn()
        assert decides.states == b.states == {"one": GathererState.FAILING}
        here = [[one.name for one in p.registry.here()] for p in (a, b, decides)]
        assert here == [["one"], [], []], "each gatherer counts once in all /metrics together"
        (health,) = decides.registry.all()
        assert (health.last_error, health.fault) == ("one:1 refuses connections", Fault.REFUSED)
        clock.advance(LEASE_S + 1)
        await decides.turn()
        assert decides.states == {"one": GathererState.UNKNOWN}, "nobody looks any more"
        await b.turn()
        b.brokers[0].pulse.succeeded()
        for process in (b, a, decides):
            await process.turn()
        assert decides.states == a.states == {"one": GathererState.OK}

    asyncio.run(scene())


def test_a_health_comes_back_as_it_was_told() -> None:
    queues = (
        QueueReading("q", backlog=3.0, tags={"vhost": "/"}, oldest_age_method=AgeMethod.HEAD),
        QueueReading("r", problem="gone"),
    )
    told = GathererHealth(
        "rabbit", "rabbitmq", "host:1", 5.0, GathererState.FAILING, NOW, NOW - 9, "no", NOW,
        Fault.GONE, 2, 7, 3, None, queues,
    )  # fmt: skip
    back = health_of(told_of(told))
    assert back is not None
    assert {queue.queue: queue for queue in back.queues} == {q.queue: q for q in queues}
    assert told_of(back) == told_of(told)


def test_of_very_many_queues_those_with_a_problem_are_told() -> None:
    queues = tuple(QueueReading(f"q{number}") for number in range(MAX_QUEUES))
    health = GathererHealth(
        "a", "redis", "a:1", 5.0, queues=(*queues, QueueReading("bad", problem="gone"))
    )
    back = health_of(told_of(health))
    assert back is not None
    assert len(back.queues) == MAX_QUEUES
    assert [queue.queue for queue in back.queues if queue.problem] == ["bad"]


@pytest.mark.parametrize("told", [{}, {"name": "a"}, {"fault": None, "state": "odd", "queues": []}])
def test_what_another_version_tells_is_passed_over(told: dict[str, object]) -> None:
    assert health_of(told) is None
