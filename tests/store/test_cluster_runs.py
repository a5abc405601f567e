"""The whole store on Distributed tables: written through one shard, read through one and two.

The second shard is the same engine: each sees, by a view, the rows that the sharding key gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.store.clustered import serving
from tests.store.lines import NOW, body, failed_hop

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.views import Filters
from streamgauge.store import Store, StoreSettings
from streamgauge.store.engine.cluster import Cluster
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.migrate import known_migrations
from streamgauge.store.queries import (
    CapacityMemory,
    errors,
    flows,
    journey,
    overview,
    timeseries,
)
from streamgauge.store.settings import JourneySettings
from streamgauge.store.thinning import thin

pytestmark = [pytest.mark.chdb, pytest.mark.slow]
SETTINGS = StoreSettings(segment_max_wait_s=0.001, rollup_wait_s=0)
FROM, TO = NOW - 7200.0, NOW
FILTERS = {
    "the fleet": Filters(),
    "one customer": Filters(tenant="t3"),
    "one integration": Filters(integration="ga4"),
}


@dataclass(frozen=True, slots=True)
class Clustered:
    """A store on one shard, and an engine that sees it as two."""

    store: Store
    split: Engine


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    folder = tmp_path_factory.mktemp("cluster")
    with serving(folder / "server") as url:
        store = Store(f"{url}/sg?cluster=one", folder, SimulatedClock(NOW), SETTINGS)
        store.open()
        fill(store)
        make_views(store)
        split = Engine(f"{url}/split?cluster=two", SETTINGS)
        split.open()
        yield Clustered(store, split)
        split.close()
        store.close()


def fill(store: Store) -> None:
    """Customers over two hours, with queues and other measurements; one body sent twice."""
    messages = [
        {"at": NOW - 60 * minute - 1, "tenant": f"t{tenant}", "source": "web", "count": tenant + 1}
        | {"integration": "ga4" if tenant % 2 else "", "stage": stage, "latency_s": 0.1 * tenant}
        | {"outcome": "error" if tenant == 3 and minute < 9 else "ok"}
        for minute in range(110)
        for tenant in range(6)
        for stage in ("received", "delivered" if tenant < 5 else "processed")
    ]
    queue = [
        {"at": NOW - 60 * minute - 1, "queue": f"q{n}", "tenant": f"t{n}", "backlog": 5.0 + n}
        for minute in range(110)
        for n in range(4)
    ]
    points = [
        {"at": NOW - 60, "measurement": "cpu", "tags": f"host=h{n}", "field": "user", "value": n}
        for n in range(20)
    ]
    for _ in range(2):
        store.write(body(messages=messages, queue=queue, points=points), b"sent twice", NOW)
    assert store.flush(60)


def make_views(store: Store) -> None:
    """In another database: each table as two shards, by its own key."""
    engine, cluster = store._engine, Cluster("two", "split")
    for migration in known_migrations():
        for statement in migration.statements:
            cluster.statements(statement.sql)
    names = engine.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    )
    with engine._client() as client:
        for statement in cluster.opening():
            client.command(statement)
        for name in names.column("name").to_pylist():
            key = cluster.keys[name]
            client.command(
                f"CREATE VIEW split_local.{name} AS SELECT * FROM sg_local.{name} "
                f"WHERE {key} % 2 = shardNum() - 1"
            )
            client.command(
                f"CREATE TABLE split.{name} AS sg.{name} "
                f"ENGINE = Distributed('two', 'split_local', '{name}', {key})"
            )


def test_a_body_counts_once_in_every_table(clustered: Clustered) -> None:
    found = clustered.store.overview(FROM, TO, Filters())
    assert found.received == 110 * sum(range(1, 7))
    rows = clustered.store._engine.query("SELECT count() AS n, sum(value) AS v FROM points FINAL")
    assert rows.to_pylist() == [{"n": 20, "v": 190.0}]
    again = clustered.store._engine
    told = again.query("SELECT * FROM seen_minute ORDER BY minute")
    again.insert("seen_minute", told, "a token")
    again.insert("seen_minute", told, "a token")
    count = again.query("SELECT sum(lines) AS n FROM seen_minute").column("n")[0].as_py()
    assert count == 2 * sum(told.column("lines").to_pylist())


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
def test_both_shards_are_seen(clustered: Clustered, filters: Filters) -> None:
    ask = "SELECT _shard_num AS shard, count() AS n FROM minute GROUP BY shard ORDER BY shard"
    assert len(clustered.split.query(ask)) == 2
    one, two = clustered.store._engine, clustered.split
    known = Known()
    assert overview(two, known, FROM, TO, filters, CapacityMemory()) == overview(
        one, known, FROM, TO, filters, CapacityMemory()
    )
    for metric in ("messages", "errors", "latency_p99", "backlog"):
        asked = (known, metric, FROM, TO, 300.0, ("tenant",), filters)
        assert timeseries(two, *asked) == timeseries(one, *asked)
    rows = (known, FROM, TO, ("tenant", "integration"), "errors", 100, filters)
    assert flows(two, *rows) == flows(one, *rows)
    assert flows(one, *rows)


def test_detection_learns_the_same_from_both(clustered: Clustered) -> None:
    past = clustered.store.history(NOW)
    assert sum(past.recent.minutes.column("count").to_pylist()) == 2 * 110 * sum(range(1, 7))


def test_journeys_and_errors_are_the_same_from_both_and_hours_are_thinned(
    clustered: Clustered,
) -> None:
    store, split = clustered.store, clustered.split
    at = NOW - 6 * 3600
    hops = [
        failed_hop(f"w{n}", "no route", at=at + n % 2, tenant=f"t{n % 6}", latency_s=0.5)
        for n in range(60)
    ]
    store.write(body(hops=hops), b"walk", at)
    assert store.flush(60)
    asked = (at - 60, at + 60, "count", 9, Filters())
    (group,) = errors(split, *asked)
    assert (group.count, group.tenant_count, len(group.samples)) == (60, 6, 6)
    assert errors(store._engine, *asked) == [group]
    before = journey(store._engine, "w7", None)
    assert before is not None
    assert journey(split, "w7", None) == before
    tight = JourneySettings(retention_s=1e9, disk_bytes=10**6)
    assert thin(store._engine, tight, NOW, store._parts.while_still) == 1
    count = "SELECT (SELECT count() FROM hops) AS whole, (SELECT count() FROM hops_kept) AS kept"
    assert store._engine.query(count).to_pylist() == [{"whole": 0, "kept": 60}]
    assert journey(store._engine, "w7", None) == before


def test_parts_of_all_servers_are_dropped_by_retention(clustered: Clustered) -> None:
    store = clustered.store
    old = [{"at": NOW - 30 * 86400, "tenant": "old", "count": 1}]
    store.write(body(messages=old), None, NOW)
    assert store.flush(60)
    ask = "SELECT count() AS n FROM messages WHERE tenant = 'old'"
    assert store._engine.query(ask).to_pylist() == [{"n": 1}]
    assert store.retain() > 0
    assert store._engine.query(ask).to_pylist() == [{"n": 0}]
