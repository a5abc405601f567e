"""Routers as senders: what stops, what is replaced, and what is unknown by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from routed import LOST, UNNAMED, Routed, in_turn, names, rolled, sticky
from test_life import Watch

from fleet import DAY, Sender, make, steady
from streamgauge.detect.detector import Detector
from streamgauge.detect.levels import Levels
from streamgauge.detect.router_table import MAX_ROUTERS, RouterTable
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow
from streamgauge.model.router import RouterState
from streamgauge.model.words import Kind, Severity, Suspected

LEARNED = DAY
MINUTES = LEARNED + 50
TENANTS = 30
STOP = LEARNED + 10


@dataclass
class Case:
    """A history of routers, and the keys of all that ever opens."""

    sentence: str
    made: Callable[[], Routed]
    opened: list[str]


def one_a_minute(way: np.ndarray, routers: int) -> Routed:
    return Routed(steady(way.shape[0], way.shape[1]), names(routers), way)


def lost(way: np.ndarray, routers: set[int], first: int, last: int | None = None) -> np.ndarray:
    way = way.copy()
    after = way[:, first:last]
    after[np.isin(after, list(routers))] = LOST
    return way


def one_of_three_dies() -> Routed:
    return one_a_minute(lost(sticky(TENANTS, MINUTES, 3), {1}, STOP), 3)


def one_of_three_dies_and_all_take_turns() -> Routed:
    way = in_turn(TENANTS, MINUTES, 3)
    elsewhere = np.where(way == 1, 2 * (np.arange(TENANTS)[:, None] % 2), way)
    way[:, STOP:] = elsewhere[:, STOP:]
    return one_a_minute(way, 3)


def messages_of_one_of_three_are_lost() -> Routed:
    return one_a_minute(lost(in_turn(TENANTS, MINUTES, 3), {1}, STOP), 3)


def rolling_deploy() -> Routed:
    """One every two minutes, customers stick to their router and are moved to its successor."""
    steps = [(STOP + 2 * old, old, 10 + old) for old in range(10)]
    return one_a_minute(rolled(sticky(TENANTS, MINUTES, 10), steps), 20)


def rolling_deploy_with_a_gap() -> Routed:
    """The same, and each successor takes two minutes to come up."""
    steps = [(STOP + 2 * old, old, 10 + old) for old in range(10)]
    way = rolled(sticky(TENANTS, MINUTES, 10), steps)
    for minute, _, new in steps:
        way = lost(way, {new}, minute, minute + 2)
    return one_a_minute(way, 20)


def scaled_in() -> Routed:
    """Two of ten are taken away; their customers are sent to others."""
    return one_a_minute(rolled(sticky(TENANTS, MINUTES, 10), [(STOP, 8, 1), (STOP, 9, 2)]), 10)


def all_die() -> Routed:
    return one_a_minute(lost(sticky(TENANTS, MINUTES, 3), {0, 1, 2}, STOP), 3)


def two_of_five_die_together() -> Routed:
    return one_a_minute(lost(sticky(TENANTS, MINUTES, 5), {1, 3}, STOP), 5)


def sparse_once_an_hour() -> Routed:
    """Two routers send what five sparse customers each had, once an hour."""
    busy = [Sender(Flow(f"t{i}", "web", "ga4", "m"), 60.0, every=1, regular=True) for i in range(9)]
    sparse = [Sender(Flow(f"s{i}", "web", "ga4", "m"), 2.0, every=60) for i in range(10)]
    way = np.repeat(np.array([0] * 9 + [1, 2] * 5)[:, None], LEARNED + 400, axis=1)
    return Routed(make([*busy, *sparse], LEARNED + 400), names(3), way)


def a_customer_stops_behind_a_living_router() -> Routed:
    way = sticky(TENANTS, MINUTES, 3)
    way[4, STOP:] = LOST
    return one_a_minute(way, 3)


def each_customer_has_a_router_of_its_own() -> Routed:
    return one_a_minute(lost(sticky(TENANTS, MINUTES, TENANTS), {7}, STOP), TENANTS)


def untagged() -> Routed:
    way = np.full((TENANTS, MINUTES), UNNAMED)
    way[4, STOP:] = LOST
    return one_a_minute(way, 0)


def workers_deliver_what_others_receive() -> Routed:
    """The two that deliver stop at once: what is received still comes."""
    senders = []
    for i in range(TENANTS):
        for stage, integration in (("received", ""), ("delivered", "ga4")):
            flow = Flow(f"t{i:02d}", "web", integration, "main", stage)
            senders.append(Sender(flow, 60.0, every=1, regular=True))
    router = np.array([i % 2 * 2 + i // 2 % 2 for i in range(2 * TENANTS)])
    way = np.repeat(router[:, None], MINUTES, 1)
    return Routed(make(senders, MINUTES), names(4), lost(way, {2, 3}, STOP))


def restarts_of_busy_routers(straggler: int | None = None) -> Routed:
    """Five customers of a hundred messages a minute stop for three minutes with their router."""
    senders = [Sender(Flow(f"t{i:02d}", "web", "ga4", "m"), 6000.0) for i in range(15)]
    fleet = make(senders, MINUTES)
    fleet.first_s, fleet.stamp_s = 0.5, 59.0
    way = lost(sticky(15, MINUTES, 3), {1}, STOP, STOP + 3)
    if straggler is not None:
        way[straggler, STOP] = 1
    return Routed(fleet, names(3), way)


def restart_with_a_straggler() -> Routed:
    """The same, and one customer is heard a minute longer, so that the router is hardly late."""
    return restarts_of_busy_routers(straggler=1)


def a_sparse_router_with_a_customer_that_is_silent() -> Routed:
    """What was quiet long before says nothing of the router, which is quiet for minutes often."""
    busy = [Sender(Flow(f"b{i}", "web", "ga4", "m"), 60.0, every=1, regular=True) for i in range(9)]
    sparse = [Sender(Flow(f"s{i}", "web", "ga4", "m"), 25.0) for i in range(3)]
    way = np.repeat(np.array([0] * 9 + [1] * 3)[:, None], LEARNED + 900, axis=1)
    way[9, LEARNED + 10 :] = LOST
    return Routed(make([*busy, *sparse], LEARNED + 900), names(2), way)


def a_large_customer_stops_beside_small_ones() -> Routed:
    """Its router carries little else, and is quiet with it."""
    senders = [
        Sender(Flow(f"b{i}", "web", "ga4", "m"), 60.0, every=1, regular=True) for i in range(9)
    ]
    senders += [Sender(Flow(f"s{i}", "web", "ga4", "m"), 1.0) for i in range(3)]
    way = np.repeat(np.array([0] * 8 + [1] * 4)[:, None], MINUTES, axis=1)
    way[8, STOP:] = LOST
    return Routed(make(senders, MINUTES), names(2), way)


CASES = [
    Case("one of three dies, customers stick: one blind and no silence", one_of_three_dies,
         ["blind/*/*/*/*/r1"]),
    Case("one of three dies, customers take turns: it is gone",
         one_of_three_dies_and_all_take_turns, []),
    Case("a third of what takes turns is lost: no router's customers are unknown",
         messages_of_one_of_three_are_lost, []),
    Case("a deploy rolls over ten routers: nothing", rolling_deploy, []),
    Case("the same with two minutes until each is up: nothing", rolling_deploy_with_a_gap, []),
    Case("two of ten are taken away, customers move: nothing", scaled_in, []),
    Case("all routers die: the platform is blind", all_die, ["blind/*/*/*/*/"]),
    Case("two of five die together: one blind", two_of_five_die_together, ["blind/*/*/*/*/r1"]),
    Case("routers that send once an hour for sparse customers: nothing", sparse_once_an_hour, []),
    Case("a customer stops, its router lives: silence",
         a_customer_stops_behind_a_living_router, ["silence/t04/*/*/*/"]),
    Case("a router of one customer alone stops: that is the customer",
         each_customer_has_a_router_of_its_own, ["silence/t07/*/*/*/"]),
    Case("nobody names a router: as ever", untagged, ["silence/t04/*/*/*/"]),
    Case("the routers that deliver stop: blind, and no silence of an integration",
         workers_deliver_what_others_receive, ["blind/*/*/*/*/r2"]),
    Case("a router of busy customers restarts: nothing", restarts_of_busy_routers, []),
    Case("the same, one customer is heard a minute longer: nothing", restart_with_a_straggler, []),
    Case("a sparse router with a customer that is silent: the customer",
         a_sparse_router_with_a_customer_that_is_silent, ["silence/s0/*/*/*/"]),
    Case("a large customer stops beside small ones of its router: the customer",
         a_large_customer_stops_beside_small_ones, ["silence/b8/*/*/*/"]),
]  # fmt: skip


def learned(routed: Routed, until: int = LEARNED) -> Watch:
    detector = Detector()
    detector.learn(routed.history(until))
    return Watch(detector)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_what_opens(case: Case) -> None:
    routed = case.made()
    watch = learned(routed).run(routed, LEARNED, routed.fleet.minutes)
    assert [finding.key for _, finding in watch.opened] == case.opened


def only(watch: Watch) -> Finding:
    (found,) = watch.open.values()
    return found


def test_the_sentence_names_the_router_and_who_is_unknown() -> None:
    way = lost(sticky(TENANTS, MINUTES, 3), {1}, STOP)
    way[1] = in_turn(1, MINUTES, 3)  # one of its customers comes through all
    way[1, STOP:] = 0
    routed = one_a_minute(way, 3)
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    found = only(watch)
    assert found.summary == (
        "Router r1 has reported nothing since 00:09 UTC (4 min), while 2 others do: 9 customers "
        "(t04, t07, t10 and 6 more) came only through it and are unknown. 1 customer more also "
        "came through others and is judged as ever."
    )
    assert (found.severity, found.suspected) == (Severity.P2, Suspected.COLLECTOR)
    assert set(found.affected) == {f"t{i:02d}" for i in range(4, 30, 3)}
    assert found.evidence["customers_only"] == 9
    opened_at, _ = watch.opened[0]
    assert opened_at - 60.0 * (routed.start + STOP) <= 420.0


def test_a_router_that_reports_again_ends_its_blindness_and_its_customers_have_time_to() -> None:
    way = lost(sticky(TENANTS, MINUTES, 3), {1}, STOP, STOP + 30)
    way[4, STOP + 30 : STOP + 32] = LOST  # one customer needs two minutes more
    routed = one_a_minute(way, 3)
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    assert [finding.key for _, finding in watch.opened] == ["blind/*/*/*/*/r1"]
    ((closed_at, closed),) = watch.closed
    assert closed.over_reason == "it reports again since 00:40 UTC, after 31 min"
    assert closed_at - 60.0 * (routed.start + STOP + 30) <= 60.0


def test_a_customer_that_does_not_come_back_with_its_router_is_silent() -> None:
    way = lost(sticky(TENANTS, MINUTES, 3), {1}, STOP, STOP + 20)
    way[4, STOP:] = LOST
    routed = one_a_minute(way, 3)
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    assert [finding.key for finding in watch.open.values()] == ["silence/t04/*/*/*/"]


def test_customers_that_come_by_other_ways_later_end_it() -> None:
    way = lost(sticky(TENANTS, MINUTES, 3), {1}, STOP, STOP + 20)
    after = way[:, STOP + 20 :]
    after[after == 1] = 2
    routed = one_a_minute(way, 3)
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    ((_, closed),) = watch.closed
    assert closed.over_reason == "what came through it comes by other ways now: it is gone"
    states = {one.name: one.state for one in watch.detector.routers()}
    assert states == {
        "r0": RouterState.ALIVE,
        "r1": RouterState.GONE,
        "r2": RouterState.ALIVE,
    }


@pytest.mark.parametrize("routers", [{1}, {1, 3}], ids=["one", "two that stopped together"])
def test_a_restart_in_the_middle_keeps_the_same_incident(routers: set[int]) -> None:
    routed = one_a_minute(lost(sticky(TENANTS, MINUTES, 5), routers, STOP), 5)
    before = learned(routed).run(routed, LEARNED, MINUTES - 15)
    told = only(before)

    after = learned(routed, MINUTES - 15)
    after.detector.restore([(told.key, told.since)])
    after.run(routed, MINUTES - 15, MINUTES)
    found = only(after)
    assert (found.key, found.since) == (told.key, told.since)
    assert set(found.affected) == set(told.affected)
    assert [f.key for _, f in after.opened] == [told.key]
    assert not after.closed


def test_a_router_gone_for_long_is_not_looked_into_after_a_restart() -> None:
    """Of its customers one went silent long after all had moved: that is no router's fault."""
    way = rolled(sticky(TENANTS, MINUTES, 3), [(LEARNED - 600, 1, 2)])
    way[4, STOP:] = LOST
    routed = one_a_minute(way, 3)
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    assert [finding.key for _, finding in watch.opened] == ["silence/t04/*/*/*/"]


