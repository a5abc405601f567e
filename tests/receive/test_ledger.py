"""The ledger of refusals: windows, bounds, and the way over a restart."""

from __future__ import annotations

import json

import pytest

from streamgauge.model.batch import Batch, Parsed, RejectedLine
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.ledger import RefusalLedger
from streamgauge.receive.schema import NO_MESSAGES, NO_POINTS, NO_QUEUE

HOUR_S = 3600


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(1000 * HOUR_S)


def refused(counts: dict[str, int], reason: str = "syntax") -> Parsed:
    first = [RejectedLine(1, f"line of {name}", "it is bad", name, reason) for name in counts]
    total = sum(counts.values())
    batch = Batch(NO_MESSAGES, NO_QUEUE, NO_POINTS)
    by = {(reason, name): count for name, count in counts.items()}
    return Parsed(batch, total, total, first[:100], rejected_by=by)


def sums(ledger: RefusalLedger) -> dict[str | None, tuple[int, int, int, int]]:
    return {
        one.tenant: (one.lost_hour, one.lost_day, one.deferred_hour, one.deferred_day)
        for one in ledger.refusals()
    }


def test_an_hour_and_a_day_go_by(clock: SimulatedClock) -> None:
    ledger = RefusalLedger(clock)
    ledger.count_body(refused({"acme": 3}), is_deferred=False)
    clock.advance(600)
    ledger.count_body(refused({"acme": 4}), is_deferred=True)
    assert sums(ledger) == {"acme": (3, 3, 4, 4)}
    (one,) = ledger.refusals("acme")
    assert (one.first_at, one.last_at) == (clock.now() - 600, clock.now())
    assert (one.sample_line, one.sample_reason) == ("line of acme", "it is bad")
    clock.advance(HOUR_S)
    assert sums(ledger) == {"acme": (0, 3, 0, 4)}
    clock.advance(24 * HOUR_S)
    assert ledger.refusals() == []
    ledger.count_body(refused({"acme": 1}), is_deferred=False)
    assert ledger.refusals()[0].first_at == clock.now(), "a new trouble has a new beginning"


def test_one_customer_is_asked_for(clock: SimulatedClock) -> None:
    ledger = RefusalLedger(clock)
    ledger.count_body(refused({"acme": 3, "zeta": 5}), is_deferred=False)
    assert [one.tenant for one in ledger.refusals()] == ["zeta", "acme"], "most lines first"
    assert [one.tenant for one in ledger.refusals("acme")] == ["acme"]


def test_the_loudest_keep_their_names_whoever_else_comes(clock: SimulatedClock) -> None:
    ledger = RefusalLedger(clock, max_entries=10)
    ledger.count_body(refused({"loud": 1000}), is_deferred=False)
    for body in range(50):
        names = {f"quiet-{body}-{n}": 1 for n in range(30)}
        ledger.count_body(refused(names), is_deferred=False)
    found = sums(ledger)
    assert found["loud"] == (1000, 1000, 0, 0)
    assert len(found) <= 11
    assert sum(lost for _, lost, _, _ in found.values()) == 1000 + 50 * 30, "none is forgotten"


def test_a_later_process_goes_on_counting(clock: SimulatedClock) -> None:
    ledger = RefusalLedger(clock)
    ledger.count_body(refused({"acme": 3}), is_deferred=False, is_told=False)
    ledger.count_request(RefusalReason.OVERLOADED, "full", is_deferred=True)
    later = RefusalLedger(clock)
    later.restore(json.loads(json.dumps(ledger.dump())))
    assert later.refusals() == ledger.refusals()
    assert [one.is_told for one in later.refusals("acme")] == [False]
    later.count_body(refused({"acme": 2}), is_deferred=False)
    assert sums(later)["acme"] == (5, 5, 0, 0)
    assert later.refusals("acme")[0].is_told, "of the newest one"


def test_a_long_name_is_cut(clock: SimulatedClock) -> None:
    ledger = RefusalLedger(clock)
    ledger.count_body(refused({"x" * 60_000: 1}), is_deferred=False)
    assert len(ledger.refusals("x" * 60_000)[0].tenant or "") == 200
