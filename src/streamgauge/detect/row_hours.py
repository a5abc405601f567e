"""Messages and failures of some rows by hour, summed from those of their flows when asked for.

What it takes depends on the rows that are asked for, not on how many there are: of rows that all
customers count in, sums are at hand (`wide`); of others only their own flows are read (`past`).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, placed
from streamgauge.detect.levels import Levels
from streamgauge.detect.past import Past
from streamgauge.detect.stamps import distinct
from streamgauge.detect.wide import WideHours


class RowHours:
    """Answers from what others keep."""

    def __init__(self, levels: Levels, past: Past, wide: WideHours) -> None:
        self._levels, self._past, self._wide = levels, past, wide

    def known(self) -> Ints:
        """The hours in which anything was counted, ascending."""
        return np.array(self._past.known_hours(), np.int64)

    def series(self, rows: Ints, hours: Ints) -> tuple[Floats, Floats]:
        """Messages, and failures among them, float32 [hours, rows].

        Args:
            rows: which, each once.
            hours: since the epoch, ascending.
        """
        found = np.zeros((2, len(hours), len(rows)), np.float32)
        if not len(hours):
            return found[0], found[1]
        is_wide = self._wide.has(rows)
        if is_wide.any():
            found[:, :, is_wide] = self._wide.counts(rows[is_wide], hours)
        if not is_wide.all():
            found[:, :, ~is_wide] = self._summed(rows[~is_wide], hours)
        return found[0], found[1]

    def failing(self, hour: int) -> Ints:
        """The groups, ascending, with a failure in an hour."""
        rows = self._levels.flow_rows[self._past.failing(hour)].ravel()
        rows = rows[rows > 0]
        return distinct(self._levels.row_group[rows], self._levels.group_count)

    def _summed(self, rows: Ints, hours: Ints) -> Floats:
        found = np.zeros((2, len(hours) * len(rows)), np.float32)
        place = placed(rows, self._levels.row_count)
        first, last = int(hours[0]), int(hours[-1])
        of_hour = np.searchsorted(hours, np.arange(first, last + 1))
        for part in self._past.hours(self._levels.flows_of_rows(rows), first, last):
            start = of_hour[part.hour - first] * len(rows)
            lost = np.flatnonzero(part.failed)
            for level in self._levels.flow_rows[part.flow].T:
                row = place[level]
                there = np.flatnonzero(row)
                np.add.at(found[0], start[there] + row[there] - 1, part.count[there])
                there = lost[row[lost] > 0]
                np.add.at(found[1], start[there] + row[there] - 1, part.failed[there])
        return found.reshape(2, len(hours), len(rows))
