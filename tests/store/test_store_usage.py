"""What the store tells of its size: every part counted, by level, time and customer."""

from __future__ import annotations

import pytest
from tests.store.lines import NOW

from streamgauge.model.usage import Level
from streamgauge.receive.influx import parse
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
DAY_S = 86_400


def fill(store: Store, tenant: str, count: int) -> None:
    lines = [
        f"messages,tenant={tenant},source=web count=2i,latency_ms=5 {int((NOW - n * 30) * 1e9)}"
        for n in range(count)
    ]
    body = "\n".join(lines).encode()
    parsed = parse(body, precision="ns", db="d", received_at_ns=int(NOW * 1e9), max_ahead_s=3600.0)
    store.write(parsed, None, NOW)
    assert store.flush(30)


def test_each_partition_is_told_with_its_level_and_times(store: Store) -> None:
    fill(store, "acme", 40)
    usage = store.usage()
    raw = [part for part in usage.partitions if part.table == "messages"]
    assert sum(part.row_count for part in raw) == 40
    assert all(part.level is Level.RAW for part in raw)
    assert all((part.to_s or 0) - (part.from_s or 0) == DAY_S for part in raw)
    assert any((part.from_s or 0) <= NOW < (part.to_s or 0) for part in raw)
    minutes = [part for part in usage.partitions if part.table == "minute"]
    assert {(part.to_s or 0) - (part.from_s or 0) for part in minutes} == {7 * DAY_S}
    assert usage.bytes_of(Level.RAW) > 0
    assert usage.total_bytes >= sum(part.size_bytes for part in usage.partitions)
    assert usage.files_bytes > 0


def test_customers_are_told_with_what_they_sent(store: Store) -> None:
    fill(store, "big", 40)
    fill(store, "small", 10)
    big, small = store.tenant_usage(NOW - DAY_S, NOW + 60)
    assert (big.tenant, big.lines, big.messages) == ("big", 40, 80)
    assert (small.tenant, small.lines) == ("small", 10)
    assert small.minute_rows in {5, 6}, "ten lines half a minute apart"


def test_there_is_room(store: Store) -> None:
    assert store.room_bytes() > 0
