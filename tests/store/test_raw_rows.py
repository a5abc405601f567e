"""How rows of `messages` are laid down: sorted, and with durations in nanoseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.lines import NOW, Row, body

from streamgauge.store import Store, columns
from streamgauge.store.levels import NS_A_MINUTE
from streamgauge.store.rollup.grouping import grouped
from streamgauge.store.rollup.rawrows import order_messages, raw_rows

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 200).map(lambda second: NOW + second),
            "tenant": st.sampled_from(["b", "a", "ä", "B"]),
            "reason": st.sampled_from(["", "timeout"]),
            "count": st.integers(1, 99),
            "latency_s": st.one_of(st.none(), st.floats(0, 100)),
        }
    ),
    max_size=30,
)


def messages_of(rows: list[Row]) -> pa.Table:
    return columns.join([body(rows, []).batch.messages], columns.MESSAGES)


@settings(max_examples=60)
@given(ROWS)
def test_groups_stand_together_by_minute_and_tenant_and_keep_their_order(rows: list[Row]) -> None:
    messages = messages_of(rows)
    ordered = order_messages(messages)
    told = ordered.rows.to_pylist()

    def sorted_by(row: dict[str, Any]) -> tuple[int, bytes]:
        return row["time_ns"] // NS_A_MINUTE, row["tenant"].encode()

    def group_of(row: dict[str, Any]) -> tuple[object, ...]:
        return row["time_ns"] // NS_A_MINUTE, *(row[name] for name in columns.MINUTE_KEY)

    assert [sorted_by(row) for row in told] == sorted(map(sorted_by, told))
    groups = [group_of(row) for row in told]
    begins = [at for at, group in enumerate(groups) if not at or group != groups[at - 1]]
    assert ordered.starts.tolist() == begins
    assert len({groups[at] for at in begins}) == len(begins), "no group stands in two places"
    expected: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in messages.to_pylist():
        expected.setdefault(group_of(row), []).append(row)
    for group, kept in expected.items():
        assert [row for row in told if group_of(row) == group] == kept


@pytest.mark.parametrize(
    "keys",
    [[], [7], [3, 1, 3, 1, 2], [2**62, 5, 2**62, 2**61]],
    ids=["none", "one", "small keys", "keys that leave no room for a position"],
)
def test_equal_keys_are_grouped_in_the_order_of_their_rows(keys: list[int]) -> None:
    order, starts, found = grouped(np.array(keys, np.int64))
    assert order.tolist() == sorted(range(len(keys)), key=keys.__getitem__)
    assert found.tolist() == sorted(set(keys))
    assert starts.tolist() == [sorted(keys).index(key) for key in sorted(set(keys))]


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [
        (0.12345, 123_450_000),
        (123.45 * 1e-3, 123_450_000),
        (0.0, 0),
        (1e-10, 0),
        (1e300, 9_200_000_000 * 10**9),
        (None, None),
    ],
    ids=[
        "a decimal",
        "a decimal of milliseconds",
        "nothing",
        "less than a nanosecond",
        "longer than 292 years",
        "not told",
    ],
)
def test_durations_are_kept_in_nanoseconds(seconds: float | None, nanoseconds: int | None) -> None:
    rows = raw_rows(messages_of([{"at": NOW, "latency_s": seconds}, {"at": NOW, "latency_s": 1.0}]))
    assert rows.column("latency_ns").to_pylist() == [nanoseconds, 10**9]
    assert "latency_s" not in rows.column_names


@pytest.mark.parametrize(
    ("word_count", "kind"),
    [(128, pa.int8()), (129, pa.int16()), (2**15, pa.int16()), (2**15 + 1, pa.int32())],
    ids=["one byte just does", "one more", "two bytes just do", "one more than that"],
)
def test_codes_take_as_few_bytes_as_they_need(word_count: int, kind: pa.DataType) -> None:
    codes = np.arange(word_count, dtype=np.int32)
    words = pa.array([f"t{code}" for code in codes.tolist()])
    tags = pa.DictionaryArray.from_arrays(pa.array(codes), words)
    schema = pa.schema([pa.field("tenant", columns.TAG, nullable=False)])
    narrow = columns.narrowed(pa.table([tags], schema=schema)).column("tenant")
    assert narrow.type.index_type == kind
    assert narrow.to_pylist() == words.to_pylist()


@pytest.mark.chdb
def test_raw_durations_are_read_in_seconds_as_they_were_written(store: Store) -> None:
    told = [0.12345, 0.001, 17.5, None]
    store.write(body([{"at": NOW, "latency_s": one} for one in told]), None, NOW)
    assert store.flush(30)
    rows = store._engine.query("SELECT latency_s, queue_s FROM messages ORDER BY latency_s")
    assert rows.column("latency_s").to_pylist() == [0.001, 0.12345, 17.5, None]
    assert rows.column("queue_s").to_pylist() == [None] * 4
