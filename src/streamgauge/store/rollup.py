"""Sums a segment's rows to what the rollup tables take; pure.

It is done here and not by a materialized view because detection is fed by the same sums, and
because a view that builds two histograms costs more processor time (docs/adr/0004). Each rollup is
one insert with a token of its own, so that a segment sent again after a crash counts once.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.store import columns
from streamgauge.store.grouping import Ints, key_of, take_tags
from streamgauge.store.histogram import bucket_of
from streamgauge.store.levels import NS_A_MINUTE

EXTREMES = ("latency_min", "latency_max", "queue_min", "queue_max")
"""Seconds, to 7 digits; infinite where no duration was told."""


def minute_rows(messages: pa.Table) -> pa.Table:
    """`messages` (joined) summed by flow, outcome, reason and minute: table `minute`."""
    time_ns = messages.column("time_ns").to_numpy()
    minute = time_ns // NS_A_MINUTE
    key = key_of(messages, columns.MINUTE_KEY, minute)
    count = messages.column("count").to_numpy()
    latency_s = messages.column("latency_s").to_numpy()
    queue_s = messages.column("queue_s").to_numpy()
    sums = (
        pl.DataFrame(
            {
                "key": key,
                "row": np.arange(len(key)),
                "count": count,
                "bytes": messages.column("bytes").to_numpy(),
                "time_ns": time_ns,
                **_bounds("latency", latency_s),
                **_bounds("queue", queue_s),
            }
        )
        .group_by("key")
        .agg(
            pl.col("row").first(),
            pl.col("count", "bytes").sum(),
            pl.col("latency_min", "queue_min").min(),
            pl.col("latency_max", "queue_max").max(),
            pl.col("time_ns").max().alias("last_ns"),
            pl.col("time_ns").min().alias("first_ns"),
        )
        .sort("key")
    )
    rows, keys = sums["row"].to_numpy(), sums["key"].to_numpy()
    return pa.table(
        {
            "minute": minute[rows],
            **take_tags(messages, columns.MINUTE_KEY, rows),
            "count": sums["count"].to_numpy(),
            "bytes": sums["bytes"].to_numpy(),
            "latency_hist": _histograms(latency_s, key, count, keys),
            "queue_hist": _histograms(queue_s, key, count, keys),
            **{name: sums[name].to_numpy() for name in EXTREMES},
            "last_ns": sums["last_ns"].to_numpy(),
            "first_ns": sums["first_ns"].to_numpy(),
        }
    )


def _bounds(name: str, durations_s: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """What the shortest and longest are found of; where none is told, it is neither."""
    is_told = ~np.isnan(durations_s)
    short = durations_s.astype(np.float32)
    return {
        f"{name}_min": np.where(is_told, short, np.float32(np.inf)),
        f"{name}_max": np.where(is_told, short, np.float32(-np.inf)),
    }


def _histograms(
    durations_s: NDArray[np.float64], key: Ints, weights: NDArray[np.uint64], keys: Ints
) -> pa.MapArray:
    """One map of bucket to messages for each of `keys` (ascending), of the rows with that key."""
    is_told = ~np.isnan(durations_s)
    packed = (key[is_told] << 16) + (bucket_of(durations_s[is_told]).astype(np.int64) + 32_768)
    sums = (
        pl.DataFrame({"packed": packed, "weight": weights[is_told]})
        .group_by("packed")
        .agg(pl.col("weight").sum())
        .sort("packed")
    )
    packed = sums["packed"].to_numpy()
    starts = np.searchsorted(packed >> 16, keys)
    offsets = np.append(starts, len(packed)).astype(np.int32)
    buckets = ((packed & 0xFFFF) - 32_768).astype(np.int16)
    return pa.MapArray.from_arrays(offsets, pa.array(buckets), pa.array(sums["weight"].to_numpy()))


def last_seen_rows(minutes: pa.Table) -> pa.Table:
    """The first and newest time stamp of each flow in `minute_rows`: table `last_seen`."""
    key = key_of(minutes, columns.FLOW_KEY)
    frame = pl.DataFrame(
        {
            "key": key,
            "row": np.arange(len(key)),
            "first_ns": minutes.column("first_ns").to_numpy(),
            "last_ns": minutes.column("last_ns").to_numpy(),
        }
    )
    bounds = frame.group_by("key").agg(
        pl.col("row").first(), pl.col("first_ns").min(), pl.col("last_ns").max()
    )
    bounds = bounds.sort("row")
    return pa.table(
        {
            **take_tags(minutes, columns.FLOW_KEY, bounds["row"].to_numpy()),
            "first_ns": bounds["first_ns"].to_numpy(),
            "last_ns": bounds["last_ns"].to_numpy(),
        }
    )


def seen_rows(*tables: pa.Table) -> pa.Table:
    """Minutes in which any row of `tables` is stamped: table `seen_minute`."""
    time_ns = np.concatenate([table.column("time_ns").to_numpy() for table in tables])
    seen = (
        pl.DataFrame({"minute": time_ns // NS_A_MINUTE, "time_ns": time_ns})
        .group_by("minute")
        .agg(pl.len().cast(pl.UInt64).alias("lines"), pl.col("time_ns").max().alias("last_ns"))
        .sort("minute")
    )
    return pa.table({name: seen[name].to_numpy() for name in ("minute", "lines", "last_ns")})
