"""Durations of messages that are counted elsewhere: they weigh, and count nowhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.lines import NOW, Row, body

from streamgauge.model.batch import Parsed
from streamgauge.model.views import Filters
from streamgauge.store import Store
from streamgauge.store.journal.intake import body_of
from streamgauge.store.rollup.coarse import hour_rows
from streamgauge.store.rollup.durations import NEVER_LAST_NS
from streamgauge.store.rollup.histogram import bucket_of
from streamgauge.store.rollup.segment import Segment, build_segment

ROW = st.fixed_dictionaries(
    {
        "at": st.integers(0, 200).map(lambda second: NOW + second),
        "tenant": st.sampled_from("ab"),
        "count": st.integers(0, 9),
        "bytes": st.integers(0, 9),
        "latency_s": st.one_of(st.none(), st.floats(0, 100)),
    }
)
Rows = list[Row]


def segment_of(*bodies: Parsed) -> Segment:
    return build_segment([(seq, body_of(one, None, NOW)) for seq, one in enumerate(bodies, 1)])


def summed(segments: list[Segment], name: str, key: tuple[str, ...]) -> dict[Any, Any]:
    """The rows of one of the rollups, as the engine would add them up."""
    sums: dict[Any, Any] = {}
    rows = [
        row for each in segments if name in each.tables for row in each.tables[name].to_pylist()
    ]
    for row in rows:
        empty = {"count": 0, "bytes": 0, "hist": Counter(), "max": -np.inf, "last": NEVER_LAST_NS}
        kept = sums.setdefault(tuple(row[part] for part in key), empty)
        kept["count"] += row["count"]
        kept["bytes"] += row["bytes"]
        kept["hist"].update(dict(row["latency_hist"]))
        kept["max"] = max(kept["max"], row["latency_max"])
        kept["last"] = max(kept["last"], row.get("last_ns", NEVER_LAST_NS))
    return sums


@settings(deadline=None, max_examples=60)
@given(
    parts=st.lists(
        st.tuples(st.lists(ROW, max_size=5), st.lists(ROW, max_size=5)), min_size=1, max_size=4
    )
)
def test_sums_of_all_are_the_sums_of_parts_and_durations_only_weigh(
    parts: list[tuple[Rows, Rows]],
) -> None:
    bodies = [body(messages, durations=durations) for messages, durations in parts]
    pieces = [segment_of(one) for one in bodies]
    for name, key in (("minute", ("minute", "tenant")), ("platform_minute", ("minute",))):
        assert summed([segment_of(*bodies)], name, key) == summed(pieces, name, key)
    sums = summed(pieces, "minute", ("tenant",))
    for tenant in "ab":
        messages = [row for rows, _ in parts for row in rows if row["tenant"] == tenant]
        weighing = [row for _, rows in parts for row in rows if row["tenant"] == tenant]
        found = sums.get((tenant,), {"count": 0, "bytes": 0, "hist": Counter()})
        assert found["count"] == sum(int(str(row["count"])) for row in messages)
        assert found["bytes"] == sum(int(str(row["bytes"])) for row in messages)
        expected: Counter[int] = Counter()
        for row in [*messages, *weighing]:
            if row["latency_s"] is not None and row["count"]:
                bucket = int(bucket_of(np.array([row["latency_s"]]))[0])
                expected[bucket] += int(str(row["count"]))
        assert +found["hist"] == expected


def test_a_flow_of_durations_alone_is_not_told_and_was_not_seen() -> None:
    made = segment_of(body(durations=[{"at": NOW, "tenant": "a", "count": 9, "latency_s": 1.0}]))
    assert "last_seen" not in made.tables
    assert made.delta.minutes.num_rows == 0
    assert made.delta.newest_ns == NOW * 1e9, "its sender is alive"
    assert hour_rows(made.tables)["hour"].column("minutes").to_pylist() == [0]


def test_without_durations_there_is_no_weight() -> None:
    nothing = {"at": NOW, "tenant": "a", "count": 0, "latency_s": 1.0}
    made = segment_of(body([{"at": NOW, "tenant": "a"}], durations=[nothing]))
    assert "weight" not in made.tables["messages"].column_names


@pytest.mark.chdb
@pytest.mark.parametrize("low", [0.0, 0.5], ids=["a whole minute", "raw rows of a part"])
def test_every_answer_weighs_them(store: Store, low: float) -> None:
    messages = [{"at": NOW + 1, "tenant": "a", "count": 3, "latency_s": 0.1}]
    durations = [
        {"at": NOW + 2, "tenant": "a", "count": 97, "latency_s": 5.0, "queue_s": 2.0},
        {"at": NOW + 2, "tenant": "only durations", "count": 5, "latency_s": 1.0},
    ]
    store.write(body(messages, durations=durations), None, NOW)
    assert store.flush(30)
    span, mine = (NOW + low, NOW + low + 60), Filters(tenant="a")
    found = store.overview(*span, mine)
    assert (found.messages, found.errors) == (3, 0)
    assert found.latency.p50_s == pytest.approx(5.0, rel=0.0111)
    assert found.queue.wait.p50_s == pytest.approx(2.0, rel=0.0111)
    (flow,) = store.flows(*span, ["tenant"], "name", 9, Filters())
    assert (flow.labels, flow.messages) == ({"tenant": "a"}, 3)
    assert flow.latency_p99_s == pytest.approx(5.0, rel=0.0111)
    series = store.timeseries("messages,latency_p50", *span, 120, [], mine).series
    assert [next(v for v in one.values if v is not None) for one in series] == [
        3,
        pytest.approx(5.0, rel=0.0111),
    ]
    assert store.overview(*span, Filters(tenant="only durations")).messages == 0


@pytest.mark.chdb
@pytest.mark.parametrize("days", [0, 3], ids=["recent minutes", "hours of the past"])
def test_detection_learns_nothing_from_durations(store: Store, days: int) -> None:
    durations = [{"at": NOW, "tenant": "quiet", "count": 5, "latency_s": 1.0}]
    store.write(body([{"at": NOW, "tenant": "a"}], durations=durations), None, NOW)
    assert store.settle(30)
    past = store.history(NOW + 60 + days * 86_400)
    told = {
        row["tenant"] for table in (past.hours, past.recent.minutes) for row in table.to_pylist()
    }
    assert told == {"a"}
    ticks = [delta.minutes.to_pylist() for _, delta in store.replay_slices(NOW, NOW + 60, 10)]
    assert {row["tenant"] for rows in ticks for row in rows} == {"a"}
