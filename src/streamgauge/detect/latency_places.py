"""Which levels have latencies, and which of them a flow counts in."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Ints, grown
from streamgauge.detect.levels import OUTBOUND, Level, Levels

_JUDGED = (Level.TENANT, Level.TENANT_INTEGRATION, Level.INTEGRATION, Level.PLATFORM)


class LatencyPlaces:
    """Groups by place, each with the row of its last stage; places by row."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.groups: Ints = np.zeros(0, np.int64)
        """[places]"""
        self._place_of_group: Ints = np.full(64, -1, np.int32)

    def __len__(self) -> int:
        """How many places."""
        return len(self.groups)

    @property
    def rows(self) -> Ints:
        """Each place's row."""
        return self._last_rows(self.groups)

    def find(self, group: int) -> int | None:
        """The place of a group."""
        place = self._place_of_group[group] if group < len(self._place_of_group) else -1
        return int(place) if place >= 0 else None

    def know(self, flows: Ints) -> None:
        """Make places of all levels that these flows count in."""
        levels = self._levels
        self._place_of_group = grown(self._place_of_group, levels.group_count, -1)
        rows = np.unique(levels.flow_rows[np.unique(flows)])
        groups = levels.row_group[rows[rows > 0]]
        groups = np.unique(groups[np.isin(levels.group_level[groups], _JUDGED)])
        fresh = groups[self._place_of_group[groups] < 0]
        self._place_of_group[fresh] = len(self.groups) + np.arange(len(fresh))
        self.groups = np.append(self.groups, fresh)

    def of_flows(self, flows: Ints) -> list[Ints]:
        """The places [flows] of each level that a flow counts in; -1: none."""
        found = []
        for rows in self._levels.flow_rows[flows].T:
            groups = self._levels.row_group[rows]
            counts = (rows > 0) & (self._last_rows(groups) == rows)
            found.append(np.where(counts, self._place_of_group[groups], -1))
        return found

    def _last_rows(self, groups: Ints) -> Ints:
        """The row [groups] of the last stage that they have."""
        rows = self._levels.channel_rows[groups][:, list(OUTBOUND)]
        return np.asarray(rows[np.arange(len(rows)), (rows >= 0).argmax(axis=1)])
