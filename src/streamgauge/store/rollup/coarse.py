"""Turns a segment's minute rows into rows of hours, and those into rows of days; pure.

Nothing is summed: every column but the time adds up by the rule of its column, which the engine
follows when it inserts and merges. Hours also keep which of their minutes were active.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from streamgauge.store.levels import DAY, FAMILIES, HOUR, MESSAGES, MINUTE
from streamgauge.store.rollup.durations import is_counted

MINUTES_AN_HOUR = 60
HOURS_A_DAY = 24


def hour_rows(minutes: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Tables of hours from a segment's tables of minutes, both by name; others are left out."""
    made = {}
    for family in FAMILIES:
        rows = minutes.get(family.table(MINUTE))
        if rows is not None and rows.num_rows:
            minute = rows.column(MINUTE.name).to_numpy()
            hours = rows.drop_columns([MINUTE.name])
            if family == MESSAGES:
                bits = np.left_shift(np.uint64(1), (minute % MINUTES_AN_HOUR).astype(np.uint64))
                bits = np.where(is_counted(rows), bits, np.uint64(0))
                hours = hours.add_column(0, "minutes", pa.array(bits))
            made[family.table(HOUR)] = hours.add_column(
                0, HOUR.name, pa.array(minute // MINUTES_AN_HOUR)
            )
    return made


def day_rows(hours: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Tables of days from tables of hours."""
    made = {}
    for family in FAMILIES:
        rows = hours.get(family.table(HOUR))
        if rows is not None and rows.num_rows:
            day = rows.column(HOUR.name).to_numpy() // HOURS_A_DAY
            kept = [name for name in rows.column_names if name not in (HOUR.name, "minutes")]
            made[family.table(DAY)] = rows.select(kept).add_column(0, DAY.name, pa.array(day))
    return made


def hours_of(hours: Mapping[str, pa.Table]) -> set[int]:
    """The hours since the epoch that tables of hours hold."""
    return {
        int(hour)
        for rows in hours.values()
        for hour in np.unique(rows.column(HOUR.name).to_numpy())
    }
