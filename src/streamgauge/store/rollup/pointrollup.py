"""Sums a segment's numeric fields, of `points` and of `queue`, by series and minute; pure.

Within a segment, of several values of one field with one time stamp the last acknowledged counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from streamgauge.store import columns
from streamgauge.store.levels import NS_A_MINUTE
from streamgauge.store.rollup.grouping import Ints, key_of

NUMERIC_TYPES = ("f", "i", "u")
SERIES_KEY = ("db", "measurement", "field", "tags")
_QUEUE_FIELDS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight")
_QUEUE_TAGS = ("queue", "pipeline", "integration", "tenant", "router")
_QUEUE_SERIES = ("db", *_QUEUE_TAGS, "tags")
_COMMA = re.compile(r"(?<!\\),")
_SPECIAL = re.compile(r"([,= ])")
_COLUMNS = ("time_ns", "seq", *SERIES_KEY, "value")


def point_minute_rows(points: pa.Table, queue: pa.Table) -> pa.Table:
    """`points` and `queue` (joined, with `seq`) by series, field and minute: `point_minute`."""
    told = [_numbers_of(points), *_fields_of(queue)]
    rows = columns.join([table for table in told if table.num_rows], _schema())
    if not rows.num_rows:
        return rows
    time_ns = rows.column("time_ns").to_numpy()
    series = key_of(rows, SERIES_KEY)
    sums = _summed(
        pl.DataFrame(
            {
                "series": series,
                "row": np.arange(len(series)),
                "minute": time_ns // NS_A_MINUTE,
                "time_ns": time_ns,
                "seq": rows.column("seq").to_numpy(),
                "value": rows.column("value").to_numpy(),
            }
        )
    )
    tags = rows.select(list(SERIES_KEY)).take(pa.array(sums["row"].to_numpy())).combine_chunks()
    return pa.table(
        {
            "minute": sums["minute"].to_numpy(),
            **{name: tags.column(name) for name in SERIES_KEY},
            **{name: sums[name].to_numpy() for name in ("count", "sum", "min", "max")},
            "first": _tuples(sums, "first", order=-1),
            "last": _tuples(sums, "last", order=1),
        }
    )


def _schema() -> pa.Schema:
    tags = [pa.field(name, columns.TAG) for name in SERIES_KEY]
    numbers = [pa.field("time_ns", pa.int64()), pa.field("seq", pa.int64())]
    return pa.schema([*numbers, *tags, pa.field("value", pa.float64())])


def _summed(values: pl.DataFrame) -> pl.DataFrame:
    """One row a series and minute, in the order in which they first came."""
    last_told = values.unique(["series", "time_ns"], keep="last", maintain_order=True)
    ends = [
        getattr(pl.col(name), end)().alias(f"{end}_{name}")
        for end in ("first", "last")
        for name in ("time_ns", "seq", "value")
    ]
    sums = last_told.sort("time_ns", maintain_order=True).group_by("series", "minute")
    return sums.agg(
        pl.col("row").min(),
        pl.len().cast(pl.UInt64).alias("count"),
        pl.col("value").sum().alias("sum"),
        pl.col("value").min().alias("min"),
        pl.col("value").max().alias("max"),
        *ends,
    ).sort("row")


def _tuples(sums: pl.DataFrame, end: str, order: int) -> pa.StructArray:
    """(time_ns, seq, value); `order` -1: the later of two is the lesser tuple."""
    arrays = [
        pa.array(sums[f"{end}_time_ns"].to_numpy()),
        pa.array(sums[f"{end}_seq"].to_numpy() * order),
        pa.array(sums[f"{end}_value"].to_numpy()),
    ]
    return pa.StructArray.from_arrays(arrays, names=["1", "2", "3"])


def _numbers_of(points: pa.Table) -> pa.Table:
    """The rows that hold a number."""
    if not points.num_rows:
        return _schema().empty_table()
    is_number = pc.is_in(points.column("type"), pa.array(NUMERIC_TYPES))
    is_told = pc.and_(is_number, pc.is_finite(pc.fill_null(points.column("value"), np.nan)))
    return points.filter(is_told).select(list(_COLUMNS)).cast(_schema())


def _fields_of(queue: pa.Table) -> list[pa.Table]:
    """Each field of `queue` as rows like those of `points`."""
    if not queue.num_rows:
        return []
    size = queue.num_rows
    tags = _canonical_tags(queue)
    made = []
    for name in _QUEUE_FIELDS:
        table = pa.table(
            {
                "time_ns": queue.column("time_ns"),
                "seq": queue.column("seq"),
                "db": queue.column("db"),
                "measurement": _constant("queue", size),
                "field": _constant(name, size),
                "tags": tags,
                "value": queue.column(name),
            }
        )
        is_told = pc.is_finite(pc.fill_null(table.column("value"), np.nan))
        made.append(table.filter(is_told).cast(_schema()))
    return made


def _constant(word: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([word]))


def _canonical_tags(queue: pa.Table) -> pa.DictionaryArray:
    """Each row's tags as `points` has them; a queue's are found once a series, not once a row."""
    series: Ints = key_of(queue, _QUEUE_SERIES)
    _, rows, codes = np.unique(series, return_index=True, return_inverse=True)
    words = queue.select(list(_QUEUE_SERIES)).take(pa.array(rows)).to_pylist()
    texts = [_canonical(tuple(row[name] for name in _QUEUE_TAGS), row["tags"]) for row in words]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(texts))


@lru_cache(maxsize=100_000)
def _canonical(values: tuple[str, ...], rest: str) -> str:
    """Sorted `k=v,k=v`, escaped as line protocol; `rest` is so already."""
    own = [
        name + "=" + _SPECIAL.sub(r"\\\1", value)
        for name, value in zip(_QUEUE_TAGS, values, strict=True)
        if value
    ]
    return ",".join(sorted([*own, *(_COMMA.split(rest) if rest else [])]))
