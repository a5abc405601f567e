"""How long messages took: to detection, after a restart, and in a replay."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.feed import LATENCY_STEP
from streamgauge.store import Store, columns
from streamgauge.store.rollup.histogram import ZERO_BUCKET, bucket_of
from streamgauge.store.rollup.latencyrollup import group_of
from streamgauge.store.writer.changes import ChangeLog, _unpacked

pytestmark = pytest.mark.chdb
MINUTE = int(NOW // 60)


def hop(tenant: str, at: float, latency_s: float, count: int = 1, **more: object) -> Row:
    return {"tenant": tenant, "at": NOW + at, "latency_s": latency_s, "count": count, **more}


ROWS: tuple[Row, ...] = (
    hop("acme", 0, 0.1, 2),
    hop("acme", 20, 0.1, 3, outcome="error"),
    hop("acme", 30, 4.0),
    hop("acme", 61, 0.0, 5),
    hop("acme", 5, 9.0, 100, outcome="retried"),
    hop("beta", 10, 0.1, 7),
    {"tenant": "beta", "at": NOW, "count": 9},
)
DURATION: Row = hop("beta", 70, 2.0, 4)


def group(latency_s: float) -> int:
    return int(group_of(bucket_of(np.array([latency_s])))[0])


EXPECTED = {
    ("acme", 0, group(0.1)): 5,
    ("acme", 0, group(4.0)): 1,
    ("acme", 1, group(0.0)): 5,
    ("beta", 0, group(0.1)): 7,
    ("beta", 1, group(2.0)): 4,
}


def put(store: Store) -> None:
    store.write(body(ROWS, durations=(DURATION,)), None, NOW)
    assert store.flush(30)


def told(latencies: pa.Table | None, unit: str = "minute", base: int = MINUTE) -> dict[object, int]:
    assert latencies is not None
    found: Counter[object] = Counter()
    for row in latencies.to_pylist():
        found[row["tenant"], row[unit] - base, row["bucket"]] += row["count"]
    return dict(found)


def test_buckets_are_told_in_groups_by_their_last() -> None:
    buckets = np.array([ZERO_BUCKET, -5, -4, -1, 0, 3, 4, 32_767])
    groups = group_of(buckets)
    assert groups.tolist() == [ZERO_BUCKET + LATENCY_STEP - 1, -5, -1, -1, 3, 3, 7, 32_767]


def test_durations_are_told_by_flow_minute_and_bucket_but_not_of_attempts(store: Store) -> None:
    put(store)
    delta = store.take()
    assert delta is not None
    assert delta.latencies is not None
    assert delta.latencies.schema == columns.LATENCIES
    assert told(delta.latencies) == EXPECTED
    put(store)
    put(store)
    again = store.take()
    assert again is not None
    assert told(again.latencies) == {key: 2 * count for key, count in EXPECTED.items()}


def test_a_replay_tells_the_same(store: Store) -> None:
    put(store)
    slices = list(store.replay_slices(NOW, NOW + 100, 100))
    assert told(slices[0][1].latencies) == EXPECTED


def test_after_a_restart_the_last_day_is_known_by_the_hour(store: Store) -> None:
    put(store)
    past = store.history(NOW + 100).latencies
    assert past is not None
    assert past.schema == columns.LATENCY_HOURS
    hours = Counter[object]()
    for (tenant, _, bucket), count in EXPECTED.items():
        hours[tenant, 0, bucket] += count
    assert told(past, "hour", MINUTE // 60) == dict(hours)


def test_a_row_of_changes_carries_them(store: Store) -> None:
    put(store)
    delta = store.take()
    assert delta is not None
    packed = ChangeLog().row(delta, "t").column("latencies")
    assert told(_unpacked(packed)[0]) == EXPECTED
