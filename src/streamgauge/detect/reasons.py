"""Why messages failed lately: counts per flow and reason, of the last hour."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from streamgauge.detect.arrays import Floats, Ints

_KEPT_MINUTES = 90
_PARTS_BEFORE_SUM = 64
_TOP = 3
_SCHEMA = {"minute": pl.Int64, "flow": pl.Int32, "reason": pl.String, "count": pl.Float64}


class Reasons:
    """Failures by flow, minute and reason."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, minute: Ints, flow: Ints, reason: pa.ChunkedArray, counts: Floats) -> None:
        """Add failures; all arrays have one place a row."""
        part = pl.DataFrame(
            {
                "minute": minute,
                "flow": flow,
                "reason": pl.Series(pl.from_arrow(reason)).cast(pl.String),
                "count": counts,
            },
            schema_overrides=_SCHEMA,
        )
        self._parts.append(part)
        if len(self._parts) > _PARTS_BEFORE_SUM:
            self._parts = [self._summed()]

    def top(self, flows: Ints, since_minute: int) -> list[tuple[str, int]]:
        """The commonest reasons of these flows since a minute, most first, with their counts."""
        if not self._parts:
            return []
        self._parts = [self._summed()]
        wanted = pl.Series(np.asarray(flows, np.int32))
        found = (
            self._parts[0]
            .filter((pl.col("minute") >= since_minute) & pl.col("flow").is_in(wanted.implode()))
            .filter(pl.col("reason") != "")
            .group_by("reason")
            .agg(pl.col("count").sum())
            .sort(["count", "reason"], descending=[True, False])
            .head(_TOP)
        )
        return [(reason, int(count)) for reason, count in found.iter_rows()]

    def _summed(self) -> pl.DataFrame:
        all_parts = pl.concat(self._parts)
        newest = all_parts["minute"].max()
        oldest = (newest if isinstance(newest, int) else 0) - _KEPT_MINUTES
        return (
            all_parts.filter(pl.col("minute") > oldest)
            .group_by(["minute", "flow", "reason"])
            .agg(pl.col("count").sum())
        )
