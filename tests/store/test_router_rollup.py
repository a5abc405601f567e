"""Which router messages came through: to detection, after a restart, and in a replay."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.feed import Delta
from streamgauge.store import Store, columns
from streamgauge.store.retention import Retention
from streamgauge.store.writer.changes import ChangeLog, _unpacked
from streamgauge.store.writer.feed import merge

pytestmark = pytest.mark.chdb
MINUTE = int(NOW // 60)


def hop(tenant: str, router: str, at: float, count: int = 1, **more: object) -> Row:
    return {"tenant": tenant, "router": router, "at": NOW + at, "count": count, **more}


ALIVE: Row = {
    "at": NOW + 65,
    "measurement": "router",
    "tags": r"a=1,router=r\ 3,zone=b",
    "value": 1.0,
}
NOT_NAMED: Row = {"at": NOW, "measurement": "cpu", "tags": "host=db,myrouter=x", "value": 1.0}
ROWS = (
    hop("acme", "r1", 0, 2),
    hop("acme", "r1", 20, 3, outcome="error"),
    hop("acme", "r2", 30, 4),
    hop("acme", "r1", 61, 5),
    hop("acme", "r1", 5, 100, outcome="retried"),
    hop("beta", "", 10, 7),
)
QUEUE: Row = {"queue": "q", "router": "r4", "at": NOW + 2, "backlog": 3.0}
EXPECTED = {
    ("r1", "acme", 0): (5, 20),
    ("r2", "acme", 0): (4, 30),
    ("r1", "acme", 1): (5, 61),
    ("r 3", "", 1): (0, 65),
    ("r4", "", 0): (0, 2),
}


def put(store: Store, *rows: Row) -> None:
    store.write(body(rows, (QUEUE,), (ALIVE, NOT_NAMED)), None, NOW)
    assert store.flush(30)


def told(routers: pa.Table | None) -> dict[tuple[str, str, int], tuple[int, float]]:
    assert routers is not None
    assert routers.schema == columns.ROUTERS
    found: dict[tuple[str, str, int], tuple[int, float]] = {}
    for row in routers.to_pylist():
        key = (row["router"], row["tenant"], row["minute"] - MINUTE)
        count, last = found.get(key, (0, 0.0))
        found[key] = (count + row["count"], max(last, row["last_ns"] / 1e9 - NOW))
    return found


def taken(store: Store) -> Delta:
    delta = store.take()
    assert delta is not None
    return delta


def test_what_came_through_a_router_is_told_by_flow_and_minute(store: Store) -> None:
    put(store, *ROWS)
    assert told(taken(store).routers) == EXPECTED
    put(store, *ROWS)
    put(store, *ROWS)
    doubled = {key: (2 * count, last) for key, (count, last) in EXPECTED.items()}
    assert told(taken(store).routers) == doubled


def test_durations_alone_are_a_sign_of_life_and_no_flow(store: Store) -> None:
    counted = (hop("acme", "r1", 0, 2),)
    durations = (
        hop("acme", "r1", 5, 2, latency_s=0.1),
        hop("of the histogram alone", "r1", 20, 2, latency_s=0.2),
        hop("acme", "r9", 70, 3, latency_s=0.2),
    )
    store.write(body(counted, durations=durations), None, NOW)
    assert store.flush(30)
    assert told(taken(store).routers) == {
        ("r1", "acme", 0): (2, 0),
        ("r1", "", 0): (0, 20),
        ("r9", "", 1): (0, 70),
    }


def test_a_replay_tells_the_same(store: Store) -> None:
    put(store, *ROWS)
    slices = list(store.replay_slices(NOW, NOW + 100, 100))
    assert told(slices[0][1].routers) == EXPECTED


def test_after_a_restart_the_last_day_is_known_by_the_hour(store: Store) -> None:
    put(store, *ROWS, hop("acme", "r1", -7200, 9), hop("acme", "r1", -90_000, 9))
    past = store.history(NOW + 100).routers
    assert past is not None
    assert past.schema == columns.ROUTER_HOURS
    hours: dict[Any, Any] = {
        (row["router"], row["tenant"], row["hour"] - MINUTE // 60): (
            row["count"],
            row["minutes"],
            row["last_ns"] / 1e9 - NOW,
        )
        for row in past.to_pylist()
    }
    assert hours == {
        ("r1", "acme", -2): (9, 1, -7200),
        ("r1", "acme", 0): (10, 0b11, 61),
        ("r2", "acme", 0): (4, 1, 30),
        ("r 3", "", 0): (0, 0b10, 65),
        ("r4", "", 0): (0, 1, 2),
    }


def test_old_hours_are_forgotten(store: Store) -> None:
    put(store, hop("acme", "r1", -30 * 86_400.0), hop("acme", "r1", 0))
    year = 365 * 86_400.0
    store.retain(Retention(year, year, year, year))
    kept = store._engine.query("SELECT DISTINCT hour FROM router_hour ORDER BY hour")
    assert kept.column("hour").to_pylist() == [MINUTE // 60]


def test_a_row_of_changes_carries_them_and_one_of_a_former_version_does_not(store: Store) -> None:
    put(store, *ROWS)
    delta = taken(store)
    packed = ChangeLog().row(delta, "t").column("routers")
    assert told(_unpacked(packed)[0]) == EXPECTED
    nothing = _unpacked(pa.chunked_array([pa.array([b""])]))
    assert nothing == [None]
    assert told(merge([Delta(delta.minutes, delta.queues, 0, None), delta]).routers) == EXPECTED
