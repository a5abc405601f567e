"""What was inserted, located in the tree once for all detectors.

Attempts (`retried`) are no messages and are left out, as are stamps that can only be a mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.levels import Levels
from streamgauge.detect.tags import PerDictionary
from streamgauge.model.words import FAILED, Outcome

EARLIEST_HOUR = 277_778
"""2001-09-09: a stamp before it is a mistake of the sender (1970 and thereabouts)."""
_FAILED = [outcome.value for outcome in FAILED]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows of MINUTES_COLUMNS, or of HOURS_COLUMNS (then `minute` is the hour's first).

    All arrays have one place a row, [n].
    """

    minute: Ints
    """int64: minutes since the epoch (event time)."""
    flows: Ints
    """int32: numbers of `Levels.flows`."""
    rows: Ints
    """int32 [n, 6]: the rows of the tree that it counts in; 0 fills up."""
    counts: Floats
    """Messages."""
    has_failed: Bools
    is_filtered: Bools
    first_s: Floats
    """Epoch seconds of the oldest and of the newest stamp; of an hour both are the newest."""
    last_s: Floats
    reason: pa.ChunkedArray | None
    """Why they failed; None: not known (hours)."""
    active_minutes: Ints | None = None
    """Of hours: minutes with a message, 0 … 60."""

    def __len__(self) -> int:
        """How many rows."""
        return len(self.minute)

    def part(self, at: Ints) -> Arrivals:
        """Some of the rows, by their places."""
        return Arrivals(
            self.minute[at],
            self.flows[at],
            self.rows[at],
            self.counts[at],
            self.has_failed[at],
            self.is_filtered[at],
            self.first_s[at],
            self.last_s[at],
            None if self.reason is None else self.reason.take(pa.array(at)),
            None if self.active_minutes is None else self.active_minutes[at],
        )


class Locator:
    """Makes arrivals of tables; the levels grow with every flow never seen before."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._is_retried = PerDictionary(lambda texts: np.isin(texts, [Outcome.RETRIED.value]))
        self._is_filtered = PerDictionary(lambda texts: np.isin(texts, [Outcome.FILTERED.value]))
        self._has_failed = PerDictionary(lambda texts: np.isin(texts, _FAILED))

    def minutes(self, table: pa.Table) -> Arrivals:
        """Rows of MINUTES_COLUMNS, in the order they stand."""
        table = self._without_mistakes(table, table["minute"].to_numpy())
        firsts = table["first_ns"].to_numpy() / 1e9
        return self._located(table, table["minute"].to_numpy(), firsts, table["reason"], None)

    def hours(self, table: pa.Table) -> Arrivals:
        """Rows of HOURS_COLUMNS, in the order they stand."""
        table = self._without_mistakes(table, 60 * table["hour"].to_numpy())
        lasts = table["last_ns"].to_numpy() / 1e9
        active = table["active_minutes"].to_numpy()
        return self._located(table, 60 * table["hour"].to_numpy(), lasts, None, active)

    def _without_mistakes(self, table: pa.Table, minute: Ints) -> pa.Table:
        good = (minute >= EARLIEST_HOUR * 60) & ~self._is_retried.rows(table["outcome"])
        return table if good.all() else table.filter(pa.array(good))

    def _located(
        self,
        table: pa.Table,
        minute: Ints,
        first_s: Floats,
        reason: pa.ChunkedArray | None,
        active_minutes: Ints | None,
    ) -> Arrivals:
        flows = self._levels.locate(table)
        return Arrivals(
            minute,
            flows,
            self._levels.flow_rows[flows],
            table["count"].to_numpy().astype(np.float64),
            self._has_failed.rows(table["outcome"]),
            self._is_filtered.rows(table["outcome"]),
            first_s,
            table["last_ns"].to_numpy() / 1e9,
            reason,
            active_minutes,
        )
