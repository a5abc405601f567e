"""The list of flows, on the real engine."""

from __future__ import annotations

import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.errors import PayloadError
from streamgauge.model.views import Filters
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
ALL = Filters()


@pytest.fixture
def filled(store: Store) -> Store:
    def hop(tenant: str, at: float, outcome: str, count: int, **more: object) -> Row:
        return {"at": NOW + at, "tenant": tenant, "outcome": outcome, "count": count, **more}

    rows = [
        hop("big", 0, "ok", 900, latency_s=0.2),
        hop("big", 30, "error", 9),
        hop("small", 60, "ok", 1),
        hop("small", 10, "error", 3),
        hop("filtering", 20, "filtered", 5),
        hop("gone", -86_400, "ok", 5),
        hop("big", 0, "ok", 1000, stage="received"),
    ]
    store.write(body(rows), None, NOW)
    assert store.flush(30)
    return store


ORDERS = [
    ("errors", ["big", "small", "filtering", "gone"]),
    ("error_ratio", ["small", "big", "filtering", "gone"]),
    ("messages", ["big", "filtering", "small", "gone"]),
    ("last_seen", ["gone", "filtering", "big", "small"]),
    ("name", ["big", "filtering", "gone", "small"]),
]


@pytest.mark.parametrize(("sort", "order"), ORDERS)
def test_sorted(filled: Store, sort: str, order: list[str]) -> None:
    rows = filled.flows(NOW, NOW + 3600, ["tenant"], sort, 100, ALL)
    assert [row.labels["tenant"] for row in rows] == order


def test_what_a_row_tells(filled: Store) -> None:
    big, *_, gone = filled.flows(NOW, NOW + 3600, ["tenant"], "errors", 100, ALL)
    assert (big.messages, big.errors, big.filtered) == (909, 9, 0)
    assert big.error_ratio == pytest.approx(9 / 909)
    assert big.last_seen_at == NOW + 30
    assert big.latency_p99_s == pytest.approx(0.2, rel=0.011)
    assert (gone.messages, gone.error_ratio, gone.last_seen_at) == (0, None, NOW - 86_400)
    assert gone.latency_p99_s is None


def test_of_a_range_in_which_nobody_was_seen_nothing_is_known(filled: Store) -> None:
    rows = filled.flows(NOW - 7200, NOW - 3600, ["tenant"], "name", 100, ALL)
    assert [row.labels["tenant"] for row in rows] == ["big", "filtering", "gone", "small"]
    assert {(row.messages, row.errors, row.filtered) for row in rows} == {(None, None, None)}


def test_by_stage_counts_what_passed_each(filled: Store) -> None:
    rows = filled.flows(NOW, NOW + 3600, ["stage", "tenant"], "name", 100, Filters(tenant="big"))
    told = {row.labels["stage"]: row.messages for row in rows}
    assert told == {"delivered": 909, "received": 1000}


def test_limited(filled: Store) -> None:
    assert len(filled.flows(NOW, NOW + 60, ["tenant"], "name", 2, ALL)) == 2


@pytest.mark.parametrize(
    ("by", "sort", "limit", "named"),
    [
        (["tenant", "outcome"], "name", 1, "tenant, source, integration, pipeline, stage"),
        ([], "name", 1, "by is empty"),
        (["tenant"], "trouble", 1, "errors, error_ratio, messages, last_seen, name"),
        (["tenant"], "name", 0, "1 to 10000"),
        (["tenant"], "name", 10_001, "1 to 10000"),
    ],
)
def test_refused(store: Store, by: list[str], sort: str, limit: int, named: str) -> None:
    with pytest.raises(PayloadError, match=named):
        store.flows(NOW, NOW + 60, by, sort, limit, ALL)
