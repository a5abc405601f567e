"""Sums minute rows' latency histograms by flow, for detection; pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.feed import LATENCY_STEP
from streamgauge.model.words import Outcome
from streamgauge.store import columns
from streamgauge.store.rollup.grouping import Ints, grouped, key_of, take_tags

SQL_GROUP = (
    f"toInt16(intDiv({{0}} + 32768, {LATENCY_STEP}) * {LATENCY_STEP} - {32_769 - LATENCY_STEP})"
)
"""The last bucket of the group that `{0}` belongs to, in SQL."""


def group_of(buckets: NDArray[np.integer[Any]]) -> Ints:
    """The last bucket of the group that each bucket belongs to."""
    wide = buckets.astype(np.int64) + 32_768
    return np.asarray(wide // LATENCY_STEP * LATENCY_STEP - (32_769 - LATENCY_STEP))


def latency_rows(minutes: pa.Table) -> pa.Table:
    """Table `minute` by flow, minute and bucket: LATENCIES_COLUMNS."""
    codes, outcomes = columns.codes_of(minutes.column("outcome"))
    is_end = np.array([word != Outcome.RETRIED.value for word in outcomes.to_pylist()], bool)
    maps = minutes.column("latency_hist").combine_chunks()
    row = np.repeat(np.arange(len(codes)), np.diff(maps.offsets.to_numpy()))
    told = np.flatnonzero(is_end[codes[row]]) if len(row) else row
    row, bucket = row[told], group_of(maps.keys.to_numpy()[told])
    rows = minutes.select(["minute", *columns.FLOW_KEY]).take(pa.array(row))
    table = rows.append_column("bucket", pa.array(bucket.astype(np.int16)))
    table = table.append_column("count", pa.array(maps.items.to_numpy()[told]))
    return summed_latencies(table.cast(columns.LATENCIES))


def summed_latencies(rows: pa.Table) -> pa.Table:
    """Rows in LATENCIES_COLUMNS, joined, summed to one a flow, minute and bucket."""
    if not rows.num_rows:
        return rows
    minute, bucket = rows.column("minute").to_numpy(), rows.column("bucket").to_numpy()
    key = key_of(rows, columns.FLOW_KEY, minute, bucket.astype(np.int64))
    order, starts, _ = grouped(key)
    first = order[starts]
    return pa.table(
        {
            "minute": minute[first],
            **take_tags(rows, columns.FLOW_KEY, first),
            "bucket": bucket[first],
            "count": np.add.reduceat(rows.column("count").to_numpy()[order], starts),
        }
    ).cast(columns.LATENCIES)
