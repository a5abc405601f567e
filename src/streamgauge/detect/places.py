"""Which levels are weighed in blocks of time, and what their flows counted together.

A *place* is a level above the flow with two messages an hour or more; smaller ones are left to
silence. It is known by its group, and counts in the group's primary row (`levels`). A place is kept
for ever, so that arrays by place are as long as there are levels worth weighing.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.watcher import Usual

LEAST_PER_HOUR = 2.0
_PARTS = 96
"""Those that are no place are looked at once a day, some in each quarter of an hour."""
_WEEK_S = 7 * 86_400.0


class Places:
    """Groups by place, and places by row."""

    def __init__(self, levels: Levels, usual: Usual) -> None:
        self._levels, self._usual = levels, usual
        self.groups: Ints = np.zeros(0, np.int64)
        """[places]"""
        self.levels: Ints = np.zeros(0, np.int8)
        """`Level` of each place."""
        self.rows: Ints = np.zeros(0, np.int64)
        """The primary row of each place."""
        self.per_hour: Floats = np.zeros(0)
        """Messages usually counted an hour, when it became a place."""
        self._place_of_row: Ints = np.zeros(0, np.int32)
        """Place + 1 by row; 0 for none."""
        self._built = (0, 0, 0)

    def __len__(self) -> int:
        """How many places."""
        return len(self.groups)

    def find(self, group: int) -> int | None:
        """The place of a group."""
        row = self._levels.primary(group)
        place = int(self._place_of_row[row]) - 1 if row < len(self._place_of_row) else -1
        return place if place >= 0 else None

    def look(self, quarter: int, *, at_all: bool) -> None:
        """Find new places, among all groups or a ninety-sixth of them."""
        self._index()
        size = self._levels.group_count
        groups = np.arange(0 if at_all else quarter % _PARTS, size, 1 if at_all else _PARTS)
        primary = self._levels.primary_rows[groups]
        is_new = (self._levels.group_level[groups] != Level.FLOW) & (
            self._place_of_row[primary] == 0
        )
        groups, rows = groups[is_new], primary[is_new]
        learned = self._usual.hours_learned(rows)
        end = quarter * 900.0
        start = np.full(len(rows), end - _WEEK_S)
        per_hour = self._usual.expected(rows, start, end) / np.clip(learned, 24.0, 168.0)
        is_worth = (learned > 0.0) & (per_hour >= LEAST_PER_HOUR)
        self.groups = np.append(self.groups, groups[is_worth])
        self.per_hour = np.append(self.per_hour, per_hour[is_worth])
        self._index()

    def sums(self, flows: Ints, *counts: Floats) -> list[Floats]:
        """Counts [flows] of some flows, each summed by place."""
        self._index()
        found = [np.zeros(len(self) + 1) for _ in counts]
        for column in self._levels.flow_rows[flows].T:
            place = self._place_of_row[column]
            for which, values in enumerate(counts):
                found[which] += np.bincount(place, values, len(self) + 1)
        return [total[1:] for total in found]

    def _index(self) -> None:
        """Groups may have got more channels, and so another primary row."""
        levels = self._levels
        built = (levels.group_count, levels.row_count, len(self.groups))
        if built == self._built:
            return
        self._built = built
        self.levels = levels.group_level[self.groups]
        self.rows = levels.primary_rows[self.groups].astype(np.int64)
        self._place_of_row = np.zeros(levels.row_count, np.int32)
        self._place_of_row[self.rows] = np.arange(len(self.groups)) + 1
