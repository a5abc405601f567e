"""Several processes, one database: each body is one's own, one decides, all are waited for."""

from __future__ import annotations

import threading

import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.state.leases import FORGOTTEN_AFTER_S, Held, Lease
from streamgauge.state.sharing import GONE_AFTER_S, REMEMBERED_S, Shared, Waiting
from streamgauge.state.state import State


@pytest.fixture
def two(state: State, clock: SimulatedClock) -> tuple[Shared, Shared]:
    return Shared(state, clock, "a"), Shared(state, clock, "b")


def test_a_body_belongs_to_who_claims_it_first(two: tuple[Shared, Shared]) -> None:
    a, b = two
    assert a.claim_bodies([(b"one", 1), (b"two", 2)]) == {1, 2}
    assert b.claim_bodies([(b"two", 7), (b"three", 8)]) == {8}
    assert a.claim_bodies([(b"one", 1), (b"two", 2)]) == {1, 2}, "asked again after a crash"


def test_the_same_number_of_another_receiver_is_another_body(two: tuple[Shared, Shared]) -> None:
    a, b = two
    assert a.claim_bodies([(b"one", 1)]) == {1}
    assert b.claim_bodies([(b"one", 1), (b"two", 2)]) == {2}


def test_a_claim_is_forgotten_after_a_day(
    two: tuple[Shared, Shared], clock: SimulatedClock
) -> None:
    a, b = two
    a.claim_bodies([(b"one", 1)])
    clock.advance(REMEMBERED_S)
    assert a.forget_bodies() == 0
    clock.advance(1.0)
    assert a.forget_bodies() == 1
    assert b.claim_bodies([(b"one", 5)]) == {5}


def test_one_process_decides_until_it_stops_renewing(
    two: tuple[Shared, Shared], clock: SimulatedClock
) -> None:
    a, b = two
    assert a.hold("detect", 60.0)
    assert not b.hold("detect", 60.0)
    clock.advance(59.0)
    assert a.hold("detect", 60.0)
    clock.advance(59.9)
    assert not b.hold("detect", 60.0)
    clock.advance(0.1)
    assert b.hold("detect", 60.0)
    assert not a.hold("detect", 60.0)


def test_a_lease_given_back_is_free_at_once(two: tuple[Shared, Shared]) -> None:
    a, b = two
    assert a.hold("detect", 60.0)
    b.release("detect")
    assert not b.hold("detect", 60.0), "what is not ours cannot be given back"
    a.release("detect")
    assert b.hold("detect", 60.0)


def test_a_lease_tells_who_had_it_last_and_what_its_owner_says(
    two: tuple[Shared, Shared], clock: SimulatedClock
) -> None:
    a, b = (one.leases for one in two)
    assert a.hold({"gather 1": {"n": 1}, "gather_2": None}, 30.0).keys() == {"gather 1", "gather_2"}
    assert b.hold({"gather 1": {"n": 2}, "gather 3": None}, 30.0) == {"gather 3": Held(None)}
    told = b.told("gather ")
    assert told["gather 1"] == Lease("a", is_held=True, told={"n": 1})
    assert told.keys() == {"gather 1", "gather 3"}
    assert a.hold({"gather 1": {"n": 3}}, 30.0) == {"gather 1": Held("a")}
    a.give_up(["gather 1", "gather 3"])
    assert b.told("gather ")["gather 1"] == Lease("a", is_held=False, told={"n": 3})
    assert b.hold({"gather 1": None, "gather 3": None}, 30.0) == {
        "gather 1": Held("a"),
        "gather 3": Held("b"),
    }
    clock.advance(30.0 + FORGOTTEN_AFTER_S - 1.0)
    assert a.forget() == 0
    clock.advance(1.0)
    assert a.forget() == 3
    assert a.hold({"gather 1": None}, 30.0) == {"gather 1": Held(None)}


def test_of_many_at_once_one_decides_and_each_body_is_one_s_own(
    state: State, clock: SimulatedClock
) -> None:
    bodies = [(number.to_bytes(16), number) for number in range(50)]
    holds, claims = [], []

    def compete(name: str) -> None:
        one = Shared(state, clock, name)
        holds.append(one.hold("detect", 60.0))
        claims.append(one.claim_bodies(bodies))

    threads = [threading.Thread(target=compete, args=(f"p{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(holds) == 1
    assert sorted(number for mine in claims for number in mine) == list(range(50))


def test_what_waits_anywhere_is_waited_for(
    two: tuple[Shared, Shared], clock: SimulatedClock
) -> None:
    a, b = two
    assert a.waiting(20.0) == Waiting(0, None)
    a.report(None, 0)
    b.report(990.0, 5)
    assert a.waiting(20.0) == Waiting(5, 990.0)
    b.report(None, 0)
    clock.advance(20.0)
    assert a.waiting(20.0) == Waiting(0, None)
    clock.advance(1.0)
    a.report(None, 0)
    assert a.waiting(20.0) == Waiting(0, 1000.0), "b may hold what came since it was seen"
    clock.advance(GONE_AFTER_S)
    a.report(None, 0)
    assert a.waiting(20.0) == Waiting(0, None), "nobody waits for ever"
