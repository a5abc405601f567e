"""A store that knows minutes only gets hours and days that hold the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.migrate import known_migrations, migrate, run

pytestmark = pytest.mark.chdb
MINUTES = 4000
FILL = (
    f"""INSERT INTO minute SELECT 29400000 + number * 37, ['a', 'b'][number % 2 + 1], 'web', '',
    '', 'delivered', 'ok', '', number % 7, number,
    map(toInt16(number % 50), toUInt64(number % 7 + 1)), map(),
    (29400000 + number * 37) * 60000000000, (29400000 + number * 37) * 60000000000 + 5
    FROM numbers({MINUTES})""",
    "INSERT INTO minute SELECT * FROM minute WHERE minute % 3 = 0",
    f"""INSERT INTO queue_minute SELECT 29400000 + number * 37, 'q', '', '', 'a',
    (number * 60, 1, number), (-1, 0, 0), (number * 60, 1, 2 * number), (-1, 0, 0), (-1, 0, 0),
    number % 9, number % 9 + 1, number * 60 FROM numbers({MINUTES})""",
    """INSERT INTO points SELECT 1764000000000000000 + number * 7000000000, number, 'db', 'cpu',
    'host=a', ['busy', 'name'][number % 2 + 1], ['f', 's'][number % 2 + 1],
    if(number % 2 = 0, number, NULL), NULL FROM numbers(500)""",
    "INSERT INTO points SELECT * REPLACE (seq + 1000 AS seq, value + 1 AS value) FROM points",
)
HISTOGRAM = "sumMap(latency_hist) AS hist"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """As the first version left it."""
    opened = Engine(f"chdb://{tmp_path}/engine", StoreSettings())
    opened.open()
    first = next(known_migrations())
    for statement in first.statements:
        run(opened, statement)
    opened.command(
        "CREATE TABLE schema_migrations (number UInt32, name String) "
        "ENGINE = MergeTree ORDER BY number"
    )
    opened.command(f"INSERT INTO schema_migrations VALUES (1, '{first.name}')")
    for sql in FILL:
        opened.command(sql)
    yield opened
    opened.close()


def rows(engine: Engine, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.query(sql).to_pylist()
    return found


def messages(engine: Engine, table: str, bucket: str) -> list[dict[str, Any]]:
    return rows(
        engine,
        f"SELECT {bucket} AS at, tenant, sum(count) AS n, sum(bytes) AS size, {HISTOGRAM}, "
        f"min(first_ns) AS low, max(last_ns) AS high FROM {table} "
        "GROUP BY at, tenant ORDER BY at, tenant",
    )


def queues(engine: Engine, table: str, bucket: str) -> list[dict[str, Any]]:
    return rows(
        engine,
        f"SELECT {bucket} AS at, max(backlog_last) AS last, max(consumers_last).1 AS none, "
        f"min(backlog_min) AS low, max(backlog_max) AS high FROM {table} GROUP BY at ORDER BY at",
    )


def test_hours_and_days_hold_what_minutes_held(engine: Engine) -> None:
    before = [messages(engine, "minute", "minute"), queues(engine, "queue_minute", "minute")]
    assert migrate(engine) > 0
    assert [
        messages(engine, "minute", "minute"),
        queues(engine, "queue_minute", "minute"),
    ] == before
    for level, minutes in (("hour", 60), ("day", 1440)):
        bucket = f"intDiv(minute, {minutes})"
        assert messages(engine, level, level) == messages(engine, "minute", bucket)
        assert queues(engine, f"queue_{level}", level) == queues(engine, "queue_minute", bucket)
    hours = "SELECT bitCount(groupBitOr(minutes)) AS n FROM hour GROUP BY hour"
    active = f"SELECT sum(n) AS n FROM ({hours})"
    assert rows(engine, active) == [{"n": MINUTES}]
    bounds = "SELECT min(latency_min) AS low, max(latency_max) AS high FROM day"
    assert rows(engine, bounds) == [
        {"low": pytest.approx(1, 0.011), "high": pytest.approx(2.94, 0.011)}
    ]


def test_numeric_fields_are_summed_without_what_was_overwritten(engine: Engine) -> None:
    migrate(engine)
    for level in ("minute", "hour", "day"):
        (found,) = rows(
            engine,
            "SELECT field, sum(count) AS n, sum(sum) AS total, min(min) AS low, max(max) AS high, "
            f"min(first).3 AS first, max(last).3 AS last FROM point_{level} GROUP BY field",
        )
        total = float(sum(range(0, 500, 2)) + 250)
        assert found == {
            "field": "busy",
            "n": 250,
            "total": total,
            "low": 1.0,
            "high": 499.0,
            "first": 1.0,
            "last": 499.0,
        }


def test_parts_are_split_as_retention_drops_them(engine: Engine) -> None:
    migrate(engine)
    keys = rows(
        engine,
        "SELECT DISTINCT extract(partition_key, 'intDiv.([a-z_]+, [0-9]+)') AS k "
        "FROM system.tables "
        "WHERE database = currentDatabase() AND partition_key != '' ORDER BY k",
    )
    assert [row["k"] for row in keys] == [
        "",  # hops, by each hour
        "day, 360",
        "hour, 168",
        "hour, 24",
        "hour, 6",
        "hour, 720",
        "minute, 10080",
        "time_ns, 86400000000000",
    ]
    gone = rows(engine, "SELECT name FROM system.tables WHERE name LIKE '%_next'")
    assert gone == []