def test_a_heartbeat_without_messages_keeps_a_router_alive() -> None:
    """Both customers of r1 stop, and it goes on saying that it lives: they are silent."""
    way = np.concatenate([sticky(10, MINUTES, 1), np.ones((2, MINUTES), int)])
    way = lost(way, {1}, STOP)
    alive = Routed(steady(12, MINUTES), ["r0", "r1"], way, {"r1": list(range(MINUTES))})
    watch = learned(alive).run(alive, LEARNED, MINUTES)
    assert {f.key for f in watch.open.values()} == {f"silence/t{i}/*/*/*/" for i in (10, 11)}

    dead = Routed(steady(12, MINUTES), ["r0", "r1"], way.copy(), {"r1": list(range(STOP))})
    watch = learned(dead).run(dead, LEARNED, MINUTES)
    assert [f.key for _, f in watch.opened] == ["blind/*/*/*/*/r1"]


def test_a_router_of_one_customer_with_a_heartbeat_is_told_apart_from_it() -> None:
    way = lost(sticky(10, MINUTES, 10), {7}, STOP)
    routed = Routed(steady(10, MINUTES), names(10), way, {"r7": list(range(STOP))})
    watch = learned(routed).run(routed, LEARNED, MINUTES)
    assert [f.key for _, f in watch.opened] == ["blind/*/*/*/*/r7"]
    assert only(watch).affected == ("t07",)


