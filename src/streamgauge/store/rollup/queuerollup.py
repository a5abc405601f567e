"""Sums a segment's `queue` rows by queue and minute: last values, and the backlog's extremes.

A state that has ended (`model.batch.ENDED`) is a last value, so that it outdoes older ones; whoever
reads takes it for unknown.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.store import columns
from streamgauge.store.levels import NS_A_MINUTE
from streamgauge.store.rollup.grouping import Ints, key_of, take_tags

LAST_FIELDS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers")
_LAST = pa.struct([("1", pa.int64()), ("2", pa.int64()), ("3", pa.float64())])


def queue_minute_rows(queue: pa.Table) -> pa.Table:
    """`queue` (joined, with `seq`) by queue and minute: table `queue_minute`."""
    time_ns, seq = queue.column("time_ns").to_numpy(), queue.column("seq").to_numpy()
    minute = time_ns // NS_A_MINUTE
    key = key_of(queue, columns.QUEUE_KEY, minute)
    order = np.lexsort((seq, time_ns, key))
    keys, first = np.unique(key, return_index=True)
    last_of = _run_ends(key[order])
    made = {
        "minute": pa.array(minute[first]),
        **take_tags(queue, columns.QUEUE_KEY, first),
    }
    for name in LAST_FIELDS:
        values = queue.column(name).to_numpy()
        made[f"{name}_last"] = _last_values(values, time_ns, seq, key, order, keys)
    made |= _extremes(queue.column("backlog").to_numpy(), key, order, keys)
    made["last_ns"] = pa.array(time_ns[order][last_of])
    return pa.table(made)


def _run_ends(keys: Ints) -> Ints:
    """Positions of the last of each run of equal keys."""
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    return np.append(np.flatnonzero(keys[1:] != keys[:-1]), len(keys) - 1)


def _last_values(
    values: NDArray[np.float64], time_ns: Ints, seq: Ints, key: Ints, order: Ints, keys: Ints
) -> pa.StructArray:
    """(time_ns, seq, value) of the last value told under each key; time_ns = -1: none told."""
    told = order[~np.isnan(values[order])]
    last = told[_run_ends(key[told])]
    at = np.searchsorted(keys, key[last])
    times, seqs = np.full(len(keys), -1, np.int64), np.zeros(len(keys), np.int64)
    lasts = np.zeros(len(keys))
    times[at], seqs[at], lasts[at] = time_ns[last], seq[last], values[last]
    arrays = [pa.array(times), pa.array(seqs), pa.array(lasts)]
    return pa.StructArray.from_arrays(arrays, fields=list(_LAST))


def _extremes(
    values: NDArray[np.float64], key: Ints, order: Ints, keys: Ints
) -> dict[str, pa.Array]:
    told = order[np.isfinite(values[order])]
    low, high = np.full(len(keys), np.nan), np.full(len(keys), np.nan)
    if len(told):
        ends = _run_ends(key[told])
        starts = np.append(0, ends[:-1] + 1)
        at = np.searchsorted(keys, key[told][ends])
        low[at] = np.minimum.reduceat(values[told], starts)
        high[at] = np.maximum.reduceat(values[told], starts)
    return {
        "backlog_min": pa.array(low, from_pandas=True),
        "backlog_max": pa.array(high, from_pandas=True),
    }


def queue_delta_rows(rollup: pa.Table) -> pa.Table:
    """`queue_minute` rows in the feed's QUEUES_COLUMNS."""
    made = {name: rollup.column(name) for name in ("minute", *columns.QUEUE_KEY)}
    for name in LAST_FIELDS:
        last = rollup.column(f"{name}_last").combine_chunks()
        values = last.field("3").to_numpy(zero_copy_only=False).copy()
        is_told = last.field("1").to_numpy(zero_copy_only=False) >= 0
        values[~(is_told & np.isfinite(values))] = np.nan
        made[name] = pa.array(values, from_pandas=True)
    made["last_ns"] = rollup.column("last_ns")
    return pa.table(made).select(columns.QUEUES.names).cast(columns.QUEUES)
