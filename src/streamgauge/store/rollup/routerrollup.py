"""Sums a segment's rows by the router they came through, for detection and for `router_hour`; pure.

Nothing is made of rows that name no router. A row without a flow (all its tags empty, count 0) is
a sign of life: a line of `queue`, or of any other measurement with a tag `router`, or durations of
messages that are counted elsewhere, with other labels maybe.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from streamgauge.model.words import Outcome
from streamgauge.store import columns
from streamgauge.store.levels import NS_A_MINUTE
from streamgauge.store.rollup.durations import durations_in, is_message
from streamgauge.store.rollup.grouping import grouped, key_of, take_tags
from streamgauge.store.rollup.rawrows import OrderedMessages

ROUTER_TAG = r"(?:^|,)router=((?:[^,\\]|\\.)+)"
"""The value of the tag in a canonical line of tags, escapes and all."""
ROUTER_KEY = ("router", *columns.FLOW_KEY)


def router_rows(messages: OrderedMessages, queue: pa.Table, points: pa.Table) -> pa.Table:
    """What each router sent, by flow and minute: ROUTERS_COLUMNS."""
    told = [
        _sent(messages),
        _alive(durations_in(messages.rows), "router", None),
        _alive(queue, "router", None),
        _alive(points, "tags", ROUTER_TAG),
    ]
    return columns.join([table for table in told if table.num_rows], columns.ROUTERS)


def router_hours(routers: pa.Table) -> pa.Table:
    """`router_rows` by the hour: table `router_hour`."""
    minute = routers.column("minute").to_numpy()
    order, starts, _ = grouped(key_of(routers, ROUTER_KEY, first=(minute // 60,)))
    bits = np.left_shift(np.uint64(1), (minute % 60).astype(np.uint64))
    count, last_ns = routers.column("count").to_numpy(), routers.column("last_ns").to_numpy()
    return pa.table(
        {
            "hour": minute[order[starts]] // 60,
            **take_tags(routers, ROUTER_KEY, order[starts]),
            "count": np.add.reduceat(count[order], starts),
            "minutes": np.bitwise_or.reduceat(bits[order], starts),
            "last_ns": np.maximum.reduceat(last_ns[order], starts),
        }
    )


def _sent(messages: OrderedMessages) -> pa.Table:
    """Messages by flow, outcome, minute and router; attempts that are made again left out."""
    rows, starts = messages.rows, messages.starts
    codes, words = columns.codes_of(rows.column("router"))
    is_named = np.array([bool(word) for word in words.to_pylist()], bool)
    if not len(codes) or not is_named.any():
        return columns.ROUTERS.empty_table()
    outcomes, kinds = columns.codes_of(rows.column("outcome"))
    is_kept = np.array([kind != Outcome.RETRIED.value for kind in kinds.to_pylist()], bool)
    at = np.flatnonzero(is_named[codes] & is_kept[outcomes] & is_message(rows))
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
    frame = pl.DataFrame(
        {
            "key": group[at] * len(words) + codes[at],
            "row": at,
            "count": rows.column("count").to_numpy()[at],
            "time_ns": rows.column("time_ns").to_numpy()[at],
        }
    )
    sums = frame.group_by("key").agg(
        pl.col("row").first(), pl.col("count").sum(), pl.col("time_ns").max()
    )
    return _table(rows, sums.sort("row"))


def _table(rows: pa.Table, sums: pl.DataFrame) -> pa.Table:
    last_ns = sums["time_ns"].to_numpy()
    return pa.table(
        {
            "minute": last_ns // NS_A_MINUTE,
            **take_tags(rows, ROUTER_KEY, sums["row"].to_numpy()),
            "count": sums["count"].to_numpy(),
            "last_ns": last_ns,
        }
    ).cast(columns.ROUTERS)


def _alive(rows: pa.Table, column: str, pattern: str | None) -> pa.Table:
    """The routers that `column` names, by minute; with `pattern` it is a part of its text."""
    if not rows.num_rows:
        return columns.ROUTERS.empty_table()
    codes, words = columns.codes_of(rows.column(column))
    names = pl.Series(words.to_pylist(), dtype=pl.String)
    if pattern:
        names = names.str.extract(pattern, 1).str.replace_all(r"\\([,= ])", "$1").fill_null("")
    if not (names != "").any():
        return columns.ROUTERS.empty_table()
    seen = (
        pl.DataFrame({"router": names.gather(codes), "time_ns": rows.column("time_ns").to_numpy()})
        .filter(pl.col("router") != "")
        .group_by("router", pl.col("time_ns") // NS_A_MINUTE)
        .agg(pl.col("time_ns").max().alias("last_ns"))
        .sort("last_ns", "router")
    )
    empty = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(seen), np.int32)), pa.array([""]))
    return pa.table(
        {
            "minute": seen["time_ns"].to_numpy(),
            "router": pa.array(seen["router"].to_list(), pa.string()).dictionary_encode(),
            **dict.fromkeys(columns.FLOW_KEY, empty),
            "count": np.zeros(len(seen), np.uint64),
            "last_ns": seen["last_ns"].to_numpy(),
        }
    ).cast(columns.ROUTERS)
