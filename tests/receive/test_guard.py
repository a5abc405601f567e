"""The cardinality guard, apart from any wire format."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.guard import Series, SeriesGuard, most_varied_tag
from streamgauge.receive.influx import parse
from streamgauge.receive.influx.book import _identity_of

HOUR_S = 3600


def series(tenant: str, first: int, count: int) -> Series:
    """`count` distinct series of a tenant, numbered from `first`."""
    names = [f"id={first + n},kind=a" for n in range(count)]
    identity = np.array([hash((tenant, name)) & (2**64 - 1) for name in names], np.uint64)

    def tenants(at: NDArray[np.int64]) -> list[str]:
        return [tenant] * len(at)

    def tags(at: NDArray[np.int64]) -> list[str]:
        return [names[index] for index in at]

    return Series(identity, tenants, tags)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(100 * HOUR_S)


@pytest.fixture
def guard(clock: SimulatedClock) -> SeriesGuard:
    return SeriesGuard(clock, max_new_per_tenant_hour=10)


def test_as_many_as_allowed_come_in_and_one_more_does_not(guard: SeriesGuard) -> None:
    assert guard.refusals(series("acme", 0, 10)) == {}
    refused = guard.refusals(series("acme", 10, 1))
    assert list(refused) == [0]
    assert "customer acme" in refused[0]
    assert "send id as a field" in refused[0]


def test_what_is_known_is_known_to_the_next_process_too(
    guard: SeriesGuard, clock: SimulatedClock
) -> None:
    guard.refusals(series("acme", 0, 10))
    clock.advance(HOUR_S)
    guard.refusals(series("acme", 10, 10))
    again = SeriesGuard(clock, max_new_per_tenant_hour=10)
    again.restore(guard.known())
    assert again.refusals(series("acme", 0, 20)) == {}, "a tenant larger than the allowance"
    assert list(again.refusals(series("acme", 20, 11))) == [10]


def test_of_more_than_fit_those_seen_last_are_restored(clock: SimulatedClock) -> None:
    hashes = np.arange(100, dtype=np.uint64)
    again = SeriesGuard(clock, max_new_per_tenant_hour=1, generation_series=10)
    again.restore(hashes)
    assert again.known_count == 20
    assert sorted(again.known().tolist()) == list(range(80, 100))


def test_a_series_has_one_hash_in_every_process() -> None:
    assert _identity_of("messages", "tenant=a") == 0xDBAC7AB3BD36CDC7


def test_a_later_body_with_few_new_series_is_told_of_the_tag_that_was_to_blame(
    guard: SeriesGuard,
) -> None:
    guard.refusals(series("acme", 0, 13))
    (reason,) = guard.refusals(series("acme", 10, 1)).values()
    assert "tag id of customer acme has 13 different values" in reason


def test_the_first_of_a_body_come_in(guard: SeriesGuard) -> None:
    assert list(guard.refusals(series("acme", 0, 13))) == [10, 11, 12]


def test_known_series_go_on_and_other_tenants_too(guard: SeriesGuard) -> None:
    guard.refusals(series("acme", 0, 13))
    assert guard.refusals(series("acme", 0, 10)) == {}
    assert guard.refusals(series("zeta", 0, 10)) == {}


def test_a_new_hour_brings_a_new_allowance(guard: SeriesGuard, clock: SimulatedClock) -> None:
    guard.refusals(series("acme", 0, 10))
    clock.advance(HOUR_S - 1)
    assert len(guard.refusals(series("acme", 10, 5))) == 5
    clock.advance(1)
    assert guard.refusals(series("acme", 10, 5)) == {}


def test_known_series_cost_no_allowance_in_a_new_hour(
    guard: SeriesGuard, clock: SimulatedClock
) -> None:
    guard.refusals(series("acme", 0, 10))
    clock.advance(HOUR_S)
    assert guard.refusals(series("acme", 0, 20)) == {}


def test_memory_is_bounded_and_the_used_are_kept(clock: SimulatedClock) -> None:
    guard = SeriesGuard(clock, max_new_per_tenant_hour=10**9, generation_series=1000)
    steady = series("acme", 0, 100)
    for round_ in range(30):
        guard.refusals(steady)
        guard.refusals(series("other", round_ * 1000, 500))
        assert guard.known_count <= 2 * (1000 + 500 + 100)
    limited = SeriesGuard(clock, max_new_per_tenant_hour=100, generation_series=1000)
    limited.refusals(steady)
    for round_ in range(30):
        limited.refusals(series(f"other{round_}", 0, 100))
        assert limited.refusals(steady) == {}


def test_a_runaway_tenant_is_named_and_those_counted_by_name_go_on(clock: SimulatedClock) -> None:
    guard = SeriesGuard(clock, max_new_per_tenant_hour=10, max_tenants=5)
    assert guard.refusals(series("acme", 0, 3)) == {}
    body = "\n".join(f"messages,tenant=id-{n:03} count=1i 5" for n in range(100)).encode()
    parsed = parse(body, precision="ns", db="d", received_at_ns=10**18, guard=guard)
    assert parsed.rejected_count == 100 - 4 - 10, "four of their own, and ten that they share"
    assert "tag tenant has 96 different values" in parsed.rejected[0].reason
    assert guard.refusals(series("acme", 3, 7)) == {}


def test_very_many_tenants_in_one_body_are_counted_in_time(clock: SimulatedClock) -> None:
    """Each tenant was looked for among all lines: minutes for one body of 8 MB."""
    count = 60_000
    names = [f"t{n}" for n in range(count)]
    guard = SeriesGuard(clock, max_new_per_tenant_hour=1, max_tenants=count)
    tags = [f"tenant={name}" for name in names]
    many = Series(
        np.arange(1, count + 1, dtype=np.uint64),
        lambda at: [names[index] for index in at],
        lambda at: [tags[index] for index in at],
    )
    assert guard.refusals(many) == {}
    again = Series(many.identity + np.uint64(count), many.tenant, many.tags)
    assert len(guard.refusals(again)) == count


def test_the_tag_to_blame() -> None:
    tags = [f"a=1,id={n},zone={n % 7}" for n in range(100)] + [r"a=x\,y"]
    assert most_varied_tag(tags) == ("id", 100)
    assert most_varied_tag([]) == ("(none)", 0)


def test_a_hundred_thousand_and_one_new_series_in_one_body(clock: SimulatedClock) -> None:
    guard = SeriesGuard(clock, max_new_per_tenant_hour=100_000)
    lines = [f"messages,tenant=acme,message_id={n} count=1i 5" for n in range(100_001)]
    body = "\n".join([*lines, "messages,tenant=zeta count=1i 5", *lines[:10]]).encode()
    parsed = parse(body, precision="ns", db="d", received_at_ns=10**18, guard=guard)
    assert (parsed.line_count, parsed.rejected_count) == (100_012, 1)
    assert parsed.rejected_by == {("series", "acme"): 1}
    assert parsed.rejected[0].line_number == 100_001
    assert "tag message_id of customer acme has 100,001 different" in parsed.rejected[0].reason
    assert parsed.batch.messages.num_rows == 100_011


def test_the_same_tags_in_another_order_are_the_same_series(clock: SimulatedClock) -> None:
    guard = SeriesGuard(clock, max_new_per_tenant_hour=1)
    body = b"m,a=1,b=2 f=1 5\nm,b=2,a=1 f=1 5\nm,b=2,a=1 f=2 6"
    parsed = parse(body, precision="ns", db="d", received_at_ns=10**18, guard=guard)
    assert parsed.rejected_count == 0