def test_more_routers_than_are_watched_cost_no_more_memory() -> None:
    """A new name each minute, as where an id is sent in place of a name."""
    table = RouterTable(Levels())
    fleet = steady(2, 300)
    for minute in range(300):
        way = np.full((2, 300), minute)
        table.observe(Routed(fleet, [f"r{n}" for n in range(300)], way).routers(minute, minute + 1))
    assert len(table.rows()) == MAX_ROUTERS
    assert table.find("r0") is not None
    assert table.find("r299") is None


def test_a_history_that_is_loaded_brings_no_router_that_has_stopped() -> None:
    """Yesterday's routers and customers come in while today's speak."""
    today = one_a_minute(sticky(9, MINUTES, 3), 3)
    old = [Sender(Flow(f"old{i}", "web", "ga4", "m"), 60.0, every=1) for i in range(9)]
    way = np.full((9, MINUTES), 0)
    way[:, LEARNED - 600 :] = LOST
    yesterday = Routed(make(old, MINUTES), ["old-router"], way)
    watch = learned(today).run(today, LEARNED, LEARNED + 10)
    watch.detector.observe(yesterday.delta(0, LEARNED))
    watch.run(today, LEARNED + 10, MINUTES)
    assert [f.key for _, f in watch.opened if f.kind is Kind.BLIND] == []
    states = {one.name: one.state for one in watch.detector.routers()}
    assert states["old-router"] is RouterState.GONE


def test_a_message_counted_at_four_integrations_is_no_evidence_four_times() -> None:
    """Two small customers quiet for a quarter of an hour were told as a router that stopped."""
    senders = [
        Sender(Flow(f"t{i}", "web", integration, "main", "delivered"), per_hour=15.0)
        for i in range(4)
        for integration in ("ga4", "s3", "braze", "kafka")
    ]
    fleet = make(senders, 4 * DAY, seed=3)
    for first in range(0, len(senders), 4):
        fleet.ok[first : first + 4] = fleet.ok[first]
    fleet.ok[:8, -15:] = 0
    fleet.ok[8:, -2:] = 1
    way = np.repeat((np.arange(len(senders)) // 8)[:, None], fleet.minutes, axis=1)
    routed = Routed(fleet, names(2), way)
    first = fleet.minutes - 60
    watch = learned(routed, first).run(routed, first, fleet.minutes)
    assert [f.summary for _, f in watch.opened if f.kind is Kind.BLIND] == []
