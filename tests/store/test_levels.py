"""Whatever is written, in whatever order: each level holds the sum, and answers are exact."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import empty
from tests.store.lines import NOW, Row, body

from streamgauge.model.views import Filters
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
ALL = Filters()
DAY = 86_400
EXAMPLES = 200 if os.environ.get("STREAMGAUGE_NIGHTLY") else 8
MIDNIGHT = NOW - NOW % DAY
UNITS = {"minute": 60, "hour": 3600, "day": DAY}
SOON = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

AT = st.one_of(
    st.integers(-2 * DAY * 4, DAY * 4).map(lambda quarter: MIDNIGHT + quarter / 4),
    st.sampled_from([-DAY, -3600, -60, 0, 60, 3600, DAY]).map(lambda border: MIDNIGHT + border),
)
MESSAGE = st.fixed_dictionaries(
    {
        "at": AT,
        "tenant": st.sampled_from("ab"),
        "outcome": st.sampled_from(["ok", "ok", "error"]),
        "count": st.integers(0, 1000),
        "bytes": st.integers(0, 2**40),
        "latency_s": st.one_of(st.none(), st.floats(2**-20, 1000, width=32)),
    }
)
QUEUE = st.fixed_dictionaries(
    {
        "at": AT,
        "queue": st.sampled_from("qr"),
        "backlog": st.one_of(st.none(), st.integers(0, 100).map(float)),
        "in_total": st.one_of(st.none(), st.integers(0, 100).map(float)),
    }
)
POINT = st.fixed_dictionaries(
    {
        "at": AT,
        "measurement": st.sampled_from(["cpu", "pool"]),
        "tags": st.sampled_from(["", "host=a"]),
        "field": st.just("busy"),
        "value": st.integers(-100, 100).map(float),
    }
)
Body = tuple[list[Row], list[Row], list[Row], bool]
"""Messages, queue lines, points; and whether hours and days are brought up to date after it."""
BODY: st.SearchStrategy[Body] = st.tuples(
    st.lists(MESSAGE, max_size=8),
    st.lists(QUEUE, max_size=4),
    st.lists(POINT, max_size=4),
    st.booleans(),
)


def put(store: Store, bodies: Sequence[Body]) -> None:
    empty(store)
    for messages, queue, points, is_settled in bodies:
        store.write(body(messages, queue, points), None, NOW)
        assert store.flush(30)
        if is_settled:
            assert store.settle(30)


def frame(rows: Sequence[Row], unit: str) -> pl.DataFrame:
    size = UNITS[unit]
    bucket = (pl.col("at") // size).cast(pl.Int64).alias(unit)
    return pl.DataFrame(rows, infer_schema_length=None).with_row_index("seq").with_columns(bucket)


def rows_of(store: Store, sql: str) -> list[dict[str, Any]]:
    return sorted(store._engine.query(sql).to_pylist(), key=str)


def plain(rows: pl.DataFrame) -> list[dict[str, Any]]:
    return sorted(rows.to_dicts(), key=str)


@SOON
@given(bodies=st.lists(BODY, min_size=1, max_size=4))
def test_each_level_holds_the_sum_of_all_rows(store: Store, bodies: Sequence[Body]) -> None:
    put(store, bodies)
    assert store.settle(30)
    messages = [row for each in bodies for row in each[0]]
    queue = [row for each in bodies for row in each[1]]
    for unit in UNITS:
        if messages:
            assert messages_of(store, unit) == plain(summed_messages(messages, unit))
        if queue:
            assert queues_of(store, unit) == plain(summed_queues(queue, unit))


def messages_of(store: Store, unit: str) -> list[dict[str, Any]]:
    return rows_of(
        store,
        f"SELECT {unit}, tenant, outcome, sum(count) AS count, sum(bytes) AS bytes, "
        "toFloat64(if(min(latency_min) = inf, NULL, min(latency_min))) AS low, "
        "toFloat64(if(max(latency_max) = -inf, NULL, max(latency_max))) AS high, "
        "toUInt64(arraySum(mapValues(sumMap(latency_hist)))) AS told, max(last_ns) AS last_ns "
        f"FROM {unit} GROUP BY {unit}, tenant, outcome",
    )


def summed_messages(rows: Sequence[Row], unit: str) -> pl.DataFrame:
    is_told = pl.col("latency_s").is_not_null()
    return (
        frame(rows, unit)
        .with_columns(pl.col("latency_s").cast(pl.Float64))
        .group_by(unit, "tenant", "outcome")
        .agg(
            pl.col("count", "bytes").sum(),
            pl.col("latency_s").min().alias("low"),
            pl.col("latency_s").max().alias("high"),
            pl.col("count").filter(is_told).sum().alias("told"),
            ((pl.col("at") * 4).cast(pl.Int64) * 250_000_000).max().alias("last_ns"),
        )
    )


def queues_of(store: Store, unit: str) -> list[dict[str, Any]]:
    return rows_of(
        store,
        f"SELECT {unit}, queue, if(max(backlog_last).1 < 0, NULL, max(backlog_last).3) AS last, "
        f"min(backlog_min) AS low, max(backlog_max) AS high FROM queue_{unit} "
        f"GROUP BY {unit}, queue",
    )


def summed_queues(rows: Sequence[Row], unit: str) -> pl.DataFrame:
    backlog = pl.col("backlog").cast(pl.Float64)
    return (
        frame(rows, unit)
        .sort("at", "seq")
        .group_by(unit, "queue")
        .agg(
            backlog.drop_nulls().last().alias("last"),
            backlog.min().alias("low"),
            backlog.max().alias("high"),
        )
    )


@SOON
@given(bodies=st.lists(BODY, min_size=1, max_size=4))
def test_each_level_holds_every_numeric_field(store: Store, bodies: Sequence[Body]) -> None:
    put(store, bodies)
    assert store.settle(30)
    fields = numeric_fields(bodies)
    for unit in UNITS if fields else ():
        found = rows_of(
            store,
            f"SELECT {unit}, measurement, field, tags, sum(count) AS count, sum(sum) AS sum, "
            "min(min) AS min, max(max) AS max, min(first).3 AS first, max(last).3 AS last "
            f"FROM point_{unit} GROUP BY {unit}, measurement, field, tags",
        )
        assert found == plain(summed_fields(fields, unit))


def numeric_fields(bodies: Sequence[Body]) -> list[Row]:
    """Of several values with one stamp the last one holds; within a body none of the others."""
    rows: list[Row] = []
    for number, (_, queue, points, _) in enumerate(bodies):
        told = [dict(row) for row in points]
        for name in ("backlog", "in_total"):
            told += [
                {
                    "at": row["at"],
                    "measurement": "queue",
                    "tags": f"queue={row['queue']}",
                    "field": name,
                    "value": row[name],
                }
                for row in queue
                if row[name] is not None
            ]
        last = {tuple(row[k] for k in ("at", "measurement", "tags", "field")): row for row in told}
        rows += [{**row, "number": number} for row in last.values()]
    return rows


def summed_fields(rows: Sequence[Row], unit: str) -> pl.DataFrame:
    value = pl.col("value").cast(pl.Float64)
    first = value.sort_by(pl.col("at") * 100 - pl.col("number")).first()
    return (
        frame(rows, unit)
        .sort("at", "number")
        .group_by(unit, "measurement", "field", "tags")
        .agg(
            pl.len().cast(pl.UInt64).alias("count"),
            value.sum().alias("sum"),
            value.min().alias("min"),
            value.max().alias("max"),
            first.alias("first"),
            value.last().alias("last"),
        )
    )


@SOON
@given(
    bodies=st.lists(BODY, min_size=1, max_size=4),
    low=AT,
    length=st.one_of(st.integers(1, 3 * DAY), st.sampled_from([3600, DAY, 2 * DAY])),
    step=st.sampled_from([60, 90, 3600, 5400, 7200, DAY]),
)
def test_answers_are_what_the_rows_say_at_any_border(
    store: Store, bodies: Sequence[Body], low: float, length: int, step: int
) -> None:
    put(store, bodies)
    messages = [row for each in bodies for row in each[0]]
    queue = [row for each in bodies for row in each[1]]
    inside = [row for row in messages if low <= float(str(row["at"])) < low + length]
    found = store.overview(low, low + length, ALL)
    assert (found.messages or 0) == sum(int(str(row["count"])) for row in inside)
    for metric, name, told in (
        ("messages", "count", messages),
        ("latency_max", "latency_s", messages),
        ("backlog", "backlog", queue),
    ):
        answer = store.timeseries(metric, low, low + length, step, [], ALL)
        (values,) = [series.values for series in answer.series] or [[]]
        for at, value in zip(answer.timestamps, values, strict=False):
            here = [
                row
                for row in told
                if max(low, at) <= float(str(row["at"])) < min(low + length, at + step)
                and row[name] is not None
            ]
            assert (value or 0) == pytest.approx(expected(metric, here))


def expected(metric: str, rows: Sequence[Row]) -> float:
    if metric == "messages":
        return float(sum(int(str(row["count"])) for row in rows))
    if metric == "latency_max":
        return max((float(str(row["latency_s"])) for row in rows), default=0.0)
    ordered = sorted(enumerate(rows), key=lambda each: (each[1]["at"], each[0]))
    return float(sum({row["queue"]: float(str(row["backlog"])) for _, row in ordered}.values()))


@pytest.mark.parametrize("age_s", [0, 3 * 3600, 3 * DAY, 40 * DAY])
@pytest.mark.parametrize("is_waiting", [False, True])
def test_late_lines_reach_every_level(store: Store, age_s: int, is_waiting: bool) -> None:
    at = MIDNIGHT - age_s + 12 * 3600 + 90
    message: Row = {"at": at, "tenant": "a", "count": 2, "latency_s": 0.5}
    put(store, [([message], [], [], True), ([message], [], [], not is_waiting)])
    for size in UNITS.values():
        start = at // size * size
        assert store.overview(start, start + size, ALL).messages == 4
        answer = store.timeseries("messages,latency_p50", start, start + size, size, [], ALL)
        assert answer.timestamps == [start]
        assert [series.values[0] for series in answer.series] == [
            4.0,
            pytest.approx(0.5, rel=0.0111),
        ]


def test_percentiles_over_days_come_from_merged_histograms(store: Store) -> None:
    latencies_s = [1.1 ** (number % 50) for number in range(120)]
    rows: list[Row] = [
        {"at": MIDNIGHT + (number - 60) * 3600, "tenant": "a", "latency_s": latency_s}
        for number, latency_s in enumerate(latencies_s)
    ]
    put(store, [(rows[::2], [], [], True), (rows[1::2], [], [], True)])
    found = store.overview(MIDNIGHT - 3 * DAY, MIDNIGHT + 3 * DAY, ALL).latency
    ordered = sorted(latencies_s)
    assert found.p50_s == pytest.approx(ordered[59], rel=0.0111)
    assert found.p99_s == pytest.approx(ordered[118], rel=0.0111)
