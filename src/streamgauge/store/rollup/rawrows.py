"""Puts a segment's rows of `messages` as the raw table takes and packs them best; pure.

1. Rows of one series lie together inside each minute, in the order of acknowledgement: their tags
   then cost nothing, their time stamps are evenly spaced, and the engine, which sorts by minute
   and tenant, finds them sorted.
2. Durations become whole nanoseconds: decimal numbers, as senders write them, have no short form
   as binary fractions, but one as integers (two bytes in place of six). What is finer than a
   nanosecond or longer than 292 years is not kept; the histograms are made before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.store import columns
from streamgauge.store.levels import NS_A_MINUTE, NS_A_SECOND
from streamgauge.store.rollup.grouping import Ints, grouped, key_of

DURATIONS = {"latency_s": "latency_ns", "queue_s": "queue_ns"}
"""What a column of seconds becomes in the raw table, where it can be read by either name."""
_LONGEST_S = 9.2e9


@dataclass(frozen=True, slots=True)
class OrderedMessages:
    """Rows sorted by minute and tenant, the rows of one flow, outcome and reason side by side."""

    rows: pa.Table
    starts: Ints
    """Where the next minute, flow, outcome or reason begins; [n_groups], the first is 0."""


def order_messages(messages: pa.Table) -> OrderedMessages:
    """Sort joined rows; rows of one group keep their order."""
    minute = messages.column("time_ns").to_numpy() // NS_A_MINUTE
    tenant = _ranks(messages.column("tenant"))
    others = [name for name in columns.MINUTE_KEY if name != "tenant"]
    order, starts, _ = grouped(key_of(messages, others, first=(minute, tenant)))
    return OrderedMessages(messages.take(pa.array(order)).combine_chunks(), starts)


def _ranks(tags: pa.ChunkedArray) -> Ints:
    """int64 [n_rows]: the place of each tag among the distinct ones, sorted as the engine does."""
    codes, values = columns.codes_of(tags)
    words = np.array(values.to_pylist(), object)
    ranks = np.empty(len(words), np.int64)
    ranks[np.argsort(words, kind="stable")] = np.arange(len(words))
    found: Ints = ranks[codes]
    return found


def raw_rows(rows: pa.Table) -> pa.Table:
    """The columns of the raw table; joined rows, of messages or of hops: a duration may lack."""
    for name, stored in DURATIONS.items():
        if name not in rows.column_names:
            continue
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, stored, _nanoseconds(rows.column(at)))
    return columns.narrowed(rows)


def _nanoseconds(durations: pa.ChunkedArray) -> pa.Array:
    if durations.null_count == len(durations):
        return pa.nulls(len(durations), pa.int64())
    durations_s: NDArray[np.float64] = durations.to_numpy()
    is_none = np.isnan(durations_s)
    told = np.where(is_none, 0.0, np.minimum(durations_s, _LONGEST_S))
    return pa.array(np.rint(told * NS_A_SECOND).astype(np.int64), mask=is_none)
