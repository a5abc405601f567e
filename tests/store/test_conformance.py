"""The store's whole contract, the same on every engine: embedded, by HTTP, and a real server.

The server is the one that STREAMGAUGE_TEST_CLICKHOUSE names. Each test opens the store on what the
former ones left, under customers of its own. With STREAMGAUGE_NIGHTLY or a server named, all other
tests of the store run on these engines too (`tests/store/engines.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.store.conftest import SETTINGS
from tests.store.engines import ALL_KINDS, engine_url
from tests.store.lines import NOW, Row, body, failed_hop

from streamgauge.model.batch import RejectedLine
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta
from streamgauge.model.views import Filters
from streamgauge.store import Store, StoreSettings

pytestmark = pytest.mark.chdb

HOUR, DAY = 3600, 86_400
EVER = (NOW - 400 * DAY, NOW + DAY)


@dataclass(frozen=True, slots=True)
class Place:
    """An engine, and the folder of the store on it."""

    url: str
    folder: Path

    @contextmanager
    def opened(
        self, settings: StoreSettings = SETTINGS, clock: SimulatedClock | None = None
    ) -> Iterator[Store]:
        store = Store(self.url, self.folder, clock or SimulatedClock(NOW), settings)
        store.open()
        try:
            yield store
        finally:
            store.close()


@pytest.fixture(scope="module", params=ALL_KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("conformance")
    with engine_url(request.param, folder) as url:
        yield Place(url, folder)


def put(
    store: Store, *rows: Row, queue: tuple[Row, ...] = (), points: tuple[Row, ...] = ()
) -> None:
    store.write(body(rows, queue, points), None, NOW)
    assert store.flush(60)


def count(store: Store, tenant: str, from_s: float = EVER[0], to_s: float = EVER[1]) -> int | None:
    return store.overview(from_s, to_s, Filters(tenant=tenant)).messages


def test_a_retry_counts_once_also_after_a_restart(place: Place) -> None:
    line = body([{"tenant": "retry", "at": NOW}])
    with place.opened() as store:
        assert store.write(line, b"key", NOW)
        assert not store.write(line, b"key", NOW)
        assert store.write(line, b"another key", NOW)
        assert store.flush(60)
        assert count(store, "retry") == 2
    with place.opened() as store:
        assert not store.write(line, b"key", NOW)
        assert store.flush(60)
        assert store.problems() == []
        assert count(store, "retry") == 2


def test_a_segment_that_is_sent_again_counts_once_at_every_level(place: Place) -> None:
    with place.opened() as store:
        put(store, {"tenant": "again", "at": NOW, "count": 3})
        assert store.settle(60)
        rows = store._engine.query("SELECT * FROM seen_minute LIMIT 1")
        for _ in range(2):
            store._engine.insert("seen_minute", rows, "a token of this test")
        before = store._engine.query("SELECT sum(lines) AS n FROM seen_minute").to_pylist()
        store._engine.insert("seen_minute", rows, "a token of this test")
        assert store._engine.query("SELECT sum(lines) AS n FROM seen_minute").to_pylist() == before


def test_figures_over_minutes_hours_and_days_are_exact_also_for_late_lines(place: Place) -> None:
    with place.opened() as store:
        ages = (0, 90, HOUR, 30 * HOUR, 3 * DAY, 50 * DAY)
        for number, age in enumerate(ages):
            put(store, {"tenant": "late", "at": NOW - age, "count": 10**number})
        assert count(store, "late") == 111_111
        assert store.settle(60)
        assert count(store, "late") == 111_111
        assert count(store, "late", NOW - 120, NOW) == 10
        assert count(store, "late", NOW - 31 * HOUR, NOW + HOUR) == 1111
        series = store.timeseries(
            "messages", NOW - 2 * HOUR, NOW + HOUR, HOUR, ["tenant"], Filters(tenant="late")
        )
        assert [list(one.values) for one in series.series] == [[None, 110, 1]]


def test_latency_and_outcomes(place: Place) -> None:
    rows = [
        {"tenant": "slow", "at": NOW, "latency_s": n / 100, "outcome": "ok" if n % 4 else "error"}
        for n in range(1, 101)
    ]
    with place.opened() as store:
        put(store, *rows)
        found = store.overview(NOW, NOW + 60, Filters(tenant="slow"))
        assert (found.messages, found.errors, found.error_ratio) == (100, 25, 0.25)
        assert found.latency.p50_s == pytest.approx(0.5, rel=0.03)
        assert found.latency.p99_s == pytest.approx(0.99, rel=0.03)


def test_flows_are_sorted_limited_and_filtered(place: Place) -> None:
    with place.opened() as store:
        put(
            store,
            *(
                {"tenant": "flows", "integration": f"i{n}", "at": NOW, "count": n}
                for n in (1, 2, 3)
            ),
            {"tenant": "flows", "integration": "i1", "at": NOW, "count": 9, "outcome": "error"},
        )
        asked = Filters(tenant="flows")
        found = store.flows(NOW, NOW + 60, ["integration"], "errors", 2, asked)
        first, _ = [(row.labels["integration"], row.messages, row.errors) for row in found]
        assert first == ("i1", 10, 9)
        only = store.flows(NOW, NOW + 60, ["tenant"], "name", 9, replace(asked, integration="i3"))
        assert [row.messages for row in only] == [3]


def test_of_queues_and_points_the_last_acknowledged_value_wins(place: Place) -> None:
    told = {"queue": "last", "tenant": "q", "at": NOW}
    point = {"db": "d", "measurement": "m", "tags": "", "field": "f", "at": NOW}
    with place.opened() as store:
        for value in (3.0, 9.0, 5.0):
            put(store, queue=({**told, "backlog": value},), points=({**point, "value": value},))
        assert store.overview(NOW, NOW + 60, Filters(tenant="q")).queue.backlog == 5.0
        rows = store._engine.query("SELECT value FROM points FINAL WHERE measurement = 'm'")
        assert rows.to_pylist() == [{"value": 5.0}]


def test_detection_is_fed_each_line_once(place: Place) -> None:
    def counts(delta: Delta | None) -> list[int]:
        assert delta is not None
        rows = delta.minutes.to_pylist()
        return [row["count"] for row in rows if row["tenant"] == "feed"]

    with place.opened() as store:
        store.history(NOW)
        put(store, {"tenant": "feed", "at": NOW, "count": 4})
        assert counts(store.take()) == [4]
        assert counts(store.take()) == []
        put(store, {"tenant": "feed", "at": NOW + 60, "count": 5})
        assert counts(store.history(NOW + 30).recent) == [4]
        assert counts(store.take()) == [5]


def test_a_retried_body_of_hops_and_durations_counts_once_in_every_table(place: Place) -> None:
    sent = body(
        durations=[{"tenant": "walk", "at": NOW, "count": 50, "latency_s": 0.5}],
        hops=[
            {"id": "walk-1", "tenant": "walk", "at": NOW, "stage": "received"},
            failed_hop("walk-1", "no route", tenant="walk", at=NOW + 1, latency_s=0.25),
        ],
    )
    with place.opened() as store:
        assert [store.write(sent, b"walk", NOW) for _ in range(2)] == [True, False]
        assert store.settle(60)
    with place.opened() as store:
        assert not store.write(sent, b"walk", NOW)
        assert store.flush(60)
        for table, what, expected in (
            ("messages", "sum(count)", 2),
            ("messages", "sum(weight)", 50),
            ("hops", "count()", 2),
            ("error_minute", "sum(count)", 1),
            ("error_samples", "sum(length(samples))", 1),
            ("day", "sum(count)", 2),
            ("day", "sum(arraySum(mapValues(latency_hist)))", 51),
        ):
            sql = f"SELECT toUInt64({what}) AS n FROM {table} WHERE tenant = 'walk'"
            assert store._engine.query(sql).to_pylist() == [{"n": expected}], (table, what)
        assert store.overview(*EVER, Filters(tenant="walk")).messages == 1


def test_journeys_and_groups_of_errors_also_after_they_were_thinned(place: Place) -> None:
    clock = SimulatedClock(NOW)
    hops: list[Row] = [
        {"id": f"thin-{n}", "tenant": "thin", "at": NOW - HOUR, "stage": "received"}
        for n in range(50)
    ]
    failed = failed_hop("thin-7", "no route", tenant="thin", at=NOW - HOUR + 1)
    with place.opened(clock=clock) as store:
        store.write(body(hops=[*hops, failed]), None, NOW)
        assert store.flush(60)
        (group,) = store.errors(*EVER, "count", 9, Filters(tenant="thin"))
        assert (group.count, group.pattern, group.samples[0].id) == (1, "no route", "thin-7")
        before = store.journey("thin-7")
        assert before is not None
        assert [hop.outcome for hop in before.hops] == ["ok", "error"]
        clock.advance(2 * HOUR)
        store.retain()
        count = store._engine.query("SELECT count() AS n FROM hops WHERE tenant = 'thin'")
        assert count.to_pylist() == [{"n": 0}]
        assert store.journey("thin-7") == before
        (again,) = store.errors(*EVER, "count", 9, Filters(tenant="thin"))
        assert again == group


def test_refused_lines_are_kept_with_their_reason(place: Place) -> None:
    line = RejectedLine(2, "messages,x", "no field", tenant="refused")
    with place.opened() as store:
        store.write(body(rejected=[line]), None, NOW)
        assert store.flush(60)
        (kept,) = store.refused_lines("refused", NOW - 60, 9)
        assert (kept.line, kept.reason) == ("messages,x", "no field")


def test_what_the_engine_never_takes_is_said_and_the_rest_goes_on(place: Place) -> None:
    with place.opened() as store:
        rows = store._engine.query("SELECT 'no number' AS minute, 1 AS lines, 1 AS last_ns")
        with pytest.raises(StoreError) as caught:
            store._engine.insert("seen_minute", rows, "wrong")
        assert caught.value.permanent
        with pytest.raises(StoreError) as caught:
            store._engine.query("SELECT * FROM no_such_table")
        assert not caught.value.permanent
        put(store, {"tenant": "after", "at": NOW})
        assert count(store, "after") == 1


def test_a_question_without_end_is_given_up_and_the_next_is_answered(place: Place) -> None:
    with place.opened(replace(SETTINGS, query_timeout_s=1)) as store:
        with pytest.raises(StoreError, match=r"TIMEOUT_EXCEEDED|Timeout exceeded"):
            store._engine.query("SELECT count() FROM system.numbers WHERE NOT ignore(number)")
        assert store._engine.query("SELECT 1 AS n").to_pylist() == [{"n": 1}]


def test_what_is_too_old_is_forgotten_level_by_level(place: Place) -> None:
    clock = SimulatedClock(NOW)
    with place.opened(clock=clock) as store:
        put(store, {"tenant": "old", "at": NOW})
        raw = "SELECT count() AS n FROM messages WHERE tenant = 'old'"
        for days, is_raw in ((0, 1), (15, 0), (200, 0)):
            clock.move_to(NOW + days * DAY)
            store.retain()
            assert store._engine.query(raw).to_pylist() == [{"n": is_raw}]
            assert count(store, "old", NOW, NOW + HOUR) == 1
    with place.opened(clock=clock) as store:
        assert count(store, "old", NOW, NOW + HOUR) == 1
