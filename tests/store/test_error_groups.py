"""Errors in groups: every one in exactly one of them, whatever it came by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import empty
from tests.store.lines import NOW, Row, body, failed_hop

from streamgauge.model.errors import PayloadError
from streamgauge.model.journeys import ErrorGroup
from streamgauge.model.views import Filters
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
ALL = Filters()
SPAN = (NOW, NOW + 3600)


def put(store: Store, *hops: Row, messages: Sequence[Row] = ()) -> None:
    store.write(body(messages, hops=hops), None, NOW)
    assert store.flush(30)


def failed_line(**more: object) -> Row:
    defaults = {"tenant": "a", "integration": "ga4", "reason": "timeout", "at": NOW}
    return {**defaults, "outcome": "error", **more}


def ask(store: Store, sort: str = "count", limit: int = 100, **filters: str) -> list[ErrorGroup]:
    return store.errors(*SPAN, sort, limit, Filters(**filters))


def counted(groups: Sequence[ErrorGroup]) -> dict[tuple[str, str, str], int]:
    return {(group.integration, group.reason, group.pattern): group.count for group in groups}


HOP = st.builds(
    lambda at, tenant, integration, pattern, outcome: failed_hop(
        "m", pattern, at=at, tenant=tenant, integration=integration, outcome=outcome
    ),
    at=st.integers(0, 130).map(lambda second: NOW + second),
    tenant=st.sampled_from("ab"),
    integration=st.sampled_from(["ga4", "s3"]),
    pattern=st.sampled_from(["", "no route", "refused"]),
    outcome=st.sampled_from(["ok", "error", "dropped", "retried"]),
)
LINE = st.builds(
    failed_line,
    at=st.integers(0, 130).map(lambda second: NOW + second),
    tenant=st.sampled_from("ab"),
    integration=st.sampled_from(["ga4", "s3"]),
    count=st.integers(0, 5),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bodies=st.lists(st.tuples(st.lists(HOP, max_size=6), st.lists(LINE, max_size=4)), max_size=3),
    tenant=st.sampled_from([None, "a"]),
)
def test_every_error_is_in_one_group(
    store: Store, bodies: list[tuple[list[Row], list[Row]]], tenant: str | None
) -> None:
    empty(store)
    for hops, lines in bodies:
        put(store, *hops, messages=lines)
    expected: Counter[tuple[object, ...]] = Counter()
    for hops, lines in bodies:
        for row in [*hops, *lines]:
            if row["outcome"] in ("error", "dropped") and tenant in (None, row["tenant"]):
                key = (row["integration"], row["reason"], row.get("pattern", ""))
                expected[key] += int(str(row.get("count", 1)))
    found = store.errors(*SPAN, "count", 100, Filters(tenant=tenant))
    assert counted(found) == +expected
    assert sum(group.count for group in found) == (
        store.overview(*SPAN, Filters(tenant=tenant)).errors or 0
    )
    assert all(sum(count for _, count in group.tenants) == group.count for group in found)


def test_a_group_says_who_when_and_what(store: Store) -> None:
    put(
        store,
        *(failed_hop(f"loud{n}", "no route", at=NOW + n) for n in range(200)),
        failed_hop("small", "no route", at=NOW + 1, tenant="small"),
        messages=[failed_line(at=NOW + 30, count=5)],
    )
    with_text, without = ask(store)
    assert (with_text.count, with_text.tenant_count) == (201, 2)
    assert with_text.tenants == (("a", 200), ("small", 1))
    assert (with_text.first_at, with_text.last_at) == (NOW, NOW + 199)
    assert int(with_text.fingerprint, 16) == failed_hop("", "no route")["fingerprint"]
    assert [sample.id for sample in with_text.samples] == ["loud199", "loud198", "loud197", "small"]
    assert with_text.samples[0].error == "no route loud199"
    assert (without.fingerprint, without.pattern, without.count) == ("", "", 5)
    assert (without.samples, without.tenants) == ((), (("a", 5),))
    (mine,) = ask(store, tenant="small")
    assert [sample.id for sample in mine.samples] == ["small"]


def test_samples_of_many_segments_stay_few_and_are_the_newest(store: Store) -> None:
    for n in range(8):
        put(store, failed_hop(f"m{n}", "no route", at=NOW + n))
    (group,) = ask(store)
    assert [sample.id for sample in group.samples][:3] == ["m7", "m6", "m5"]
    assert len(group.samples) <= 6
    store._engine.command("OPTIMIZE TABLE error_samples FINAL")
    (group,) = ask(store)
    assert [sample.id for sample in group.samples] == ["m7", "m6", "m5"]


def test_tenants_are_the_most_affected_twenty(store: Store) -> None:
    put(store, *(failed_hop("m", "x", at=NOW, tenant=f"t{n:02}", count=n) for n in range(1, 26)))
    (group,) = ask(store)
    assert (group.tenant_count, len(group.tenants)) == (25, 20)
    assert group.tenants[0] == ("t25", 25)
    assert len({sample.tenant for sample in group.samples}) == len(group.samples)


def test_groups_are_sorted_and_limited(store: Store) -> None:
    put(
        store,
        failed_hop("1", "many", at=NOW, count=9),
        *(failed_hop("2", "wide", at=NOW + 60, tenant=tenant) for tenant in "abc"),
        failed_hop("3", "early and late", at=NOW - 0.0),
        failed_hop("4", "early and late", at=NOW + 300),
        failed_hop("5", "new", at=NOW + 200),
    )
    first = {sort: ask(store, sort, 1)[0].pattern for sort in ("count", "tenants", "last_seen")}
    assert first == {"count": "many", "tenants": "wide", "last_seen": "early and late"}
    assert [group.pattern for group in ask(store, "first_seen", 2)] == ["new", "wide"]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"source": "web"}, 1),
        ({"integration": "s3"}, 1),
        ({"pipeline": "main"}, 1),
        ({"tenant": "nobody"}, 0),
    ],
    ids=str,
)
def test_filters_hold_for_both_kinds(store: Store, filters: dict[str, str], count: int) -> None:
    odd: Row = {"source": "web", "integration": "s3", "pipeline": "main", "at": NOW}
    put(
        store,
        failed_hop("m1", "x", **odd),
        failed_hop("m2", "x", at=NOW),
        messages=[failed_line(**odd), failed_line()],
    )
    found = store.errors(*SPAN, "count", 100, Filters(**filters))
    assert [group.count for group in found] == [1, 1][: 2 * count]


def test_whole_minutes_that_the_range_touches_count(store: Store) -> None:
    put(store, *(failed_hop("m", "x", at=NOW + 60 * n) for n in range(3)))
    assert [g.count for g in store.errors(NOW + 90, NOW + 119, "count", 9, ALL)] == [1]
    assert [g.count for g in store.errors(NOW + 60, NOW + 121, "count", 9, ALL)] == [2]


@pytest.mark.parametrize(
    ("sort", "limit", "words"),
    [("age", 9, "unknown sort 'age': accepted are count"), ("count", 0, "limit: 0, accepted are")],
)
def test_what_cannot_be_asked_is_said(store: Store, sort: str, limit: int, words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        ask(store, sort, limit)
