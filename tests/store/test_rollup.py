"""Sums of segments, without an engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.store.lines import NOW, Row, body

from streamgauge.model.feed import Delta
from streamgauge.store import columns
from streamgauge.store.journal.records import Body, decode_body, encode_body
from streamgauge.store.rollup import grouping
from streamgauge.store.rollup.segment import build_segment
from streamgauge.store.writer.feed import FeedBuffer, merge

MESSAGE = st.fixed_dictionaries(
    {
        "at": st.integers(0, 600).map(lambda second: NOW + second),
        "tenant": st.sampled_from("abc"),
        "reason": st.sampled_from(["", "timeout"]),
        "count": st.integers(0, 1000),
        "latency_s": st.one_of(st.none(), st.floats(0, 100)),
    }
)
QUEUE = st.fixed_dictionaries(
    {
        "at": st.integers(0, 600).map(lambda second: NOW + second),
        "queue": st.sampled_from("qr"),
        "backlog": st.one_of(st.none(), st.floats(0, 100)),
        "in_total": st.one_of(st.none(), st.floats(0, 100)),
    }
)


def body_of(messages: list[Row], queue: list[Row]) -> Body:
    batch = body(messages, queue).batch
    return Body(batch.messages, batch.queue, batch.points, columns.REJECTED.empty_table())


def plain(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=str)


def told(delta: Delta) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    return plain(delta.minutes), plain(delta.queues), delta.newest_ns


@settings(deadline=None)
@given(
    messages=st.lists(MESSAGE, max_size=12),
    queue=st.lists(QUEUE, max_size=8, unique_by=lambda row: (row["at"], row["queue"])),
    cut=st.integers(0, 12),
)
def test_the_sum_of_deltas_is_the_delta_of_everything(
    messages: list[Row], queue: list[Row], cut: int
) -> None:
    # Queue lines of one segment are older than the next one's, as live ones are.
    queue = sorted(queue, key=lambda row: float(str(row["at"])))
    halves = [body_of(messages[:cut], queue[:cut]), body_of(messages[cut:], queue[cut:])]
    parts = [build_segment([(number, half)]).delta for number, half in enumerate(halves)]
    whole = build_segment(list(enumerate(halves))).delta
    assert told(merge(parts)) == told(whole)


@settings(deadline=None)
@given(rows=st.lists(MESSAGE, min_size=1, max_size=20))
def test_every_message_is_in_the_minutes_and_in_the_histograms_once(rows: list[Row]) -> None:
    tables = build_segment([(1, body_of(rows, []))]).tables
    minutes = tables["minute"].to_pylist()
    keys = {(row["tenant"], row["reason"], row["minute"]) for row in minutes}
    assert len(keys) == len(minutes)
    assert sum(row["count"] for row in minutes) == sum(int(str(row["count"])) for row in rows)
    for tenant in "abc":
        expected = sum(
            int(str(row["count"]))
            for row in rows
            if row["tenant"] == tenant and row["latency_s"] is not None
        )
        histograms = [row["latency_hist"] for row in minutes if row["tenant"] == tenant]
        assert sum(weight for each in histograms for _, weight in each) == expected
    assert all(row["queue_hist"] == [] for row in minutes)


@settings(deadline=None)
@given(rows=st.lists(MESSAGE, max_size=5), queue=st.lists(QUEUE, max_size=5))
def test_a_body_comes_back_from_its_payload(rows: list[Row], queue: list[Row]) -> None:
    written = body_of(rows, queue)
    read = decode_body(encode_body(written).to_pybytes())
    assert [table.to_pylist() for table in read.tables] == [
        table.to_pylist() for table in written.tables
    ]


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 3))),
    limit=st.sampled_from([1, 2, 8, 2**46]),
)
def test_keys_are_equal_exactly_where_rows_are(
    rows: list[tuple[str, str, int]], limit: int
) -> None:
    table = pa.table(
        {
            "one": pa.array([row[0] for row in rows], pa.string()).dictionary_encode(),
            "two": pa.array([row[1] for row in rows], pa.string()).dictionary_encode(),
        }
    )
    numbers = np.array([row[2] for row in rows], np.int64)
    key = grouping.key_of(table, ["one", "two"], numbers, limit=limit)
    assert len(set(key.tolist())) == len(set(rows))
    assert len({(*row, number) for row, number in zip(rows, key.tolist(), strict=True)}) == len(
        set(rows)
    )


@pytest.mark.parametrize(("max_rows", "is_told"), [(3, True), (2, False)])
def test_the_feed_lets_go_of_everything_rather_than_grow(max_rows: int, is_told: bool) -> None:
    feed = FeedBuffer(max_rows)
    for tenant in "abc":
        rows: list[Row] = [{"at": NOW, "tenant": tenant}]
        feed.add(build_segment([(1, body_of(rows, []))]).delta)
        feed.add(build_segment([(1, body_of(rows, []))]).delta)
    taken = feed.take()
    assert (taken is not None) is is_told
    if not is_told:
        assert feed.take() is None, "until history is asked"
        feed.clear()
    again = feed.take()
    assert again is not None
    assert again.minutes.num_rows == 0


def message(minute: int, latency_s: float | None, tenant: str = "a") -> Row:
    return {"at": NOW + 60 * minute, "tenant": tenant, "count": 3, "latency_s": latency_s}


@settings(deadline=None)
@given(messages=st.lists(MESSAGE, min_size=1, max_size=12))
@example(messages=[message(n // 3, (0.0, 1e-9, 1e9)[n % 3], "abc"[n % 2]) for n in range(60)])
@example(messages=[message(0, None)])
def test_the_platforms_minutes_are_the_sum_of_everyones(messages: list[Row]) -> None:
    segment = build_segment([(1, body_of(messages, []))])
    summed: dict[tuple[Any, ...], Any] = {}
    for row in segment.tables["minute"].to_pylist():
        key = row["minute"], row["stage"], row["outcome"]
        kept = summed.setdefault(key, {"count": 0, "latency": Counter(), "longest": -np.inf})
        kept["count"] += row["count"]
        kept["latency"].update(dict(row["latency_hist"]))
        kept["longest"] = max(kept["longest"], row["latency_max"])
    found = {
        (row["minute"], row["stage"], row["outcome"]): {
            "count": row["count"],
            "latency": Counter(dict(row["latency_hist"])),
            "longest": row["latency_max"],
        }
        for row in segment.tables["platform_minute"].to_pylist()
    }
    assert found == summed
