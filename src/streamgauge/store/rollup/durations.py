"""Rows that tell durations of messages which are counted elsewhere, among those that count; pure.

A histogram beside a counter says how long so many messages took, and nothing about how many there
were. Such a row is stored with `count` 0 and its own `weight`; where every row is worth its count,
there is no column `weight` at all. In sums its time stamps are the least and the greatest there
are, turned round: they change no minimum or maximum, and a sum of such rows alone is known by them.
No flow has spoken by it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streamgauge.store.rollup.grouping import Ints

WEIGHT = "weight"
"""How many messages a row's durations stand for; 0: as many as it counts."""
NEVER_FIRST_NS, NEVER_LAST_NS = 2**63 - 1, -(2**63)


def with_durations(messages: pa.Table, durations: pa.Table) -> pa.Table:
    """Both in one table, joined; `messages` as it is where no duration stands for a message."""
    durations = durations.filter(pc.greater(durations.column("count"), 0))
    if not durations.num_rows:
        return messages
    none = pa.array(np.zeros(durations.num_rows, np.uint64))
    weighing = durations.append_column(WEIGHT, durations.column("count"))
    for name in ("count", "bytes"):
        at, field = weighing.schema.get_field_index(name), weighing.schema.field(name)
        weighing = weighing.set_column(at, field, none)
    no_weight = pa.array(np.zeros(messages.num_rows, np.uint64))
    counting = messages.append_column(weighing.schema.field(WEIGHT), no_weight)
    return pa.concat_tables([counting, weighing]).unify_dictionaries().combine_chunks()


def weights_of(rows: pa.Table) -> NDArray[np.uint64]:
    """How many messages each row's durations stand for."""
    count: NDArray[np.uint64] = rows.column("count").to_numpy()
    if WEIGHT not in rows.column_names:
        return count
    weight = rows.column(WEIGHT).to_numpy()
    return np.where(weight > 0, weight, count)


def spoken(rows: pa.Table) -> tuple[Ints, Ints]:
    """Time stamps to take the minimum and the maximum of, so that durations alone leave none."""
    time_ns: Ints = rows.column("time_ns").to_numpy()
    if WEIGHT not in rows.column_names:
        return time_ns, time_ns
    is_silent = rows.column(WEIGHT).to_numpy() > 0
    return np.where(is_silent, NEVER_FIRST_NS, time_ns), np.where(is_silent, NEVER_LAST_NS, time_ns)


def is_message(rows: pa.Table) -> NDArray[np.bool_]:
    """Which rows count, and do not tell durations of what is counted elsewhere."""
    if WEIGHT not in rows.column_names:
        return np.ones(rows.num_rows, np.bool_)
    found: NDArray[np.bool_] = rows.column(WEIGHT).to_numpy() == 0
    return found


def durations_in(rows: pa.Table) -> pa.Table:
    """The rows that do."""
    if WEIGHT not in rows.column_names:
        return rows.slice(0, 0)
    return rows.filter(pa.array(~is_message(rows)))


def is_counted(sums: pa.Table) -> NDArray[np.bool_]:
    """Which sums are of messages, not of durations alone."""
    found: NDArray[np.bool_] = sums.column("last_ns").to_numpy() != NEVER_LAST_NS
    return found


def counted(sums: pa.Table) -> pa.Table:
    """Those of messages alone."""
    is_told = is_counted(sums)
    return sums if is_told.all() else sums.filter(pa.array(is_told)).combine_chunks()
