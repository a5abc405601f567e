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
from streamgauge.store.levels import NS_A_MINUTE
from streamgauge.store.rollup.durations import spoken, weights_of
from streamgauge.store.rollup.grouping import Ints, grouped, key_of, take_tags
from streamgauge.store.rollup.histogram import bucket_of
from streamgauge.store.rollup.rawrows import OrderedMessages

_LOWEST_BUCKET, _BUCKET_BITS = -32_768, 16
_DENSE_MAX = 1 << 18
"""Cells up to which buckets are summed in place: no sorting, where many maps become few."""
PLATFORM_KEY = ("stage", "outcome")
EXTREMES = ("latency_min", "latency_max", "queue_min", "queue_max")
"""Seconds, to 7 digits; infinite where no duration was told."""
UNHEARD = -1
"""Stands for the newest report of a minute of which only our own collectors tell."""


def minute_rows(messages: OrderedMessages) -> pa.Table:
    """`messages` summed by flow, outcome, reason and minute: table `minute`, in their order."""
    rows, starts = messages.rows, messages.starts
    time_ns = rows.column("time_ns").to_numpy()
    count, weights = rows.column("count").to_numpy(), weights_of(rows)
    first_ns, last_ns = spoken(rows)
    latency_s = rows.column("latency_s").to_numpy()
    queue_s = rows.column("queue_s").to_numpy()
    return pa.table(
        {
            "minute": time_ns[starts] // NS_A_MINUTE,
            **take_tags(rows, columns.MINUTE_KEY, starts),
            "count": np.add.reduceat(count, starts),
            "bytes": np.add.reduceat(rows.column("bytes").to_numpy(), starts),
            "latency_hist": histograms(latency_s, starts, weights),
            "queue_hist": histograms(queue_s, starts, weights),
            **_extremes("latency", latency_s, starts),
            **_extremes("queue", queue_s, starts),
            "last_ns": np.maximum.reduceat(last_ns, starts),
            "first_ns": np.minimum.reduceat(first_ns, starts),
        }
    )


def _extremes(
    name: str, durations_s: NDArray[np.float64], starts: Ints
) -> dict[str, NDArray[np.float32]]:
    """The shortest and the longest of each group; infinite where none is told."""
    is_none = np.isnan(durations_s)
    short = durations_s.astype(np.float32)
    return {
        f"{name}_min": np.minimum.reduceat(np.where(is_none, np.float32(np.inf), short), starts),
        f"{name}_max": np.maximum.reduceat(np.where(is_none, np.float32(-np.inf), short), starts),
    }


def histograms(
    durations_s: NDArray[np.float64], starts: Ints, weights: NDArray[np.uint64]
) -> pa.MapArray:
    """One map of bucket to messages for each group of rows; a group ends where the next starts."""
    rows = np.flatnonzero(~np.isnan(durations_s))
    buckets = bucket_of(durations_s[rows]).astype(np.int64) - _LOWEST_BUCKET
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(durations_s))))
    return _maps_of((group[rows] << _BUCKET_BITS) + buckets, weights[rows], len(starts))


def _maps_of(key: Ints, weights: NDArray[np.uint64], group_count: int) -> pa.MapArray:
    """Weights summed by key: the number of the map, then the bucket in it."""
    order, first, key = grouped(key)
    sums = np.add.reduceat(weights[order], first) if len(first) else weights[:0]
    offsets = np.searchsorted(key >> _BUCKET_BITS, np.arange(group_count + 1))
    told = ((key & ((1 << _BUCKET_BITS) - 1)) + _LOWEST_BUCKET).astype(np.int16)
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(told), pa.array(sums, pa.uint64())
    )


def platform_rows(minutes: pa.Table) -> pa.Table:
    """`minute_rows` of all flows together: table `platform_minute`."""
    minute = minutes.column("minute").to_numpy()
    order, starts, _ = grouped(key_of(minutes, PLATFORM_KEY, first=(minute,)))
    summed = {name: minutes.column(name).to_numpy()[order] for name in ("count", "bytes")}
    ends = {name: minutes.column(name).to_numpy()[order] for name in EXTREMES[:2]}
    return pa.table(
        {
            "minute": minute[order[starts]],
            **take_tags(minutes, PLATFORM_KEY, order[starts]),
            **{name: np.add.reduceat(values, starts) for name, values in summed.items()},
            "latency_hist": _merged(minutes.column("latency_hist"), order, starts),
            "queue_hist": _merged(minutes.column("queue_hist"), order, starts),
            "latency_min": np.minimum.reduceat(ends["latency_min"], starts),
            "latency_max": np.maximum.reduceat(ends["latency_max"], starts),
        }
    )


def _merged(histograms: pa.ChunkedArray, order: Ints, starts: Ints) -> pa.MapArray:
    """The sum of the maps of each group; rows in `order`, a group ends where the next starts."""
    maps = histograms.combine_chunks()
    groups = np.empty(len(order), np.int64)
    groups[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    group = np.repeat(groups, np.diff(maps.offsets.to_numpy()))
    buckets, weights = maps.keys.to_numpy().astype(np.int64), maps.items.to_numpy()
    lowest = int(buckets.min(initial=0))
    width = int(buckets.max(initial=0)) - lowest + 1
    if width * len(starts) > _DENSE_MAX:
        return _maps_of((group << _BUCKET_BITS) + buckets - _LOWEST_BUCKET, weights, len(starts))
    return _dense_maps(group * width + buckets - lowest, weights, len(starts), lowest, width)


def _dense_maps(
    cells: Ints, weights: NDArray[np.uint64], group_count: int, lowest: int, width: int
) -> pa.MapArray:
    """Weights summed by cell; each map has `width` of them, the first for the bucket `lowest`."""
    sums = np.zeros(width * group_count, np.uint64)
    np.add.at(sums, cells, weights)
    is_told = np.zeros(len(sums), bool)
    is_told[cells] = True
    told = np.flatnonzero(is_told)
    offsets = np.searchsorted(told, np.arange(group_count + 1) * width)
    buckets = (told % width + lowest).astype(np.int16)
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(buckets), pa.array(sums[told], pa.uint64())
    )


def last_seen_rows(minutes: pa.Table) -> pa.Table:
    """The first and newest time stamp of each flow of counted rows: table `last_seen`."""
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


def seen_rows(messages_ns: Ints, *others: tuple[Ints, NDArray[np.bool_]]) -> pa.Table:
    """Minutes in which any row is stamped: table `seen_minute`.

    Args:
        messages_ns: [n] time stamps; messages are always reported to us.
        others: [n] time stamps of another table, and which of them were reported to us.
    """
    time_ns = np.concatenate([messages_ns, *(stamps for stamps, _ in others)])
    is_heard = np.concatenate([np.ones(len(messages_ns), bool), *(heard for _, heard in others)])
    seen = (
        pl.DataFrame(
            {
                "minute": time_ns // NS_A_MINUTE,
                "time_ns": time_ns,
                "heard_ns": np.where(is_heard, time_ns, UNHEARD),
            }
        )
        .group_by("minute")
        .agg(
            pl.len().cast(pl.UInt64).alias("lines"),
            pl.col("time_ns").max().alias("last_ns"),
            pl.col("heard_ns").max(),
        )
        .sort("minute")
    )
    names = ("minute", "lines", "last_ns", "heard_ns")
    return pa.table({name: seen[name].to_numpy() for name in names})
